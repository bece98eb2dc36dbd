//! Status and headers, and no body.

use gateway_spec::{App, Environ, Response, Result, StartResponse};

async fn app(_: Environ, start_response: StartResponse) -> Result<Response> {
    start_response.start(200, [("content-type", "text/plain")])
}

fn is_app(_: impl App) {}

fn main() {
    is_app(app);
}
