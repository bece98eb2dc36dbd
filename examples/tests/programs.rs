//! The examples do what their first lines say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../reference-server/tests/tower/support.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
};

use gateway_spec::{App, Environ, Error, Host, Response, Result, StartResponse};
use support::{Lines, Running, body, environ, header, status};

/// An example as a module: its `main` is not called.
macro_rules! example {
    ($name:ident, $path:literal) => {
        #[path = $path]
        #[allow(dead_code, reason = "only what is served is called")]
        mod $name;
    };
}

example!(app_in_axum, "../app_in_axum.rs");
example!(axum_router, "../axum_router.rs");
example!(filter, "../filter.rs");
example!(scgi, "../scgi.rs");

#[test]
fn an_axum_router_is_an_app() {
    let server = Running::app(axum_router::app());
    let note = server.get("/notes/7");
    assert_eq!((header(&note, "cache-control"), body(&note)), (Some("no-store"), "note 7 of /notes/7\n"));
    let notes = r#"["a", "b"]"#;
    let head = "POST /notes/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let taken = server.exchange(format!("{head}Content-Length: {}\r\n\r\n{notes}", notes.len()));
    assert_eq!(body(&taken), "/notes has 2 notes\n");
    assert_eq!(body(&server.get("/")), "Notes are at /notes/\n");
    assert_eq!(status(&server.get("/notes/x")), "HTTP/1.1 400 Bad Request");
}

#[test]
fn an_app_runs_inside_axum_under_layers() {
    let server = Running::axum(app_in_axum::router());
    assert_eq!(body(&server.get("/")), "Hello, 127.0.0.1! You asked example.com for this.\n");
    assert_eq!(status(&server.get("/?slow")), "HTTP/1.1 504 Gateway Timeout");
    assert_eq!(body(&server.get("/health")), "well\n");
    let zipped = server.exchange("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n");
    assert_eq!(header(&zipped, "content-encoding"), Some("gzip"));
}

/// What the SCGI host answers to these variables and this body.
fn scgi(app: impl App, host: Arc<Host>, variables: &[(&str, &str)], content: &[u8]) -> String {
    let (mut client, server) = UnixStream::pair().unwrap();
    let block = variables.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect::<String>();
    // All of it is there when the host begins, which may answer without having read all.
    client.write_all(&[format!("{}:{block},", block.len()).as_bytes(), content].concat()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let serving = thread::spawn(move || scgi::answer(server, &app, &host));
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    drop(serving.join().unwrap());
    response
}

const POST: [(&str, &str); 11] = [
    ("CONTENT_LENGTH", "5"),
    ("SCGI", "1"),
    ("REQUEST_METHOD", "POST"),
    ("REQUEST_URI", "/app/a%20b?c"),
    ("SCRIPT_NAME", "/app"),
    ("CONTENT_TYPE", "text/plain"),
    ("REMOTE_ADDR", "192.0.2.7"),
    ("REMOTE_PORT", "5000"),
    ("HTTPS", "on"),
    ("HTTP_HOST", "example.com"),
    ("HTTP_X_A", "1"),
];

#[test]
fn an_app_runs_on_another_transport() {
    let response = scgi(environ, Arc::new(Host::default()), &POST, b"hello, and more");
    assert_eq!(status(&response), "Status: 200 OK");
    for line in [
        "SCRIPT_NAME=/app\n",
        "PATH_INFO=/a b\n",
        "QUERY_STRING=c\n",
        "CONTENT_LENGTH=5\n",
        "CONTENT_TYPE=text/plain\n",
        "HTTP_X_A=1\n",
        "REMOTE_ADDR=192.0.2.7\n",
        "REQUEST_SCHEME=https\n",
        "SERVER_NAME=example.com\n",
        "body=hello\n",
    ] {
        assert!(response.contains(line), "{line} {response}");
    }
}

#[test]
fn the_other_transport_keeps_the_contract() {
    async fn fail(environ: Environ, start_response: StartResponse) -> Result<Response> {
        match environ.query() {
            "c" => Err(Error::new("a secret")),
            _ => Ok(start_response.start("299 Fine", ())?.body("hello")),
        }
    }
    let lines = Lines::default();
    assert_eq!(scgi(fail, lines.host(), &POST, b"hello"), "Status: 500 Internal Server Error\r\n\r\n");
    assert_eq!(lines.all(), "the application failed: a secret");
    let head = [("CONTENT_LENGTH", "0"), ("REQUEST_METHOD", "HEAD"), ("REQUEST_URI", "/")];
    assert_eq!(scgi(fail, lines.host(), &head, b""), "Status: 299 Fine\r\n\r\n");
    let broken_off = scgi(environ, lines.host(), &POST, b"hell");
    assert_eq!(status(&broken_off), "Status: 400 Bad Request");
}

fn filtering(command: &[&str]) -> Running {
    let words: Vec<_> = command.iter().map(|&word| word.to_owned()).collect();
    Running::app(filter::Filter { program: words[0].clone(), arguments: words[1..].to_vec() })
}

fn post(server: &Running, content: &str) -> String {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    server.exchange(head + content)
}

#[test]
fn any_filter_is_an_app() {
    assert_eq!(body(&post(&filtering(&["sort", "-r"]), "a\nb\n")), "4\r\nb\na\n\r\n0\r\n\r\n");
    assert_eq!(status(&filtering(&["sort"]).get("/")), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(status(&post(&filtering(&["/no/such/program"]), "a")), "HTTP/1.1 502 Bad Gateway");
    // More than the pipes hold, both ways.
    let large = post(&filtering(&["cat"]), &"0123456789".repeat(100_000));
    assert!(large.matches("0123456789").count() > 99_900 && large.ends_with("0\r\n\r\n"), "{} bytes", large.len());
    // A filter that fails leaves no response that looks whole.
    assert!(!post(&filtering(&["sh", "-c", "cat; exit 3"]), "a\nb\n").contains("0\r\n\r\n"));
}
