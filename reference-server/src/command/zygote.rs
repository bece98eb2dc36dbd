//! The zygote of `--preload`: it loads the applications, and forks workers that have them already.
//!
//! It has one thread: what other threads would be about to do at a fork would never be done in the new process.

use std::{
    ffi::OsString,
    fs, io,
    process::{self, ExitCode},
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2},
    flag,
};

use super::{
    control::{Control, Message},
    failure::Report,
    load::fork,
    worker::{self, Prepared, Seat, content},
};

/// The first argument of a zygote.
pub(super) const ZYGOTE: &str = "zygote";

/// Loads the applications, and forks a worker for each offer of the supervisor.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    let begun = Control::from_stdin().and_then(|(control, _, mut descriptors)| {
        let config = descriptors.pop().ok_or(io::ErrorKind::InvalidData)?;
        ignore_signals()?;
        Ok((control, content(config.into())?))
    });
    let (control, config) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            eprint!("{}", Report::new("a zygote is started by `gateway serve`, and not by hand").because(&error));
            return ExitCode::from(2);
        }
    };
    match Prepared::new(args, config) {
        Ok(prepared) => {
            warn_of_threads();
            control.send(&Message::Ready);
            fork_workers(control, prepared)
        }
        Err(failure) => {
            control.send(&Message::Failed(failure.code(), failure.to_string()));
            failure.exit_code()
        }
    }
}

fn fork_workers(control: Control, prepared: Prepared) -> ExitCode {
    loop {
        control.wait(None);
        let mut descriptors = Vec::new();
        match control.receive_with(&mut descriptors) {
            Ok(Some(Message::Begin(text))) if !descriptors.is_empty() => match fork() {
                Ok(true) => {
                    drop(control);
                    let theirs = Control::from(descriptors.remove(0));
                    theirs.send(&Message::Forked(process::id()));
                    return match Seat::new(theirs, &text, descriptors) {
                        Ok(seat) => worker::run_prepared(seat, prepared),
                        Err(_) => ExitCode::FAILURE,
                    };
                }
                Ok(false) => {}
                Err(error) => tracing::error!("{error}"),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // What applications do at the end of a process is for those that have served.
            Ok(None) | Err(_) => process::exit(0),
            Ok(Some(_)) => {}
        }
    }
}

/// Whoever sends these to all processes of the server means the supervisor.
fn ignore_signals() -> io::Result<()> {
    let signals = [SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2];
    signals.into_iter().try_for_each(|signal| flag::register(signal, Arc::new(AtomicBool::new(false))).map(drop))
}

fn warn_of_threads() {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        tracing::warn!(
            "applications have started {} threads while they were imported, and workers will not have them: start \
             them later, or do without --preload",
            threads - 1
        );
    }
}
