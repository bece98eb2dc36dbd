//! WSGI: `start_response`, `write()` and errors, as PEP 3333 has them.

use crate::support::{Client, EVERYTHING, End, Server, wait_until};

/// What an application gets for breaking the contract, or for failing, before anything was sent.
#[track_caller]
fn fails(server: &Server, target: &str) {
    let response = server.get(target);
    assert_eq!((response.status, response.end), (500, End::Complete), "{target}: {response:?}");
    let text = response.text();
    assert!(
        !text.contains("ValueError") && !text.contains("Traceback") && !text.contains(".py"),
        "{target} shows the client {text}"
    );
}

pub(crate) fn begin(server: &Server, target: &str) -> Client {
    let mut client = server.connect();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client
}

/// The head, and how the body ends that begins with `begun`.
fn end_of(server: &Server, target: &str) -> (u16, String, End) {
    let response = begin(server, target).response();
    (response.status, response.text(), response.end)
}

#[test]
fn the_head_may_be_started_on_the_generators_first_step() {
    let server = EVERYTHING.server();
    for (target, status, value) in [("/py/lazy", 404, "1"), ("/py/lazy-after-empty", 202, "2")] {
        let response = server.get(target);
        response.expect(status, "x");
        assert_eq!(response.header("x-a").as_deref(), Some(value), "{target}");
    }
}

#[test]
fn what_is_written_comes_before_what_is_iterated() {
    let server = EVERYTHING.server();
    server.get("/py/writes").expect(200, "ab");
    server.get("/py/writes-only").expect(200, "one,two");
    server.get("/py/writes-in-generator").expect(200, "abc");
}

#[test]
fn start_response_is_called_once() {
    let server = EVERYTHING.server();
    fails(&server, "/py/starts-twice");
    begin(&server, "/py/starts-twice-and-traps").response();
    server.wait_for_log("the second call raised");
    // Even if the first has failed (PEP 3333, "The start_response() Callable").
    fails(&server, "/py/starts-after-a-failure");
}

#[test]
fn a_call_with_exc_info_replaces_the_head() {
    let server = EVERYTHING.server();
    let response = server.get("/py/replaces-head");
    response.expect(500, "failed");
    assert_eq!(response.reason, "Oops");
    assert_eq!((response.header("x-a").as_deref(), response.header("x-b")), (Some("1"), None));
    server.get("/py/replaces-head-by-keyword").expect(500, "failed");
}

#[test]
fn a_call_with_exc_info_after_the_head_re_raises() {
    let server = EVERYTHING.server();
    assert_eq!(end_of(&server, "/py/replaces-head-too-late"), (200, "begun".to_owned(), End::Truncated));
    server.wait_for_log("start_response re-raised: too late to replace");
    // Who traps that goes no further.
    assert_eq!(end_of(&server, "/py/replaces-head-too-late-and-traps"), (200, "begun".to_owned(), End::Truncated));
}

#[test]
fn an_application_that_breaks_the_contract_is_500_and_logged() {
    let server = EVERYTHING.server();
    for case in ["never-starts", "never-starts-and-is-empty", "returns-none"] {
        let before = server.log().len();
        fails(&server, &format!("/py/{case}"));
        wait_until("a line in the log", || server.log().len() > before);
    }
}

#[test]
fn a_status_is_three_digits_a_space_and_a_reason() {
    let server = EVERYTHING.server();
    for bad in [
        "99%20X",
        "1000%20X",
        "OK",
        "200",
        "200%20A%0d%0aX:%20y",
        "200%20A%0aX:%20y",
        "2x0%20X",
        "",
        "100%20X",
        "200%20A%00",
    ] {
        let response = server.get(&format!("/py/status?{bad}"));
        assert_eq!((response.status, response.header("x")), (500, None), "{bad}");
    }
    for good in ["299%20My%20Reason", "404%20Nope", "200%20OK", "599%20Last"] {
        let response = server.get(&format!("/py/status?{good}"));
        let expected = good.replace("%20", " ");
        assert_eq!(format!("{} {}", response.status, response.reason), expected);
        assert_eq!(response.text(), "x");
    }
}

#[test]
fn header_values_are_latin_1() {
    let server = EVERYTHING.server();
    for (argument, expected) in [("%e9", "\u{e9}"), ("a%20b", "a b"), ("", "")] {
        let response = server.get(&format!("/py/header-value?{argument}"));
        response.expect(200, "x");
        assert_eq!(response.header("x-value").as_deref(), Some(expected), "{argument}");
    }
}

