//! USR2: another program takes over the sockets.

use std::{fs, os::unix::net::UnixDatagram, path::PathBuf, thread::sleep, time::Duration};

use rustix::process::Signal;

use crate::{
    support::{
        Gateway, Load, Server,
        load::Connections::{Kept, New},
        server::{children, is_running},
        wait_until,
    },
    workers::kill,
};

/// A supervisor that nobody is the parent of any more.
struct Successor(u32);

impl Successor {
    /// Waits until it has taken over.
    fn of(server: &Server, skipped: usize) -> Self {
        let text = server.logged_after(skipped, "the new supervisor (process ");
        Successor(text.split(')').next().unwrap().parse().unwrap())
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if is_running(&self.0.to_string()) {
            kill(self.0, Signal::TERM);
            wait_until("the successor to end", || !is_running(&self.0.to_string()));
        }
    }
}

#[test]
fn upgrading_again_and_again_loses_no_request() {
    let gateway = Gateway::new(["processes:application"]).option("--workers", "2");
    let server = gateway.option("--drain-idle", "2").start();
    let load = Load::start(
        server.address(),
        &[("/sleep?0.01", Kept, 4), ("/sleep?0.01", New, 4), ("/sleep?2", Kept, 3), ("/sleep?2", New, 3)],
    );
    let mut successors = vec![];
    let upgrades = std::env::var("RELOADS").map_or(2, |reloads| reloads.parse().unwrap());
    for _ in 0..upgrades {
        let pid = successors.last().map_or(server.pid(), |successor: &Successor| successor.0);
        let before = server.log().len();
        kill(pid, Signal::USR2);
        successors.push(Successor::of(&server, before));
        sleep(Duration::from_secs(2));
    }
    let first = server.pid();
    wait_until("the first supervisor to end", || !is_running(&first.to_string()));
    let tally = load.stop();
    eprintln!("{} requests were answered", tally.answered);
    assert!(tally.failed.is_empty() && tally.answered > 500, "{tally:?}");
}

#[test]
fn a_program_that_cannot_take_over_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("gateway");
    fs::copy(env!("CARGO_BIN_EXE_gateway"), &program).unwrap();
    let server = Gateway::new(["processes:application"]).program(&program).start();
    let worker = server.worker();
    fs::remove_file(&program).unwrap();
    fs::write(&program, "#!/bin/sh\necho 'this is no server' >&2\nexit 9\n").unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    server.signal(Signal::USR2);
    server.wait_for_log("exit code 9; this one goes on");
    assert_eq!(server.get("/pid").text(), worker.to_string());
    // Workers are started from the program that runs, whatever is on the disk.
    kill(worker, Signal::KILL);
    server.wait_for_log("was ended by SIGKILL");
    assert_ne!(server.get("/pid").text(), worker.to_string());
}

#[test]
fn a_unix_socket_is_handed_over_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    let server = Gateway::new(["app:hello"]).option("--bind", format!("unix:{}", path.display())).start();
    server.signal(Signal::USR2);
    let successor = Successor::of(&server, 0);
    let first = server.pid();
    wait_until("the first supervisor to end", || !is_running(&first.to_string()));
    assert!(path.exists());
    assert_eq!(server.get("/").text(), "Hello from \n");
    assert_eq!(children(successor.0).len(), 1);
    drop(successor);
    assert!(!path.exists());
}

#[test]
fn systemd_is_told_the_new_process() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let server = Gateway::new(["app:hello"]).env("NOTIFY_SOCKET", &path).start();
    server.signal(Signal::USR2);
    let successor = Successor::of(&server, 0);
    let first = server.pid();
    wait_until("the first supervisor to end", || !is_running(&first.to_string()));
    systemd.set_nonblocking(true).unwrap();
    let (mut said, mut message) = (String::new(), [0; 4096]);
    while let Ok(count) = systemd.recv(&mut message) {
        said.push_str(&String::from_utf8_lossy(&message[..count]));
    }
    assert!(said.contains(&format!("MAINPID={}\n", successor.0)) && !said.contains("STOPPING"), "{said}");
}
