//! The cost of the contract alone: `hello` called through it, without a server. `cargo bench -p gateway-spec`

use std::{
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use criterion::{BatchSize, Criterion};
use gateway_spec::{App, BoxApp, Connection, Environ, Host, Input, Lint, Response, Result, Scheme, StartResponse};
use http::{Request, request::Parts};

async fn hello(environ: Environ, start_response: StartResponse) -> Result<Response> {
    let started = start_response.start(200, [("content-type", "text/plain")])?;
    Ok(started.body(format!("Hello from {}\n", environ.script_name())))
}

/// Reads every key, as an adapter for CGI or Python does, and then answers.
async fn visiting(environ: Environ, start_response: StartResponse) -> Result<Response> {
    let mut name = String::new();
    environ.visit(|key, value| {
        black_box((key.write(&mut name), value));
    });
    hello(environ, start_response).await
}

/// The answer without the contract's call: what the others are compared with.
fn direct(parts: Parts, connection: Arc<Connection>) -> Result<Response> {
    let environ = Environ::new(parts, Input::empty(), connection);
    let started = StartResponse::new().start(200, [("content-type", "text/plain")])?;
    Ok(started.body(format!("Hello from {}\n", environ.script_name())))
}

fn call(app: &impl App, parts: Parts, connection: Arc<Connection>) -> Result<Response> {
    let environ = Environ::new(parts, Input::empty(), connection);
    match pin!(app.call(environ, StartResponse::new())).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("these wait for nothing"),
    }
}

/// A browser's request, as a server has parsed it.
fn parts() -> Parts {
    let headers = [
        ("host", "example.com"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("cookie", "session=0123456789abcdef0123456789abcdef"),
        ("cache-control", "no-cache"),
        ("sec-fetch-mode", "navigate"),
    ];
    let request =
        headers.into_iter().fold(Request::get("/page?id=7"), |request, (name, value)| request.header(name, value));
    match request.body(()) {
        Ok(request) => request.into_parts().0,
        Err(error) => panic!("the request is well-formed: {error}"),
    }
}

fn measure(criterion: &mut Criterion, name: &str, answer: impl Fn(Parts, Arc<Connection>) -> Result<Response>) {
    let remote = "192.0.2.1:5000".parse().ok();
    let connection = Arc::new(Connection::new(Arc::new(Host::default()), Scheme::Http, None, remote));
    let (head, shared) = (parts(), connection.clone());
    let counted = allocation_counter::measure(|| drop(black_box(answer(head, shared))));
    println!("{name}: {} allocations, {} bytes", counted.count_total, counted.bytes_total);
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(
            || (parts(), connection.clone()),
            |(head, shared)| answer(head, shared),
            BatchSize::SmallInput,
        );
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let boxed = BoxApp::new(hello);
    measure(&mut criterion, "response alone", direct);
    measure(&mut criterion, "hello through App", |parts, connection| call(&hello, parts, connection));
    measure(&mut criterion, "hello through BoxApp", |parts, connection| call(&boxed, parts, connection));
    let linted = Lint::new(hello);
    measure(&mut criterion, "hello through Lint", |parts, connection| call(&linted, parts, connection));
    measure(&mut criterion, "hello with every key visited", |parts, connection| call(&visiting, parts, connection));
    criterion.final_summary();
}
