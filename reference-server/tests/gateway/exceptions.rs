//! Exceptions of every kind: what the client and the log get, and that nothing is kept of them.

use crate::support::{BothWays, Client, End, Gateway, Server, wait_until};

static SERVERS: BothWays = BothWays::new(|| start("4"), || start("1"));

fn start(threads: &str) -> Server {
    Gateway::new(["wsgi:exceptions:application"]).option("--threads", threads).start()
}

/// Kinds of exceptions, and what the log has of them.
const KINDS: [(&str, &str); 16] = [
    ("exit", "SystemExit"),
    ("exit-with-text", "SystemExit: leaving"),
    ("interrupt", "KeyboardInterrupt"),
    ("generator-exit", "GeneratorExit"),
    ("base", "Own"),
    ("no-message", "ValueError"),
    ("umlaut", "ValueError: Grüße, 世界"),
    ("surrogate", "ValueError: lone "),
    ("control", "ValueError: a"),
    ("mute", "Mute"),
    ("wrong", "Wrong"),
    ("hostile", "Hostile"),
    ("group", "ValueError: one of them"),
    ("cause", "KeyError: 'the cause'"),
    ("recursion", "RecursionError: maximum recursion depth exceeded"),
    ("memory", "MemoryError"),
];

/// Sends a request and another behind it on the same connection, so that what happens to its neighbour shows.
fn begin(server: &Server, path: &str) -> Client {
    let mut client = server.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\nGET /plain HTTP/1.1\r\nHost: a\r\n\r\n"));
    client
}

/// The log has the exception, and the place that it comes from.
fn is_logged(server: &Server, begin: usize, text: &str) {
    server.wait_for_log_after(begin, text);
    server.wait_for_log_after(begin, "exceptions.py");
}

#[test]
fn before_the_head_every_exception_is_500_and_logged() {
    SERVERS.each(|server| {
        for when in ["in_call", "after_start", "at_first", "in_iter"] {
            for (kind, text) in KINDS {
                let logged = server.log().len();
                let mut client = begin(&server, &format!("/{kind}/{when}"));
                let response = client.response();
                assert_eq!((response.status, response.end), (500, End::Complete), "{kind} {when}: {response:?}");
                assert!(!response.text().contains("rror:") && !response.text().contains(".py"), "{response:?}");
                client.response().expect(200, "fine");
                is_logged(&server, logged, text);
            }
        }
    });
}

#[test]
fn after_the_head_every_exception_cuts_the_response_off_and_is_logged() {
    SERVERS.each(|server| {
        for when in ["later", "after_write"] {
            for (kind, text) in KINDS {
                let logged = server.log().len();
                let response = begin(&server, &format!("/{kind}/{when}")).response();
                let outcome = (response.status, response.text(), response.end);
                assert_eq!(outcome, (200, "begun".to_owned(), End::Truncated), "{kind} {when}");
                is_logged(&server, logged, text);
                server.get("/plain").expect(200, "fine");
            }
        }
    });
}

#[test]
fn what_was_given_out_before_an_exception_arrives() {
    SERVERS.each(|server| {
        for _ in 0..10 {
            let logged = server.log().len();
            let mut client = begin(&server, "/base/after_much");
            is_logged(&server, logged, "the response broke off");
            let (head, mut received) = (client.head(), 0);
            assert_eq!(client.body(&head, "GET", |block| received += block.len()), End::Truncated);
            assert_eq!(received, 200_000);
        }
    });
}

#[test]
fn an_exception_in_close_is_only_logged() {
    SERVERS.each(|server| {
        for (kind, text) in KINDS {
            let logged = server.log().len();
            let mut client = begin(&server, &format!("/{kind}/in_close"));
            client.response().expect(200, "fine");
            client.response().expect(200, "fine");
            is_logged(&server, logged, text);
        }
    });
}

#[test]
fn an_exceptions_message_cannot_forge_a_line_of_the_log_nor_colour_it() {
    SERVERS.each(|server| {
        let logged = server.log().len();
        server.get("/control/in_call");
        server.wait_for_log_after(logged, "app: 2026 ERROR forged");
        assert!(!server.log()[logged..].contains('\x1b'), "{:?}", &server.log()[logged..]);
    });
}

#[test]
fn start_response_keeps_no_reference_to_exc_info() {
    SERVERS.each(|server| server.get("/references").expect(500, "[0, 0]"));
}

#[test]
fn nothing_is_kept_of_a_call() {
    SERVERS.each(|server| {
        server.get("/has_objects").expect(200, "fine");
        server.get("/replaces").expect(500, "replaced");
        assert_eq!(server.get("/is_uncaught").status, 500);
        assert_eq!(server.get("/is_uncaught_later").end, End::Truncated);
        // close() comes after the last byte.
        wait_until("that nothing is kept", || server.get("/kept").text().is_empty());
    });
}

#[test]
fn an_exception_that_comes_too_late_is_the_one_that_is_raised_again() {
    SERVERS.each(|server| {
        let logged = server.log().len();
        let response = server.get("/comes_too_late");
        assert_eq!((response.text().as_str(), response.end), ("begun", End::Truncated));
        server.wait_for_log_after(logged, "the same: True True");
        server.wait_for_log_after(logged, "exceptions.Kept");
        wait_until("that it is not kept", || server.get("/kept_cycles").text().is_empty());
    });
}

#[test]
fn an_iterable_is_asked_for_close_and_nothing_else() {
    SERVERS.each(|server| {
        server.get("/spied").expect(200, "fine");
        let mut asked = Vec::new();
        wait_until("close()", || {
            asked.push(server.get("/asked").text());
            asked.iter().any(|names| names.contains("close()"))
        });
        assert_eq!(asked.concat(), "close close()");
    });
}
