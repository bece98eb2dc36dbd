//! USR2: another program takes over the sockets.

use std::{fs, os::unix::net::UnixDatagram, path::PathBuf, thread::sleep, time::Duration};

use rustix::process::Signal;

use crate::{
    support::{
        Gateway, Load, Server,
        files::Signals,
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
    load.stop_after(500).assert_none_failed();
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

/// A supervisor that does not take over yet, since its application is still being loaded.
fn loading(server: &Server) -> Successor {
    let before = server.log().len();
    server.signal(Signal::USR2);
    let successor = Successor(server.logged_after(before, "as the new supervisor, process ").trim().parse().unwrap());
    wait_until("it to load", || !children(successor.0).is_empty());
    successor
}

const APP: &str = "
import os, time
while os.path.exists(os.path.join(os.path.dirname(__file__), 'shut')):
    time.sleep(0.005)
def application(environ, start_response):
    start_response('204 No Content', [])
    return []
";

#[test]
fn a_new_supervisor_that_does_not_come_up_leaves_the_files_of_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (path, admin) = (file("gateway.sock"), file("admin.sock"));
    fs::write(file("app.py"), APP).unwrap();
    let gateway = Gateway::new([format!("wsgi:{}:application", file("app.py").display())])
        .option("--bind", format!("unix:{}", path.display()))
        .option("--admin", format!("unix:{}", admin.display()));
    let server = gateway.start();
    fs::write(file("app.py"), "an error of syntax").unwrap();
    server.signal(Signal::USR2);
    server.wait_for_log("exit code 3; this one goes on");
    assert!(path.exists() && admin.exists());
    fs::write(file("app.py"), APP).unwrap();
    fs::write(file("shut"), "").unwrap();
    let successor = loading(&server);
    kill(successor.0, Signal::TERM);
    server.wait_for_log("exit code 0; this one goes on");
    assert!(path.exists() && admin.exists());
    assert_eq!(server.get("/").status, 204);
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
    assert!(!path.exists() && !admin.exists());
}

#[test]
fn a_new_supervisor_is_not_replaced_before_it_has_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (app, shut) = (folder.path().join("app.py"), folder.path().join("shut"));
    fs::write(&app, APP).unwrap();
    let server = Gateway::new([format!("wsgi:{}:application", app.display())]).start();
    fs::write(&shut, "").unwrap();
    let successor = loading(&server);
    kill(successor.0, Signal::USR2);
    server.wait_for_log("an upgrade is under way");
    fs::remove_file(&shut).unwrap();
    let first = server.pid();
    wait_until("the first supervisor to end", || !is_running(&first.to_string()));
    assert_eq!(server.get("/").status, 204);
}

#[test]
fn a_signal_to_end_after_an_upgrade_is_not_the_second_one() {
    let signals = Signals::new();
    let server = Gateway::new(["cases:application"]).start();
    let mut client = server.connect();
    client.send(format!("GET /sleeps?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
    wait_until("the application to be called", || signals.count("asleep-") == 1);
    server.signal(Signal::USR2);
    let successor = Successor::of(&server, 0);
    server.signal(Signal::TERM);
    server.wait_for_log("a second signal ends them at once");
    drop(successor);
    signals.give("wake");
    client.response().expect(200, "awake");
    assert!(!server.log().contains("this one goes on"), "{}", server.log());
    assert_eq!(server.exit().code(), Some(0));
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
