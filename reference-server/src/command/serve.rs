//! `gateway serve`: from settings to a supervisor.

use std::{
    env,
    error::Error as _,
    ffi::OsString,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use reference_server::Error;
use tracing_subscriber::filter::LevelFilter;

use super::{
    failure::{Failure, Report},
    options::LogLevel,
    print_config::print_config,
    settings::Settings,
    supervisor::{Predecessor, Supervisor},
};

/// Does what the arguments say.
///
/// # Errors
/// [`Failure`] of every kind.
pub(super) fn run(args: Vec<OsString>, predecessor: Option<Predecessor>) -> Result<ExitCode, Failure> {
    let settings = Settings::gather(&args, None)?;
    if settings.options.print_config {
        print(&print_config(&settings));
        return Ok(ExitCode::SUCCESS);
    }
    log_to_stderr(settings.options.log_level);
    #[cfg(feature = "cgi")]
    cgi_adapter::keep_descriptors_private();
    Supervisor::new(args, settings, predecessor)?.run()
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
    // Whoever has read the log may be gone; to say so there would end the process.
    stderr.log_internal_errors(false).with_max_level(level).compact().init();
}

/// Changes to the folder that paths begin at, if one is given.
pub(super) fn change_folder(folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder else { return Ok(()) };
    env::set_current_dir(folder).map_err(|error| {
        Failure::Usage(Report::new(format!("cannot change to the folder {}", folder.display())).because(&error))
    })
}

pub(super) fn not_listening(error: Error) -> Failure {
    let kind = error.source().and_then(|source| source.downcast_ref()).map(io::Error::kind);
    let tip = match kind {
        Some(io::ErrorKind::AddrInUse) => {
            "another process listens there: end it, or choose another address with --bind"
        }
        Some(io::ErrorKind::PermissionDenied) => {
            "ports below 1024 are for root, and so may be the socket's folder: choose another address with --bind"
        }
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
