//! One connection: hyper drives it, each request becomes an Environ, each Response goes back.

use std::{
    convert::Infallible,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use gateway_spec::{App, Connection, Environ, Error, Kind, Response, Result, StartResponse};
use http::{Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{
    AccessLog, Limits,
    access_log::Entry,
    input::input,
    io::Io,
    request,
    response::{self, HttpResponse},
    watch::{Command, Registration, Watch},
};

/// What the connections of a server share.
pub(crate) struct Service<A> {
    pub(crate) app: A,
    pub(crate) limits: Limits,
    pub(crate) access_log: Option<Arc<AccessLog>>,
}

/// Serves the requests of one connection until it ends.
pub(crate) async fn serve<A: App>(
    socket: TcpStream,
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
        http.as_mut().poll(cx)
    });
    if let Err(error) = result.await {
        tracing::debug!("connection from {}: {error:?}", connection.remote_addr().unwrap_or("-"));
    }
}

/// Answers one request. Whatever happens there is an answer, unless the client leaves first and this is dropped.
async fn answer<A: App>(
    service: &Service<A>,
    connection: &Arc<Connection>,
    watch: &Arc<Watch>,
    request: Request<Incoming>,
) -> Result<HttpResponse, Infallible> {
    let (mut parts, body) = request.into_parts();
    let remote = connection.remote_addr();
    let mut entry = service.access_log.as_ref().map(|log| log.entry(remote, &parts.method, &parts.uri, parts.version));
    let input = input(body, watch, service.limits.body);
    if let Err(refused) = request::check(&mut parts, !input.is_empty(), &service.limits) {
        note(&mut entry, refused.0);
        return Ok(response::refusal(&refused, watch, entry));
    }
    let (method, target) = (parts.method.clone(), parts.uri.path_and_query().cloned());
    let environ = Environ::new(parts, input, connection.clone());
    let error = match call(&service.app, environ).await {
        Ok(response) => {
            note(&mut entry, response.status().code());
            match response::guard(response, &method, watch, &mut entry) {
                Ok(response) => return Ok(response),
                Err(error) => error,
            }
        }
        Err(error) => error,
    };
    if error.kind() != Kind::Disconnected {
        let target = target.as_ref().map_or("", |target| target.as_str());
        tracing::error!("{method} {target:?}: {}", error.chain());
    }
    note(&mut entry, error.kind().status());
    Ok(response::failure(&error, watch, entry))
}

fn note(entry: &mut Option<Entry>, status: StatusCode) {
    if let Some(entry) = entry {
        entry.answered(status.as_u16());
    }
}

/// Calls the application; its panic is a failure like any other.
async fn call<A: App>(app: &A, environ: Environ) -> Result<Response> {
    let mut future = pin!(app.call(environ, StartResponse::new()));
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)))
            .unwrap_or_else(|_| Poll::Ready(Err(Error::new("the application panicked"))))
    })
    .await
}
