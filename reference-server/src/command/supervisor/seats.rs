//! Starts, replaces and ends workers until there are those that are wanted.

use std::time::{Duration, Instant};

use super::{Supervisor, recycle, worker::Worker};

/// How long a seat stays empty after its worker has failed once, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A worker that has served for so long owes nothing to those before it.
const SOUND: Duration = Duration::from_secs(30);

/// When a seat may be taken again: the more workers in a row have failed in it, the later.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    not_before: Option<Instant>,
}

impl Backoff {
    /// Notes that a worker has failed, after it had served for so long, and says how long to wait.
    pub(super) fn failed(&mut self, served: Option<Duration>) -> Duration {
        if served.is_some_and(|served| served > SOUND) {
            self.failures = 0;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.not_before = Some(Instant::now() + pause);
        pause
    }

    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    pub(super) fn is_over(&self) -> bool {
        self.not_before.is_none_or(|time| time <= Instant::now())
    }

    /// Whoever asks for workers now need not wait for what was.
    pub(super) fn forgive(&mut self) {
        *self = Backoff::default();
    }
}

impl Supervisor {
    /// Compares what is with what should be, and does what is missing.
    pub(super) fn settle(&mut self) {
        self.kill_the_late();
        if self.ending.is_some() {
            return;
        }
        let graceful = self.graceful_time();
        self.workers.iter_mut().filter(|worker| worker.seat > self.wanted).for_each(|worker| worker.drain(graceful));
        if !self.can_start() {
            return;
        }
        for seat in 1..=self.wanted {
            let is_taken = self.workers.iter().any(|worker| worker.seat == seat && worker.is_seated());
            // Before any has served there is no second try: whoever has started the server hears what is wrong.
            let may_try = self.has_served || !self.seats.contains_key(&seat);
            if !is_taken && may_try && self.may_start(seat) {
                self.start(seat);
            }
        }
        self.replace_one();
    }

    pub(super) fn graceful_time(&self) -> Duration {
        Duration::from_secs(self.plan.settings.options.graceful_timeout.into())
    }

    /// A worker serves: who sat there before it may go.
    pub(super) fn seat_is_taken_over(&mut self, by: usize) {
        let graceful = self.graceful_time();
        let (seat, pid) = (self.workers[by].seat, self.workers[by].pid);
        let others = self.workers.iter_mut().filter(|worker| worker.seat == seat && worker.pid != pid);
        others.for_each(|worker| worker.drain(graceful));
    }

    /// Replaces a worker, one at a time: until its successor is READY it serves on, and so do all others.
    fn replace_one(&mut self) {
        if self.workers.iter().any(Worker::is_starting) {
            return;
        }
        let due = self.workers.iter().find_map(|worker| {
            let reason = self.why_replace(worker)?;
            self.may_start(worker.seat).then_some((worker.seat, reason))
        });
        if let Some((seat, reason)) = due {
            tracing::info!("worker {seat} is replaced: {reason}");
            self.start(seat);
        }
    }

    fn why_replace(&self, worker: &Worker) -> Option<String> {
        if !worker.is_ready() {
            return None;
        }
        if worker.plan != self.plan.id {
            return Some("reload".into());
        }
        if self.wanted > 1 && !worker.multiprocess {
            return Some("its applications were told that they run in one process, and there are more now".into());
        }
        worker.retire.clone().or_else(|| recycle::due(worker, &self.plan.settings.options))
    }

    fn may_start(&self, seat: u16) -> bool {
        self.seats.get(&seat).is_none_or(Backoff::is_over)
    }

    fn start(&mut self, seat: u16) {
        // With one worker there are two for as long as a reload takes. What asks is after something else: whether
        // state in memory is everybody's. With one worker it is, until a reload, which ends it in any case.
        let is_free = |place: &usize| self.workers.iter().all(|worker| worker.place != *place);
        let place = (0..).find(is_free).unwrap_or_default();
        match Worker::start(seat, &mut self.plan, &self.args, self.wanted > 1, (&self.board, place)) {
            Ok(worker) => self.workers.push(worker),
            Err(error) => {
                let pause = self.seats.entry(seat).or_default().failed(None);
                tracing::error!("cannot start worker {seat}: {error}; the next try is in {pause:?}");
                self.start_failed(1, format!("cannot start a worker: {error}\n"));
            }
        }
    }

    fn kill_the_late(&mut self) {
        let now = Instant::now();
        for worker in self.workers.iter_mut().filter(|worker| worker.deadline().is_some_and(|time| time <= now)) {
            if !worker.aborted {
                tracing::warn!("worker {} (process {}) has not ended in time and is killed", worker.seat, worker.pid);
            }
            worker.end_by_force();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_are_forgotten_after_sound_service() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..11).map(|_| backoff.failed(None).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(backoff.failed(Some(Duration::from_secs(1))), LONGEST_PAUSE);
        assert_eq!(backoff.failed(Some(Duration::from_secs(31))), FIRST_PAUSE);
    }
}
