//! axum's Router, and other services, as Apps of our server.

use std::{
    convert::Infallible,
    future::pending,
    io::{self, Write},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, MatchedPath, OriginalUri, Path, Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri},
    response::IntoResponse,
    routing::{get, post},
};
use gateway_spec::{
    App, Environ, Error, Input, Kind, Reason, Response, Result, StartResponse,
    tower::{FromTower, Origin},
};
use http_body::Frame;
use reference_server::Mounts;
use tower::{BoxError, Service, ServiceBuilder, service_fn};
use tower_http::{set_header::SetResponseHeaderLayer, trace::TraceLayer};

use crate::{
    script::Script,
    support::{Running, body, header, status, wait_until},
};

#[test]
fn a_router_with_state_extractors_and_layers_answers() {
    async fn sum(State(count): State<Arc<AtomicUsize>>, Path(base): Path<i64>, Json(more): Json<Vec<i64>>) -> String {
        count.fetch_add(1, Ordering::Relaxed);
        format!("{}\n", base + more.iter().sum::<i64>())
    }
    async fn asked(State(count): State<Arc<AtomicUsize>>, Query(query): Query<Vec<(String, String)>>) -> String {
        format!("{} {query:?}\n", count.load(Ordering::Relaxed))
    }
    let layer = HeaderName::from_static("x-layer");
    let router = Router::new()
        .route("/sum/{base}", post(sum))
        .route("/asked", get(asked))
        .layer(SetResponseHeaderLayer::overriding(layer, HeaderValue::from_static("1")))
        .layer(TraceLayer::new_for_http())
        .with_state(Arc::new(AtomicUsize::new(0)));
    let server = Running::app(FromTower::new(router));
    let head = "POST /sum/40 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let whole = server.exchange(format!("{head}Content-Length: 5\r\n\r\n[1,1]"));
    assert_eq!((status(&whole), header(&whole, "x-layer"), body(&whole)), ("HTTP/1.1 200 OK", Some("1"), "42\n"));
    assert_eq!(header(&whole, "content-length"), Some("3"));
    let chunked = server.exchange(format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,1]\r\n0\r\n\r\n"));
    assert_eq!(body(&chunked), "42\n");
    assert_eq!(body(&server.get("/asked?a=1&b=%20")), "2 [(\"a\", \"1\"), (\"b\", \" \")]\n");
    assert_eq!(status(&server.get("/absent")), "HTTP/1.1 404 Not Found");
}

/// Puts in what axum's extractors look for, as the module's documentation does.
fn known_to_axum<B>(mut request: Request<B>) -> Request<B> {
    let origin = request.extensions().get::<Origin>().unwrap().clone();
    let ip = origin.connection().remote_addr().unwrap().parse().unwrap();
    let port = origin.connection().remote_port().unwrap().parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ip, port)));
    request.extensions_mut().insert(OriginalUri(origin.uri().clone()));
    request
}

#[test]
fn a_mounted_router_sees_path_info_as_its_path_and_knows_the_whole() {
    async fn show(
        uri: Uri,
        OriginalUri(whole): OriginalUri,
        ConnectInfo(client): ConnectInfo<SocketAddr>,
        matched: MatchedPath,
        Extension(origin): Extension<Origin>,
    ) -> String {
        format!("{uri} {whole} {} {} {}", origin.script_name(), matched.as_str(), client.ip())
    }
    let router = Router::new().route("/", get(show)).route("/x/{name}", get(show));
    let service = ServiceBuilder::new().map_request(known_to_axum).service(router);
    let server = Running::app(Mounts::new().mount("/a b", FromTower::new(service)));
    for (target, seen) in [
        ("/a%20b/x/y?q", "/x/y?q /a%20b/x/y?q /a b /x/{name} 127.0.0.1"),
        ("/%61%20b/x/y", "/x/y /%61%20b/x/y /a b /x/{name} 127.0.0.1"),
        ("/a%20b", "/ /a%20b /a b / 127.0.0.1"),
        ("/a%20b?q=1", "/?q=1 /a%20b?q=1 /a b / 127.0.0.1"),
        ("/a%20b/", "/ /a%20b/ /a b / 127.0.0.1"),
    ] {
        assert_eq!(body(&server.get(target)), seen, "{target}");
    }
}

