//! Signals: the superset of gunicorn's.

use std::{
    io::{self, IsTerminal as _},
    os::unix::net::UnixStream,
    process::ExitCode,
};

use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH},
    iterator::{backend::SignalDelivery, exfiltrator::SignalOnly},
};

use super::{super::control::Message, Supervisor};

const SIGNALS: [i32; 10] = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH];

/// The conventional exit code of a process that a signal ended, less the signal's number.
const SIGNALLED: u8 = 128;

/// How the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Running requests are finished.
    Graceful,
    /// The same, since another supervisor serves. Nobody has told this one.
    Relieved,
    /// It was asked to end at once.
    Fast,
    /// The same by a second signal while it was ending gracefully.
    Cut(u8),
}

impl Ending {
    pub(super) fn code(self) -> ExitCode {
        match self {
            Ending::Graceful | Ending::Relieved | Ending::Fast => ExitCode::SUCCESS,
            Ending::Cut(signal) => ExitCode::from(SIGNALLED + signal),
        }
    }
}

/// Keeps signals from now on, for them to be looked at one after the other.
pub(super) fn watch() -> io::Result<SignalDelivery<UnixStream, SignalOnly>> {
    let (read, write) = UnixStream::pair()?;
    SignalDelivery::with_pipe(read, write, SignalOnly, SIGNALS)
}

impl Supervisor {
    pub(super) fn obey_signals(&mut self) {
        let signals: Vec<_> = self.signals.pending().collect();
        for signal in signals {
            match signal {
                SIGTERM | SIGINT => self.end(signal),
                SIGQUIT => self.end_fast(Ending::Fast),
                SIGHUP => self.reload(),
                SIGUSR1 => self.workers.iter().for_each(|worker| worker.tell(&Message::Reopen)),
                SIGUSR2 => self.begin_upgrade(),
                SIGTTIN => self.want(self.wanted.saturating_add(1)),
                SIGTTOU => self.want(self.wanted.saturating_sub(1).max(1)),
                // A terminal sends it to whoever runs in it when it changes its size.
                SIGWINCH if !io::stdin().is_terminal() && !io::stderr().is_terminal() => self.want(0),
                _ => {}
            }
        }
    }

    /// Ends gracefully; at once if that is under way already.
    fn end(&mut self, signal: i32) {
        if self.ending.is_some_and(|ending| ending != Ending::Relieved) {
            return self.end_fast(Ending::Cut(u8::try_from(signal).unwrap_or_default()));
        }
        tracing::info!("ending: running requests may finish; a second signal ends them at once");
        self.end_gracefully(Ending::Graceful);
    }

    pub(super) fn end_gracefully(&mut self, ending: Ending) {
        self.abandon_trial();
        self.ending = Some(ending);
        self.systemd.stopping();
        let graceful = self.graceful_time();
        self.workers.iter_mut().for_each(|worker| worker.drain(graceful));
        self.plan.stop_listening(self.upgrade.shares_sockets());
    }

    fn end_fast(&mut self, ending: Ending) {
        self.abandon_trial();
        self.ending = Some(ending);
        self.systemd.stopping();
        self.workers.iter_mut().for_each(super::Worker::quit);
        self.plan.stop_listening(self.upgrade.shares_sockets());
    }

    fn want(&mut self, workers: u16) {
        if self.ending.is_none() {
            tracing::info!("{workers} workers are wanted now, and were {} before", self.wanted);
            self.wanted = workers;
        }
    }
}
