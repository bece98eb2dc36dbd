//! What the supervisor does when it is sent a signal.

use std::{fs, time::Duration};

use rustix::process::Signal;

use crate::support::{
    Gateway, Load, Server, installed,
    load::Connections::{Kept, New},
    server::is_running,
    wait_until,
};

fn gateway() -> Gateway {
    Gateway::new(["processes:application"]).option("--drain-idle", "0")
}

/// A request that will not end soon, on its way.
fn busy(server: &Server) -> crate::support::Client {
    let mut client = server.connect();
    client.send("GET /sleep?600 HTTP/1.1\r\nHost: a\r\n\r\n");
    // Connections are accepted in their order.
    server.get("/pid");
    client
}

#[test]
fn quit_ends_at_once() {
    let server = gateway().start();
    let (mut client, worker) = (busy(&server), server.worker());
    server.signal(Signal::QUIT);
    assert!(client.try_head().is_none());
    assert_eq!(server.exit().code(), Some(0));
    assert!(!is_running(&worker.to_string()));
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let server = gateway().start();
    let _client = busy(&server);
    server.signal(Signal::INT);
    server.wait_for_log("a second signal ends them at once");
    server.signal(Signal::INT);
    assert_eq!(server.exit().code(), Some(130));
}

#[test]
fn what_waits_in_the_backlog_when_it_is_told_to_end_is_served() {
    let server = gateway().option("--threads", "1").start();
    // The event loop stands still meanwhile.
    let mut first = server.connect();
    first.send("GET /sleep?1 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut waiting: Vec<_> = (0..20).map(|_| server.connect()).collect();
    waiting.iter_mut().for_each(|client| {
        client.send("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
    });
    server.signal(Signal::TERM);
    assert_eq!(first.response().status, 200);
    waiting.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn connections_that_were_used_a_moment_ago_get_their_last_answer() {
    let server = Gateway::new(["processes:application"]).option("--drain-idle", "5").start();
    let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().header("connection"), None);
    }
    server.signal(Signal::TERM);
    let address = server.address();
    wait_until("the end of listening", || std::net::TcpStream::connect(address).is_err());
    for client in &mut clients[..5] {
        client.send("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().header("connection").as_deref(), Some("close"));
    }
    clients.iter_mut().for_each(|client| assert!(client.closed()));
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn usr1_opens_the_access_log_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (log, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let server = gateway().option("--access-log", &log).start();
    server.get("/pid?before");
    wait_until("the first line", || fs::read_to_string(&log).unwrap().contains("before"));
    fs::rename(&log, &moved).unwrap();
    server.get("/pid?between");
    server.signal(Signal::USR1);
    wait_until("the new file", || log.exists());
    server.get("/pid?after");
    wait_until("the line after", || fs::read_to_string(&log).unwrap().contains("after"));
    let (old, new) = (fs::read_to_string(&moved).unwrap(), fs::read_to_string(&log).unwrap());
    assert!(!old.contains("after") && !new.contains("before"), "{old}\n{new}");
    assert_eq!(format!("{old}{new}").lines().count(), 3);
}

#[test]
fn a_log_that_nobody_reads_ends_nothing() {
    if !installed(&["bash"]) {
        return;
    }
    let broken = ["bash", "-c", "exec \"$@\" 2> >(exec true)", "bash"];
    let server = gateway().inside(&broken).start();
    let mut pid = server.get("/pid").text();
    for _ in 0..2 {
        server.signal(Signal::HUP);
        wait_until("another worker", || server.get("/pid").text() != pid);
        pid = server.get("/pid").text();
    }
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn winch_ends_the_workers_and_keeps_listening() {
    let server = gateway().start();
    server.signal(Signal::WINCH);
    server.wait_for_workers(0);
    let mut waiting = server.connect();
    waiting.send("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
    server.signal(Signal::HUP);
    assert_eq!(waiting.response().status, 200);
}

#[test]
fn workers_are_added_and_removed_without_losing_a_request() {
    let server = Gateway::new(["processes:application"]).option("--workers", "2").option("--drain-idle", "2").start();
    let load =
        Load::start(server.address(), &[("/sleep?0.01", Kept, 4), ("/sleep?0.01", New, 4), ("/sleep?2", New, 3)]);
    for (signal, workers) in [(Signal::TTIN, 3), (Signal::TTIN, 4), (Signal::TTOU, 3), (Signal::TTOU, 2)] {
        server.signal(signal);
        server.wait_for_workers(workers);
        std::thread::sleep(Duration::from_millis(500));
    }
    load.stop_after(500).assert_none_failed();
}

#[test]
fn a_signal_to_all_processes_is_the_supervisors() {
    let server = gateway().option("--workers", "2").option("--log-level", "debug").start();
    let workers = crate::workers::serving(&server, 2);
    for signal in [Signal::HUP, Signal::USR1, Signal::INT] {
        workers.iter().for_each(|worker| crate::workers::kill(*worker, signal));
    }
    assert_eq!(server.get("/pid").status, 200);
    assert_eq!(server.workers(), workers);
    // A person who ends one worker gets another, first.
    crate::workers::kill(workers[0], Signal::TERM);
    server.wait_for_log("it was told to end by SIGTERM");
    wait_until("another worker", || server.workers().len() == 2 && !server.workers().contains(&workers[0]));
}
