//! Apps inside axum's server: what they are told, and what becomes of their answers.

use std::{
    future::pending,
    io::{BufRead, Write},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, OriginalUri, Request},
    routing::get,
};
use gateway_spec::{
    Connection, Environ, Error, Kind, Response, Result, Scheme, StartResponse,
    tower::{IntoTower, Origin},
};
use http::HeaderValue;
use hyper::ext::ReasonPhrase;
use tower::ServiceBuilder;
use tower_http::{decompression::RequestDecompressionLayer, limit::RequestBodyLimitLayer};

use crate::support::{Lines, Running, body, environ, header, listed, status, wait_until};

fn fallback(app: impl gateway_spec::App) -> Running {
    Running::axum(Router::new().route("/axum", get(async || "axum")).fallback_service(IntoTower::new(app)))
}

#[test]
fn an_app_answers_what_axum_has_no_route_for() {
    let server = fallback(environ);
    assert_eq!(body(&server.get("/axum")), "axum");
    let response = server.exchange(
        "POST /a%20b/c?d=e HTTP/1.1\r\nHost: example.com:81\r\nContent-Length: 2\r\nX_Evil: 1\r\nProxy: 2\r\n\
         Connection: close\r\n\r\nhi",
    );
    for (key, value) in [
        ("REQUEST_METHOD", Some("POST")),
        ("SCRIPT_NAME", Some("")),
        ("PATH_INFO", Some("/a b/c")),
        ("QUERY_STRING", Some("d=e")),
        ("REQUEST_URI", Some("/a%20b/c?d=e")),
        ("SERVER_NAME", Some("example.com")),
        ("SERVER_PORT", Some("81")),
        ("SERVER_PROTOCOL", Some("HTTP/1.1")),
        ("REQUEST_SCHEME", Some("http")),
        ("HTTP_HOST", Some("example.com:81")),
        ("CONTENT_LENGTH", Some("2")),
        ("REMOTE_ADDR", None),
        ("HTTP_X_EVIL", None),
        ("HTTP_PROXY", None),
        ("body", Some("hi")),
    ] {
        assert_eq!(listed(&response, key), value, "{key}");
    }
}

