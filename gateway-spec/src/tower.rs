//! Apps as tower services, and tower services as Apps. (Feature `tower`.)
//!
//! [`FromTower`] makes an App of a `tower_service::Service` for HTTP: of an axum `Router` with its state, extractors and
//! layers, for one. [`IntoTower`] makes a service of an App: to run inside `axum::Router::fallback_service`, in hyper, or
//! under the layers of a `tower::ServiceBuilder`. One inside the other, layers become middleware of gateway's.
//!
//! # A service as an App
//!
//! ```
//! use axum::{Router, extract::State, routing::get};
//! use gateway_spec::tower::FromTower;
//!
//! async fn greet(State(greeting): State<&'static str>) -> String {
//!     format!("{greeting}!\n")
//! }
//! let router = Router::new().route("/", get(greet)).with_state("Hello");
//! let app = FromTower::new(router);
//! # fn is_app(_: impl gateway_spec::App) {}
//! # is_app(app);
//! ```
//!
//! The service's request has the path that is left where the App is mounted, PATH_INFO, as the client sent it, and the
//! headers that an environ shows. [`Origin`] is among its extensions: SCRIPT_NAME, the connection, and what middleware has
//! set. What a framework wants to find there under a name of its own, one line of `map_request` puts there:
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use axum::{Router, extract::{ConnectInfo, OriginalUri}, http::Request, routing::get};
//! use gateway_spec::tower::{FromTower, Origin};
//! use tower::ServiceBuilder;
//!
//! fn known_to_axum<B>(mut request: Request<B>) -> Request<B> {
//!     if let Some(origin) = request.extensions().get::<Origin>().cloned() {
//!         let connection = origin.connection();
//!         if let (Some(Ok(ip)), Some(Ok(port))) = (connection.remote_addr().map(str::parse), connection.remote_port().map(str::parse)) {
//!             request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ip, port)));
//!         }
//!         request.extensions_mut().insert(OriginalUri(origin.uri().clone()));
//!     }
//!     request
//! }
//!
//! async fn whence(ConnectInfo(client): ConnectInfo<SocketAddr>, OriginalUri(uri): OriginalUri) -> String {
//!     format!("{client} asked for {uri}\n")
//! }
//! let router = Router::new().route("/", get(whence));
//! let app = FromTower::new(ServiceBuilder::new().map_request(known_to_axum).service(router));
//! # fn is_app(_: impl gateway_spec::App) {}
//! # is_app(app);
//! ```
//!
//! An error of the service becomes an [`Error`](crate::Error) of [`Kind::App`](crate::Kind::App), unless it is one
//! already, or has one among its causes. Layers have errors of their own; `map_err` says what they are:
//!
//! ```
//! use std::time::Duration;
//!
//! use gateway_spec::{Error, Kind, tower::FromTower};
//! use tower::{BoxError, ServiceBuilder, load_shed::error::Overloaded, timeout::error::Elapsed};
//!
//! fn kind_of(error: BoxError) -> Error {
//!     match error {
//!         error if error.is::<Elapsed>() => Error::with_kind(Kind::Timeout, error), // 504
//!         error if error.is::<Overloaded>() => Error::with_kind(Kind::Overloaded, error), // 503
//!         error => Error::new(error),
//!     }
//! }
//! let layers = ServiceBuilder::new()
//!     .map_err(kind_of)
//!     .load_shed()
//!     .concurrency_limit(64)
//!     .timeout(Duration::from_secs(10));
//! let app = FromTower::new(layers.service(axum::Router::<()>::new()));
//! # fn is_app(_: impl gateway_spec::App) {}
//! # is_app(app);
//! ```
//!
//! # An App inside axum
//!
//! ```
//! use axum::{Router, routing::get};
//! use gateway_spec::{Environ, Response, Result, StartResponse, tower::IntoTower};
//!
//! async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
//!     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
//! }
//! let router: Router = Router::new()
//!     .route("/health", get("ok"))
//!     .fallback_service(IntoTower::new(hello));
//! ```
//!
//! Whatever the App does there is a response, so the service's error is `Infallible`, as axum wants it. The connection is
//! the other server's: what the request says of it (its `Host` and scheme) is what an App learns, SERVER_NAME and
//! SERVER_PORT are never empty, and REMOTE_ADDR is absent; unless that server says more with an [`Origin`]:
//!
//! ```
//! use std::{net::SocketAddr, sync::Arc};
//!
//! use axum::{Router, extract::{ConnectInfo, OriginalUri}, http::Request};
//! use gateway_spec::{Connection, Host, Scheme, tower::{IntoTower, Origin}};
//! use tower::ServiceBuilder;
//! # async fn hello(_: gateway_spec::Environ, start_response: gateway_spec::StartResponse) -> gateway_spec::Result<gateway_spec::Response> {
//! #     Ok(start_response.start(200, ())?.body(()))
//! # }
//!
//! let host = Arc::new(Host { software: "my-server/1.0".into(), ..Host::default() });
//! let local: SocketAddr = "127.0.0.1:8000".parse()?;
//! let origin_of = move |mut request: Request<axum::body::Body>| {
//!     let remote = request.extensions().get().map(|ConnectInfo::<SocketAddr>(remote)| *remote);
//!     let uri = request.extensions().get().map_or_else(|| request.uri().clone(), |OriginalUri(uri)| uri.clone());
//!     let connection = Connection::new(host.clone(), Scheme::Http, Some(local), remote);
//!     request.extensions_mut().insert(Origin::new(Arc::new(connection), uri));
//!     request
//! };
//! let service = ServiceBuilder::new().map_request(origin_of).service(IntoTower::new(hello));
//! // What axum strips here is SCRIPT_NAME to the App.
//! let router: Router = Router::new().nest_service("/api", service);
//! // axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
//!
//! # What goes through
//!
//! | | into a service | out of a service |
//! |---|---|---|
//! | headers | those that an environ shows | all but hop-by-hop ones |
//! | path | PATH_INFO, percent-encoded as received; `/` if empty | what precedes it in [`Origin`]'s is SCRIPT_NAME |
//! | body | blocks, length if known, its errors with their [kind](crate::Kind) | the same; trailers are dropped |
//! | reason phrase | | a [`Reason`](crate::Reason) among the response's extensions |
//! | extensions of the request | all, with [`Origin`] | all, less [`Origin`], which is the environ's own part again |
//! | a file as a body | | as it is if no layer changed the body, else read in blocks, off the event loop |
//! | cancellation | dropping the future, or the body | the same |
//!
//! hyper sends a reason phrase that it finds as a type of its own; where one matters, `map_response` makes the one into
//! the other: `ReasonPhrase::try_from(reason.as_bytes())`.

mod body;
mod foreign;
mod from_tower;
mod into_tower;
mod origin;

pub use body::ResponseBody;
pub use from_tower::FromTower;
pub use into_tower::IntoTower;
pub use origin::Origin;
