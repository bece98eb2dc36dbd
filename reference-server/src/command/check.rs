//! `gateway check`: an application held against the contract, without a socket.
//!
//! The application is loaded as `serve` would, and called with requests of many kinds through
//! [`Lint`]. What that finds is printed.

mod drive;
mod report;
mod requests;

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clap::{Args, ValueEnum};
use gateway_spec::{
    BoxApp, Lint,
    lint::{Finding, rules},
};
use reference_server::{Mounts, Runtime};

use super::{
    failure::Failure,
    load::{Loader, Python, seconds},
    options::LogLevel,
    serve::{cannot, change_folder, log_to_stderr},
    target::Mount,
};

pub(super) const ABOUT: &str = "\
Check applications against the contract.

The application that TARGET names is loaded as `serve` does it, and called with requests of many kinds: GET, HEAD, POST
and OPTIONS, bodies that are known, chunked or break off, odd paths and headers, HTTP/1.0, clients that leave, several
at once. Nothing listens, but the calls are real ones: what the application does for a POST to /, it does.

What breaks the contract is printed: what was sent, what was seen and what was expected, the clause of the contract, and
for Python the stack. What the application itself prints and logs goes to standard error.";

pub(super) const EXAMPLES: &str = "\
Examples:
  gateway check mysite.wsgi:application
  gateway check --path /login --path '/search?q=x' shop:app
  gateway check /cgi-bin=cgi:cgi-bin --path /cgi-bin/report.py
  gateway check --format json static:public

Exit codes: 0 nothing was found; 1 something was; 2 usage; 3 the target cannot be loaded.";

#[derive(Args, Debug)]
pub(super) struct CheckOptions {
    /// What to check: [PREFIX=]KIND:WHAT with the kinds wsgi, cgi, static and app, as for serve
    #[arg(value_name = "TARGET")]
    target: Mount,

    /// Path of the application's own, below PREFIX, that is requested as well; may be given several times
    #[arg(long, value_name = "PATH", value_parser = path)]
    path: Vec<String>,

    /// How findings are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,

    /// Folder to change to first: relative paths, and Python's imports, begin there
    #[arg(long, env = "GATEWAY_CHDIR", hide_env_values = true, value_name = "FOLDER")]
    chdir: Option<PathBuf>,

    /// Virtual environment that Python imports from; else VIRTUAL_ENV, if that is set
    #[arg(long, env = "GATEWAY_VENV", hide_env_values = true, value_name = "FOLDER")]
    venv: Option<PathBuf>,

    /// How many calls of blocking applications, Python's among them, run at once (1 to 1024)
    #[arg(long, env = "GATEWAY_THREADS", hide_env_values = true)]
    #[arg(value_name = "N", default_value = "32", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,

    /// How long one request may take before its client leaves
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One object, for scripts.
    Json,
}

/// What was found, and in what.
struct Found {
    /// What the client did.
    sent: String,
    finding: Finding,
}

/// What became of it all.
struct Summary {
    target: String,
    requests: usize,
    found: Vec<Found>,
    /// Requests that got no answer in time.
    unanswered: Vec<String>,
}

/// Does what the options say.
///
/// # Errors
/// [`Failure`] of every kind but [`Failure::Arguments`].
pub(super) fn run(options: &CheckOptions) -> Result<ExitCode, Failure> {
    log_to_stderr(LogLevel::Error);
    let stdout = spare_stdout().map_err(|error| cannot("keep the application's output apart", &error))?;
    change_folder(options.chdir.as_deref())?;
    #[cfg(feature = "cgi")]
    cgi_adapter::keep_descriptors_private();
    let runtime = Runtime::new(options.threads.into()).map_err(|error| cannot("start threads", &error))?;
    let loader = Loader {
        venv: options.venv.as_deref(),
        timeout: seconds(options.timeout),
        listing: false,
        lint: true,
        reload: false,
        #[cfg(feature = "cgi")]
        running: cgi_adapter::Capacity::new(options.threads.into(), usize::MAX),
    };
    let mut python = Python::default();
    let loaded = loader.load(&options.target.target, &mut python).map_err(|report| Failure::Load(vec![report]))?;
    let log = Arc::new(Mutex::new(Log::default()));
    let sink = log.clone();
    let watched = Lint::new(loaded)
        .patience(PATIENCE)
        .grace(GRACE)
        .report_to(move |finding| sink.lock().unwrap_or_else(PoisonError::into_inner).take(finding));
    let app = Mounts::default().mount_same(&options.target.prefix, BoxApp::new(watched));
    let client = drive::Client::new(app, runtime.blocking(), Duration::from_secs(options.timeout.into()), log.clone());
    let prefix = options.target.prefix.trim_end_matches('/').to_owned();
    let groups = requests::all(&prefix, &options.path);
    let unanswered = runtime.block_on(client.run(prefix, groups));
    #[cfg(feature = "cgi")]
    cgi_adapter::end_programs();
    drop(python);
    let Log { requests, found, .. } = std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner));
    let summary = Summary { target: options.target.target.to_string(), requests, found, unanswered };
    let text = match options.format {
        Format::Text => report::text(&summary),
        Format::Json => report::json(&summary),
    };
    File::from(stdout).write_all(text.as_bytes()).map_err(|error| cannot("print what was found", &error))?;
    Ok(if summary.found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes what the application prints go to standard error, and returns standard output.
fn spare_stdout() -> io::Result<OwnedFd> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(stdout)
}

/// How long one poll may take: longer than a machine with much to do lets a thread wait.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long an application may keep what belongs to a request that is over.
const GRACE: Duration = Duration::from_secs(1);

/// What is found, with what was sent just then.
#[derive(Default)]
struct Log {
    requests: usize,
    sent: String,
    /// What was sent may well make an application fail.
    is_odd: bool,
    found: Vec<Found>,
}

impl Log {
    fn take(&mut self, finding: &Finding) {
        if self.is_odd && finding.rule == rules::FAILS.id {
            return;
        }
        // One line of code that is wrong for every path is one mistake.
        let is_same = |found: &Found| {
            let Finding { rule, seen, traceback, .. } = &found.finding;
            (rule, seen, traceback) == (&finding.rule, &finding.seen, &finding.traceback)
        };
        if self.found.iter().any(is_same) {
            return;
        }
        self.found.push(Found { sent: self.sent.clone(), finding: finding.clone() });
    }
}

fn path(text: &str) -> Result<String, &'static str> {
    if !text.starts_with('/') {
        return Err("a path begins with \"/\"");
    }
    http::uri::PathAndQuery::try_from(text)
        .map_err(|_| "it has characters that a path cannot have: write them as %XX")?;
    Ok(text.to_owned())
}
