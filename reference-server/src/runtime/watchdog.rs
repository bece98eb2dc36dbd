//! Notices when the leader does not come back to the event loop.

use std::{
    io,
    num::NonZeroU64,
    sync::{Arc, PoisonError},
    thread,
    time::Duration,
};

use rustix::thread::set_current_timer_slack;

use super::rescued::Rescued;

/// A leader that is in the same job for a whole tick is rescued. Two ticks, and the follower's waking up, are less than
/// two milliseconds.
const TICK: Duration = Duration::from_micros(800);
/// After so many ticks without a job the watchdog sleeps until there is one: an idle server costs nothing, and waking it
/// costs less than a few more ticks.
const IDLE_TICKS: u32 = 4;

pub(super) fn start(rescued: Arc<Rescued>) -> io::Result<()> {
    thread::Builder::new().name("gateway-watchdog".into()).spawn(move || watch(&rescued)).map(drop)
}

fn watch(rescued: &Rescued) {
    let (mut last, mut idle) = (0, 0);
    // Otherwise the kernel wakes it a good deal later than it asks for; if it cannot be told so, that is what happens.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
    loop {
        thread::sleep(TICK);
        let mut state = rescued.lock();
        if state.leader_job != 0 && state.leader_job == last {
            rescued.rescue(&mut state);
        }
        idle = if state.leader_job == 0 && state.job_count == last { idle + 1 } else { 0 };
        last = if state.leader_job == 0 { state.job_count } else { state.leader_job };
        if idle > IDLE_TICKS {
            state.watchdog_asleep = true;
            while state.watchdog_asleep && !state.stopped {
                state = rescued.bark.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            idle = 0;
            // The job that woke it has begun just now: the next tick is a whole one.
            last = state.leader_job;
        }
        if state.stopped {
            return;
        }
    }
}
