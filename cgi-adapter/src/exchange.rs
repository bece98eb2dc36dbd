//! One request and its answer: the body in, the process started, the header block out.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use gateway_spec::{Body, Environ, Response, Result, StartResponse};
use http::{HeaderMap, HeaderValue, header};
use tokio::time::timeout;

use crate::{
    Cgi, arguments,
    body::Output,
    capacity::{Capacity, Place},
    error::{Cause, Failure, Refusal},
    head::{Head, Parser},
    log::RunLog,
    resolve::Target,
    sendfile::{self, X_SENDFILE},
    spawn::{Order, Patience, SpawnError, spawn},
    stdin::{MEMORY, Stdin},
};

/// How many of the fields that a program should not have sent are logged.
const REPORTED: usize = 8;

/// Runs `target` and answers with what it says.
pub(crate) async fn run(
    cgi: &Cgi,
    target: Target,
    mut environ: Environ,
    start_response: StartResponse,
) -> Result<Response> {
    let settings = &cgi.settings;
    if !settings.stream {
        // All of the body is here before the process is: its length is exact (RFC 3875, section 4.1.2), and who uploads
        // slowly holds no process.
        environ.spool_input(MEMORY).await?;
    }
    let Some(places) = places(cgi).await else {
        RunLog::new(environ.error_log().clone(), target.name())
            .write("as many programs run, and as many requests wait, as may");
        return Refusal::Busy.answer(start_response);
    };
    // A run begins when it has a place.
    let log = Arc::new(RunLog::new(environ.error_log().clone(), target.name()));
    let order = Order {
        words: if settings.indexed { arguments::words(&environ) } else { Vec::new() },
        variables: cgi.variables.block(&environ, &target, log.request()),
        limits: settings.limits.rlimits().collect(),
        stdin: if settings.stream { Stdin::streamed(&mut environ)? } else { Stdin::whole(&mut environ).await? },
        target: &target,
    };
    let patience = Patience { afterwards: settings.times.idle, total: settings.times.total };
    let spawned = match spawn(order, patience, places, &log).await {
        Ok(spawned) => spawned,
        Err(SpawnError::Refused(refusal, error)) => {
            log.write(format_args!("it cannot be started: {error}"));
            return refusal.answer(start_response);
        }
        Err(SpawnError::Failed(cause)) => return Failure { log, cause, status: None }.answer(start_response),
    };
    let mut output = Output::new(log.clone(), spawned, settings.times);
    let parser = if settings.nph && target.is_nph() { Parser::nph() } else { Parser::default() };
    match read_head(&mut output, parser).await {
        Ok(head) => answer(cgi, head, output, environ, start_response, &log).await,
        Err(failure) => failure.answer(start_response),
    }
}

/// A place of the mount's and one of those that it shares; None if there is no room to wait, or it takes too long.
async fn places(cgi: &Cgi) -> Option<Vec<Place>> {
    let waiting = async {
        let mut places = Vec::with_capacity(2);
        let capacities: [Option<&Capacity>; 2] = [Some(&cgi.settings.capacity), cgi.settings.shared_capacity.as_ref()];
        for capacity in capacities.into_iter().flatten() {
            places.push(capacity.place().await?);
        }
        Some(places)
    };
    timeout(cgi.settings.times.head, waiting).await.ok().flatten()
}

async fn read_head(output: &mut Output, mut parser: Parser) -> Result<Head, Failure> {
    while let Some(block) = output.block().await {
        match parser.feed(&block?) {
            Ok(Some(head)) => return Ok(head),
            Ok(None) => {}
            Err(error) => return Err(output.failure(Cause::Head(error))),
        }
    }
    Err(output.failure(Cause::Head(parser.ended())))
}

async fn answer(
    cgi: &Cgi,
    mut head: Head,
    mut output: Output,
    environ: Environ,
    start_response: StartResponse,
    log: &Arc<RunLog>,
) -> Result<Response> {
    report(log, &head.dropped);
    if head.is_local_redirect
        && let Some(location) = head.headers.get(header::LOCATION)
    {
        output.finish();
        return redirect(environ, location, start_response);
    }
    if !cgi.settings.sendfile.is_empty()
        && let Some(path) = head.headers.remove(X_SENDFILE)
    {
        output.finish();
        return send_file(&cgi.settings.sendfile, &path, head, start_response, log);
    }
    let whole = output.begin_body(head.rest, content_length(&head.headers)).await;
    let started = start_response.start(head.status, head.headers)?;
    Ok(match whole {
        Some(whole) => started.body(whole),
        None => started.body(Body::new(output)),
    })
}

/// The length that the program announces. The server makes sure that it is true.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn report(log: &RunLog, dropped: &[String]) {
    for text in dropped.iter().take(REPORTED) {
        log.write(text);
    }
    if dropped.len() > REPORTED {
        log.write(format_args!("{} more fields were dropped", dropped.len() - REPORTED));
    }
}

/// Has the server answer what the client would get at `location` (RFC 3875, section 6.2.2): nothing else of the
/// program's answer counts. A server that cannot sends the client there.
fn redirect(environ: Environ, location: &HeaderValue, start_response: StartResponse) -> Result<Response> {
    let response = start_response.start(302, [(header::LOCATION, location.clone())])?.body(());
    Ok(match environ.redirected(location.as_bytes()) {
        Ok(elsewhere) => response.instead(elsewhere),
        // What is no path of ours, one with a fragment for instance, is the client's to follow.
        Err(_) => response,
    })
}

/// Sends the file that the program names in its place.
fn send_file(
    folders: &[PathBuf],
    path: &HeaderValue,
    mut head: Head,
    start_response: StartResponse,
    log: &Arc<RunLog>,
) -> Result<Response> {
    match sendfile::open(folders, Path::new(OsStr::from_bytes(path.as_bytes()))) {
        Ok(file) => {
            // The file has a length of its own.
            head.headers.remove(header::CONTENT_LENGTH);
            Ok(start_response.start(head.status, head.headers)?.body(file))
        }
        Err(error) => Failure { log: log.clone(), cause: Cause::File(error), status: None }.answer(start_response),
    }
}
