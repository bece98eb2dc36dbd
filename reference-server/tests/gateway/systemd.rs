//! The conversation with systemd, whose part the test plays.

use std::{
    collections::VecDeque,
    fs,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Gateway, PATIENCE, wait_until};

/// The socket that systemd listens on.
struct Systemd {
    socket: UnixDatagram,
    folder: TempDir,
    lines: VecDeque<String>,
}

impl Systemd {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Systemd { socket, folder, lines: VecDeque::new() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    fn next(&mut self) -> String {
        while self.lines.is_empty() {
            let mut message = [0; 4096];
            let count = self.socket.recv(&mut message).expect("another message");
            self.lines.extend(String::from_utf8_lossy(&message[..count]).lines().map(str::to_owned));
        }
        self.lines.pop_front().unwrap()
    }

    /// Waits for a line that begins so, and gives the rest.
    fn expect(&mut self, prefix: &str) -> String {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(rest) = self.next().strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
        panic!("no {prefix}");
    }
}

#[test]
fn readiness_reloading_status_and_the_end_are_told() {
    let mut systemd = Systemd::new();
    let gateway = Gateway::new(["processes:application"]).env("NOTIFY_SOCKET", systemd.path());
    let server = gateway.option("--workers", "2").start();
    systemd.expect("READY=1");
    systemd.expect("STATUS=2 of 2 workers are READY");
    server.signal(Signal::HUP);
    systemd.expect("RELOADING=1");
    let stamp: u64 = systemd.expect("MONOTONIC_USEC=").parse().unwrap();
    assert!(stamp > 0);
    systemd.expect("READY=1");
    server.signal(Signal::TERM);
    systemd.expect("STOPPING=1");
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn a_reload_that_fails_is_over_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    fs::write(&file, "bind = '127.0.0.1:0'\n[mount]\n'/' = 'app:hello'").unwrap();
    let mut systemd = Systemd::new();
    let server = Gateway::configured(&file).env("NOTIFY_SOCKET", systemd.path()).start();
    systemd.expect("READY=1");
    fs::write(&file, "bnid = '127.0.0.1:0'").unwrap();
    server.signal(Signal::HUP);
    systemd.expect("RELOADING=1");
    systemd.expect("READY=1");
}

#[test]
fn a_reload_before_anybody_serves_is_a_part_of_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app.py");
    // The first worker asks for the reload, and waits for its end.
    let text = "
import os, pathlib, signal, time
once = pathlib.Path(__file__).with_name('once')
if not once.exists():
    once.touch()
    os.kill(os.getppid(), signal.SIGHUP)
    time.sleep(600)
def application(environ, start_response):
    start_response('204 No Content', [])
    return []
";
    fs::write(&app, text).unwrap();
    let mut systemd = Systemd::new();
    let gateway = Gateway::new([format!("wsgi:{}:application", app.display())]);
    let server = gateway.env("NOTIFY_SOCKET", systemd.path()).start();
    assert!(server.log().contains("reloading"));
    let mut told = Vec::new();
    while told.last().is_none_or(|line| line != "STATUS=1 of 1 workers are READY") {
        told.push(systemd.next());
    }
    let reloading = told.iter().any(|line| line == "RELOADING=1");
    let ready = told.iter().filter(|line| *line == "READY=1").count();
    assert_eq!((reloading, ready), (false, 1), "{told:?}");
}

#[test]
fn the_watchdog_hears_of_it_only_while_somebody_serves() {
    let mut systemd = Systemd::new();
    let gateway = Gateway::new(["processes:application"]).env("NOTIFY_SOCKET", systemd.path());
    let server = gateway.env("WATCHDOG_USEC", "400000").start();
    for _ in 0..3 {
        systemd.expect("WATCHDOG=1");
    }
    // Nobody serves: each worker ends as soon as it begins.
    let broken = server.worker();
    server.signal(Signal::WINCH);
    server.wait_for_workers(0);
    systemd.expect("WATCHDOG=1");
    assert_ne!(broken, 0);
}

#[test]
fn a_crash_loop_is_no_sign_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("fragile.py");
    let healthy = "def application(environ, start_response):\n    import os\n    os._exit(1)\n";
    fs::write(&module, healthy).unwrap();
    let mut systemd = Systemd::new();
    let file = folder.path().join("gateway.toml");
    fs::write(&file, "chdir = '.'\nbind = '127.0.0.1:0'\n[mount]\n'/' = 'fragile:application'").unwrap();
    let gateway = Gateway::configured(&file).env("NOTIFY_SOCKET", systemd.path()).env("WATCHDOG_USEC", "200000");
    let server = gateway.start();
    systemd.expect("WATCHDOG=1");
    fs::write(&module, "raise SystemError('broken')").unwrap();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.try_head().is_none());
    server.wait_for_log("SystemError: broken");
    // What was said before is read; after that there is silence.
    systemd.socket.set_nonblocking(true).unwrap();
    let mut message = [0; 4096];
    while systemd.socket.recv(&mut message).is_ok() {}
    systemd.socket.set_nonblocking(false).unwrap();
    systemd.socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    while let Ok(count) = systemd.socket.recv(&mut message) {
        assert!(!message[..count].starts_with(b"WATCHDOG"), "it says that all is well");
    }
    fs::write(&module, healthy).unwrap();
    systemd.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    systemd.expect("WATCHDOG=1");
    wait_until("a worker", || server.workers().len() == 1);
}
