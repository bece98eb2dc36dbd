//! HUP: configuration and code anew, without losing a request, and without risk.
//!
//! The configuration is read and checked, and new addresses are listened on; then one worker is started with it, beside
//! those that serve. That is the trial: if the worker becomes READY, all others are replaced one by one. If it does
//! not, nothing has changed.

use super::{super::settings::Settings, Supervisor, seats::Backoff, worker::State};

impl Supervisor {
    pub(super) fn reload(&mut self) {
        if self.ending.is_some() {
            return;
        }
        self.systemd.reloading();
        // Whoever mends what could not be loaded, and asks again, does not wait for what cannot be.
        self.abandon_trial();
        let next = Settings::gather(&self.args, None).and_then(|settings| self.plan.next(settings));
        match next {
            Ok(next) => {
                tracing::info!("reloading: worker by worker, each when its successor is READY");
                if next.settings.options.admin != self.plan.settings.options.admin {
                    tracing::warn!("another address of the admin listener takes a new supervisor: send USR2");
                }
                let trial = self.workers.iter().any(|worker| worker.is_ready());
                let before = std::mem::replace(&mut self.plan, next);
                self.seats.values_mut().for_each(Backoff::forgive);
                self.zygote_pause.forgive();
                // Workers that are still starting have the old configuration, and perhaps the old code.
                self.drain_starting();
                self.before = Some(before);
                if !trial {
                    self.commit();
                }
            }
            Err(failure) => self.reload_failed(&failure.to_string()),
        }
    }

    /// A worker is READY. If it has the plan that is on trial, that is the one from now on.
    pub(super) fn trial_succeeds(&mut self, worker: usize) {
        if self.workers[worker].plan == self.plan.id {
            self.commit();
        }
    }

    fn commit(&mut self) {
        if let Some(before) = self.before.take() {
            before.replaced_by(&self.plan);
            self.wanted = self.plan.settings.options.workers;
            self.systemd.reloaded();
        }
    }

    /// A worker could not start. True if it was the one that a reload was tried with.
    pub(super) fn trial_fails(&mut self, plan: u64, report: &str) -> bool {
        if self.before.is_none() || plan != self.plan.id {
            return false;
        }
        self.abandon_trial();
        self.reload_failed(report);
        true
    }

    /// Goes back to what was before the reload that is on trial.
    pub(super) fn abandon_trial(&mut self) {
        if let Some(before) = self.before.take() {
            self.drain_starting();
            std::mem::replace(&mut self.plan, before).replaced_by(&self.plan);
            self.seats.values_mut().for_each(Backoff::forgive);
        }
    }

    fn reload_failed(&mut self, report: &str) {
        tracing::error!("the reload has failed, and nothing has changed:\n{}", report.trim_end());
        self.systemd.reloaded();
    }

    fn drain_starting(&mut self) {
        let graceful = self.graceful_time();
        let starting = self.workers.iter_mut().filter(|worker| worker.state == State::Starting);
        starting.for_each(|worker| worker.drain(graceful));
    }
}
