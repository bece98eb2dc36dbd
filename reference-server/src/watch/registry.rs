//! All connections of a server, and the clock that they share.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{Command, Phase, Watch, lock};
use crate::{
    Limits,
    clock::coarse_now,
    scoreboard::{Counters, Request},
};

/// How often the clock ticks.
const TICK: Duration = Duration::from_millis(250);

/// All connections of a server.
pub(crate) struct Registry {
    clock: Arc<Clock>,
    counters: Arc<Counters>,
    open: Mutex<Vec<Arc<Watch>>>,
    /// A connection has ended.
    ended: Notify,
}

/// A connection's place in the [`Registry`], given up when it is dropped.
pub(crate) struct Registration {
    registry: Arc<Registry>,
    pub(crate) watch: Arc<Watch>,
}

impl Registry {
    /// No connections yet, to a server of so many mounts.
    pub(crate) fn new(mounts: usize) -> Arc<Self> {
        // The clock begins at 1, because 0 is never.
        let clock = Arc::new(Clock { now: AtomicU64::new(1), draining: AtomicBool::new(false) });
        let counters = Arc::new(Counters::new(mounts));
        Arc::new(Registry { clock, counters, open: Mutex::default(), ended: Notify::new() })
    }

    pub(crate) fn register(self: &Arc<Self>) -> Registration {
        let watch = Arc::new(Watch::new(self.clock.clone(), self.counters.clone()));
        self.counters.connected();
        let mut open = lock(&self.open);
        watch.place.store(open.len(), Relaxed);
        open.push(watch.clone());
        Registration { registry: self.clone(), watch }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The clock, which stands still if the event loop does.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// How many requests are being answered, and the `limit` oldest of them.
    pub(crate) fn in_flight(&self, limit: usize, mounts: &[String]) -> (u64, Vec<Request>) {
        let mut busy: Vec<_> = lock(&self.open).iter().filter(|watch| watch.is(Phase::Busy)).cloned().collect();
        let count = busy.len() as u64;
        busy.sort_by_cached_key(|watch| watch.request.began());
        busy.truncate(limit);
        let now = coarse_now();
        let requests = busy.iter().map(|watch| {
            if now.saturating_sub(watch.request.began()) >= TICK.as_nanos() as u64 {
                watch.ask();
            }
            watch.request.show(watch.body_wait.load(Relaxed) != 0, mounts)
        });
        (count, requests.collect())
    }

    /// How many connections are open.
    pub(crate) fn count(&self) -> usize {
        lock(&self.open).len()
    }

    /// Waits until fewer than `limit` connections are open.
    pub(crate) async fn below(&self, limit: usize) {
        loop {
            let ended = self.ended.notified();
            if self.count() < limit {
                return;
            }
            ended.await;
        }
    }

    /// From here on each response is its connection's last, and sweeping closes the connections that idle.
    pub(crate) fn drain(&self) {
        self.clock.draining.store(true, Relaxed);
    }

    pub(crate) fn abort(&self) {
        lock(&self.open).iter().for_each(|watch| watch.order(Command::Abort));
    }

    /// Ticks until it is dropped.
    pub(crate) async fn sweep(&self, limits: &Limits) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            let tick = ticks.tick().await;
            let passed = (tick - last).min(2 * TICK);
            last = tick;
            let passed = passed.as_millis() as u64;
            let now = self.clock.now.fetch_add(passed, Relaxed) + passed;
            lock(&self.open).iter().for_each(|watch| watch.check(now, limits));
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = lock(&self.registry.open);
        // Sweeping needs no order, so the hole is filled with the last.
        let place = self.watch.place.load(Relaxed);
        open.swap_remove(place);
        if let Some(moved) = open.get(place) {
            moved.place.store(place, Relaxed);
        }
        drop(open);
        self.registry.ended.notify_waiters();
    }
}

/// What all connections look at: the time, and whether the server is ending.
///
/// The time is milliseconds since the server began, counted in ticks: a machine that was suspended, or a loop that was
/// held up, has not let its clients' time run out.
#[derive(Debug)]
pub(super) struct Clock {
    now: AtomicU64,
    pub(super) draining: AtomicBool,
}

impl Clock {
    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("open", &self.count()).finish_non_exhaustive()
    }
}
