//! An event loop and its threads, one of which leads at any time: what they share, and what others ask of them.

use std::{
    cell::Cell,
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
    thread::{self, Thread, ThreadId},
    time::Duration,
};

use gateway_spec::{
    Kind, Result,
    blocking::{Admission, Blocking, Job, Lane, park_until},
};

use super::{Load, Queued, watchdog};
use crate::marks;

/// How many jobs may have left their places: clients that are slow at once. Each keeps its thread, some 80 KiB.
const WAITING: usize = 2048;

thread_local! {
    /// The epoch in which this thread leads; 0 if it does not.
    pub(super) static LEADING: Cell<u64> = const { Cell::new(0) };
    /// Whether this thread runs jobs. Threads that applications start have no places.
    pub(super) static RUNS_JOBS: Cell<bool> = const { Cell::new(false) };
}

/// An event loop that is taken away from a leader whose job takes long.
pub(super) struct Rescued {
    /// For the threads that it starts.
    pub(super) this: Weak<Rescued>,
    pub(super) tokio: tokio::runtime::Runtime,
    /// How many threads may run jobs at once. There is one thread more, so that one always drives the event loop.
    pub(super) limit: usize,
    /// How many jobs may wait for a thread.
    pub(super) queue: usize,
    pub(super) state: Mutex<State>,
    /// Jobs that have left their places wait here to return.
    pub(super) place: Condvar,
    /// The watchdog sleeps here while nothing happens.
    pub(super) bark: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// Jobs for the leader.
    pub(super) jobs: VecDeque<Queued>,
    /// Jobs for followers: of lanes that are slow.
    pub(super) pooled: VecDeque<Queued>,
    /// Jobs that had to wait for others to end, and how long that took in nanoseconds, all together.
    pub(super) waits: u64,
    pub(super) wait_nanos: u64,
    /// Jobs that were refused.
    pub(super) refused: u64,
    /// Tasks to be woken from inside the event loop, where that costs no system call.
    pub(super) done: Vec<Waker>,
    /// Wakes the leader inside the event loop.
    pub(super) root: Option<Waker>,
    pub(super) root_woken: bool,
    /// Changes with each rescue: who led in an older epoch does not lead any more.
    pub(super) epoch: u64,
    /// Numbers the leader's jobs; 0 while it runs none.
    pub(super) leader_job: u64,
    pub(super) leader_lane: Option<Arc<Lane>>,
    pub(super) job_count: u64,
    pub(super) lead_wanted: bool,
    pub(super) running: usize,
    /// The threads of jobs that have left their places.
    pub(super) away: Vec<ThreadId>,
    pub(super) threads: usize,
    /// Followers without work. Who came last is called first: its stack, and its database connection, are warm.
    pub(super) idle: Vec<Thread>,
    /// Followers that were called and have not looked for work yet.
    pub(super) called: usize,
    pub(super) watchdog_asleep: bool,
    pub(super) stopped: bool,
}

impl Rescued {
    /// Starts the event loop's first leader, and the watchdog.
    ///
    /// # Errors
    /// What starting a thread reports.
    pub(super) fn start(tokio: tokio::runtime::Runtime, threads: usize, queue: usize) -> io::Result<Arc<Self>> {
        let state = State { epoch: 1, lead_wanted: true, watchdog_asleep: true, ..State::default() };
        let rescued = Arc::new_cyclic(|this| Rescued {
            this: this.clone(),
            tokio,
            limit: threads,
            queue,
            state: Mutex::new(state),
            place: Condvar::new(),
            bark: Condvar::new(),
        });
        rescued.start_thread(&mut rescued.lock())?;
        watchdog::start(rescued.clone())?;
        Ok(rescued)
    }

    /// Waits for the jobs that the end has left over: connections that were cut off have iterables to be closed. A job that
    /// does not end is left to itself.
    pub(super) async fn settle(&self) {
        for _ in 0..100 {
            let Load { busy: 0, queue: 0, .. } = self.load() else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            return;
        }
    }

    pub(super) fn load(&self) -> Load {
        let state = self.lock();
        Load {
            threads: self.limit as u64,
            busy: state.running as u64,
            queue: (state.jobs.len() + state.pooled.len()) as u64,
            waits: state.waits,
            wait_nanos: state.wait_nanos,
            refused: state.refused,
        }
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.idle.drain(..).for_each(|follower| follower.unpark());
        self.bark.notify_all();
        self.wake_root(state);
    }

    /// Nothing that can panic is done under this lock.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blocking for Rescued {
    fn submit(&self, job: Arc<dyn Job>, admission: Admission) -> Result<()> {
        let mut state = self.lock();
        let queue = state.jobs.len() + state.pooled.len();
        if admission == Admission::Begin && queue >= self.queue {
            state.refused += 1;
            return Err(Kind::Overloaded.into());
        }
        let waits = admission == Admission::Begin && state.running + queue >= self.limit;
        let queued = Queued { job, wait: waits.then(marks::waits) };
        if queued.job.lane().memory().load(Relaxed) == 0 {
            state.jobs.push_back(queued);
            self.wake_root(state);
        } else {
            state.pooled.push_back(queued);
            self.call_hands(&mut state);
        }
        Ok(())
    }

    fn wake(&self, waker: Waker) {
        let mut state = self.lock();
        state.done.push(waker);
        // The leader comes back to the loop by itself, and so does whoever takes over from it.
        if LEADING.get() != state.epoch {
            self.wake_root(state);
        }
    }

    fn is_concurrent(&self) -> bool {
        true
    }

    fn leave_place(&self, thread: ThreadId) -> bool {
        let mut state = self.lock();
        // Who waits for a client may be given up meanwhile, and who was given up may wait.
        if state.away.len() >= WAITING || state.away.contains(&thread) {
            return false;
        }
        state.away.push(thread);
        state.running -= 1;
        // Who leads and waits keeps nobody from the event loop: that is what it waits for.
        if LEADING.get() == state.epoch {
            self.rescue(&mut state);
        }
        self.call_hands(&mut state);
        self.wake_root(state);
        true
    }

    fn return_to_place(&self) {
        let mut state = self.lock();
        while state.running >= self.limit {
            state = self.place.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let this = thread::current().id();
        state.away.retain(|thread| *thread != this);
        state.running += 1;
    }

    fn wait(&self, ready: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) {
        let left = RUNS_JOBS.get() && self.leave_place(thread::current().id());
        park_until(ready);
        if left {
            self.return_to_place();
        }
    }
}

impl State {
    /// Takes a place for a job.
    pub(super) fn begin(&mut self, Queued { job, wait }: Queued) -> Arc<dyn Job> {
        self.running += 1;
        if let Some(wait) = wait {
            self.waits += 1;
            self.wait_nanos += wait.end();
        }
        job
    }
}
