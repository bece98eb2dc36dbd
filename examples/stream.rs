//! A body over time: `cargo run -p examples --example stream`, then `curl -N http://127.0.0.1:8000/`

use std::time::Duration;

use gateway_spec::{Environ, Response, Result, StartResponse};
use tokio::time::sleep;

/// One line a second. Each is sent at once; when the client goes away, the block is dropped where it waits.
async fn ticks(_: Environ, start_response: StartResponse) -> Result<Response> {
    let started = start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(started.write(async move |mut out| {
        let _farewell = Farewell;
        for tick in 1..=10 {
            out.write(format!("tick {tick}\n")).await?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }))
}

/// Dropping is how an application learns that a request is over, whichever way it ended.
struct Farewell;

impl Drop for Farewell {
    fn drop(&mut self) {
        eprintln!("the stream is over");
    }
}

#[tokio::main]
async fn main() -> Result<(), reference_server::Error> {
    reference_server::serve("127.0.0.1:8000", ticks).await
}