#[test]
fn nothing_is_injected_through_a_header() {
    let server = EVERYTHING.server();
    for value in ["a%0d%0aX-Injected:%201", "a%0aX-Injected:%201", "a%0dX-Injected:%201", "a%00b", "a%01b"] {
        fails(&server, &format!("/py/header-value?{value}"));
    }
    for name in ["", "X:Y", "X%20Y", "X%0d%0aX-Injected", "X%00", "%e9"] {
        fails(&server, &format!("/py/header-name?{name}"));
    }
}

#[test]
fn headers_are_a_list_of_pairs_of_str() {
    let server = EVERYTHING.server();
    for kind in ["tuple", "triple", "list-item", "bytes-name", "bytes-value", "int-value", "none", "dict"] {
        fails(&server, &format!("/py/bad-headers?{kind}"));
    }
}

#[test]
fn hop_by_hop_headers_are_refused() {
    let server = EVERYTHING.server();
    for name in [
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "Proxy-Authenticate",
        "connection",
    ] {
        fails(&server, &format!("/py/header-name?{name}"));
    }
}

#[test]
fn headers_are_passed_on_as_they_are() {
    let server = EVERYTHING.server();
    assert_eq!(server.get("/py/two-cookies").header("set-cookie").as_deref(), Some("a=1|b=2"));
    // The application's list stays the application's.
    server.get("/py/keeps-header-list").expect(200, "[('Content-Type', 'text/plain'), ('X-A', '1')]");
}

#[test]
fn a_response_has_thousands_of_headers_but_not_any_number() {
    let server = EVERYTHING.server();
    let response = server.get("/py/many-headers?5000");
    response.expect(200, "x");
    assert_eq!(response.header("x-4999").as_deref(), Some("value"));
    for count in [30_000, 40_000] {
        let logged = server.log().len();
        fails(&server, &format!("/py/many-headers?{count}"));
        server.wait_for_log_after(logged, "more than a response can have");
    }
}

#[test]
fn python_has_the_stack_that_its_own_threads_have() {
    EVERYTHING.server().get("/py/recurses").expect(200, "x");
}

#[test]
fn an_exception_before_the_head_is_500_with_its_traceback_in_the_log() {
    let server = EVERYTHING.server();
    for (case, message) in [("raises", "raised at once"), ("raises-after-start", "raised after start_response")] {
        fails(&server, &format!("/py/{case}"));
        server.wait_for_log(&format!("ValueError: {message}"));
    }
    assert!(server.log().contains("cases.py"), "no traceback:\n{}", server.log());
}

#[test]
fn an_exception_after_the_head_cuts_the_response_off() {
    let server = EVERYTHING.server();
    assert_eq!(end_of(&server, "/py/raises-in-iteration"), (200, "begun".to_owned(), End::Truncated));
    server.wait_for_log("ValueError: raised after the first block");

    // Without chunks only a reset can tell.
    let mut client = server.connect();
    client.send("GET /py/raises-in-iteration HTTP/1.0\r\n\r\n");
    if let Some(head) = client.try_head() {
        assert_eq!(client.body(&head, "GET", |_| {}), End::Truncated);
    }
}

#[test]
fn an_application_that_exits_is_500() {
    let server = EVERYTHING.server();
    fails(&server, "/py/exits");
    assert_eq!(server.get("/py/one-block").status, 200);
}

#[test]
fn blocks_are_bytes_and_nothing_else() {
    let server = EVERYTHING.server();
    for kind in ["str", "int", "none", "bytearray", "memoryview"] {
        fails(&server, &format!("/py/yields?first-{kind}"));
        let later = end_of(&server, &format!("/py/yields?later-{kind}"));
        assert_eq!(later, (200, "begun".to_owned(), End::Truncated), "{kind}");
    }
    fails(&server, "/py/returns-str");
}

#[test]
fn wsgi_errors_takes_any_text_and_goes_to_the_log() {
    let server = EVERYTHING.server();
    server.get("/py/errors").expect(200, "logged");
    for text in ["written to wsgi.errors", "a line \u{20ac}", "a lone ", "printed to wsgi.errors"] {
        server.wait_for_log(text);
    }
}
