//! One request and its answer: the body in, the process started, the header block out.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    process::Stdio,
};

use gateway_spec::{Body, Environ, Error, ErrorLog, Input, Kind, Response, Result, Source, StartResponse};
use http::{HeaderMap, header};
use rustix::fs::{MemfdFlags, memfd_create};
use tokio::time::timeout;

use crate::{
    Cgi,
    body::Output,
    error::{Cause, Failure},
    head::{Head, Parser},
    resolve::Target,
    spawn::{SpawnError, spawn},
};

/// How much of a request's body is kept in memory.
const MEMORY: usize = 64 * 1024;

/// How many of the fields that a program should not have sent are logged.
const REPORTED: usize = 8;

/// Runs `target` and answers with what it says.
pub(crate) async fn run(
    cgi: &Cgi,
    target: Target,
    mut environ: Environ,
    start_response: StartResponse,
) -> Result<Response> {
    // All of the body is here before the process is: its length is exact (RFC 3875, section 4.1.2), and who uploads
    // slowly holds no process.
    environ.spool_input(MEMORY).await?;
    let block = cgi.variables.block(&environ, &target);
    let stdin = stdin(&mut environ).await?;
    let (log, program) = (environ.error_log(), target.name());
    let spawned = match spawn(&target, block, stdin, log, cgi.timeout).await {
        Ok(spawned) => spawned,
        Err(SpawnError::Refused(refusal, error)) => {
            log.write(&format!("{program}: it cannot be started: {error}"));
            return refusal.answer(start_response);
        }
        Err(SpawnError::Failed(cause)) => return Err(Failure { program, cause }.into()),
    };
    let mut output = Output::new(program, spawned, cgi.timeout);
    let head = match timeout(cgi.timeout, read_head(&mut output)).await {
        Ok(head) => head?,
        Err(_) => return Err(output.failure(Cause::Timeout(cgi.timeout)).into()),
    };
    report(log, &target.name(), &head.dropped);
    output.begin_body(head.rest, content_length(&head.headers));
    Ok(start_response.start(head.status, head.headers)?.body(Body::new(output)))
}

async fn read_head(output: &mut Output) -> Result<Head, Failure> {
    let mut parser = Parser::default();
    while let Some(block) = output.block().await {
        match parser.feed(&block?) {
            Ok(Some(head)) => return Ok(head),
            Ok(None) => {}
            Err(error) => return Err(output.failure(Cause::Head(error))),
        }
    }
    Err(output.failure(Cause::Head(parser.ended())))
}

/// The length that the program announces. The server makes sure that it is true.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn report(log: &ErrorLog, program: &str, dropped: &[String]) {
    for text in dropped.iter().take(REPORTED) {
        log.write(&format!("{program}: {text}"));
    }
    if dropped.len() > REPORTED {
        log.write(&format!("{program}: {} more fields were dropped", dropped.len() - REPORTED));
    }
}

/// The request's body as a file for the program to read: it can neither block nor be cut short.
async fn stdin(environ: &mut Environ) -> Result<Stdio> {
    let mut input = environ.take_input();
    loop {
        let file = match input.into_source() {
            Source::Empty => return Ok(Stdio::null()),
            Source::Bytes(bytes) if bytes.is_empty() => return Ok(Stdio::null()),
            Source::Bytes(bytes) => in_memory(&bytes),
            Source::File { file, position, .. } => positioned(file, position),
            // Middleware has read lines of it and left the rest.
            stream => {
                let host = environ.connection().host();
                input = Input::from(stream).spool(MEMORY, &host.blocking).await?;
                continue;
            }
        };
        return file.map(Stdio::from).map_err(|error| Error::with_kind(Kind::Overloaded, error));
    }
}

fn in_memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("request", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    positioned(file, 0)
}

fn positioned(mut file: File, position: u64) -> io::Result<File> {
    file.seek(SeekFrom::Start(position))?;
    Ok(file)
}
