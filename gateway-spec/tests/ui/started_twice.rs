//! `start_response` called twice without saying so (PEP 3333: fatal without `exc_info`).

use gateway_spec::{App, Environ, Response, Result, StartResponse};

async fn app(_: Environ, start_response: StartResponse) -> Result<Response> {
    let _first = start_response.start(200, ())?;
    let second = start_response.start(500, ())?;
    Ok(second.body("twice"))
}

fn is_app(_: impl App) {}

fn main() {
    is_app(app);
}
