//! WSGI: the iterable, its framing and its `close()`, as PEP 3333 has them.

use std::fs;

use rustix::process::Signal;

use crate::{
    support::{EVERYTHING, End, Gateway, Server, files::Signals, wait_until},
    wsgi::begin,
};

#[test]
fn a_body_shorter_than_its_content_length_is_cut_off_and_logged() {
    let server = EVERYTHING.server();
    let mut client = begin(&server, "/py/length?10,5");
    // The connection ends; how much of the response has left by then is another matter.
    if let Some(head) = client.try_head() {
        assert_eq!((head.status, client.body(&head, "GET", |_| {})), (200, End::Truncated));
    }
    assert!(client.closed());
    server.wait_for_log("Content-Length");
}

#[test]
fn a_body_longer_than_its_content_length_is_cut_to_it() {
    let server = EVERYTHING.server();
    for (target, body) in [("/py/length?5,10", "5byte"), ("/py/length?3,10", "5by"), ("/py/length-by-write", "12345")] {
        let mut client = begin(&server, target);
        let response = client.response();
        assert_eq!((response.status, response.text().as_str(), response.end), (200, body, End::Complete), "{target}");
        // Whether the connection survives is ours to choose; out of step it must not be.
        if client.try_send("GET /py/lazy HTTP/1.1\r\nHost: a\r\n\r\n")
            && let Some(head) = client.try_head()
        {
            assert_eq!(head.status, 404, "{target}");
        }
    }
}

#[test]
fn a_content_length_is_one_number() {
    let server = EVERYTHING.server();
    for length in ["5x", "-5", "%2b5", "5,%205", ""] {
        let response = server.get(&format!("/py/length?{length},5"));
        assert_eq!(response.status, 500, "{length}");
        // The application is told, when it can still give another answer.
        server.get(&format!("/py/length-refused?{length}")).expect(500, "ValueError");
    }
}

