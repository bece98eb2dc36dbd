//! `wsgiref.validate` has nothing to complain about.

use crate::support::{Gateway, Server};

/// What the validator says when it is not content: assertions, warnings, and what it finds when objects die.
const COMPLAINTS: [&str; 4] = ["AssertionError", "WSGIWarning", "garbage collected without being closed", "Traceback"];

fn validate(server: &Server, request: &str, body: &str) {
    let begin = server.log().len();
    let mut client = server.connect();
    client.send(request);
    let method = request.split(' ').next().unwrap();
    let response = client.response_to(method);
    assert_eq!(response.status, 200, "{request}\n{}", &server.log()[begin..]);
    assert_eq!(response.text(), body, "{request}");
    // The iterator is complained about when it is collected, which is before the next request is through.
    assert_eq!(server.get("/validated?next").status, 200);
    server.wait_for_log("validated: writelines");
    let log = server.log();
    COMPLAINTS.iter().for_each(|complaint| assert!(!log.contains(complaint), "{request}\n{log}"));
}

#[test]
fn the_validator_does_not_complain() {
    // A server of its own: others' applications fail on purpose and say so in the log.
    let server = Gateway::new(["/validated=wsgi:cases:validated"]).start();
    let lines = "line 1\nline 2\nline 3\nline 4\nline 5\nthe end";
    let ended = format!("{lines}-end");
    let length = lines.len();
    validate(&server, "GET /validated HTTP/1.1\r\nHost: a\r\n\r\n", "-end");
    validate(&server, "GET /validated/a?b=c HTTP/1.0\r\n\r\n", "-end");
    validate(&server, "HEAD /validated HTTP/1.1\r\nHost: a\r\n\r\n", "");
    let post = format!("POST /validated HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{lines}");
    validate(&server, &post, &ended);
    let chunked = format!(
        "POST /validated HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &lines[..5],
        length - 5,
        &lines[5..]
    );
    validate(&server, &chunked, &ended);
}
