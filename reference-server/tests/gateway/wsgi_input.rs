//! WSGI: `wsgi.input`, however its body is framed and however it is read.

use std::thread;

use crate::support::{
    EVERYTHING, End, Gateway, Server,
    files::{Signals, pattern},
    wait_until,
};

const LINES: &str = "l1\nl2\n";

/// A body, what is called on `wsgi.input`, and what that gives.
pub(crate) const READS: &[(&str, &str, &str)] = &[
    (LINES, "readline;readline;readline", r"b'l1\n' b'l2\n' b''"),
    (LINES, "list", r"[b'l1\n', b'l2\n']"),
    (LINES, "readline:2;readline", r"b'l1' b'\n'"),
    (LINES, "readline:0;readline", r"b'' b'l1\n'"),
    (LINES, "readline:-1;readline:None", r"b'l1\n' b'l2\n'"),
    (LINES, "readline:100", r"b'l1\n'"),
    (LINES, "read:-1", r"b'l1\nl2\n'"),
    (LINES, "read:None", r"b'l1\nl2\n'"),
    (LINES, "read", r"b'l1\nl2\n'"),
    (LINES, "read:2;read", r"b'l1' b'\nl2\n'"),
    (LINES, "read:0;read:1", r"b'' b'l'"),
    (LINES, "read:2;readline;list", r"b'l1' b'\n' [b'l2\n']"),
    (LINES, "readlines", r"[b'l1\n', b'l2\n']"),
    (LINES, "readlines:1", r"[b'l1\n']"),
    (LINES, "readlines:0", r"[b'l1\n', b'l2\n']"),
    (LINES, "readlines:None", r"[b'l1\n', b'l2\n']"),
    (LINES, "readlines:1;read", r"[b'l1\n'] b'l2\n'"),
    (LINES, "read;read;read:5;readline;readlines;list", r"b'l1\nl2\n' b'' b'' b'' [] []"),
    (LINES, "read:1000;read:1000", r"b'l1\nl2\n' b''"),
    ("no end", "readline;readline", r"b'no end' b''"),
    ("\n\n", "list", r"[b'\n', b'\n']"),
    ("a\r\nb", "list", r"[b'a\r\n', b'b']"),
    ("", "read;readline;readlines;list;read:1", r"b'' b'' [] [] b''"),
];

#[test]
fn every_method_reads_as_a_file_does() {
    let server = EVERYTHING.server();
    for (body, operations, expected) in READS {
        let target = format!("/py/reads?{operations}");
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let chunks = if body.is_empty() { "0\r\n\r\n".to_owned() } else { chunks };
        for (framing, body) in [
            (format!("Content-Length: {}", body.len()), (*body).to_owned()),
            ("Transfer-Encoding: chunked".into(), chunks),
        ] {
            let mut client = server.connect();
            client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}"));
            let results = client.response().text();
            assert_eq!(results.trim_end().replace('\n', " "), *expected, "{operations} of {body:?}, {framing}");
        }
    }
}

#[test]
fn every_method_waits_for_a_body_that_the_client_holds_back() {
    let server = EVERYTHING.server();
    for (body, operations, expected) in READS.iter().filter(|(body, ..)| !body.is_empty()) {
        let mut client = server.connect();
        client.send(format!(
            "POST /py/reads?{operations} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        assert_eq!(client.response().status, 100, "{operations}");
        for byte in body.bytes() {
            client.send([byte]);
        }
        let results = client.response().text();
        assert_eq!(results.trim_end().replace('\n', " "), *expected, "{operations} of {body:?}");
    }
}

#[test]
fn lines_of_a_body_larger_than_memory_are_whole() {
    let server = EVERYTHING.server();
    let body = pattern(3_000_000);
    server.post("/py/echo-lines", &body).expect_body(200, &body);
}

#[test]
fn a_chunked_body_has_a_length() {
    let server = EVERYTHING.server();
    let body = pattern(200_000);
    let mut client = server.connect();
    client.send("POST /py/echo-length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n");
    client.send(&body).send("\r\n0\r\n\r\n");
    client.response().expect_body(200, &body);
}

#[test]
fn nothing_is_read_beyond_the_body() {
    let server = EVERYTHING.server();
    let mut client = server.connect();
    client.send("POST /py/reads?read:1000;read HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /py/lazy HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response().expect(200, "b'abc'\nb''\n");
    client.response().expect(404, "x");
}

#[test]
fn a_body_that_is_cut_off_is_not_taken_for_a_short_one() {
    let server = EVERYTHING.server();
    for length in [10, 1_000_000] {
        let signals = Signals::new();
        let target = format!("/py/reports-input?{}", signals.path());
        let mut client = server.connect();
        client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
        client.send(pattern(length / 2)).finish();
        let answer = client.try_head().map(|head| head.status);
        assert!(!matches!(answer, Some(200..=299)), "{length}: {answer:?}");
        // The application has not been called, or it has been told.
        assert_eq!(server.get("/py/one-block").status, 200);
        if let Some(report) = signals.content("read") {
            assert!(report.contains("OSError"), "{length}: {report}");
        }
    }
}

#[test]
fn a_small_body_that_comes_slowly_holds_no_thread() {
    let server = Gateway::new(["wsgi:cases:application"]).option("--threads", "2").start();
    let mut slow: Vec<_> = (0..6)
        .map(|_| {
            let mut client = server.connect();
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
            client
        })
        .collect();
    // Each of them would be read by now if anything were waiting for it.
    (0..10).for_each(|_| assert_eq!(server.get("/one-block").status, 200));
    for client in &mut slow {
        client.send("def");
        client.response().expect(200, "abcdef");
    }
}

#[test]
fn bodies_of_many_clients_do_not_mix() {
    let server = EVERYTHING.server();
    thread::scope(|scope| {
        for client in 0..8_u8 {
            let server: &Server = &server;
            scope.spawn(move || {
                for round in 0..20 {
                    let body = vec![client; 1000 * usize::from(client) + round];
                    let response = server.post("/py/echo", &body);
                    assert!(response.body == body && response.end == End::Complete);
                }
            });
        }
    });
    wait_until("the server to be idle", || server.get("/py/one-block").status == 200);
}
