//! The checkers of the field have nothing to complain about: `wsgiref.validate` and Werkzeug's `LintMiddleware`.

use crate::support::{Gateway, Server, curl::curl, installed};

/// What a checker says when it is not content: assertions, warnings, and what it finds when objects die.
const COMPLAINTS: [&str; 5] =
    ["AssertionError", "WSGIWarning", "HTTPWarning", "garbage collected without being closed", "Traceback"];

/// Sends a request, and looks at the answer and at the log.
fn check(server: &Server, request: &str, body: &str) {
    let begin = server.log().len();
    let mut client = server.connect();
    client.send(request);
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let response = client.response_to(method);
    assert_eq!(response.status, 200, "{request}\n{}", &server.log()[begin..]);
    assert_eq!(response.text(), body, "{request}");
    // The iterator is complained about when it is collected, which is before the next request is through.
    assert_eq!(server.get(target).status, 200);
    is_content(server);
}

fn is_content(server: &Server) {
    let log = server.log();
    COMPLAINTS.iter().for_each(|complaint| assert!(!log.contains(complaint), "{log}"));
}

#[test]
fn wsgirefs_validator_does_not_complain() {
    for threads in ["4", "1"] {
        // A server of its own: others' applications fail on purpose and say so in the log.
        let server = Gateway::new(["/validated=wsgi:cases:validated"]).option("--threads", threads).start();
        let lines = "line 1\nline 2\nline 3\nline 4\nline 5\nthe end";
        let ended = format!("{lines}-end");
        let length = lines.len();
        check(&server, "GET /validated HTTP/1.1\r\nHost: a\r\n\r\n", "-end");
        check(&server, "GET /validated/a?b=c HTTP/1.0\r\n\r\n", "-end");
        check(&server, "HEAD /validated HTTP/1.1\r\nHost: a\r\n\r\n", "");
        let post = format!("POST /validated HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{lines}");
        check(&server, &post, &ended);
        check(&server, &chunked("/validated", lines), &ended);
        server.wait_for_log("validated: writelines");
        is_content(&server);
    }
}

#[test]
fn werkzeugs_lint_does_not_complain() {
    for threads in ["4", "1"] {
        let gateway = Gateway::new(["/linted=wsgi:lint_app:linted"]).with_packages();
        let server = gateway.option("--threads", threads).start();
        let lines = "line 1\nline 2\nthe end";
        check(&server, "GET /linted HTTP/1.1\r\nHost: a\r\n\r\n", "-end");
        check(&server, "GET /linted/a?b=c HTTP/1.0\r\n\r\n", "-end");
        check(&server, &chunked("/linted", lines), &format!("{lines}-end"));
        server.wait_for_log("checked: writelines");
        is_content(&server);
    }
}

#[test]
fn a_whole_application_passes_both() {
    if !installed(&["curl"]) {
        return;
    }
    for threads in ["4", "1"] {
        let targets = ["/linted=wsgi:lint_app:flask_linted", "/validated=wsgi:lint_app:flask_validated"];
        let server = Gateway::new(targets).with_packages().option("--threads", threads).start();
        // No form is posted: where the server says that the input ends, Flask reads to its end, as PEP 3333 allows and
        // neither of the two does.
        for prefix in ["/linted", "/validated"] {
            assert_eq!(curl(&server, &format!("{prefix}/"), &[]), "<h1>Grüße from Flask</h1>");
            assert_eq!(curl(&server, &format!("{prefix}/download"), &[]).len(), 300_000 * 8);
            assert_eq!(curl(&server, &format!("{prefix}/count"), &[]), "1");
        }
        is_content(&server);
    }
}

/// A request whose body is in two chunks.
fn chunked(path: &str, body: &str) -> String {
    let (first, second) = body.split_at(5);
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        second.len()
    )
}