#[test]
fn a_single_block_has_a_content_length_and_others_are_chunked() {
    let server = EVERYTHING.server();
    let response = server.get("/py/one-block");
    assert_eq!((response.header("content-length").as_deref(), response.body.len()), (Some("1000"), 1000));

    let mut client = begin(&server, "/py/blocks");
    let response = client.response();
    assert_eq!(response.header("transfer-encoding").as_deref(), Some("chunked"));
    response.expect_body(200, b"one\ntwo\r\n\0\xff\r\n\r\n");
    client.send("GET /py/one-block HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200, "chunked keeps the connection");
}

#[test]
fn http_1_0_gets_no_chunks() {
    let server = EVERYTHING.server();
    let mut client = server.connect();
    client.send("GET /py/blocks HTTP/1.0\r\n\r\n");
    let response = client.response();
    assert_eq!((response.header("transfer-encoding"), response.end), (None, End::Closed));
    response.expect_body(200, b"one\ntwo\r\n\0\xff\r\n\r\n");
}

#[test]
fn some_statuses_have_no_body() {
    let server = EVERYTHING.server();
    for (status, length) in [("204%20No%20Content", None), ("304%20Not%20Modified", Some("4"))] {
        let mut client = begin(&server, &format!("/py/empty-status?{status}"));
        let response = client.response();
        assert_eq!(response.header("transfer-encoding"), None, "{status}");
        assert!(response.header("content-length").as_deref() == length || response.header("content-length").is_none());
        client.send("GET /py/lazy HTTP/1.1\r\nHost: a\r\n\r\n");
        client.response().expect(404, "x");
    }
}

#[test]
fn head_runs_the_application_like_get() {
    let server = EVERYTHING.server();
    for case in ["one-block", "blocks", "writes", "lazy"] {
        let get = server.get(&format!("/py/{case}"));
        let mut client = server.connect();
        client.send(format!("HEAD /py/{case} HTTP/1.1\r\nHost: a\r\n\r\nGET /py/lazy HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = client.response_to("HEAD");
        assert_eq!((head.status, head.header("x-a")), (get.status, get.header("x-a")), "{case}");
        client.response().expect(404, "x");
    }
}

#[test]
fn blocks_are_sent_before_the_next_is_asked_for() {
    let server = EVERYTHING.server();
    for case in ["two-blocks", "two-writes"] {
        let signals = Signals::new();
        let mut client = begin(&server, &format!("/py/{case}?{}", signals.path()));
        client.head();
        let mut received = Vec::new();
        while !received.ends_with(b"first\r\n") {
            received.extend(client.some());
        }
        signals.give("go");
        assert!(String::from_utf8_lossy(&client.some()).contains("second"), "{case}");
    }
}

#[test]
fn close_is_called_once_on_every_way_out() {
    let server = EVERYTHING.server();
    for (method, case) in [
        ("GET", "closes"),
        ("HEAD", "closes"),
        ("GET", "closes-list"),
        ("GET", "closes-not-modified"),
        ("GET", "closes-after-exception"),
        ("GET", "closes-never-started"),
        ("GET", "closes-short"),
    ] {
        let signals = Signals::new();
        let mut client = server.connect();
        client.send(format!("{method} /py/{case}?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
        client.response_to(method);
        closed_once(&server, &signals, &format!("{method} {case}"));
    }
}

#[test]
fn close_is_called_once_when_the_client_leaves() {
    let server = EVERYTHING.server();
    let signals = Signals::new();
    let mut client = begin(&server, &format!("/py/closes-endless?{}", signals.path()));
    client.head();
    drop(client);
    closed_once(&server, &signals, "closes-endless");

    for case in ["closes-while-waiting", "closes-after-waiting"] {
        let signals = Signals::new();
        let client = begin(&server, &format!("/py/{case}?{}", signals.path()));
        wait_until(case, || signals.count("waits") == 1);
        drop(client);
        signals.give("go");
        closed_once(&server, &signals, case);
    }
}

#[test]
fn empty_blocks_go_on_no_longer_than_the_client_stays() {
    for threads in ["4", "1"] {
        let server = Gateway::new(["wsgi:cases:application"]).option("--threads", threads).start();
        for method in ["GET", "HEAD"] {
            let signals = Signals::new();
            let mut client = server.connect();
            let path = signals.path();
            client.send(format!("{method} /closes-endless-empties?{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            client.head();
            drop(client);
            wait_until("close()", || signals.content("closed").is_some());
            assert_eq!(signals.content("closed").as_deref(), Some("closed\n"), "{method}, --threads {threads}");
        }
    }
}

#[test]
fn close_is_called_once_when_the_server_ends() {
    for threads in ["4", "1"] {
        let server = Gateway::new(["wsgi:cases:application"]).option("--graceful-timeout", "1");
        let server = server.option("--threads", threads).start();
        let signals = Signals::new();
        let mut client = begin(&server, &format!("/closes-endless?{}", signals.path()));
        client.head();
        server.signal(Signal::TERM);
        assert!(server.exit().success());
        assert_eq!(signals.content("closed").as_deref(), Some("closed\n"), "--threads {threads}");
    }
}

fn closed_once(server: &Server, signals: &Signals, case: &str) {
    wait_until(&format!("close() after {case}"), || signals.content("closed").is_some());
    // Whatever else would have called it has had its turn once another request is through.
    (0..3).for_each(|_| assert_eq!(server.get("/py/one-block").status, 200));
    assert_eq!(signals.content("closed").as_deref(), Some("closed\n"), "{case}");
}

#[test]
fn a_close_that_raises_is_logged() {
    let server = EVERYTHING.server();
    let mut client = begin(&server, "/py/close-raises");
    assert_eq!(client.response().text(), "x");
    server.wait_for_log("raised in close");
    client.send("GET /py/lazy HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response().expect(404, "x");
}

#[test]
fn only_iteration_and_close_are_asked_of_an_iterable() {
    EVERYTHING.server().get("/py/hostile-iterable").expect(200, "ab");
}

#[test]
fn a_wrapped_file_is_sent_from_its_offset_and_closed() {
    let server = EVERYTHING.server();
    let signals = Signals::new();
    fs::write(signals.file("file"), "0123456789abcdefghijABCDEFGHIJ-more").unwrap();
    server.get(&format!("/py/file-wrapper?{}", signals.path())).expect(200, "abcdefghijABCDEFGHIJ");
    closed_once(&server, &signals, "file_wrapper");
    server
        .get(&format!("/py/file-wrapper-whole?{}", signals.path()))
        .expect(200, "0123456789abcdefghijABCDEFGHIJ-more");
    server.get("/py/file-wrapper-of-anything").expect(200, "onetwo");
    // That only a part is wanted is no mistake.
    assert!(!server.log().contains("a body of 25 bytes and a Content-Length of 20"));
}

#[test]
fn what_a_wrapped_file_reads_is_sent_and_not_what_is_behind_it() {
    let server = EVERYTHING.server();
    let signals = Signals::new();
    fs::write(signals.file("file"), "text").unwrap();
    server.get(&format!("/py/file-wrapper-of-gzip?{}", signals.path())).expect(200, "compressed");
    server.get(&format!("/py/file-wrapper-of-upper-case?{}", signals.path())).expect(200, "TEXT");
    server.get(&format!("/py/file-wrapper-of-replaced-read?{}", signals.path())).expect(200, "TEXT");
    server.get(&format!("/py/file-wrapper-of-unwritten?{}", signals.path())).expect(200, "TExt");
    assert!(server.get("/py/file-wrapper-without-length").text().contains("Pid:"));
}

#[test]
fn clients_that_do_not_read_hold_no_thread() {
    let server = Gateway::new(["wsgi:cases:application"]).option("--threads", "2").start();
    let signals = Signals::new();
    let stalled: Vec<_> = (0..6)
        .map(|_| {
            let mut client = begin(&server, &format!("/closes-endless?{}", signals.path()));
            client.head();
            client
        })
        .collect();
    (0..10).for_each(|_| server.get("/one-block").expect_body(200, &[b'x'; 1000]));
    drop(stalled);
    wait_until("close() of all", || signals.content("closed").is_some_and(|lines| lines.lines().count() == 6));
}
