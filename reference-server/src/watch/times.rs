//! When a connection's time is over, and what becomes of it then.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::{BodyState, Command, Phase, Watch, wake};
use crate::Limits;

/// How long a request's body may be waited for in all before its rate counts.
const RATE_GRACE: u64 = 20_000;
/// How long, and how much, is read from a client that was answered before it had sent everything. RFC 9112, 9.6.
pub(crate) const LINGER_BYTES: usize = 32 << 20;
const LINGER_TIME: u64 = 5_000;

impl Watch {
    /// Ends the connection, or its wait for a body, if its time is over.
    pub(super) fn check(&self, now: u64, limits: &Limits) {
        let over = |since: u64, limit: Duration| since != 0 && now.saturating_sub(since) > limit.as_millis() as u64;
        let since = self.phase_since.load(Relaxed);
        if self.is_draining() && self.is(Phase::Idle) && over(since, limits.drain_idle_time) {
            self.order(Command::Drain);
        }
        let phase_over = match self.phase.load(Relaxed) {
            phase if phase == Phase::Idle as u8 => !self.is_write_blocked() && over(since, self.idle_time(limits)),
            phase if phase == Phase::Head as u8 => over(since, limits.head_time),
            phase if phase == Phase::Linger as u8 => over(since, Duration::from_millis(LINGER_TIME)),
            _ => false,
        };
        let silent_since = match self.fin.load(Relaxed) {
            0 => 0,
            fin => fin.max(self.last_write.load(Relaxed)),
        };
        let stalled = over(self.write_wait.load(Relaxed), limits.write_time);
        if phase_over || stalled || over(silent_since, limits.half_close_time) {
            return self.order(Command::Abort);
        }
        let wait = self.body_wait.load(Relaxed);
        if over(wait, limits.body_time) || (wait != 0 && self.is_trickle(now - wait.min(now), limits.body_rate)) {
            self.body_late.store(true, Relaxed);
            wake(&self.body_reader);
        }
    }

    /// How long nothing needs to happen. A request's body that nobody reads holds up the next request.
    fn idle_time(&self, limits: &Limits) -> Duration {
        match self.body_is(BodyState::Abandoned) || self.body_is(BodyState::Unasked) {
            true => Duration::from_millis(LINGER_TIME).min(limits.idle_time),
            false => limits.idle_time,
        }
    }

    fn is_trickle(&self, waiting: u64, rate: u64) -> bool {
        let waited = self.body_waited.load(Relaxed) + waiting;
        waited > RATE_GRACE && self.body_bytes.load(Relaxed) < rate * waited / 1000
    }
}