#[test]
fn the_servers_name_and_port_are_never_empty() {
    let server = fallback(environ);
    for (request, name, port) in [
        ("GET / HTTP/1.0\r\n\r\n", "localhost", "80"),
        ("GET / HTTP/1.0\r\nHost:\r\n\r\n", "localhost", "80"),
        ("GET / HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n", "[::1]", "80"),
        ("GET / HTTP/1.1\r\nHost: [::1]:8080\r\nConnection: close\r\n\r\n", "[::1]", "8080"),
        ("GET / HTTP/1.1\r\nHost: a:\r\nConnection: close\r\n\r\n", "a", "80"),
        ("GET http://b:82/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "b", "82"),
        ("GET https://u@b/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "b", "443"),
    ] {
        let response = server.exchange(request);
        assert_eq!(listed(&response, "SERVER_NAME"), Some(name), "{request}");
        assert_eq!(listed(&response, "SERVER_PORT"), Some(port), "{request}");
    }
}

#[test]
fn an_origin_says_what_only_the_server_knows() {
    let local: SocketAddr = "127.0.0.1:8000".parse().unwrap();
    let lines = Lines::default();
    let host = lines.host();
    let origin_of = move |mut request: Request| {
        let ConnectInfo(remote) = *request.extensions().get::<ConnectInfo<SocketAddr>>().unwrap();
        let OriginalUri(uri) = request.extensions().get::<OriginalUri>().unwrap().clone();
        let connection = Connection::new(host.clone(), Scheme::Https, Some(local), Some(remote));
        request.extensions_mut().insert(Origin::new(Arc::new(connection), uri));
        request
    };
    let service = ServiceBuilder::new().map_request(origin_of).service(IntoTower::new(environ));
    let server = Running::axum(Router::new().nest_service("/api/{version}", service));
    for (target, script_name, path_info) in [
        ("/api/v1/x%2Fy?q", "/api/v1", "/x/y"),
        ("/api/v1/", "/api/v1", "/"),
        ("/api/v1", "/api/v1", ""),
        ("/api/v1?q", "/api/v1", ""),
    ] {
        let response = server.get(target);
        for (key, value) in [
            ("SCRIPT_NAME", script_name),
            ("PATH_INFO", path_info),
            ("REQUEST_URI", target),
            ("SERVER_PORT", "8000"),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("HTTPS", "on"),
        ] {
            assert_eq!(listed(&response, key), Some(value), "{target} {key}");
        }
    }
}

#[test]
fn a_request_body_that_breaks_off_is_an_error_of_the_client() {
    let lines = Lines::default();
    let server = Running::axum(Router::new().fallback_service(IntoTower::with_host(environ, lines.host())));
    let head = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let broken = server.exchange(format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n"));
    assert_eq!((status(&broken), body(&broken)), ("HTTP/1.1 400 Bad Request", "400 Bad Request\n"));
    assert!(lines.all().starts_with("POST \"/x\": the request's body is malformed: "), "{}", lines.all());
}

#[test]
fn layers_may_limit_and_decode_the_request_body() {
    let service = ServiceBuilder::new()
        .layer(RequestBodyLimitLayer::new(30))
        .layer(RequestDecompressionLayer::new())
        .service(IntoTower::new(environ));
    // The error of a layer in front of the App is not axum's to know.
    let service = ServiceBuilder::new().map_response(axum::response::IntoResponse::into_response).service(service);
    let server = Running::axum(Router::new().fallback_service(service));
    // printf hello | gzip -n
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    let head =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\nConnection: close\r\n\r\n";
    let response = server.exchange([head.as_bytes(), gzip].concat());
    assert_eq!(listed(&response, "body"), Some("hello"));
    let block = "x".repeat(31);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let response = server.exchange(format!("{head}1f\r\n{block}\r\n0\r\n\r\n"));
    assert_eq!(status(&response), "HTTP/1.1 400 Bad Request");
}

#[test]
fn an_error_and_a_panic_become_responses_and_lines_in_the_log() {
    async fn fail(environ: Environ, _: StartResponse) -> Result<Response> {
        Err(match environ.query() {
            "panic" => panic!("a secret"),
            "overloaded" => Error::with_kind(Kind::Overloaded, "a secret"),
            "gone" => Kind::Disconnected.into(),
            _ => Error::new("a secret"),
        })
    }
    let lines = Lines::default();
    let server = Running::axum(Router::new().fallback_service(IntoTower::with_host(fail, lines.host())));
    let response = server.get("/x?overloaded");
    assert_eq!(body(&response), "503 Service Unavailable\n");
    assert_eq!(header(&response, "retry-after"), Some("1"));
    assert_eq!(lines.all(), "GET \"/x?overloaded\": there is no capacity now: a secret");
    assert_eq!(body(&server.get("/x?error")), "500 Internal Server Error\n");
    assert_eq!(body(&server.get("/x?panic")), "500 Internal Server Error\n");
    let logged = lines.all();
    assert!(logged.ends_with("GET \"/x?panic\": the application failed: the application panicked"), "{logged}");
    assert_eq!(status(&server.get("/x?gone")), "HTTP/1.1 400 Bad Request");
    assert_eq!(lines.all(), logged, "that a client has gone is no news");
    let head = server.exchange("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!((header(&head, "content-length"), body(&head)), (Some("26"), ""));
}

#[test]
fn a_reason_phrase_can_be_handed_on_to_hyper() {
    async fn teapot(_: Environ, start_response: StartResponse) -> Result<Response> {
        Ok(start_response.start("418 Out of Tea", ())?.body(()))
    }
    let for_hyper = |mut response: http::Response<_>| {
        let reason = response.extensions().get::<gateway_spec::Reason>().cloned();
        if let Some(Ok(reason)) = reason.map(|reason| ReasonPhrase::try_from(reason.as_bytes())) {
            response.extensions_mut().insert(reason);
        }
        response
    };
    let service = ServiceBuilder::new().map_response(for_hyper).service(IntoTower::new(teapot));
    let server = Running::axum(Router::new().fallback_service(service));
    assert_eq!(status(&server.get("/")), "HTTP/1.1 418 Out of Tea");
}

#[test]
fn an_app_that_blocks_needs_no_help_of_the_server() {
    let sort = |mut environ: Environ, start_response: StartResponse| {
        let lines = environ.take_input().reader().lines().collect::<std::io::Result<Vec<_>>>()?;
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        Ok(start_response.start(200, ())?.body(format!("{thread}: {lines:?}")))
    };
    let server = fallback(reference_server::blocking(sort));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\n";
    assert_eq!(body(&server.exchange(format!("{head}b\na\n"))), "gateway-blocking: [\"b\", \"a\"]");
}

/// Sets its flag when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a_call_is_dropped_when_its_client_leaves() {
    let (begun, dropped) = (Arc::new(AtomicBool::default()), Arc::new(AtomicBool::default()));
    let (begin, drops) = (begun.clone(), dropped.clone());
    let server = fallback(move |_: Environ, _: StartResponse| {
        let (begin, flag) = (begin.clone(), Dropped(drops.clone()));
        async move {
            let _flag = flag;
            begin.store(true, Ordering::Release);
            pending().await
        }
    });
    let mut socket = server.connect();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    wait_until("the call", || begun.load(Ordering::Acquire));
    drop(socket);
    wait_until("the drop", || dropped.load(Ordering::Acquire));
}

#[test]
fn an_app_cannot_touch_the_connection() {
    async fn rude(_: Environ, start_response: StartResponse) -> Result<Response> {
        let mut response = start_response.start(200, [("x-mine", "1")])?.body("ok");
        response.headers_mut().insert("connection", HeaderValue::from_static("x-mine, upgrade"));
        response.headers_mut().insert("upgrade", HeaderValue::from_static("h2c"));
        response.headers_mut().insert("transfer-encoding", HeaderValue::from_static("gzip"));
        Ok(response)
    }
    let response = fallback(rude).exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for name in ["upgrade", "transfer-encoding", "x-mine"] {
        assert_eq!(header(&response, name), None, "{name}");
    }
    assert_eq!((header(&response, "connection"), body(&response)), (Some("close"), "ok"));
}

#[tokio::test]
async fn it_is_a_service_without_any_server() {
    use tower::ServiceExt;
    let request = Request::get("http://a:81/x").body(Body::empty()).unwrap();
    let response = IntoTower::new(environ).oneshot(request).await.unwrap();
    let bytes = axum::body::to_bytes(Body::new(response.into_body()), 10_000).await.unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("HTTP_HOST=a:81\n"), "{bytes:?}");
}
