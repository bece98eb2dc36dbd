//! Raw requests and what becomes of them: RFC 9110 and 9112, and the leniency that we have chosen.

use crate::support::{Client, ECHOES, EVERYTHING, End, Server};

use After::{Closed, Open};

/// What a connection is good for when its request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Open,
    Closed,
}

/// A name, the bytes, the status, and the connection afterwards.
type Row = (&'static str, Vec<u8>, u16, After);

fn get(headers: &str) -> Vec<u8> {
    format!("GET /rust HTTP/1.1\r\nHost: a\r\n{headers}\r\n").into_bytes()
}

fn line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a\r\n\r\n").into_bytes()
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /rust HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}").into_bytes()
}

/// Runs all rows and reports all that fail.
#[track_caller]
fn check(rows: Vec<Row>) {
    let server = EVERYTHING.server();
    let failures: Vec<_> = rows.iter().filter_map(|row| failure(&server, row)).collect();
    assert!(failures.is_empty(), "{} of {} rows:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

fn failure(server: &Server, (name, request, status, after): &Row) -> Option<String> {
    let mut client = server.connect();
    client.send(request);
    let Some(head) = client.try_head() else { return Some(format!("{name}: no answer instead of {status}")) };
    let end = client.body(&head, "GET", |_| {});
    if head.status != *status || end == End::Truncated {
        return Some(format!("{name}: {} {end:?} instead of {status}", head.status));
    }
    let is = if still_serves(&mut client) { Open } else { Closed };
    (is != *after).then(|| format!("{name}: afterwards {is:?} instead of {after:?}"))
}

/// Whether one more request is answered, and with what belongs to it.
fn still_serves(client: &mut Client) -> bool {
    client.try_send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        && client.try_head().is_some_and(|head| {
            let end = client.body(&head, "GET", |_| {});
            assert_eq!((head.status, end), (200, End::Complete), "the request after it");
            true
        })
}

#[test]
fn content_length_is_one_number() {
    let with = |length: &str| post(&format!("Content-Length: {length}\r\n"), "ab");
    check(vec![
        ("one", with("2"), 200, Open),
        ("leading zeros", with("0002"), 200, Open),
        ("twice the same", post("Content-Length: 2\r\nContent-Length: 2\r\n", "ab"), 200, Open),
        ("twice, different", post("Content-Length: 2\r\nContent-Length: 3\r\n", "abc"), 400, Closed),
        ("a list", with("2, 2"), 400, Closed),
        ("plus", with("+2"), 400, Closed),
        ("minus", with("-2"), 400, Closed),
        ("empty", with(""), 400, Closed),
        ("hexadecimal", with("0x2"), 400, Closed),
        ("underscore", with("1_0"), 400, Closed),
        ("2^64", with("18446744073709551616"), 400, Closed),
        ("2^63, which is a number but too large", with("9223372036854775808"), 413, Closed),
    ]);
}

#[test]
fn transfer_encoding_is_chunked_once() {
    let body = "2\r\nab\r\n0\r\n\r\n";
    let with = |coding: &str| post(&format!("Transfer-Encoding: {coding}\r\n"), body);
    let both = |headers: &str| post(headers, body);
    check(vec![
        ("chunked", with("chunked"), 200, Open),
        ("case does not matter", with("CHUNKED"), 200, Open),
        ("before Content-Length", both("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 200, Closed),
        ("after Content-Length", both("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 200, Closed),
        ("with a bad Content-Length", both("Transfer-Encoding: chunked\r\nContent-Length: abc\r\n"), 200, Closed),
        (
            "in HTTP/1.0",
            [b"POST /rust HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", body.as_bytes()].concat(),
            400,
            Closed,
        ),
        ("identity", with("identity"), 400, Closed),
        ("xchunked", with("xchunked"), 400, Closed),
        ("quoted", with("\"chunked\""), 400, Closed),
        ("with a parameter", with("chunked;a=b"), 400, Closed),
        ("with an empty rest", with("chunked,"), 400, Closed),
        ("gzip first", with("gzip, chunked"), 501, Closed),
        ("twice", with("chunked, chunked"), 400, Closed),
        ("on two lines", both("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, Closed),
        ("identity first", with("identity, chunked"), 400, Closed),
        ("an empty beginning", with(",chunked"), 400, Closed),
        ("space before the colon", both("Transfer-Encoding : chunked\r\n"), 400, Closed),
        ("vertical tab", with("\x0bchunked"), 400, Closed),
    ]);
}

#[test]
fn broken_chunks_are_400_whoever_reads_the_body() {
    // The Rust App is told as well, but it has started its response by then.
    for path in &ECHOES[1..] {
        let with = |body: &str| {
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes()
        };
        check(vec![
            ("good", with("2\r\nab\r\n0\r\n\r\n"), 200, Open),
            ("space behind the size, which is let pass", with("2 \r\nab\r\n0\r\n\r\n"), 200, Open),
            ("an extension", with("2;a=b\r\nab\r\n0\r\n\r\n"), 200, Open),
            ("a trailer that may not be one", with("2\r\nab\r\n0\r\nContent-Length: 7\r\nHost: b\r\n\r\n"), 200, Open),
            ("negative", with("-1\r\nab\r\n0\r\n\r\n"), 400, Closed),
            ("prefix", with("0x2\r\nab\r\n0\r\n\r\n"), 400, Closed),
            ("underscore", with("0_2\r\nab\r\n0\r\n\r\n"), 400, Closed),
            ("space before the size", with(" 2\r\nab\r\n0\r\n\r\n"), 400, Closed),
            ("overflow", with("10000000000000002\r\nab\r\n0\r\n\r\n"), 400, Closed),
            ("no CRLF behind the data", with("2\r\nab0\r\n\r\n"), 400, Closed),
            ("more data than the size", with("2\r\nabc\r\n0\r\n\r\n"), 400, Closed),
            ("a size that ends with LF", with("2\nab\r\n0\r\n\r\n"), 400, Closed),
            ("data that ends with LF", with("2\r\nab\n0\r\n\r\n"), 400, Closed),
            ("LF in an extension", with("2;a\nb\r\nab\r\n0\r\n\r\n"), 400, Closed),
            ("CR in an extension", with("2;a\rb\r\nab\r\n0\r\n\r\n"), 400, Closed),
        ]);
    }
}

#[test]
fn a_body_that_is_cut_off_is_not_answered() {
    let server = EVERYTHING.server();
    for path in ECHOES {
        for rest in ["Transfer-Encoding: chunked\r\n\r\n5\r\nab", "Content-Length: 5\r\n\r\nab"] {
            let mut client = server.connect();
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{rest}")).finish();
            if let Some(head) = client.try_head() {
                let end = client.body(&head, "POST", |_| {});
                assert!(head.status >= 400 || end == End::Truncated, "{path} {rest:?}: {} {end:?}", head.status);
            }
        }
    }
}

#[test]
fn lines_end_with_crlf() {
    let raw = |text: &str| text.as_bytes().to_vec();
    check(vec![
        ("bare LF, which is let pass", raw("GET /rust HTTP/1.1\nHost: a\n\n"), 200, Open),
        ("CRLFs first", raw("\r\n\r\nGET /rust HTTP/1.1\r\nHost: a\r\n\r\n"), 200, Open),
        ("LFs first", raw("\n\nGET /rust HTTP/1.1\r\nHost: a\r\n\r\n"), 200, Open),
        ("CR in the request line", raw("GET /rust\rHTTP/1.1\r\nHost: a\r\n\r\n"), 400, Closed),
        ("CR in a value", get("A: b\rc\r\n"), 400, Closed),
        ("CR CRLF", get("A: b\r\r\n"), 400, Closed),
    ]);
}

#[test]
fn request_lines_are_exact() {
    check(vec![
        ("leading space", line(" GET /rust HTTP/1.1"), 400, Closed),
        ("leading tab", line("\tGET /rust HTTP/1.1"), 400, Closed),
        ("two spaces", line("GET  /rust HTTP/1.1"), 400, Closed),
        ("a tab", line("GET\t/rust HTTP/1.1"), 400, Closed),
        ("trailing space", line("GET /rust HTTP/1.1 "), 400, Closed),
        ("HTTP/0.9", b"GET /rust\r\n\r\n".to_vec(), 400, Closed),
        ("HTTP/1.2", line("GET /rust HTTP/1.2"), 400, Closed),
        ("HTTP/2.0", line("GET /rust HTTP/2.0"), 400, Closed),
        ("lower case", line("GET /rust http/1.1"), 400, Closed),
        ("01.1", line("GET /rust HTTP/01.1"), 400, Closed),
    ]);
}

#[test]
fn header_lines_are_exact() {
    check(vec![
        ("a folded line", get("A: b\r\n c\r\n"), 400, Closed),
        ("space before the colon", get("A : b\r\n"), 400, Closed),
        ("space before the first", b"GET /rust HTTP/1.1\r\n Host: a\r\n\r\n".to_vec(), 400, Closed),
        ("no colon", get("A\r\n"), 400, Closed),
        ("no name", get(": b\r\n"), 400, Closed),
        ("NUL", get("A: b\0c\r\n"), 400, Closed),
        ("SOH", get("A: b\x01c\r\n"), 400, Closed),
        ("DEL", get("A: b\x7fc\r\n"), 400, Closed),
        ("a name that is not ASCII", get("\u{e4}: b\r\n"), 400, Closed),
        ("a bracket in a name", get("A(: b\r\n"), 400, Closed),
        ("a value that is not ASCII", get("A: \u{e4}\r\n"), 200, Open),
    ]);
}

#[test]
fn there_is_one_valid_host() {
    let with = |head: &str| format!("{head}\r\n\r\n").into_bytes();
    check(vec![
        ("none", with("GET /rust HTTP/1.1"), 400, Closed),
        ("none in HTTP/1.0", with("GET /rust HTTP/1.0"), 200, Closed),
        ("two", with("GET /rust HTTP/1.1\r\nHost: a\r\nHost: a"), 400, Closed),
        ("two in HTTP/1.0", with("GET /rust HTTP/1.0\r\nHost: a\r\nHost: b"), 400, Closed),
        ("empty", with("GET /rust HTTP/1.1\r\nHost:"), 400, Closed),
        ("invalid", with("GET /rust HTTP/1.1\r\nHost: a/b@c d"), 400, Closed),
        ("with a port", with("GET /rust HTTP/1.1\r\nHost: a:80"), 200, Open),
        ("an IPv6 address", with("GET /rust HTTP/1.1\r\nHost: [::1]:80"), 200, Open),
        ("another than the target's", with("GET http://b/rust HTTP/1.1\r\nHost: a"), 200, Open),
        ("userinfo in the target", with("GET http://u:p@a/rust HTTP/1.1\r\nHost: a"), 400, Closed),
    ]);
}

#[test]
fn the_targets_host_wins_over_the_header() {
    let server = EVERYTHING.server();
    let mut client = server.connect();
    client.send("GET http://b:81/py/dump?q HTTP/1.1\r\nHost: a\r\n\r\n");
    let dump = client.response().text();
    for line in ["HTTP_HOST='b:81'", "SERVER_NAME='b'", "PATH_INFO='/dump'", "SCRIPT_NAME='/py'", "QUERY_STRING='q'"] {
        assert!(dump.contains(line), "{line} is not in\n{dump}");
    }
}

#[test]
fn targets_have_one_of_the_four_forms() {
    check(vec![
        ("a word", line("GET foo HTTP/1.1"), 400, Closed),
        ("an authority", line("GET x:80 HTTP/1.1"), 400, Closed),
        ("another scheme", line("GET javascript:alert HTTP/1.1"), 400, Closed),
        ("a relative path", line("GET foo/bar HTTP/1.1"), 400, Closed),
        ("a query alone", line("GET ?x HTTP/1.1"), 400, Closed),
        ("the server as a whole", line("OPTIONS * HTTP/1.1"), 200, Open),
        ("GET of the server as a whole", line("GET * HTTP/1.1"), 400, Closed),
        ("a tunnel", line("CONNECT x:80 HTTP/1.1"), 405, Closed),
        ("NUL", line("GET /rust\0 HTTP/1.1"), 400, Closed),
        ("DEL", line("GET /rust\x7f HTTP/1.1"), 400, Closed),
        ("invalid UTF-8", b"GET /rust/\xff HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 400, Closed),
        ("valid UTF-8", line("GET /rust/\u{e4} HTTP/1.1"), 200, Open),
        ("a backslash", line("GET /rust/\\ HTTP/1.1"), 200, Open),
        ("braces", line("GET /rust/{} HTTP/1.1"), 200, Open),
        ("dot segments are the App's", line("GET /rust/../x HTTP/1.1"), 200, Open),
        ("encoded dot segments are the App's", line("GET /rust/%2e%2e/%2f HTTP/1.1"), 200, Open),
        ("of 8 KiB", line(&format!("GET /rust?{} HTTP/1.1", "x".repeat(8192 - 6))), 200, Open),
        ("longer", line(&format!("GET /rust?{} HTTP/1.1", "x".repeat(8193 - 6))), 414, Closed),
        ("longer than hyper lets through", line(&format!("GET /rust?{} HTTP/1.1", "x".repeat(39_000))), 414, Closed),
    ]);
}

#[test]
fn files_and_programs_are_not_found_through_strange_paths() {
    for folder in ["static", "cgi"] {
        let path = |path: &str| line(&format!("GET /{folder}{path} HTTP/1.1"));
        let server = EVERYTHING.server();
        for request in
            [path("/../cases.py"), path("/%2e%2e/cases.py"), path("/..%2fcases.py"), path("/%00"), path("/%zz")]
        {
            let mut client = server.connect();
            let response = client.send(&request).response();
            let request = String::from_utf8_lossy(&request);
            assert!(matches!(response.status, 400 | 404), "{request}{response:?}");
        }
    }
}

#[test]
fn methods_are_words_in_capitals() {
    check(vec![
        ("an unknown one", line("PROPFIND /rust HTTP/1.1"), 200, Open),
        ("TRACE", line("TRACE /rust HTTP/1.1"), 405, Closed),
        ("lower case", line("get /rust HTTP/1.1"), 501, Closed),
        ("too long", line(&format!("{} /rust HTTP/1.1", "G".repeat(5000))), 501, Closed),
    ]);
}

#[test]
fn heads_have_limits() {
    let fields = |count: usize| get(&"A: b\r\n".repeat(count));
    check(vec![
        ("100 fields", fields(99), 200, Open),
        ("101 fields", fields(100), 431, Closed),
        ("a head of 39 KiB", get(&format!("A: {}\r\n", "b".repeat(39 * 1024))), 200, Open),
        ("a head of 41 KiB", get(&format!("A: {}\r\n", "b".repeat(41 * 1024))), 431, Closed),
    ]);
}

#[test]
fn there_is_one_expectation() {
    check(vec![
        ("200-ok", get("Expect: 200-ok\r\n"), 417, Closed),
        ("100-continue without a body", get("Expect: 100-Continue\r\n"), 200, Open),
    ]);
}

#[test]
fn other_protocols_are_told_or_cut_off() {
    let server = EVERYTHING.server();
    let preface = &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..];
    let client_hello = &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..];
    for bytes in [preface, client_hello] {
        let mut client = server.connect();
        client.send(bytes);
        let answer = client.rest();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "), "{:?}", String::from_utf8_lossy(&answer));
    }
}
