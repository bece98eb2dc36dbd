//! What the contract itself costs: nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use allocation_counter::AllocationInfo;
use gateway_spec::{App, BoxApp, Connection, Environ, Host, Input, Lint, Response, Result, Scheme, StartResponse};
use http::{Request, request::Parts};

async fn hello(environ: Environ, start_response: StartResponse) -> Result<Response> {
    respond(&environ, start_response)
}

fn respond(environ: &Environ, start_response: StartResponse) -> Result<Response> {
    let started = start_response.start(200, [("content-type", "text/plain")])?;
    Ok(started.body(format!("Hello from {}\n", environ.script_name())))
}

/// What a server has before it makes an environ.
fn parsed() -> (Parts, Arc<Connection>) {
    let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.1:5000".parse().ok());
    let request = Request::get("/app/x?q").header("host", "example.com").header("accept", "*/*").body(()).unwrap();
    (request.into_parts().0, Arc::new(connection))
}

/// The allocations of what `answer` does with an environ, which is made meanwhile as a server would make it.
fn measure(answer: impl FnOnce(Environ) -> Result<Response>) -> AllocationInfo {
    let (parts, connection) = parsed();
    let mut response = None;
    let counted = allocation_counter::measure(|| {
        let mut environ = Environ::new(parts, Input::empty(), connection);
        assert!(environ.mount("/app"));
        response = Some(answer(environ));
    });
    assert_eq!(response.unwrap().unwrap().body().len(), Some("Hello from /app\n".len() as u64));
    counted
}

fn call(app: &impl App, environ: Environ) -> Result<Response> {
    match pin!(app.call(environ, StartResponse::new())).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("hello waits for nothing"),
    }
}

#[test]
fn hello_through_app_allocates_what_its_response_does_and_no_more() {
    let direct = measure(|environ| respond(&environ, StartResponse::new()));
    assert!(direct.count_total > 0, "nothing is counted");
    let through_app = measure(|environ| call(&hello, environ));
    assert_eq!((through_app.count_total, through_app.bytes_total), (direct.count_total, direct.bytes_total));
}

#[test]
fn an_app_behind_arc_costs_no_allocation_and_behind_box_app_one() {
    let direct = measure(|environ| respond(&environ, StartResponse::new())).count_total;
    let shared = Arc::new(hello);
    assert_eq!(measure(|environ| call(&shared, environ)).count_total, direct);
    let boxed = BoxApp::new(hello);
    assert_eq!(measure(|environ| call(&boxed, environ)).count_total, direct + 1);
}

/// Lint is for development, and affordable there. The first call is another matter: it may find something.
#[test]
fn lint_costs_a_known_number_of_allocations() {
    let direct = measure(|environ| respond(&environ, StartResponse::new())).count_total;
    let linted = Lint::new(hello);
    measure(|environ| call(&linted, environ));
    let through_lint = measure(|environ| call(&linted, environ)).count_total;
    assert_eq!(through_lint, direct + LINT, "in `cargo bench -p gateway-spec` this shows as time, too");
}

/// What a call through Lint allocates besides what the call itself does.
const LINT: u64 = 8;

#[test]
fn an_environ_is_one_allocation_and_answers_without_another_what_needs_no_decoding() {
    let (parts, connection) = parsed();
    let mut keys = 0;
    let counted = allocation_counter::measure(|| {
        let mut environ = Environ::new(parts, Input::empty(), connection);
        assert!(environ.mount("/app"));
        environ.visit(|_, _| keys += 1);
    });
    assert!(keys > 10);
    assert_eq!(counted.count_total, 1);
}
