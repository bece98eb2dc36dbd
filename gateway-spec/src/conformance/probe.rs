//! The probe application as a Rust App. It has the URLs of the Python ones beside it, as far as they have a meaning here.

mod events;
mod request;

use std::{collections::BTreeMap, process, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;

use crate::{App, Body, Environ, Error, Kind, Response, Result, StartResponse, VERSION, Writer};

use events::Events;
use request::Request;

const TEXT: (&str, &str) = ("content-type", "text/plain");

/// What is read of a body at most.
const LIMIT: usize = 64 << 20;

/// The probe application, for servers that host Rust Apps.
///
/// ```
/// # fn is_app(_: impl gateway_spec::App) {}
/// is_app(gateway_spec::conformance::probe());
/// ```
pub fn probe() -> impl App {
    let events = Arc::new(Events::default());
    move |environ: Environ, start_response: StartResponse| answer(Request::new(environ, events.clone()), start_response)
}

async fn answer(request: Request, start_response: StartResponse) -> Result<Response> {
    match request.name().as_str() {
        "environ" => environ(request, start_response).await,
        "echo" => echo(request, start_response).await,
        "report" => report(request, start_response).await,
        "log" => log(&request, start_response),
        "events" => text(start_response, request.events.read(&request.key()).join("\n")),
        "release" => {
            request.events.release(&request.key());
            text(start_response, "released")
        }
        "forget" => {
            request.events.forget(&request.key());
            text(start_response, "forgotten")
        }
        "hold" => hold(request, start_response).await,
        "overlap" => overlap(request, start_response).await,
        "flood" => flood(request, start_response),
        "respond" => respond(request, start_response),
        "restart" => restart(start_response),
        "refused" => refused(&request, start_response),
        _ => nowhere(&request.environ, start_response),
    }
}

fn text(start_response: StartResponse, body: impl Into<Body>) -> Result<Response> {
    Ok(start_response.start(200, [TEXT])?.body(body))
}

fn nowhere(environ: &Environ, start_response: StartResponse) -> Result<Response> {
    let path = quoted(&environ.path_info());
    let started = start_response.start(404, [TEXT, ("x-probe-path", path.as_str())])?;
    Ok(started.body("the probe has no such path\n"))
}

/// All keys, as they are at first. `?read`: then the body is read, and keys that this has brought are shown as well.
async fn environ(mut request: Request, start_response: StartResponse) -> Result<Response> {
    let mut keys = BTreeMap::new();
    let mut show = |environ: &Environ| {
        let mut scratch = String::new();
        environ.visit(|key, value| {
            keys.entry(key.write(&mut scratch).to_owned()).or_insert_with(|| value.to_vec());
        });
    };
    show(&request.environ);
    let mut read = None;
    if !request.one("read").is_empty() {
        read = Some(request.environ.input().read_all(LIMIT).await?.len());
        show(&request.environ);
    }
    keys.extend(read.map(|count| ("probe.read".to_owned(), count.to_string().into())));
    keys.insert("gateway.version".to_owned(), format!("({}, {})", VERSION.0, VERSION.1).into());
    keys.insert("probe.kind".to_owned(), b"rust".into());
    keys.insert("probe.pid".to_owned(), process::id().to_string().into());
    let lines = keys.iter().map(|(key, value)| format!("{} str {}\n", quoted(key.as_bytes()), quoted(value)));
    text(start_response, lines.collect::<String>())
}

async fn echo(mut request: Request, start_response: StartResponse) -> Result<Response> {
    let body = request.environ.input().read_all(LIMIT).await?;
    Ok(start_response.start(200, [("content-type", "application/octet-stream")])?.body(body))
}

/// What reading the whole body came to, as an event.
async fn report(mut request: Request, start_response: StartResponse) -> Result<Response> {
    let read = request.environ.input().read_all(LIMIT).await;
    match &read {
        Ok(body) => request.event(format!("ended {}", body.len())),
        Err(error) => request.event(format!("failed {:?}", error.kind())),
    }
    read.and_then(|_| text(start_response, "read"))
}

/// Anything at all, to the error log.
fn log(request: &Request, start_response: StartResponse) -> Result<Response> {
    let log = request.environ.error_log();
    log.write("the probe writes\na euro €\na NUL \0\n\x1b[31m");
    log.write(&"x".repeat(request.number("size", 0)));
    text(start_response, "logged")
}

/// `?at=call`, `start` or `block`: waits there for `/release`.
async fn hold(request: Request, start_response: StartResponse) -> Result<Response> {
    let dropped = request.tells("closed");
    let wait = Duration::from_millis(request.number("wait", 1000) as u64);
    if request.one("at") == "block" {
        let started = start_response.start(200, [TEXT])?;
        return Ok(started.write(async move |mut out: Writer| {
            let _dropped = dropped;
            out.write("first").await?;
            out.write(request.released(wait).await).await
        }));
    }
    let how = if request.one("at") == "start" {
        let started = start_response.start(200, [TEXT])?;
        let how = request.released(wait).await;
        request.fail("start")?;
        started.body(how)
    } else {
        let how = request.released(wait).await;
        start_response.start(200, [TEXT])?.body(how)
    };
    Ok(how)
}

/// Whether another such call is running at the same time.
async fn overlap(request: Request, start_response: StartResponse) -> Result<Response> {
    let wait = Duration::from_millis(request.number("wait", 1000) as u64);
    request.event("in");
    let both = |lines: &[String]| {
        let count = |word: &str| lines.iter().filter(|line| *line == word).count();
        count("in") - count("out") >= 2
    };
    let met = request.events.wait(&request.key(), wait, both).await;
    // The other one has to see this one, too.
    request.events.wait(&request.key(), Duration::from_millis(50), |_| false).await;
    request.event("out");
    text(start_response, format!("{} {}", if met { "met" } else { "alone" }, process::id()))
}

/// `?blocks=N` of 64 KiB; each leaves an event.
fn flood(request: Request, start_response: StartResponse) -> Result<Response> {
    let closed = request.tells("closed");
    let blocks = request.number("blocks", 1);
    Ok(start_response.start(200, [TEXT])?.write(async move |mut out: Writer| {
        let _closed = closed;
        for _ in 0..blocks {
            request.event("block");
            out.write(vec![b'x'; 65536]).await?;
        }
        Ok(())
    }))
}

/// `?status`, `?header`.., `?block`.., `?size=N`..; `?as=iter`; `?fail=call`, `start` or `body`.
fn respond(request: Request, start_response: StartResponse) -> Result<Response> {
    request.event("called");
    request.fail("call")?;
    let started = start_response.start(request.status().as_str(), request.headers()?)?;
    request.fail("start")?;
    let blocks = request.blocks();
    let closed = request.tells("closed");
    if request.one("as") != "iter" && request.one("fail") != "body" && request.key().is_empty() {
        return Ok(started.body(blocks.concat()));
    }
    Ok(started.body(Body::new(Blocks { blocks: blocks.into_iter(), request, _closed: closed })))
}

/// The second start of a clone, in the place of the first.
fn restart(start_response: StartResponse) -> Result<Response> {
    let first = start_response.clone().start(200, [TEXT, ("x-old", "1")])?;
    drop(first);
    Ok(start_response.start("500 Replaced", [TEXT, ("x-new", "1")])?.body("replaced"))
}

/// Whether `start_response` refuses `?status` and `?header`..
fn refused(request: &Request, start_response: StartResponse) -> Result<Response> {
    let tried = request.headers().and_then(|headers| start_response.clone().start(request.status().as_str(), headers));
    text(start_response, if tried.is_ok() { "accepted" } else { "refused" })
}

/// Blocks one by one; empty ones too.
struct Blocks {
    blocks: std::vec::IntoIter<Vec<u8>>,
    request: Request,
    _closed: events::Tells,
}

impl http_body::Body for Blocks {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>>>> {
        Poll::Ready(match self.blocks.next() {
            Some(block) => Some(Ok(http_body::Frame::data(block.into()))),
            None => self.request.fail("body").err().map(Err),
        })
    }
}

/// The failure that is asked for, whose text no client must see.
fn failure(kind: &str) -> Error {
    match kind {
        "exit" => panic!("probe-secret"),
        "mute" => Kind::App.into(),
        _ => Error::new("probe-secret"),
    }
}

fn quoted(bytes: &[u8]) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:.,()-_".contains(&byte);
    let quoted = |&byte: &u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    bytes.iter().map(quoted).collect()
}