#[test]
fn escapes_in_a_path_are_left_to_the_service() {
    let router = Router::new().route("/x/{name}", get(async |Path(name): Path<String>| name));
    let server = Running::app(Mounts::new().mount("/app", FromTower::new(router)));
    assert_eq!(body(&server.get("/app/x/a%2Fb%2520c%3F")), "a/b%20c?");
}

#[test]
fn a_service_gets_the_headers_that_an_environ_shows() {
    let router = Router::new().fallback(async |headers: HeaderMap| {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names.join(" ")
    });
    let server = Running::app(FromTower::new(router));
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX_A: 2\r\nProxy: 3\r\nTE: trailers\r\nUpgrade: h2c\r\n\
                   Connection: close, te, upgrade\r\nCookie: a=b\r\n\r\n";
    assert_eq!(body(&server.exchange(request)), "cookie host x-a");
}

/// Sets what middleware of ours sets.
struct Known<A>(A);

#[derive(Clone)]
struct RequestId(u32);

impl gateway_spec::Extension for RequestId {
    const KEY: &'static str = "acme.request_id";

    fn text(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(self.0.to_string().into())
    }
}

impl<A: App> App for Known<A> {
    async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        environ.set("REMOTE_USER", "ann")?;
        environ.set("HTTP_X_ADDED", "yes")?;
        environ.insert(RequestId(7));
        environ.spool_input(10).await?;
        self.0.call(environ, start_response).await
    }
}

#[test]
fn a_service_finds_what_middleware_has_set() {
    async fn show(Extension(origin): Extension<Origin>, headers: HeaderMap) -> String {
        let text = |key| String::from_utf8_lossy(origin.var(key).unwrap_or(b"-")).into_owned();
        let header = |name| headers.get(name).map_or("-", |value| value.to_str().unwrap());
        let set =
            format!("{} {} {}", text("REMOTE_USER"), text(<RequestId as gateway_spec::Extension>::KEY), text("X"));
        format!("{set} {} {}", header("x-added"), header("content-length"))
    }
    let server = Running::app(Known(FromTower::new(Router::new().fallback(show))));
    let chunked =
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(body(&server.exchange(chunked)), "ann 7 - yes 3");
}

#[test]
fn a_request_body_that_fails_tells_the_service_why() {
    let router = Router::new().fallback(async |request: Request| {
        let error = axum::body::to_bytes(request.into_body(), 100).await.unwrap_err();
        format!("{:?}", find_kind(&error))
    });
    let server = Running::app(FromTower::new(router));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let short = server.exchange_and_leave(&format!("{head}Content-Length: 9\r\n\r\nabc"));
    assert_eq!(body(&short), "Some(Disconnected)");
    let broken = server.exchange(format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n"));
    assert_eq!(body(&broken), "Some(BadRequest)");
}

fn find_kind(error: &(dyn std::error::Error + 'static)) -> Option<Kind> {
    error.downcast_ref::<Error>().map(Error::kind).or_else(|| find_kind(error.source()?))
}

#[test]
fn what_a_request_body_did_to_a_service_is_answered_by_its_kind() {
    // As libraries do; in an io::Error it is hidden from the chain of sources.
    let service = service_fn(async |request: Request<Input>| {
        let whole = axum::body::to_bytes(Body::new(request.into_body()), 100).await.map_err(io::Error::other)?;
        Ok::<_, io::Error>(http::Response::new(Body::from(whole)))
    });
    let server = Running::app(FromTower::new(service));
    let response = server.exchange("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    assert_eq!(status(&response), "HTTP/1.1 400 Bad Request");
}

#[test]
fn an_error_is_answered_by_its_kind_and_its_text_is_kept_back() {
    for (error, expected) in [
        (Error::from(Kind::Timeout), "HTTP/1.1 504 Gateway Timeout"),
        (Error::from(Kind::Overloaded), "HTTP/1.1 503 Service Unavailable"),
        (Error::new("a secret"), "HTTP/1.1 500 Internal Server Error"),
    ] {
        let kind = error.kind();
        let service = service_fn(move |_: Request<Input>| async move {
            Err::<http::Response<Body>, BoxError>(Error::with_kind(kind, "a secret").into())
        });
        let response = Running::app(FromTower::new(service)).get("/");
        assert_eq!(status(&response), expected);
        assert!(!response.contains("secret"), "{response}");
    }
}

#[test]
fn responses_stream_without_a_length_and_without_trailers() {
    let router = Router::new().fallback(async || {
        let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("1"))]);
        let frames = [Frame::data(Bytes::from("one ")), Frame::data("two".into()), Frame::trailers(trailers)];
        ([("trailer", "x-sum")], Body::new(Script::of(frames.map(Ok))))
    });
    let request = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n";
    let response = Running::app(FromTower::new(router)).exchange(request);
    assert_eq!(header(&response, "transfer-encoding"), Some("chunked"));
    assert_eq!(body(&response), "4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n");
    assert_eq!(header(&response, "trailer"), None);
}

