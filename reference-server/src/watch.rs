//! What is known of each connection, and the one clock that holds all of them to their times.
//!
//! The hot path only stores numbers: a task sweeps over the connections a few times a second and does what a timer
//! for each connection, set and reset with every request, would cost far more for.

mod request;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::Waker,
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    Limits,
    access_log::Entry,
    clock::coarse_now,
    scoreboard::{Counters, Request},
    sendfile::Pieces,
};

use request::WatchedRequest;

pub(crate) use request::Label;

/// How often the clock ticks.
const TICK: Duration = Duration::from_millis(250);
/// How long a request's body may be waited for in all before its rate counts.
const RATE_GRACE: u64 = 20_000;
/// How long, and how much, is read from a client that was answered before it had sent everything. RFC 9112, 9.6.
pub(crate) const LINGER_BYTES: usize = 32 << 20;
const LINGER_TIME: u64 = 5_000;

/// Where a connection is between two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// No byte of a request has arrived.
    Idle,
    /// A part of a request's head has arrived.
    Head,
    /// A request is being answered.
    Busy,
    /// The response is sent, and the rest of what the client sends is thrown away.
    Linger,
}

/// How much of the current request's body has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum BodyState {
    /// All of it, or there is none.
    Received,
    /// More is to come.
    Open,
    /// More was to come when the application lost interest.
    Abandoned,
}

/// What a connection is told from outside its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Command {
    Serve,
    /// Finish the running request, then close.
    Drain,
    /// Close now.
    Abort,
}

/// The state of one connection. Times are the clock's milliseconds; 0 is never.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Arc<Clock>,
    counters: Arc<Counters>,
    pub(crate) request: WatchedRequest,
    /// What the kernel sends for the body.
    pub(crate) pieces: Pieces,
    /// Its index among the open connections; changed under their lock.
    place: AtomicUsize,
    phase: AtomicU8,
    phase_since: AtomicU64,
    body: AtomicU8,
    /// The application waits for the body since then.
    body_wait: AtomicU64,
    /// How long it has waited before that.
    body_waited: AtomicU64,
    body_bytes: AtomicU64,
    body_late: AtomicBool,
    /// The client does not take what is written since then.
    write_wait: AtomicU64,
    last_write: AtomicU64,
    fin: AtomicU64,
    command: AtomicU8,
    /// A response broke off whose end only the connection's end could have shown.
    reset: AtomicBool,
    /// The connection ends with this response, as its client has asked.
    last: AtomicBool,
    task: Mutex<Option<Waker>>,
    body_reader: Mutex<Option<Waker>>,
    /// The log's entry of a request whose response has all been handed to hyper, and may not be written yet.
    unflushed: Mutex<Option<Box<Entry>>>,
    is_unflushed: AtomicBool,
}

