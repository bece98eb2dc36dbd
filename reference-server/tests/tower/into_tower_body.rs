//! What a server that knows nothing of ours sends of an App's body.

use std::{
    io::{Seek, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::Router;
use bytes::Bytes;
use gateway_spec::{
    Body, Environ, Error, FileRange, IntoHeaders, Response, Result, StartResponse, Started, tower::IntoTower,
};
use http::HeaderMap;
use http_body::Frame;

use crate::{
    script::Script,
    support::{Lines, Running, body, header, status, wait_until},
};

/// A server whose App answers each query in its own way.
fn serving(answer: impl Fn(&str, StartResponse) -> Result<Response> + Copy + Send + Sync + 'static) -> Running {
    let app =
        move |environ: Environ, start_response: StartResponse| async move { answer(environ.query(), start_response) };
    Running::axum(Router::new().fallback_service(IntoTower::new(app)))
}

fn ask(server: &Running, method: &str, query: &str) -> String {
    server.exchange(format!("{method} /?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
}

#[test]
fn a_body_keeps_the_length_that_was_declared() {
    let server = serving(|length, start_response| {
        let (length, body) = length.split_once('&').unwrap();
        let started: Started = start_response.start(200, [("content-length", length)])?;
        Ok(match body {
            "stream" => started.body(Body::new(Script::of([Ok(Frame::data(Bytes::from("hello")))]))),
            _ => started.body("hello"),
        })
    });
    for kind in ["whole", "stream"] {
        let exact = ask(&server, "GET", &format!("5&{kind}"));
        assert_eq!((header(&exact, "content-length"), body(&exact)), (Some("5"), "hello"), "{kind}");
        let less = ask(&server, "GET", &format!("3&{kind}"));
        assert_eq!((header(&less, "content-length"), body(&less)), (Some("3"), "hel"), "{kind}");
        let more = ask(&server, "GET", &format!("9&{kind}"));
        assert!(!more.starts_with("HTTP/1.1 200") || header(&more, "content-length") == Some("9"), "{more}");
        assert!(!more.contains("hello\r\n"), "{more}");
        assert_eq!(status(&ask(&server, "GET", &format!("x&{kind}"))), "HTTP/1.1 500 Internal Server Error");
    }
}

#[test]
fn what_has_no_body_gets_none_and_no_false_length() {
    let server = serving(|query, start_response| {
        let (status, length) = query.split_once('&').unwrap();
        let headers = if length == "none" { HeaderMap::new() } else { [("content-length", length)].into_headers()? };
        Ok(start_response.start(status.parse::<u16>().map_err(Error::new)?, headers)?.body("hello"))
    });
    for (method, query, length) in [
        ("GET", "204&none", None),
        ("GET", "204&5", None),
        ("GET", "304&none", None),
        ("GET", "304&5", Some("5")),
        ("HEAD", "200&none", Some("5")),
        ("HEAD", "200&5", Some("5")),
    ] {
        let response = ask(&server, method, query);
        assert_eq!(header(&response, "content-length"), length, "{method} {query}");
        assert_eq!(body(&response), "", "{method} {query}");
    }
    let stream = serving(|_, start_response| {
        Ok(start_response.start(200, ())?.body(Body::new(Script::of([Ok(Frame::data(Bytes::from("hello")))]))))
    });
    let response = ask(&stream, "HEAD", "");
    assert_eq!((header(&response, "content-length"), body(&response)), (None, ""));
}

#[test]
fn an_error_of_a_body_cuts_the_connection_and_is_logged() {
    async fn fail(_: Environ, start_response: StartResponse) -> Result<Response> {
        Ok(start_response.start(200, ())?.write(async |mut out| {
            out.write("half").await?;
            Err(Error::new("lost the database"))
        }))
    }
    let lines = Lines::default();
    let server = Running::axum(Router::new().fallback_service(IntoTower::with_host(fail, lines.host())));
    let response = ask(&server, "GET", "");
    assert!(!response.contains("0\r\n\r\n") && !response.contains("database"), "{response}");
    assert_eq!(lines.all(), "the response broke off: the application failed: lost the database");
}

#[test]
fn trailers_are_not_sent() {
    let server = serving(|_, start_response| {
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())]);
        let frames = [Frame::data(Bytes::from("one")), Frame::trailers(trailers), Frame::data("two".into())];
        Ok(start_response.start(200, ())?.body(Body::new(Script::of(frames.map(Ok)))))
    });
    let response = server.exchange("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n");
    assert_eq!(body(&response), "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
}

#[test]
fn a_file_is_read_where_jobs_may_block() {
    let server = serving(|query, start_response| {
        let mut file = tempfile::tempfile()?;
        file.write_all(&b"0123456789".repeat(100_000))?;
        file.rewind()?;
        let len = query.parse().map_err(Error::new)?;
        Ok(start_response.start(200, ())?.body(FileRange::new(file, 3, len)))
    });
    let response = ask(&server, "GET", "600000");
    assert_eq!(header(&response, "content-length"), Some("600000"));
    assert!(body(&response) == "3456789012".repeat(60_000), "the file is not what was sent");
    assert_eq!(body(&ask(&server, "GET", "0")), "");
    let short = ask(&server, "GET", "1000000");
    assert!(body(&short).len() < 1_000_000, "a file that ends early cannot be sent whole");
}

#[test]
fn a_file_is_let_go_when_its_client_leaves() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let closed = Arc::new(AtomicBool::default());
    let flag = closed.clone();
    let app = move |_: Environ, start_response: StartResponse| {
        let flag = Flag(flag.clone());
        async move {
            let file = tempfile::tempfile()?;
            file.set_len(1 << 30)?;
            Ok(start_response.start(200, ())?.body(FileRange::new(file, 0, 1 << 30).keeping(flag)))
        }
    };
    let server = Running::axum(Router::new().fallback_service(IntoTower::new(app)));
    let mut socket = server.connect();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    std::io::Read::read_exact(&mut socket, &mut [0; 1000]).unwrap();
    drop(socket);
    wait_until("the file's end", || closed.load(Ordering::Acquire));
}
