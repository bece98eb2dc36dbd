//! A tower service as an App.

use std::future::poll_fn;

use bytes::Bytes;
use http::{Request, response::Parts};
use tower_service::Service;

use super::{
    ResponseBody,
    foreign::{Foreign, error_of, same},
    into_tower::Instead,
};
use crate::{
    App, Body, Environ, Error, Input, IntoStatus, Kind, Reason, Response, Result, StartResponse, Started, Status,
    error::BoxError, head::remove_hop_by_hop,
};

/// A tower service as an App: see the [module](super).
///
/// The service is cloned for each request, as tower wants it, and must be `Sync`, because an App is called from many
/// threads: of the boxed services that is `BoxCloneSyncService`.
///
/// ```
/// use axum::{Json, Router, routing::post};
/// use gateway_spec::tower::FromTower;
///
/// async fn sum(Json(numbers): Json<Vec<i64>>) -> String {
///     numbers.iter().sum::<i64>().to_string()
/// }
/// let app = FromTower::new(Router::new().route("/sum", post(sum)));
/// # fn is_app(_: impl gateway_spec::App) {}
/// # is_app(app);
/// ```
#[derive(Clone, Debug)]
pub struct FromTower<S>(S);

impl<S> FromTower<S> {
    /// The App that hands its requests to `service`.
    ///
    /// ```
    /// # use gateway_spec::tower::FromTower;
    /// let app = FromTower::new(axum::Router::<()>::new().fallback(async || "Hello!\n"));
    /// ```
    pub fn new(service: S) -> Self {
        FromTower(service)
    }
}

// A function that is not quite an App is nothing like this.
#[diagnostic::do_not_recommend]
impl<S, B> App for FromTower<S>
where
    S: Service<Request<Input>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
        // It is the clone that was found ready that is called: others are not.
        let mut service = self.0.clone();
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(failed)?;
        let response = service.call(environ.into_service_request()).await.map_err(failed)?;
        let (mut head, body) = response.into_parts();
        let instead = head.extensions.remove::<Instead>().and_then(Instead::take);
        let response = started(head, start_response)?.body(body_of(body));
        Ok(match instead {
            Some(environ) => response.instead(environ),
            None => response,
        })
    }
}

fn failed(error: impl Into<BoxError>) -> Error {
    error_of(error, |_| Kind::App, Kind::App)
}

/// A service may talk to its server about the connection. Here it has none to talk about, and no reason to be refused.
fn started(mut head: Parts, start_response: StartResponse) -> Result<Started> {
    remove_hop_by_hop(&mut head.headers);
    let status = match head.extensions.remove::<Reason>() {
        Some(reason) => Status::with_reason(head.status, reason)?,
        None => head.status.into_status()?,
    };
    start_response.start(status, head.headers)
}

fn body_of<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        return Body::empty();
    }
    let mut body = Some(body);
    match same::<B, ResponseBody>(&mut body) {
        Some(ours) => ours.into(),
        None => body.map_or_else(Body::empty, |other| Body::new(Foreign::new(other, failed))),
    }
}
