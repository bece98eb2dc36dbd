//! CGI: what a program says and what becomes of it (RFC 3875, section 6).

use std::fmt::Write;

use crate::support::{EVERYTHING, End, Response, Server, files::Signals};

/// Lets a program say `output`.
fn say(server: &Server, output: impl AsRef<[u8]>) -> Response {
    let query = output.as_ref().iter().fold(String::new(), |mut query, byte| {
        write!(query, "%{byte:02x}").unwrap();
        query
    });
    server.get(&format!("/cgi/say.pl?{query}"))
}

#[test]
fn header_blocks_are_understood() {
    let server = EVERYTHING.server();
    for (output, status, header, body) in [
        ("Content-Type: a/b\n\nx", 200, ("content-type", "a/b"), "x"),
        ("Content-Type: a/b\r\n\r\nx", 200, ("content-type", "a/b"), "x"),
        ("Content-Type: a/b\r\nX: 1\n\r\nx", 200, ("x", "1"), "x"),
        ("CONTENT-TYPE:a/b\nstatus: 404\n\nx", 404, ("content-type", "a/b"), "x"),
        ("Status: 299 My Reason\nX: 1\n\n\n\nx", 299, ("x", "1"), "\n\nx"),
        ("Status: 204\n\n", 204, ("x", ""), ""),
        ("Location: http://e/x\n\n", 302, ("location", "http://e/x"), ""),
        ("Location: http://e/x\nContent-Type: a/b\n\nx", 302, ("content-type", "a/b"), "x"),
        ("Status: 301\nLocation: http://e/x\n\n", 301, ("location", "http://e/x"), ""),
        ("Location: http://e/x\nStatus: 301 Moved\n\n", 301, ("location", "http://e/x"), ""),
        ("Set-Cookie: a=1\nSet-Cookie: b=2\n\n", 200, ("set-cookie", "a=1|b=2"), ""),
        ("<!--: spam\nContent-Type: a/b\n\nx", 200, ("content-type", "a/b"), "x"),
        ("X Y: 1\nContent-Type: a/b\n\nx", 200, ("content-type", "a/b"), "x"),
        ("Connection: close\nKeep-Alive: 1\nContent-Type: a/b\n\nx", 200, ("keep-alive", ""), "x"),
        ("Content-Type: a/b\nContent-Length: 1\n\nx", 200, ("content-length", "1"), "x"),
        (
            "Content-Type: a/b\nDate: Thu, 01 Jan 1970 00:00:00 GMT\n\nx",
            200,
            ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
            "x",
        ),
        (
            "Content-Type: a/b\n\nno line feed at the end\0\r\n\r",
            200,
            ("content-type", "a/b"),
            "no line feed at the end\0\r\n\r",
        ),
    ] {
        let response = say(&server, output);
        let (name, value) = header;
        assert_eq!((response.status, response.text().as_str()), (status, body), "{output:?}");
        assert_eq!(response.header(name).unwrap_or_default(), value, "{output:?}");
        assert_eq!(response.end, End::Complete, "{output:?}");
    }
    assert_eq!(say(&server, "Status: 299 My Reason\n\n").reason, "My Reason");
}

#[test]
fn broken_header_blocks_are_502_and_logged() {
    let server = EVERYTHING.server();
    for output in [
        "",
        "\n\nno field",
        "Content-Type: a/b\nno empty line\n",
        "Content-Type: a/b\n",
        "Content-Type: a/b",
        "just text\n\nx",
        "Status: abc\n\n",
        "Status: 0\n\n",
        "Status: 99\n\n",
        "Status: 100\n\n",
        "Status: 600\n\n",
        "Status: 200OK\n\n",
        "Status: 404: Not Found\n\n",
        "Status: 200 OK\nStatus: 404 Not Found\n\n",
        "Content-Type: a/b\n folded\n\n",
        "X: a\rb\n\n",
        "X: a\0b\n\n",
        "Transfer-Encoding: chunked\nContent-Type: a/b\n\n0\r\n\r\n",
        "Content-Length: 1\nContent-Length: 2\n\nx",
        "Content-Length: abc\n\nx",
        "\x7fELF\0\0\u{1}\n\n",
    ] {
        let before = server.log().len();
        let response = say(&server, output);
        assert!(matches!(response.status, 502 | 500), "{output:?}: {response:?}");
        assert!(response.status == 502 || output.contains("Length"), "{output:?}: {response:?}");
        assert_eq!(response.end, End::Complete, "{output:?}");
        server.wait_for_log_after(before, "say.pl");
    }
}

#[test]
fn a_header_block_that_is_too_large_is_502() {
    let server = EVERYTHING.server();
    for kind in ["line", "lines", "endless"] {
        let response = server.get(&format!("/cgi/large-head.pl?{kind}"));
        assert_eq!((response.status, response.end), (502, End::Complete), "{kind}");
    }
}

#[test]
fn a_content_length_that_is_not_true_keeps_the_connection_in_step() {
    let server = EVERYTHING.server();
    let mut client = server.connect();
    client.send("GET /cgi/say.pl?Content-Length:%205%0a%0a1234567890 HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert_eq!((response.text().as_str(), response.end), ("12345", End::Complete));
    if client.try_send("GET /cgi/say.pl?Status:%20404%0a%0ax HTTP/1.1\r\nHost: a\r\n\r\n")
        && let Some(head) = client.try_head()
    {
        assert_eq!(head.status, 404);
    }
    assert_eq!(say(&server, "Content-Length: 5\n\n123").end, End::Truncated);
}

#[test]
fn output_is_sent_as_it_comes() {
    let server = EVERYTHING.server();
    let signals = Signals::new();
    let mut client = server.connect();
    client.send(format!("GET /cgi/two-blocks.sh?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
    assert_eq!(client.head().status, 200);
    let mut received = Vec::new();
    while !received.ends_with(b"first\r\n") {
        received.extend(client.some());
    }
    signals.give("go");
    assert!(String::from_utf8_lossy(&client.some()).contains("second"));
}

#[test]
fn the_end_of_the_output_is_the_end_of_the_response() {
    EVERYTHING.server().get("/cgi/lingers.sh").expect(200, "complete");
}

#[test]
fn a_program_that_dies_cuts_its_response_off() {
    let server = EVERYTHING.server();
    for how in ["exit", "kill"] {
        let response = server.get(&format!("/cgi/dies.sh?{how}"));
        assert_eq!((response.status, response.text().as_str()), (200, "begun"), "{how}");
        assert_eq!(response.end, End::Truncated, "{how}");
    }
    server.get("/cgi/dies.sh?ends").expect(200, "begun");
}

#[test]
fn head_and_empty_statuses_have_no_body() {
    let server = EVERYTHING.server();
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let mut client = server.connect();
        client.send(format!("{method} /cgi/say.pl?Status:%20{status}%0a%0abody HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.send("GET /cgi/say.pl?Status:%20404%0a%0ax HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response_to(method).status, status);
        client.response().expect(404, "x");
    }
}
