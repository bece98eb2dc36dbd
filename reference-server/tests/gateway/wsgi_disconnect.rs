//! WSGI: `gateway.disconnected`, for calls that take long and for work that outlives its request.

use crate::support::{BothWays, Gateway, Server, files::Signals, wait_until};

static SERVERS: BothWays = BothWays::new(|| start("4"), || start("1"));

fn start(threads: &str) -> Server {
    Gateway::new(["wsgi:cases:application"]).option("--threads", threads).start()
}

#[test]
fn a_call_that_goes_on_learns_that_its_client_has_gone() {
    SERVERS.each(|server| {
        let signals = Signals::new();
        let mut client = server.connect();
        client.send(format!("GET /waits-for-disconnect?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
        wait_until("the call", || signals.content("began").is_some());
        assert_eq!(signals.content("began").as_deref(), Some("False"));
        drop(client);
        wait_until("that the call learns of it", || signals.count("gone") == 1);
    });
}

#[test]
fn a_client_that_only_closes_its_side_has_gone_when_nothing_is_sent_to_it() {
    // Servers of its own: a request that waited for another's call would be given up before its own began.
    for server in [start("4"), start("1")] {
        let signals = Signals::new();
        let mut client = server.connect();
        client.send(format!("GET /waits-for-disconnect?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path())).finish();
        wait_until("that the call learns of it", || signals.count("gone") == 1);
        assert!(client.closed());
    }
}

#[test]
fn work_that_outlives_its_request_learns_of_it_too() {
    SERVERS.each(|server| {
        let signals = Signals::new();
        let mut client = server.connect();
        client.send(format!("GET /outlives?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
        client.response().expect(200, "False");
        // The connection is open, and another request comes over it.
        client.send("GET /one-block HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((client.response().status, signals.count("gone")), (200, 0));
        drop(client);
        wait_until("that the work learns of it", || signals.count("gone") == 1);
    });
}
