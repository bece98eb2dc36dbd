//! An App under each of the layers that people put around services: in axum, over a socket.

use std::{
    future::pending,
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, error_handling::HandleErrorLayer, http::StatusCode};
use gateway_spec::{
    Environ, Error, Kind, Response, Result, StartResponse,
    tower::{FromTower, IntoTower},
};
use tokio::sync::Semaphore;
use tower::{BoxError, Service, ServiceBuilder, load_shed::error::Overloaded, service_fn, timeout::error::Elapsed};
use tower_http::{compression::CompressionLayer, decompression::DecompressionLayer};

use crate::support::{Running, body, header, status, wait_until};

async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    Ok(start_response.start(200, [("content-type", "text/plain")])?.body("hello ".repeat(100)))
}

async fn stuck(_: Environ, _: StartResponse) -> Result<Response> {
    pending().await
}

/// What axum needs to be told about the errors of layers.
async fn explain(error: BoxError) -> StatusCode {
    match error {
        error if error.is::<Elapsed>() => StatusCode::GATEWAY_TIMEOUT,
        error if error.is::<Overloaded>() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[test]
fn timeout() {
    let layers = ServiceBuilder::new().layer(HandleErrorLayer::new(explain)).timeout(Duration::from_millis(20));
    let server = Running::axum(Router::new().fallback_service(layers.service(IntoTower::new(stuck))));
    assert_eq!(status(&server.get("/")), "HTTP/1.1 504 Gateway Timeout");
}

/// An App that says when it was called, and waits to be let on.
#[derive(Clone)]
struct Gate {
    inside: Arc<Mutex<(usize, usize)>>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn new() -> Self {
        Gate { inside: Arc::default(), open: Arc::new(Semaphore::new(0)) }
    }

    fn inside(&self) -> usize {
        self.inside.lock().unwrap().0
    }
}

impl gateway_spec::App for Gate {
    async fn call(&self, _: Environ, start_response: StartResponse) -> Result<Response> {
        {
            let mut inside = self.inside.lock().unwrap();
            inside.0 += 1;
            inside.1 = inside.1.max(inside.0);
        }
        self.open.acquire().await.map_err(Error::new)?.forget();
        self.inside.lock().unwrap().0 -= 1;
        Ok(start_response.start(200, ())?.body("let on"))
    }
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn concurrency_limit() {
    let gate = Gate::new();
    let layers = ServiceBuilder::new().concurrency_limit(2).service(IntoTower::new(gate.clone()));
    let server = Running::axum(Router::new().fallback_service(layers));
    let sockets: Vec<_> = (0..5)
        .map(|_| {
            let mut socket = server.connect();
            socket.write_all(GET).unwrap();
            socket
        })
        .collect();
    wait_until("two calls", || gate.inside() == 2);
    gate.open.add_permits(5);
    for mut socket in sockets {
        let mut response = String::new();
        std::io::Read::read_to_string(&mut socket, &mut response).unwrap();
        assert_eq!(body(&response), "let on");
    }
    assert_eq!(gate.inside.lock().unwrap().1, 2, "never were there more inside at once");
}

#[test]
fn load_shed() {
    let gate = Gate::new();
    let layers = ServiceBuilder::new().layer(HandleErrorLayer::new(explain)).load_shed().concurrency_limit(1);
    let server = Running::axum(Router::new().fallback_service(layers.service(IntoTower::new(gate.clone()))));
    let mut first = server.connect();
    first.write_all(GET).unwrap();
    wait_until("the first call", || gate.inside() == 1);
    assert_eq!(status(&server.get("/")), "HTTP/1.1 503 Service Unavailable");
    gate.open.add_permits(1);
    let mut response = String::new();
    std::io::Read::read_to_string(&mut first, &mut response).unwrap();
    assert_eq!(body(&response), "let on");
}

#[test]
fn compression() {
    let layers = ServiceBuilder::new().layer(CompressionLayer::new()).service(IntoTower::new(hello));
    assert_compressed(&Running::axum(Router::new().fallback_service(layers)));
}

fn assert_compressed(server: &Running) {
    let plain = server.get("/");
    assert_eq!((header(&plain, "content-length"), header(&plain, "content-encoding")), (Some("600"), None));
    let request = "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let response = server.exchange(request);
    assert_eq!((header(&response, "content-encoding"), header(&response, "content-length")), (Some("gzip"), None));
    assert_eq!(unzipped(dechunked(body(&response))), "hello ".repeat(100));
}

fn dechunked(body: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), body.chars().map(|byte| byte as u8).collect::<Vec<_>>());
    loop {
        let line = rest.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return bytes;
        }
        bytes.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest.drain(..line + size + 4);
    }
}

fn unzipped(gzip: Vec<u8>) -> String {
    let service = service_fn(move |_: http::Request<Body>| {
        let response = http::Response::builder().header("content-encoding", "gzip").body(Body::from(gzip.clone()));
        async { response }
    });
    let unzip = async {
        let mut service = ServiceBuilder::new().layer(DecompressionLayer::new()).service(service);
        let response = service.call(http::Request::new(Body::empty())).await.unwrap();
        axum::body::to_bytes(Body::new(response.into_body()), 10_000).await.unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    String::from_utf8(runtime.block_on(unzip).into()).unwrap()
}

/// The documentation's way to say what the errors of layers are.
fn kind_of(error: BoxError) -> Error {
    match error {
        error if error.is::<Elapsed>() => Error::with_kind(Kind::Timeout, error),
        error if error.is::<Overloaded>() => Error::with_kind(Kind::Overloaded, error),
        error => Error::new(error),
    }
}

#[test]
fn all_of_them_as_middleware_in_our_server() {
    let layers = || {
        ServiceBuilder::new()
            .map_err(kind_of)
            .load_shed()
            .concurrency_limit(1)
            .timeout(Duration::from_millis(50))
            .layer(CompressionLayer::new())
    };
    assert_compressed(&Running::app(FromTower::new(layers().service(IntoTower::new(hello)))));
    let server = Running::app(FromTower::new(layers().service(IntoTower::new(stuck))));
    assert_eq!(status(&server.get("/")), "HTTP/1.1 504 Gateway Timeout");
    let patient = ServiceBuilder::new().map_err(kind_of).load_shed().concurrency_limit(1);
    let gate = Gate::new();
    let server = Running::app(FromTower::new(patient.service(IntoTower::new(gate.clone()))));
    let mut first = server.connect();
    first.write_all(GET).unwrap();
    wait_until("the first call", || gate.inside() == 1);
    let response = server.get("/");
    assert_eq!((status(&response), header(&response, "retry-after")), ("HTTP/1.1 503 Service Unavailable", Some("1")));
    gate.open.add_permits(1);
}
