//! A function that blocks: `cargo run -p examples --example blocking`, then
//! `printf 'b\na\n' | curl --data-binary @- http://127.0.0.1:8000/`

use std::io::BufRead;

use gateway_spec::{Environ, Response, Result, StartResponse};

/// Sorts the lines of the request's body. There is no `async` here: the server runs it on a thread where it may take as
/// long as it likes, and has received the body before.
fn sort(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    let mut lines = environ.take_input().reader().split(b'\n').collect::<std::io::Result<Vec<_>>>()?;
    lines.sort();
    lines.push(Vec::new());
    let started = start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(started.body(lines.join(&b'\n')))
}

#[tokio::main]
async fn main() -> Result<(), reference_server::Error> {
    reference_server::serve("127.0.0.1:8000", reference_server::blocking(sort)).await
}
