//! A body of any size: `cargo run -p examples --example upload`, then `curl -T FILE http://127.0.0.1:8000/`

use gateway_spec::{Environ, Response, Result, StartResponse};

const FORM: &str = "<!doctype html>
<meta charset=utf-8>
<meta name=color-scheme content='light dark'>
<title>Upload</title>
<form method=post enctype=multipart/form-data>
  <input type=file name=file> <button>Send</button>
</form>
";

/// Shows a form, and counts what is sent. Blocks are taken one by one as they arrive: memory stays flat, and a client
/// that sends faster than the application reads is slowed down.
async fn upload(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    match environ.method().as_str() {
        "GET" | "HEAD" => Ok(start_response.start(200, [("content-type", "text/html; charset=utf-8")])?.body(FORM)),
        "POST" | "PUT" => {
            let (mut blocks, mut bytes) = (0, 0);
            while let Some(block) = environ.input().chunk().await {
                blocks += 1;
                bytes += block?.len();
            }
            let started = start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
            Ok(started.body(format!("{bytes} bytes in {blocks} blocks\n")))
        }
        _ => Ok(start_response.start(405, [("allow", "GET, HEAD, POST, PUT")])?.body(())),
    }
}

#[tokio::main]
async fn main() -> Result<(), reference_server::Error> {
    reference_server::serve("127.0.0.1:8000", upload).await
}
