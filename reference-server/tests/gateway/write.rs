//! `write()`: what it does while its response is under way, and after that.

use crate::support::{End, Gateway, Server, files::Signals, wait_until};

fn start(threads: &str) -> Server {
    Gateway::new(["wsgi:write_app:application"]).option("--threads", threads).start()
}

#[test]
fn write_does_not_fail_because_the_response_has_no_body() {
    for threads in ["4", "1"] {
        let server = start(threads);
        for (method, status) in [("HEAD", "200 OK"), ("GET", "304 Not Modified"), ("GET", "204 No Content")] {
            let signals = Signals::new();
            let mut client = server.connect();
            let path = signals.path();
            client.send(format!("{method} /reports?{path} HTTP/1.1\r\nHost: a\r\nX-Status: {status}\r\n\r\n"));
            if threads != "1" {
                // All of the response is here, and the application still writes.
                client.response_to(method);
            }
            signals.give("go");
            wait_until("the application's end", || signals.content("wrote").is_some());
            assert_eq!(signals.content("wrote").as_deref(), Some("fine"), "{method} {status}, --threads {threads}");
        }
    }
}

#[test]
fn what_is_written_is_not_collected() {
    let server = start("4");
    let mut client = server.connect();
    client.send("GET /big?300 HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.head();
    let mut length = 0;
    let end = client.body(&head, "GET", |block| length += block.len());
    assert_eq!((length, end), (300 << 20, End::Complete));
    let peak = server.peak_memory();
    assert!(peak < 100 << 20, "{peak} bytes of memory at once");
}

#[test]
fn inside_the_event_loop_what_nobody_reads_is_kept_within_bounds() {
    let server =
        Gateway::new(["wsgi:write_app:application"]).option("--threads", "1").option("--write-timeout", "1").start();
    let mut client = server.connect();
    client.send("GET /big?600 HTTP/1.1\r\nHost: a\r\n\r\n");
    server.wait_for_log("nobody takes more of this response");
    let peak = server.peak_memory();
    assert!(peak < 200 << 20, "{peak} bytes of memory at once");
}

#[test]
fn write_raises_when_its_response_is_over() {
    for threads in ["4", "1"] {
        let server = start(threads);
        server.get("/keeps").expect(200, "kept");
        // The longer one is more than is taken without waiting for the client, and there is none.
        for count in [1, 100_000] {
            server.get(&format!("/uses-kept?{count}")).expect(200, "an exception");
        }
    }
}

/// The response is whole, and sent, before the last call of write() returns.
#[test]
fn write_does_not_fail_because_its_block_was_the_last_of_the_content_length() {
    for threads in ["4", "1"] {
        let server = start(threads);
        for counts in ["10", "5,5", "200000", "100000,100000", "1000,70000,1"] {
            let response = server.get(&format!("/fills?{counts}"));
            let expected: usize = counts.split(',').map(|count| count.parse::<usize>().unwrap()).sum();
            assert_eq!((response.body.len(), response.end), (expected, End::Complete), "{counts}");
            let mut outcome = "none yet".to_owned();
            wait_until("the application's end", || {
                outcome = server.get("/outcome").text();
                outcome != "none yet"
            });
            assert_eq!(outcome, "fine", "{counts}, --threads {threads}");
        }
    }
}

#[test]
fn write_raises_when_the_client_left_before_the_response() {
    for threads in ["4", "1"] {
        let server = start(threads);
        let signals = Signals::new();
        let mut client = server.connect();
        client.send(format!("GET /writes-late?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
        wait_until("the call", || signals.count("begun") == 1);
        drop(client);
        wait_until("that write() raises", || signals.content("wrote").is_some());
        assert_eq!(signals.content("wrote").as_deref(), Some("an OSError"), "--threads {threads}");
    }
}
