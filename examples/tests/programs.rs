//! The examples do what their first lines say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../reference-server/tests/tower/support.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

use support::{Running, body, header, status};

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
