//! The smallest application: `cargo run -p examples --example hello`, then `curl http://127.0.0.1:8000/`

use gateway_spec::{Environ, Response, Result, StartResponse};

async fn hello(environ: Environ, start_response: StartResponse) -> Result<Response> {
    let started = start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(started.body(format!("Hello, {}!\n", environ.server_name())))
}

#[tokio::main]
async fn main() -> Result<(), reference_server::Error> {
    reference_server::serve("127.0.0.1:8000", hello).await
}
