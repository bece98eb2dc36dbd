//! What systemd is told, if it has started this process: `sd_notify(3)`.

use std::time::{Duration, Instant};

use rustix::process::Pid;
use sd_notify::NotifyState;

use super::{Supervisor, Worker};

/// What systemd knows. Without NOTIFY_SOCKET nobody listens, and nothing is sent.
#[derive(Debug)]
pub(super) struct Systemd {
    /// How often it wants to hear that all is well.
    watchdog: Option<Duration>,
    next_ping: Option<Instant>,
    status: String,
    /// It was told that somebody serves.
    is_up: bool,
    /// Another process is the main one now.
    is_dismissed: bool,
}

impl Systemd {
    pub(super) fn new() -> Self {
        // Half the time, as sd_watchdog_enabled(3) says.
        let watchdog = sd_notify::watchdog_enabled().map(|time| time / 2);
        Systemd { watchdog, next_ping: None, status: String::new(), is_up: false, is_dismissed: false }
    }

    pub(super) fn ready(&mut self) {
        self.is_up = true;
        if self.next_ping.is_none() {
            self.next_ping = self.watchdog.map(|_| Instant::now());
        }
        self.notify(&[NotifyState::Ready]);
    }

    /// A reload begins. Before anybody has served, it is a part of the start.
    pub(super) fn reloading(&self) {
        if !self.is_up {
            return;
        }
        let mut state = vec![NotifyState::Reloading];
        // systemd compares this time with that of its own request (Type=notify-reload).
        state.extend(NotifyState::monotonic_usec_now());
        self.notify(&state);
    }

    pub(super) fn reloaded(&self) {
        if self.is_up {
            self.notify(&[NotifyState::Ready]);
        }
    }

    pub(super) fn stopping(&self) {
        self.notify(&[NotifyState::Stopping]);
    }

    /// Another process takes this one's place.
    pub(super) fn main_pid(&mut self, pid: Pid) {
        self.notify(&[NotifyState::MainPid(pid.as_raw_nonzero().get().unsigned_abs())]);
        self.is_dismissed = true;
    }

    pub(super) fn next_ping(&self) -> Option<Instant> {
        self.next_ping
    }

    fn status(&mut self, status: String) {
        if self.status != status {
            self.notify(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    fn ping(&mut self) {
        let now = Instant::now();
        if let (Some(every), Some(_)) = (self.watchdog, self.next_ping.filter(|time| *time <= now)) {
            self.next_ping = Some(now + every);
            self.notify(&[NotifyState::Watchdog]);
        }
    }

    fn notify(&self, state: &[NotifyState<'_>]) {
        if self.is_dismissed {
            return;
        }
        if let Err(error) = sd_notify::notify(state) {
            tracing::warn!("cannot tell systemd {state:?}: {error}");
        }
    }
}

impl Supervisor {
    /// Tells systemd what is new, and that all is well if it is.
    pub(super) fn tell_systemd(&mut self) {
        let ready = self.workers.iter().filter(|worker| worker.is_ready()).count();
        let workers = self.workers.len();
        self.systemd.status(match &self.ending {
            Some(_) => format!("ending: {workers} workers finish their requests"),
            None => format!("{ready} of {} workers are READY", self.wanted),
        });
        if self.is_healthy() {
            self.systemd.ping();
        }
    }

    /// Whether somebody serves, as far as anybody should.
    fn is_healthy(&self) -> bool {
        self.ending.is_some() || self.wanted == 0 || self.workers.iter().any(Worker::is_sound)
    }
}
