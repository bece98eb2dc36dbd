//! A response without `start_response`.

use gateway_spec::{App, Body, Environ, Response, Result, StartResponse, Status};
use http::HeaderMap;

async fn app(_: Environ, _: StartResponse) -> Result<Response> {
    let status = Status::parse(b"200 OK")?;
    Ok(Response(Box::new((status, HeaderMap::new(), Body::empty()))))
}

fn is_app(_: impl App) {}

fn main() {
    is_app(app);
}
