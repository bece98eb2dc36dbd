//! The work that `gateway compare` gives each adapter, as a Rust App.

use std::fmt::Write as _;

use bytes::Bytes;
use gateway_spec::{Body, Environ, Response, Result, StartResponse};
use http::{HeaderValue, header};
use tokio::time::sleep;

use super::{
    super::compare::{BLOCK, BLOCKS, HELLO, NAP, PAGE, Work},
    received,
};

/// Does what the path asks for.
pub(super) async fn work(environ: Environ, start_response: StartResponse) -> Result<Response> {
    match Work::at(environ.raw_path_info()) {
        Some(Work::Hello) => whole(HELLO.into(), start_response),
        Some(Work::Page) => whole(Bytes::from_static(PAGE).into(), start_response),
        Some(Work::Echo(_)) => whole(received(environ).await?, start_response),
        Some(Work::Stream) => stream(start_response),
        Some(Work::Environ) => whole(rendered(&environ).into(), start_response),
        Some(Work::Sleep) => {
            sleep(NAP).await;
            whole(HELLO.into(), start_response)
        }
        None => Ok(start_response.start(404, [("content-type", "text/plain")])?.body("There is no such work.\n")),
    }
}

fn whole(body: Body, start_response: StartResponse) -> Result<Response> {
    let mut headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))];
    headers.extend(body.len().map(|length| (header::CONTENT_LENGTH, length.into())));
    Ok(start_response.start(200, headers)?.body(body))
}

fn stream(start_response: StartResponse) -> Result<Response> {
    let started = start_response.start(200, [("content-type", "text/plain")])?;
    Ok(started.write(|mut writer| async move {
        for _ in 0..BLOCKS {
            writer.write(BLOCK).await?;
        }
        Ok(())
    }))
}

fn rendered(environ: &Environ) -> String {
    let (mut text, mut scratch) = (String::new(), String::new());
    environ.visit(|key, value| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}={}", key.write(&mut scratch), String::from_utf8_lossy(value));
    });
    text
}
