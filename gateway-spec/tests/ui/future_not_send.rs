//! A future that keeps what must stay on its thread across an await.

use std::rc::Rc;

use gateway_spec::{App, Environ, Response, Result, StartResponse};

async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    let count = Rc::new(1);
    environ.input().read_all(100).await?;
    Ok(start_response.start(200, ())?.body(count.to_string()))
}

fn is_app(_: impl App) {}

fn main() {
    is_app(app);
}