#[test]
fn a_body_that_fails_cuts_the_connection() {
    let router = Router::new()
        .fallback(async || Body::new(Script::of([Ok(Frame::data(Bytes::from("half"))), Err(Error::new("lost"))])));
    let response = Running::app(FromTower::new(router)).get("/");
    assert!(body(&response).starts_with("4\r\nhalf\r\n"), "{response}");
    assert!(!response.contains("0\r\n\r\n"), "{response}");
}

#[test]
fn a_service_cannot_touch_the_connection() {
    let router = Router::new().fallback(async || {
        ([("connection", "x-mine, keep-alive"), ("keep-alive", "timeout=5"), ("x-mine", "1"), ("x-kept", "1")], "ok")
    });
    let response = Running::app(FromTower::new(router)).get("/");
    assert_eq!((status(&response), body(&response)), ("HTTP/1.1 200 OK", "ok"));
    assert_eq!(header(&response, "connection"), Some("close"));
    assert_eq!((header(&response, "keep-alive"), header(&response, "x-mine")), (None, None));
    assert_eq!(header(&response, "x-kept"), Some("1"));
}

#[test]
fn a_reason_phrase_among_the_extensions_is_sent() {
    let reason = Reason::new(b"Out of Tea").unwrap();
    let router = Router::new().fallback(move || async move {
        (StatusCode::IM_A_TEAPOT, Extension(reason), "short and stout").into_response()
    });
    assert_eq!(status(&Running::app(FromTower::new(router)).get("/")), "HTTP/1.1 418 Out of Tea");
}

#[test]
fn head_has_the_head_of_get() {
    let server = Running::app(FromTower::new(Router::new().route("/", get(async || "hello"))));
    let response = server.exchange("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!((header(&response, "content-length"), body(&response)), (Some("5"), ""));
}

/// A service that insists on the order of tower's calls: a clone is not ready until it was asked.
#[derive(Default)]
struct Strict {
    ready: bool,
    asked: usize,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Strict::default()
    }
}

impl<B> Service<Request<B>> for Strict {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.asked += 1;
        if self.asked < 3 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let text = if self.ready { "ready" } else { "not ready" };
        std::future::ready(Ok(http::Response::new(text.into())))
    }
}

#[test]
fn the_clone_that_is_called_is_the_one_that_was_found_ready() {
    let server = Running::app(FromTower::new(Strict::default()));
    assert_eq!(body(&server.get("/")), "ready");
    assert_eq!(body(&server.get("/")), "ready");
}

/// Sets its flag when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a_handler_is_dropped_when_its_client_leaves() {
    let (begun, dropped) = (Arc::new(AtomicBool::default()), Arc::new(AtomicBool::default()));
    let (begin, drops) = (begun.clone(), dropped.clone());
    let router = Router::new().fallback(move || async move {
        let _flag = Dropped(drops);
        begin.store(true, Ordering::Release);
        pending::<()>().await;
    });
    let server = Running::app(FromTower::new(router));
    let mut socket = server.connect();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    wait_until("the call", || begun.load(Ordering::Acquire));
    drop(socket);
    wait_until("the drop", || dropped.load(Ordering::Acquire));
}
