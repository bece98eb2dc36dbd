//! What workers say, and how they end.

use std::{io, time::Instant};

use rustix::process::{WaitOptions, WaitStatus, wait};

use super::{
    super::{
        control::{Control, Message},
        failure::Failure,
    },
    Supervisor,
    worker::{State, Worker},
};

impl Supervisor {
    /// Takes in everything that workers have said.
    pub(super) fn hear_workers(&mut self) {
        for index in 0..self.workers.len() {
            while let Some(message) = hear(&mut self.workers[index].control) {
                self.heard(index, message);
            }
        }
    }

    fn heard(&mut self, index: usize, message: Message) {
        let worker = &mut self.workers[index];
        match message {
            Message::Ready if worker.state == State::Starting => {
                worker.state = State::Ready { since: Instant::now() };
                let (seat, pid, took) = (worker.seat, worker.pid, worker.started.elapsed());
                tracing::debug!("worker {seat} (process {pid}) is READY after {took:?}");
                self.seat_is_taken_over(index);
                self.trial_succeeds(index);
                if !self.has_served {
                    self.announce();
                }
            }
            Message::Failed(code, report) => worker.failed = Some((code, report)),
            Message::Retire(reason) => worker.retire = Some(reason),
            // All workers notice, and the first is enough; but what is saved while a reload is on trial counts again.
            Message::Changed(file) if worker.plan == self.plan.id || self.before.is_some() => {
                tracing::info!("{file} has changed");
                self.reload();
            }
            other => tracing::debug!("worker {} says {other:?}", worker.seat),
        }
    }

    /// Learns which processes have ended. As process 1 that includes the orphans of a whole container.
    pub(super) fn bury_the_dead(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(index) = self.workers.iter().position(|worker| worker.pid == pid) {
                // Its last words come before its end.
                while let Some(message) = hear(&mut self.workers[index].control) {
                    self.heard(index, message);
                }
                let worker = self.workers.swap_remove(index);
                self.count_end(&worker, status);
                worker.balance.leave();
                self.ended(worker, status);
            } else {
                let cause = self.oom_kills.cause(status);
                self.upgrade.ended(pid, &cause);
                self.zygote_ended(pid, &cause);
            }
        }
    }

    fn ended(&mut self, worker: Worker, status: WaitStatus) {
        let (seat, pid) = (worker.seat, worker.pid);
        match worker.state {
            State::Killed => tracing::debug!("worker {seat} (process {pid}) is gone"),
            State::Draining { .. } if status.exit_status() == Some(0) || self.ending.is_some() => {
                tracing::debug!("worker {seat} (process {pid}) has ended");
            }
            State::Draining { .. } => {
                let cause = self.oom_kills.cause(status);
                tracing::error!("worker {seat} (process {pid}) {cause} while it finished its requests");
            }
            State::Ready { since } => {
                let cause = self.oom_kills.cause(status);
                let pause = self.seats.entry(seat).or_default().failed(Some(since.elapsed()));
                tracing::error!("worker {seat} (process {pid}) {cause}; the next one starts in {pause:?}");
            }
            State::Starting => self.has_not_started(worker, status),
        }
    }

    fn has_not_started(&mut self, worker: Worker, status: WaitStatus) {
        let (seat, pid) = (worker.seat, worker.pid);
        let cause = self.oom_kills.cause(status);
        let (code, report) = worker.failed.unwrap_or_else(|| {
            // Whatever ends a process while it loads an application is the application's.
            (3, format!("error: worker {seat} (process {pid}) {cause} before it could serve\n"))
        });
        let pause = self.seats.entry(seat).or_default().failed(None);
        if self.trial_fails(worker.plan, &report) {
            return;
        }
        if self.has_served {
            tracing::error!("worker {seat} (process {pid}) cannot start; the next try is in {pause:?}\n{report}");
        }
        self.start_failed(code, report);
    }

    /// Remembers why the first worker did not come up.
    pub(super) fn start_failed(&mut self, code: u8, report: String) {
        self.failure.get_or_insert(Failure::Worker(code, report));
    }
}

/// The next message, if there is one. An end that was closed is forgotten.
pub(super) fn hear(control: &mut Option<Control>) -> Option<Message> {
    match control.as_ref()?.receive() {
        Ok(Some(message)) => Some(message),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Ok(None) | Err(_) => {
            *control = None;
            None
        }
    }
}
