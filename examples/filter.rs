//! Another kind of program as an application: any filter, a command that reads its standard input and writes its standard
//! output. `cargo run -p examples --example filter sort -r`, then
//! `printf 'a\nb\n' | curl --data-binary @- http://127.0.0.1:8000/`

use std::process::Stdio;

use bytes::BytesMut;
use gateway_spec::{App, Environ, Error, Kind, Response, Result, StartResponse};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

/// A command that is started for each request: the request's body goes in, the response's comes out.
pub(crate) struct Filter {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
}

impl App for Filter {
    async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        if environ.method() != http::Method::POST {
            return Ok(start_response.start(405, [("allow", "POST")])?.body(()));
        }
        // Many clients read nothing before they have sent everything: it is received first.
        environ.spool_input(512 * 1024).await?;
        let mut input = environ.take_input();
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // When the client has gone the body is dropped, and the child with it.
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Error::with_kind(Kind::BadGateway, error))?;
        let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::new("the child has no pipes"));
        };
        let started = start_response.start(200, [("content-type", "application/octet-stream")])?;
        Ok(started.write(async move |mut out| {
            let feed = async move {
                while let Some(block) = input.chunk().await {
                    // A filter that has read enough (head, say) is no failure.
                    if stdin.write_all(&block?).await.is_err() {
                        break;
                    }
                }
                Ok(())
            };
            let drain = async {
                let mut block = BytesMut::with_capacity(64 * 1024);
                while stdout.read_buf(&mut block).await? > 0 {
                    out.write(block.split()).await?;
                    block.reserve(64 * 1024);
                }
                Ok::<(), Error>(())
            };
            // Both at once: a pipe is full at some time, and then each would wait for the other.
            tokio::try_join!(feed, drain)?;
            match child.wait().await? {
                status if status.success() => Ok(()),
                // What was sent cannot be taken back, but the connection is cut, and so the client knows.
                status => Err(Error::with_kind(Kind::BadGateway, format!("the filter ended with {status}"))),
            }
        }))
    }
}

#[tokio::main]
async fn main() -> Result<(), reference_server::Error> {
    let mut words = std::env::args().skip(1);
    let program = words.next().unwrap_or_else(|| "sort".into());
    reference_server::serve("127.0.0.1:8000", Filter { program, arguments: words.collect() }).await
}
