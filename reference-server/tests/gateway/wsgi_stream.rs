//! WSGI: `stream = true`, bodies that are handed through as they arrive.

use std::{fs, io::Write, thread::spawn};

use crate::{
    support::{BothWays, Client, End, Gateway, Server, files::Signals, wait_until},
    wsgi_input::READS,
};

static SERVERS: BothWays = BothWays::new(|| start("2"), || start("1"));

const CONFIG: &str = r#"
[mount]
"/py" = { target = "wsgi:cases:application", stream = true }
"/plain" = "wsgi:cases:application"
"/hello" = "app:hello"
"/echo" = "app:echo"
"#;

fn start(threads: &str) -> Server {
    start_with(threads, "20")
}

fn start_with(threads: &str, body_timeout: &str) -> Server {
    let folder = Signals::new();
    fs::write(folder.file("gateway.toml"), CONFIG).unwrap();
    let gateway = Gateway::bare().option("--config", folder.file("gateway.toml")).option("--threads", threads);
    gateway.option("--body-timeout", body_timeout).start()
}

/// The head of a request whose body is still to come.
fn begin(server: &Server, target: &str, framing: &str) -> Client {
    let mut client = server.connect();
    client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"));
    client
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

#[test]
fn every_method_reads_a_body_that_arrives_byte_by_byte() {
    SERVERS.each(|server| {
        for (body, operations, expected) in READS {
            let target = format!("/py/reads?{operations}");
            for chunked in [false, true] {
                let length = format!("Content-Length: {}", body.len());
                let mut client = begin(&server, &target, if chunked { "Transfer-Encoding: chunked" } else { &length });
                for byte in body.chars().map(String::from) {
                    client.send(if chunked { chunk(&byte) } else { byte });
                }
                client.send(if chunked { "0\r\n\r\n" } else { "" });
                let results = client.response().text();
                assert_eq!(results.trim_end().replace('\n', " "), *expected, "{operations} of {body:?}, {chunked}");
            }
        }
    });
}

#[test]
fn a_chunked_body_has_no_length_and_says_so() {
    SERVERS.each(|server| {
        for (framing, body, length, coding) in [
            ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", false, true),
            ("Content-Length: 3", "abc", true, false),
            ("X-None: 1", "", false, false),
        ] {
            let dump = begin(&server, "/py/dump", framing).send(body).response().text();
            assert!(dump.contains("wsgi.input_terminated=True"), "{dump}");
            assert_eq!(dump.contains("CONTENT_LENGTH='3'"), length, "{framing}: {dump}");
            assert_eq!(dump.contains("CONTENT_LENGTH"), length, "{framing}: {dump}");
            assert_eq!(dump.contains("HTTP_TRANSFER_ENCODING='chunked'"), coding, "{framing}: {dump}");
        }
        let body = "3\r\nabc\r\n0\r\n\r\n";
        let dump = begin(&server, "/plain/dump", "Transfer-Encoding: chunked").send(body).response().text();
        assert!(dump.contains("CONTENT_LENGTH='3'") && !dump.contains("TRANSFER_ENCODING"), "{dump}");
    });
}

#[test]
fn what_has_arrived_is_there_before_the_rest() {
    SERVERS.each(|server| {
        let signals = Signals::new();
        let mut client = begin(&server, &format!("/py/notes-lines?{}", signals.path()), "Transfer-Encoding: chunked");
        client.send(chunk("one\ntw"));
        wait_until("the first line", || signals.content("lines").as_deref() == Some("one\n"));
        client.send(chunk("o\n"));
        wait_until("the second line", || signals.content("lines").as_deref() == Some("one\ntwo\n"));
        client.send("0\r\n\r\n");
        client.response().expect(200, "noted");
        assert_eq!(signals.content("lines").as_deref(), Some("one\ntwo\nthe end"));
    });
}

#[test]
fn request_and_response_can_go_on_at_the_same_time() {
    SERVERS.each(|server| {
        let mut client = begin(&server, "/py/echo-at-once", "Transfer-Encoding: chunked");
        client.send(chunk("question\n"));
        assert_eq!(client.head().status, 200);
        for line in ["question\n", "another\n", "and another\n"] {
            let mut received = String::new();
            while !received.contains(line) {
                received.push_str(&String::from_utf8(client.some()).unwrap());
            }
            client.send(match line {
                "question\n" => chunk("another\n"),
                "another\n" => chunk("and another\n"),
                _ => "0\r\n\r\n".into(),
            });
        }
        assert_eq!(client.some(), b"0\r\n\r\n");
    });
}

#[test]
fn a_body_that_breaks_off_is_an_error_and_no_end() {
    SERVERS.each(|server| {
        for framing in ["Transfer-Encoding: chunked", "Content-Length: 100"] {
            for reset in [false, true] {
                let signals = Signals::new();
                let mut client = begin(&server, &format!("/py/notes-lines?{}", signals.path()), framing);
                client.send(if framing.starts_with('T') { chunk("line\nhalf a li") } else { "line\nhalf a li".into() });
                wait_until("the first line", || signals.content("lines").as_deref() == Some("line\n"));
                if reset {
                    drop(client);
                } else {
                    client.finish();
                }
                wait_until("OSError", || signals.content("lines").as_deref() == Some("line\nOSError"));
                server.get("/plain/lazy").expect(404, "x");
            }
        }
    });
}

#[test]
fn a_body_that_nobody_reads_is_no_request() {
    SERVERS.each(|server| {
        for length in [10, 1_000_000] {
            let mut client = begin(&server, "/py/ignores", &format!("Content-Length: {length}"));
            client.try_send(vec![b'x'; length]);
            client.response().expect(200, "ignored");
            if client.try_send("GET /plain/lazy HTTP/1.1\r\nHost: a\r\n\r\n")
                && let Some(head) = client.try_head()
            {
                assert_eq!(head.status, 404);
            }
        }
    });
}

#[test]
fn a_connection_goes_on_behind_a_body_that_nobody_reads() {
    SERVERS.each(|server| {
        for length in [10, 100_000, 3_000_000] {
            for framing in [format!("Content-Length: {length}"), "Transfer-Encoding: chunked".to_owned()] {
                let mut client = begin(&server, "/py/ignores", &framing);
                let mut sender = client.sender();
                let chunked = framing.starts_with('T');
                let sending = spawn(move || {
                    let body = "x".repeat(length);
                    let body = if chunked { chunk(&body) + "0\r\n\r\n" } else { body };
                    // The answer is on its way before all of it is sent.
                    sender.write_all(body.as_bytes()).unwrap();
                    sender.write_all(b"GET /plain/lazy HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
                });
                client.response().expect(200, "ignored");
                client.response().expect(404, "x");
                sending.join().unwrap();
            }
        }
    });
}

#[test]
fn slow_uploads_leave_the_threads_to_others() {
    let server = start("2");
    let mut slow: Vec<_> = (0..6).map(|_| begin(&server, "/py/echo-length", "Content-Length: 6")).collect();
    for client in &mut slow {
        client.send("abc");
    }
    (0..10).for_each(|_| server.get("/plain/lazy").expect(404, "x"));
    for client in &mut slow {
        client.send("def");
        client.response().expect(200, "abcdef");
    }
}

#[test]
fn slow_uploads_leave_the_event_loop_to_others() {
    let server = start("1");
    let signals = Signals::new();
    let mut slow = begin(&server, &format!("/py/notes-lines?{}", signals.path()), "Content-Length: 8");
    slow.send("one\n");
    wait_until("the call to wait", || signals.content("lines").is_some());
    // Another upload waits for the one place that Python has, without harm to who needs none.
    let mut next = begin(&server, "/plain/echo", "Content-Length: 2");
    next.send("ab");
    server.get("/hello").expect(200, "Hello from /hello\n");
    let body = vec![b'x'; 2_000_000];
    server.post("/echo", &body).expect_body(200, &body);
    slow.send("two\n");
    slow.response().expect(200, "noted");
    next.response().expect(200, "ab");
}

#[test]
fn requests_that_wait_for_the_one_place_are_answered_in_order() {
    let server = start("1");
    let signals = Signals::new();
    let mut slow = begin(&server, &format!("/py/notes-lines?{}", signals.path()), "Content-Length: 8");
    slow.send("one\n");
    wait_until("the call to wait", || signals.content("lines").is_some());
    let mut next: Vec<_> = (0..50)
        .map(|_| {
            let mut client = server.connect();
            client.send("GET /plain/blocks HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    slow.send("two\n");
    slow.response().expect(200, "noted");
    for client in &mut next {
        let response = client.response();
        assert_eq!((response.status, response.end), (200, End::Complete));
    }
}

#[test]
fn a_thread_that_an_application_has_started_may_wait_for_the_body() {
    // It waits until that is over.
    for server in ["2", "1"].map(|threads| start_with(threads, "1")) {
        let signals = Signals::new();
        let mut client = begin(&server, &format!("/py/reads-in-a-thread?{}", signals.path()), "Content-Length: 10");
        client.send("abc");
        client.response().expect(200, "begun");
        signals.give("go");
        wait_until("the body, or its end", || signals.content("read").is_some_and(|text| !text.is_empty()));
        for _ in 0..4 {
            server.get("/py/one-block").expect(200, &"x".repeat(1000));
        }
        assert!(!server.log().contains("panicked"));
    }
}