impl Watch {
    fn new(clock: Arc<Clock>, counters: Arc<Counters>) -> Self {
        let now = clock.now();
        Watch {
            clock,
            counters,
            request: WatchedRequest::default(),
            pieces: Pieces::default(),
            place: AtomicUsize::new(0),
            phase: AtomicU8::new(Phase::Idle as u8),
            phase_since: AtomicU64::new(now),
            body: AtomicU8::new(BodyState::Received as u8),
            body_wait: AtomicU64::new(0),
            body_waited: AtomicU64::new(0),
            body_bytes: AtomicU64::new(0),
            body_late: AtomicBool::new(false),
            write_wait: AtomicU64::new(0),
            last_write: AtomicU64::new(0),
            fin: AtomicU64::new(0),
            command: AtomicU8::new(Command::Serve as u8),
            reset: AtomicBool::new(false),
            last: AtomicBool::new(false),
            task: Mutex::new(None),
            body_reader: Mutex::new(None),
            unflushed: Mutex::new(None),
            is_unflushed: AtomicBool::new(false),
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Keeps the entry until all is written; if that does not happen, the response was aborted.
    pub(crate) fn finish(&self, entry: Box<Entry>) {
        if let Some(before) = lock(&self.unflushed).replace(entry) {
            before.complete();
        }
        self.is_unflushed.store(true, Relaxed);
    }

    /// All that hyper had is written.
    pub(crate) fn flushed(&self) {
        if self.is_unflushed.load(Relaxed) {
            self.is_unflushed.store(false, Relaxed);
            if let Some(entry) = lock(&self.unflushed).take() {
                entry.complete();
            }
        }
    }

    pub(crate) fn is(&self, phase: Phase) -> bool {
        self.phase.load(Relaxed) == phase as u8
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.phase_since.store(self.clock.now(), Relaxed);
    }

    /// A request's head is complete; its body has this state.
    pub(crate) fn begin(&self, body: BodyState) {
        self.enter(Phase::Busy);
        self.body.store(body as u8, Relaxed);
        if body == BodyState::Open {
            self.body_wait.store(0, Relaxed);
            self.body_waited.store(0, Relaxed);
            self.body_bytes.store(0, Relaxed);
            self.body_late.store(false, Relaxed);
        }
    }

    pub(crate) fn body_is(&self, state: BodyState) -> bool {
        self.body.load(Relaxed) == state as u8
    }

    pub(crate) fn set_body(&self, state: BodyState) {
        self.body.store(state as u8, Relaxed);
        self.body_wait.store(0, Relaxed);
    }

    /// A block of the body has arrived.
    pub(crate) fn body_progress(&self, bytes: usize) {
        // Only the body's reader writes these.
        self.body_bytes.store(self.body_bytes.load(Relaxed) + bytes as u64, Relaxed);
        let since = self.body_wait.load(Relaxed);
        if since != 0 {
            self.body_wait.store(0, Relaxed);
            let waited = self.clock.now().saturating_sub(since);
            self.body_waited.store(self.body_waited.load(Relaxed) + waited, Relaxed);
        }
    }

    /// The application waits for the body; true if it has waited too long.
    pub(crate) fn body_pending(&self, reader: &Waker) -> bool {
        if self.body_wait.load(Relaxed) == 0 {
            self.body_wait.store(self.clock.now(), Relaxed);
        }
        store(&self.body_reader, reader);
        self.body_late.load(Relaxed)
    }

    pub(crate) fn write_progress(&self) {
        self.write_wait.store(0, Relaxed);
        if self.fin.load(Relaxed) != 0 {
            self.last_write.store(self.clock.now(), Relaxed);
        }
    }

    pub(crate) fn write_pending(&self) {
        if self.write_wait.load(Relaxed) == 0 {
            self.write_wait.store(self.clock.now(), Relaxed);
        }
    }

    /// Whether there is something to be written that the client does not take.
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.write_wait.load(Relaxed) != 0
    }

    /// The client has sent FIN and waits for its answer.
    pub(crate) fn half_closed(&self) {
        if self.fin.load(Relaxed) == 0 {
            self.fin.store(self.clock.now(), Relaxed);
        }
    }

    pub(crate) fn is_half_closed(&self) -> bool {
        self.fin.load(Relaxed) != 0
    }

    pub(crate) fn set_last(&self, is_last: bool) {
        self.last.store(is_last, Relaxed);
    }

    /// Whether hyper, having written what it has, closes the connection without waiting for anything.
    pub(crate) fn closes_next(&self) -> bool {
        self.last.load(Relaxed) && self.is(Phase::Idle) && self.body_is(BodyState::Received)
    }

    pub(crate) fn break_off(&self) {
        self.reset.store(true, Relaxed);
    }

    pub(crate) fn is_broken_off(&self) -> bool {
        self.reset.load(Relaxed)
    }

    pub(crate) fn set_task(&self, waker: &Waker) {
        store(&self.task, waker);
    }

    pub(crate) fn command(&self) -> Command {
        match self.command.load(Relaxed) {
            0 => Command::Serve,
            1 => Command::Drain,
            _ => Command::Abort,
        }
    }

    /// Whether the server is ending, and each response has to say that it is the connection's last.
    pub(crate) fn is_draining(&self) -> bool {
        self.clock.draining.load(Relaxed)
    }

    fn order(&self, command: Command) {
        self.command.fetch_max(command as u8, Relaxed);
        if let Some(task) = &*lock(&self.task) {
            task.wake_by_ref();
        }
    }

    /// Ends the connection, or its wait for a body, if its time is over.
    fn check(&self, now: u64, limits: &Limits) {
        let over = |since: u64, limit: Duration| since != 0 && now.saturating_sub(since) > limit.as_millis() as u64;
        let since = self.phase_since.load(Relaxed);
        if self.is_draining()
            && self.is(Phase::Idle)
            && now.saturating_sub(since) > limits.drain_idle_time.as_millis() as u64
        {
            self.order(Command::Drain);
        }
        let phase_over = match self.phase.load(Relaxed) {
            phase if phase == Phase::Idle as u8 => over(since, limits.idle_time),
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
            if let Some(reader) = &*lock(&self.body_reader) {
                reader.wake_by_ref();
            }
        }
    }

    /// Asks a request that takes a while what it is.
    fn ask(&self) {
        if self.request.ask()
            && let Some(task) = &*lock(&self.task)
        {
            task.wake_by_ref();
        }
    }

    fn is_trickle(&self, waiting: u64, rate: u64) -> bool {
        let waited = self.body_waited.load(Relaxed) + waiting;
        waited > RATE_GRACE && self.body_bytes.load(Relaxed) < rate * waited / 1000
    }
}

/// What all connections look at: the time, and whether the server is ending.
///
/// The time is milliseconds since the server began, counted in ticks: a machine that was suspended, or a loop that was
/// held up, has not let its clients' time run out.
#[derive(Debug)]
struct Clock {
    now: AtomicU64,
    draining: AtomicBool,
}

impl Clock {
    fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }
}

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

fn store(slot: &Mutex<Option<Waker>>, waker: &Waker) {
    let mut slot = lock(slot);
    if !slot.as_ref().is_some_and(|stored| stored.will_wake(waker)) {
        *slot = Some(waker.clone());
    }
}

/// Nothing that can panic is done under the locks of this module.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("open", &self.count()).finish_non_exhaustive()
    }
}
