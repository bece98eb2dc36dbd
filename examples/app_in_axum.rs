//! An application inside axum's server, under tower's layers: `cargo run -p examples --example app_in_axum`, then
//! `curl --compressed -i http://127.0.0.1:8000/` and `curl -i http://127.0.0.1:8000/?slow`

use std::{future::pending, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    BoxError, Router,
    error_handling::HandleErrorLayer,
    extract::{ConnectInfo, Request},
    http::StatusCode,
    routing::get,
};
use gateway_spec::{
    Connection, Environ, Host, Response, Result, Scheme, StartResponse,
    tower::{IntoTower, Origin},
};
use tower::{ServiceBuilder, timeout::error::Elapsed};
use tower_http::compression::CompressionLayer;

/// Greets its client, unless it is asked to be slow.
async fn greet(environ: Environ, start_response: StartResponse) -> Result<Response> {
    if environ.query() == "slow" {
        return pending().await;
    }
    let client = environ.connection().remote_addr().unwrap_or("somebody");
    let started = start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(started.body(format!("Hello, {client}! You asked {} for this.\n", environ.server_name())))
}

/// axum knows its connections, and the application does not: this tells it.
fn with_origin(host: Arc<Host>) -> impl Fn(Request) -> Request + Clone {
    move |mut request| {
        let remote = request.extensions().get().map(|ConnectInfo::<SocketAddr>(remote)| *remote);
        let connection = Connection::new(host.clone(), Scheme::Http, None, remote);
        let origin = Origin::new(Arc::new(connection), request.uri().clone());
        request.extensions_mut().insert(origin);
        request
    }
}

/// An error of a layer, as a status. The application's own never come here.
async fn explain(error: BoxError) -> StatusCode {
    if error.is::<Elapsed>() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::SERVICE_UNAVAILABLE }
}

pub(crate) fn router() -> Router {
    let layers = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(explain))
        .load_shed()
        .concurrency_limit(1000)
        .timeout(Duration::from_secs(1))
        .layer(CompressionLayer::new())
        .map_request(with_origin(Arc::new(Host::default())));
    Router::new().route("/health", get(async || "well\n")).fallback_service(layers.service(IntoTower::new(greet)))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    axum::serve(listener, router().into_make_service_with_connect_info::<SocketAddr>()).await
}
