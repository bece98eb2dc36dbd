//! SIGTERM and SIGINT: what runs is finished, what idles is closed, and nothing is left behind.

use rustix::process::Signal;

use crate::{
    support::{Gateway, PATIENCE, files::Signals, programs, server::is_running, wait_until},
    workers::kill,
};

const SIGNALS: [Signal; 2] = [Signal::TERM, Signal::INT];

fn begin() -> (Gateway, Signals) {
    let cgi = format!("/cgi=cgi:{}", programs::folder().display());
    let gateway = Gateway::new(["/hello=app:hello", "/py=wsgi:cases:application", &cgi]).option("--drain-idle", "1");
    (gateway, Signals::new())
}

#[test]
fn a_running_request_is_finished_and_idle_connections_are_closed() {
    for signal in SIGNALS {
        for running in ["/py/two-blocks", "/py/two-writes", "/cgi/two-blocks.sh"] {
            let (gateway, signals) = begin();
            let server = gateway.start();
            let mut idle: Vec<_> = (0..10).map(|_| server.connect()).collect();
            for client in &mut idle[..5] {
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                assert_eq!(client.response().status, 200);
            }
            let mut client = server.connect();
            client.send(format!("GET {running}?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
            let head = client.head();

            server.signal(signal);
            idle.iter_mut().for_each(|client| assert!(client.closed(), "{running}"));
            signals.give("go");
            let mut body = Vec::new();
            client.body(&head, "GET", |block| body.extend_from_slice(block));
            assert_eq!(String::from_utf8_lossy(&body), "firstsecond", "{running}");
            assert!(client.closed(), "{running}");
            assert_eq!(server.exit().code(), Some(0), "{running}");
        }
    }
}

#[test]
fn a_request_whose_head_is_still_to_come_is_finished() {
    let (gateway, signals) = begin();
    let server = gateway.start();
    let mut client = server.connect();
    client.send(format!("GET /py/sleeps?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
    wait_until("the application to be called", || signals.count("asleep-") == 1);
    server.signal(Signal::TERM);
    let address = server.address();
    wait_until("new connections to be refused", || std::net::TcpStream::connect(address).is_err());
    signals.give("wake");
    let response = client.response();
    response.expect(200, "awake");
    assert_eq!(response.header("connection").as_deref(), Some("close"));
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn a_worker_that_is_told_by_a_signal_too_finishes_its_requests() {
    let (gateway, signals) = begin();
    let server = gateway.start();
    let mut client = server.connect();
    client.send(format!("GET /py/sleeps?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
    wait_until("the application to be called", || signals.count("asleep-") == 1);
    let (address, worker) = (server.address(), server.worker());
    // systemd, for one, sends it to all processes.
    server.signal(Signal::TERM);
    wait_until("new connections to be refused", || std::net::TcpStream::connect(address).is_err());
    kill(worker, Signal::TERM);
    signals.give("wake");
    client.response().expect(200, "awake");
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn an_idle_server_ends_at_once() {
    for signal in SIGNALS {
        let (gateway, _) = begin();
        let server = gateway.start();
        assert_eq!(server.get("/py/one-block").status, 200);
        server.signal(signal);
        assert_eq!(server.exit().code(), Some(0));
    }
}

#[test]
fn what_does_not_end_in_time_is_cut_off() {
    let (gateway, signals) = begin();
    let server = gateway.option("--graceful-timeout", "1").start();
    let mut program = server.connect();
    program.send(format!("GET /cgi/silent.sh?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
    let mut sleeper = server.connect();
    sleeper.send(format!("GET /py/sleeps?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
    wait_until("both to run", || signals.content("child").is_some() && signals.count("asleep-") == 1);
    server.signal(Signal::TERM);
    assert!(program.try_head().is_none());
    assert!(sleeper.try_head().is_none());
    assert_eq!(server.exit().code(), Some(0));
    for name in ["pid", "child"] {
        let pid = signals.content(name).unwrap();
        wait_until(&format!("{name} to end within {PATIENCE:?}"), || !is_running(&pid));
    }
}

#[test]
fn a_program_that_goes_on_after_its_answer_is_ended() {
    let (gateway, signals) = begin();
    let server = gateway.start();
    server.get(&format!("/cgi/stays.sh?{}", signals.path())).expect(200, "complete");
    let pid = signals.content("pid").unwrap();
    assert!(is_running(&pid));
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
    wait_until("the program to end", || !is_running(&pid));
}
