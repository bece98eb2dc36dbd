//! An App as a tower service.

use std::{
    convert::Infallible,
    fmt,
    future::poll_fn,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use tower_service::Service;

use super::{
    ResponseBody,
    foreign::{Foreign, error_of, same},
};
use crate::{
    App, Environ, Error, Host, Input, Kind, Response, Result, StartResponse,
    error::BoxError,
    head::{head_error, remove_hop_by_hop},
};

/// An App as a tower service: see the [module](super).
///
/// It does for the App what a server of ours would do, so that the one it is a guest of has nothing to take care of: an
/// error becomes a response of its [kind's status](Kind::status) with no text but that, and is written to the host's
/// error log; so does a panic. Responses to HEAD, 204 and 304 have no body, a Content-Length is kept, hop-by-hop
/// headers are taken out. It is always ready. Dropping its future cancels the call.
///
/// ```
/// use std::time::Duration;
///
/// use gateway_spec::{Environ, Response, Result, StartResponse, tower::IntoTower};
/// use tower::ServiceBuilder;
///
/// async fn page(_: Environ, start_response: StartResponse) -> Result<Response> {
///     Ok(start_response.start(200, [("content-type", "text/html")])?.body("<!doctype html><title>Hello</title>"))
/// }
/// let service = ServiceBuilder::new()
///     .load_shed()
///     .concurrency_limit(64)
///     .timeout(Duration::from_secs(10))
///     .service(IntoTower::new(page));
/// # fn is_service(_: impl tower::Service<http::Request<gateway_spec::Input>>) {}
/// # is_service(service);
/// ```
pub struct IntoTower<A> {
    app: Arc<A>,
    host: Arc<Host>,
}

impl<A: App> IntoTower<A> {
    /// The service that calls `app`. Its [`Host`] is the default one: it logs to standard error, and Apps that block do so
    /// on threads of its own.
    ///
    /// ```
    /// # use gateway_spec::{*, tower::IntoTower};
    /// # async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    /// #     Ok(start_response.start(200, ())?.body(()))
    /// # }
    /// let router: axum::Router = axum::Router::new().fallback_service(IntoTower::new(hello));
    /// ```
    pub fn new(app: A) -> Self {
        IntoTower::with_host(app, Arc::new(Host::default()))
    }

    /// The same with a log, a name and a place for blocking jobs of the server's own, for requests without an
    /// [`Origin`](super::Origin), which brings its own.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use gateway_spec::{*, tower::IntoTower};
    /// # async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    /// #     Ok(start_response.start(200, ())?.body(()))
    /// # }
    /// let host = Arc::new(Host { software: "my-server/1.0".into(), ..Host::default() });
    /// let service = IntoTower::with_host(hello, host);
    /// ```
    pub fn with_host(app: A, host: Arc<Host>) -> Self {
        IntoTower { app: Arc::new(app), host }
    }
}

impl<A, B> Service<Request<B>> for IntoTower<A>
where
    A: App,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = http::Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let environ = Environ::from_service_request(request.map(input_of), &self.host);
        let app = self.app.clone();
        Box::pin(async move { Ok(answer(&*app, environ).await) })
    }
}

fn input_of<B>(body: B) -> Input
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        return Input::empty();
    }
    let mut body = Some(body);
    match same::<B, Input>(&mut body) {
        Some(ours) => ours,
        None => body.map_or_else(Input::empty, |other| Input::new(Foreign::new(other, broke_off))),
    }
}

/// A connection that failed means that the client has gone; another failure, that a server or a layer did not accept what
/// the client sent.
fn broke_off(error: impl Into<BoxError>) -> Error {
    let of_io = |error: &io::Error| match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => Kind::BadRequest,
        _ => Kind::Disconnected,
    };
    error_of(error, of_io, Kind::BadRequest)
}

async fn answer<A: App>(app: &A, environ: Environ) -> http::Response<ResponseBody> {
    let (method, target) = (environ.method().clone(), environ.uri().clone());
    let host = environ.connection().host().clone();
    let answered = call(app, environ).await.and_then(|response| checked(response, &method, &host));
    answered.unwrap_or_else(|error| {
        if error.kind() != Kind::Disconnected {
            host.error_log.write(&format!("{method} {:?}: {}", target.to_string(), error.chain()));
        }
        failure(error.kind(), &method, &host)
    })
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

/// The response with what HTTP demands of it, whoever sends it.
fn checked(mut response: Response, method: &Method, host: &Arc<Host>) -> Result<http::Response<ResponseBody>> {
    let instead = response.take_instead();
    let (status, mut headers, body) = response.into_parts();
    remove_hop_by_hop(&mut headers);
    let declared = declared_length(&headers)?;
    let body = match status.code() {
        // These have no body whatever the application gives (RFC 9110, sections 6.4.1 and 8.6).
        StatusCode::NO_CONTENT => {
            headers.remove(header::CONTENT_LENGTH);
            ResponseBody::none(host)
        }
        StatusCode::NOT_MODIFIED => ResponseBody::none(host),
        _ if method == Method::HEAD => {
            if let (None, Some(length)) = (declared, body.len().filter(|length| *length > 0)) {
                headers.insert(header::CONTENT_LENGTH, length.into());
            }
            ResponseBody::none(host)
        }
        _ => ResponseBody::new(body, declared, host),
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = status.code();
    *response.headers_mut() = headers;
    if let Some(reason) = status.reason() {
        response.extensions_mut().insert(reason.clone());
    }
    if let Some(environ) = instead {
        response.extensions_mut().insert(Instead(Arc::new(Mutex::new(Some(environ)))));
    }
    Ok(response)
}

/// The one Content-Length (RFC 9110, section 8.6).
fn declared_length(headers: &HeaderMap) -> Result<Option<u64>> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match (digits.and_then(|text| text.parse().ok()), values.next()) {
        (Some(length), None) => Ok(Some(length)),
        _ => Err(head_error(format!("Content-Length {value:?} is not one number"))),
    }
}

/// The answer to an application's error, whose text is not for the client.
fn failure(kind: Kind, method: &Method, host: &Arc<Host>) -> http::Response<ResponseBody> {
    let status = kind.status();
    let text = Bytes::from(format!("{status}\n"));
    let mut response = http::Response::new(ResponseBody::none(host));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, text.len().into());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    match *method == Method::HEAD {
        true => response,
        false => response.map(|_| ResponseBody::new(text.into(), None, host)),
    }
}

/// The request that a response asks to be answered in its place, on its way through a stack of services to a host that
/// knows how.
#[derive(Clone)]
pub(super) struct Instead(Arc<Mutex<Option<Environ>>>);

impl Instead {
    pub(super) fn take(self) -> Option<Environ> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<A> Clone for IntoTower<A> {
    fn clone(&self) -> Self {
        IntoTower { app: self.app.clone(), host: self.host.clone() }
    }
}

impl<A> fmt::Debug for IntoTower<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoTower").field("host", &self.host).finish_non_exhaustive()
    }
}
