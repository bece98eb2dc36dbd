//! As process 1 of a container, for which nobody else reaps and whom no signal ends by itself.

use std::fs;

use rustix::process::Signal;

use crate::{
    support::{Gateway, server::children, wait_until, which},
    workers::kill,
};

#[test]
fn orphans_are_reaped_and_term_is_obeyed() {
    let unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--map-root-user"];
    let works = which("unshare").is_some()
        && std::process::Command::new(unshare[0]).args(&unshare[1..]).arg("true").status().is_ok_and(|it| it.success());
    if !works {
        assert!(std::env::var_os("CI").is_none(), "no PID namespace can be made here");
        return eprintln!("skipped: no PID namespace can be made here");
    }
    let server = Gateway::new(["processes:application"]).inside(&unshare).start();
    // `unshare` waits for process 1, which is its child.
    let first = children(server.pid())[0];
    let zombies = || {
        let family = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap();
        family.split_whitespace().count()
    };
    assert_eq!(zombies(), 1);
    for _ in 0..5 {
        assert!(server.get("/orphan").text().parse::<u32>().unwrap() > 1);
    }
    wait_until("the orphans to be reaped", || zombies() == 1);
    assert_eq!(server.get("/pid").status, 200);
    kill(first, Signal::USR2);
    server.wait_for_log("process 1 cannot be replaced");
    kill(first, Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
}
