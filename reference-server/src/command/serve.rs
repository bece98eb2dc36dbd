//! `gateway serve`: listen, load, tell what is where, and serve until a signal.

use std::{
    env,
    error::Error as _,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

use reference_server::{AccessLog, Builder, Error, Limits, Runtime, Server};
use rustix::process::{Resource, getrlimit, setrlimit};
use tracing_subscriber::filter::LevelFilter;

use super::{
    banner::banner,
    failure::{Failure, Report},
    load::{Loader, Python},
    options::{LogLevel, ServeOptions},
    print_config::print_config,
    settings::Settings,
    signals,
};

/// Does what the settings say.
///
/// # Errors
/// [`Failure`] of every kind but [`Failure::Arguments`].
pub(super) fn run(settings: Settings) -> Result<(), Failure> {
    if settings.options.print_config {
        print(&print_config(&settings));
        return Ok(());
    }
    if settings.mounts.is_empty() {
        let tip =
            "name one, as in `gateway serve app:hello` or `gateway serve module:callable`, or a file with --config";
        return Err(Failure::Usage(Report::new("there is nothing to serve: no TARGET is given").tip(tip)));
    }
    let options = &settings.options;
    log_to_stderr(options.log_level);
    change_folder(options.chdir.as_deref())?;
    #[cfg(feature = "cgi")]
    cgi_adapter::keep_descriptors_private();
    let runtime = Runtime::new(options.threads.into()).map_err(|error| cannot("start threads", &error))?;
    // Listening comes before loading: an address that is taken is found out at once.
    let server = builder(options)?.blocking(runtime.blocking()).bind(&options.bind).map_err(not_listening)?;
    let address = server.local_addr().map_err(|error| cannot("tell the address that is listened on", &error))?;
    let mut python = Python::default();
    let app = Loader::new(options).load_all(&settings.mounts, &mut python)?;
    let signal = signals::watch().map_err(|error| cannot("watch for signals", &error))?;
    print(&banner(&settings, address));
    let shutdown = async {
        let _ = signal.await;
    };
    let served = runtime.block_on(server.serve_until(app, shutdown));
    #[cfg(feature = "cgi")]
    cgi_adapter::end_programs();
    served.map_err(|error| cannot("serve", &error))
}

/// Writes one block to standard output. The server is of use even if nobody reads that.
pub(super) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

pub(super) fn log_to_stderr(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let stderr = tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    stderr.with_max_level(level).compact().init();
}

/// Changes to the folder that paths begin at, if one is given.
pub(super) fn change_folder(folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder else { return Ok(()) };
    env::set_current_dir(folder).map_err(|error| {
        Failure::Usage(Report::new(format!("cannot change to the folder {}", folder.display())).because(&error))
    })
}

/// Lets the process open as many files as it may, and says how many connections that leaves room for: each takes one
/// descriptor, and applications want some too.
fn connections() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        limit.current = limit.maximum;
        // What cannot be raised is what there is.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(descriptors / 5 * 4).unwrap_or(usize::MAX)
}

fn builder(options: &ServeOptions) -> Result<Builder, Failure> {
    let mut limits = Limits::default();
    limits.connections = limits.connections.min(connections());
    limits.body = options.max_body.0;
    limits.head_time = Duration::from_secs(options.head_timeout.into());
    limits.idle_time = Duration::from_secs(options.keep_alive.into());
    limits.body_time = Duration::from_secs(options.body_timeout.into());
    limits.write_time = Duration::from_secs(options.write_timeout.into());
    limits.graceful_time = Duration::from_secs(options.graceful_timeout.into());
    let builder = Server::builder().limits(limits);
    let Some(path) = &options.access_log else { return Ok(builder) };
    let log = AccessLog::open(path, options.access_log_format.clone()).map_err(|error| {
        Failure::Usage(Report::new(format!("cannot open the access log {}", path.display())).because(&error))
    })?;
    Ok(builder.access_log(log))
}

fn not_listening(error: Error) -> Failure {
    let kind = error.source().and_then(|source| source.downcast_ref()).map(io::Error::kind);
    let tip = match kind {
        Some(io::ErrorKind::AddrInUse) => "another process listens there: end it, or choose another port with --bind",
        Some(io::ErrorKind::PermissionDenied) => "ports below 1024 are for root: choose a higher one with --bind",
        _ => {
            "--bind takes an address of this machine: 127.0.0.1:PORT, 0.0.0.0:PORT for all, or one that `ip addr` shows"
        }
    };
    let report = Report::new(error.to_string()).tip(tip);
    Failure::Runtime(match error.source() {
        Some(source) => report.because(source),
        None => report,
    })
}

pub(super) fn cannot(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::Runtime(Report::new(format!("cannot {what}")).because(error))
}
