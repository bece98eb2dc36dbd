//! Workers that hang, and workers that are stopped.

use std::time::{Duration, Instant};

use reference_server::scoreboard::Snapshot;
use rustix::process::kill_process;

use super::{
    super::{
        liveness::{Hang, Health, Patience, ProcessState},
        load::DUMP_STACKS,
    },
    Supervisor, TURN, admin,
    worker::{State, Worker},
};

/// More often than this it is not worth looking.
const LOOK: Duration = Duration::from_millis(500);

impl Supervisor {
    /// Looks how workers are, and does what is to be done about it.
    pub(super) fn look_after_workers(&mut self) {
        let passed = self.looked.elapsed();
        if passed < LOOK {
            return;
        }
        self.looked = Instant::now();
        // Time in which this process did not run itself says nothing of others.
        let passed = if passed > 2 * TURN { Duration::ZERO } else { passed };
        let options = &self.plan.settings.options;
        let patience = Patience::new(options.worker_timeout, options.threads, options.timeout);
        let graceful = self.graceful_time();
        for worker in &mut self.workers {
            let state = ProcessState::of(admin::number(worker.pid));
            let news = if worker.state == State::Starting {
                worker.liveness.look_at_start(state, passed, &patience)
            } else {
                let snapshot = Snapshot::read(&worker.scoreboard).ok().flatten();
                worker.liveness.look(snapshot.as_ref(), state, passed, &patience)
            };
            if let Some(health) = news {
                worker.note(health);
            }
            // Whoever looks at it with a debugger may take the time that it takes.
            let is_stopped = worker.liveness.health() == Health::Stopped;
            if is_stopped && self.ending.is_none() && matches!(worker.state, State::Draining { .. }) {
                worker.let_finish(graceful);
            }
        }
    }
}

impl Worker {
    pub(super) fn is_hung(&self) -> bool {
        matches!(self.liveness.health(), Health::Hung(_))
    }

    fn note(&mut self, health: Health) {
        let (seat, pid) = (self.seat, self.pid);
        match health {
            Health::Hung(hang) => self.is_found_hung(hang),
            Health::Exhausted => {
                let reason = "as many of its calls as there are threads have taken too long and do not end";
                tracing::warn!("worker {seat} (process {pid}): {reason}");
                self.retire = Some(reason.into());
            }
            Health::Stopped => tracing::warn!(
                "worker {seat} (process {pid}) is stopped, by SIGSTOP or a debugger; another one takes its place"
            ),
            Health::Sound => tracing::info!("worker {seat} (process {pid}) goes on"),
        }
    }

    fn is_found_hung(&mut self, hang: Hang) {
        let (seat, pid) = (self.seat, self.pid);
        tracing::error!(
            "worker {seat} (process {pid}) is hung: {hang}; the stacks of its Python threads follow, if it has any"
        );
        // It may just have ended.
        let _ = kill_process(pid, DUMP_STACKS);
        self.retire = Some(format!("it is hung: {hang}"));
    }
}
