//! One connection: hyper drives it, each request becomes an Environ, each Response goes back.

use std::{
    convert::Infallible,
    future::poll_fn,
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use gateway_spec::{App, Connection, Environ, Error, Kind, Response, Result, StartResponse};
use http::{HeaderValue, Request, Version, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

use crate::{
    AccessLog, Limits,
    countdown::Countdown,
    input::input,
    io::Io,
    marks,
    record::Record,
    request::{self, Refusal},
    response::{self, HttpResponse},
    watch::{BodyState, Command, Label, Registration, Watch},
};

/// What the connections of a server share.
pub(crate) struct Service<A> {
    pub(crate) app: A,
    pub(crate) limits: Limits,
    pub(crate) access_log: Option<Arc<AccessLog>>,
    pub(crate) countdown: Option<Countdown>,
}

/// Serves the requests of one connection until it ends.
pub(crate) async fn serve<A: App>(
    socket: OwnedFd,
    service: Arc<Service<A>>,
    connection: Connection,
    registration: Registration,
) {
    let watch = registration.watch.clone();
    let connection = Arc::new(connection);
    let io = TokioIo::new(Io::new(socket, watch.clone()));
    let requests = service_fn(|request| answer(&service, &connection, &watch, request));
    let mut http = http1::Builder::new();
    // hyper would take a FIN for a client that is gone; the socket's wrapper and the watch know better.
    // Blocks must reach the socket as they are, for files to be sent by the kernel.
    http.max_header_size(service.limits.head).half_close(true).writev(true);
    let mut http = pin!(http.serve_connection(io, requests));
    let mut told = Command::Serve;
    watch.set_task(&poll_fn(|cx| Poll::Ready(cx.waker().clone())).await);
    let result = poll_fn(|cx| {
        // Drain is told once; after that hyper finishes by itself.
        match watch.command() {
            Command::Abort => return Poll::Ready(Ok(())),
            Command::Drain if told == Command::Serve => {
                told = Command::Drain;
                http.as_mut().graceful_shutdown();
            }
            _ => {}
        }
        watch.discard_unread(cx);
        http.as_mut().poll(cx)
    });
    let result = result.await;
    connection.close();
    if let Err(error) = result {
        tracing::debug!("connection from {}: {error:?}", connection.remote_addr().unwrap_or("-"));
    }
}

/// Answers one request. Whatever happens there is an answer, unless the client leaves first and this is dropped.
///
/// What does not wait is done before there is a future, which is moved: it should be small.
fn answer<A: App>(
    service: &Service<A>,
    connection: &Arc<Connection>,
    watch: &Arc<Watch>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<HttpResponse, Infallible>> {
    if let Some(countdown) = &service.countdown {
        countdown.tick();
    }
    let (mut parts, body) = request.into_parts();
    let entry = service.access_log.as_ref().map(|log| log.entry(connection.remote_addr(), &parts));
    watch.set_chunks(parts.version != Version::HTTP_10);
    let input = input(body, &parts, watch, service.limits.body);
    let record = Record::begin(watch, entry);
    let environ = match request::check(&mut parts, !input.is_empty(), &service.limits) {
        Ok(is_last) => {
            watch.set_last(is_last);
            Ok(Environ::new(parts, input, connection.clone()))
        }
        // The connection ends with it.
        Err(refused) => {
            watch.set_last(true);
            Err(refused)
        }
    };
    respond(&service.app, environ, record, watch)
}

async fn respond<A: App>(
    app: &A,
    environ: Result<Environ, Refusal>,
    mut record: Record,
    watch: &Watch,
) -> Result<HttpResponse, Infallible> {
    let environ = match environ {
        Ok(environ) => environ,
        Err(refused) => return Ok(response::refusal(&refused, record)),
    };
    let (method, target) = (environ.method().clone(), environ.uri().path_and_query().cloned());
    let label = || Label { method: method.clone(), target: target.clone(), mount: 0, wait: None };
    record.see(&environ);
    let answered = call(app, environ, &mut record, label).await;
    let mut response = match answered.and_then(|response| Ok((response::look(response.headers())?, response))) {
        Ok((found, response)) => response::guard(response, &found, &method, record),
        Err(error) => {
            if error.kind() != Kind::Disconnected {
                let target = target.as_ref().map_or("", |target| target.as_str());
                tracing::error!("{method} {target:?}: {}", error.chain());
            }
            response::failure(&error, record)
        }
    };
    response.body().label(label);
    say_if_last(&mut response, watch);
    Ok(response)
}

/// A server that is ending says so to its clients, for them to send their next requests elsewhere (RFC 9112, 9.6). And
/// who was not told to continue need not send a body only for the connection's sake (RFC 9110, section 10.1.1).
fn say_if_last(response: &mut HttpResponse, watch: &Watch) {
    if watch.is_draining() || watch.body_is(BodyState::Unasked) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Calls the application; its panic is a failure like any other.
async fn call<A: App>(app: &A, environ: Environ, record: &mut Record, label: impl Fn() -> Label) -> Result<Response> {
    let mut future = pin!(app.call(environ, StartResponse::new()));
    // What others have left on this thread is not of this request.
    marks::take();
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)))
            .unwrap_or_else(|_| Poll::Ready(Err(Error::new("the application panicked"))));
        record.polled(marks::take(), &label);
        polled
    })
    .await
}
