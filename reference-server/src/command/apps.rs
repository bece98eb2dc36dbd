//! The Rust Apps that the command carries: something to try a mount, a client or the server itself with.

mod work;

use std::fmt::Write as _;

use gateway_spec::{Body, BoxApp, Environ, FileRange, Response, Result, Source, StartResponse, conformance};
use http::{HeaderValue, header};

use super::nearest::did_you_mean;

/// A Rust App by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    Hello,
    Echo,
    Environ,
    Probe,
    Work,
}

impl Builtin {
    const ALL: [Builtin; 5] = [Builtin::Hello, Builtin::Echo, Builtin::Environ, Builtin::Probe, Builtin::Work];

    /// # Errors
    /// What to tell the person who wrote `name`.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|app| app.name() == name).ok_or_else(|| {
            let hint = did_you_mean(name, Self::ALL.map(Builtin::name));
            format!("there is no built-in App {name:?}{hint}; there are {}", Self::ALL.map(Builtin::name).join(", "))
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Builtin::Hello => "hello",
            Builtin::Echo => "echo",
            Builtin::Environ => "environ",
            Builtin::Probe => "probe",
            Builtin::Work => "work",
        }
    }

    pub(super) fn app(self) -> BoxApp {
        match self {
            Builtin::Hello => BoxApp::new(hello),
            Builtin::Echo => BoxApp::new(echo),
            Builtin::Environ => BoxApp::new(environ),
            Builtin::Probe => BoxApp::new(conformance::probe()),
            Builtin::Work => BoxApp::new(work::work),
        }
    }
}

/// Says where it is mounted.
async fn hello(environ: Environ, start_response: StartResponse) -> Result<Response> {
    let started = start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(started.body(format!("Hello from {}\n", environ.script_name())))
}

/// What is kept of a body in memory; more goes to a file without a name.
const MEMORY: usize = 512 * 1024;

/// Sends the request's body back, once it has all arrived: many a client reads nothing before it has sent everything, and
/// answering it meanwhile would end with both waiting for the other.
async fn echo(environ: Environ, start_response: StartResponse) -> Result<Response> {
    let octets = HeaderValue::from_static("application/octet-stream");
    let kind = environ.header(header::CONTENT_TYPE).cloned().unwrap_or(octets);
    let started = start_response.start(200, [(header::CONTENT_TYPE, kind)])?;
    Ok(started.body(received(environ).await?))
}

/// The request's body, all of it.
async fn received(mut environ: Environ) -> Result<Body> {
    environ.spool_input(MEMORY).await?;
    Ok(match environ.take_input().into_source() {
        Source::Empty => Body::empty(),
        Source::Bytes(bytes) => bytes.into(),
        Source::File { file, position, len } => FileRange::new(file, position, len - position).into(),
        Source::Stream(stream) => Body::new(stream),
    })
}

/// Shows what an application is told about a request.
async fn environ(environ: Environ, start_response: StartResponse) -> Result<Response> {
    let mut lines = Vec::new();
    let mut scratch = String::new();
    environ.visit(|key, value| lines.push(line(key.write(&mut scratch), value)));
    lines.sort();
    Ok(start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?.body(lines.concat()))
}

/// `KEY: value`, in one line whatever the client sent.
fn line(key: &str, value: &[u8]) -> String {
    let mut line = format!("{key}: ");
    for character in String::from_utf8_lossy(value).chars() {
        match character.is_control() {
            // Writing to a String cannot fail.
            true => drop(write!(line, "{}", character.escape_default())),
            false => line.push(character),
        }
    }
    line.push('\n');
    line
}
