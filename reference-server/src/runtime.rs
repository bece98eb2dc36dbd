//! A runtime for servers whose applications block: one event loop, and threads that keep it going.
//!
//! The event loop is tokio's current-thread one. The thread that drives it, the *leader*, leaves it when there are
//! blocking jobs, runs them where it is, and goes back: no hand-over, no context switch. If a job takes long, a
//! watchdog notices within two milliseconds and has a parked thread, a *follower*, take the loop over; that is the
//! *rescue*. The old leader becomes a follower when its job is done. Jobs of a lane that needed a rescue go to
//! followers straight away until 64 of them in a row were quick. So an application that waits for a database stalls
//! nobody, and one that does not pays for no thread.

mod inline;
mod meter;
mod stay;
mod watchdog;

use std::{
    cell::Cell,
    collections::VecDeque,
    fmt, io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
    thread::{self, Thread, ThreadId},
    time::{Duration, Instant},
};

use gateway_spec::{
    Kind, Result,
    blocking::{Admission, Blocking, Job, Lane, park_until},
};
use tokio::sync::oneshot;

use crate::marks::{self, Wait};

use inline::Inline;

use meter::Load;
pub(crate) use meter::Meter;

/// The stack of a thread that runs jobs: as much as a main thread has, since what recurses there may recurse here.
const STACK: usize = 8 << 20;
/// How many jobs the leader runs before it looks after the event loop again.
const BATCH: usize = 32;
/// How many jobs may wait for a thread, if nothing else is said.
const QUEUE: usize = 1024;
/// How many jobs may have left their places: clients that are slow at once. Each keeps its thread, some 80 KiB.
const WAITING: usize = 2048;
/// A job that takes less is quick.
const QUICK: Duration = Duration::from_micros(200);
/// So many quick jobs in a row bring a lane back to the leader.
const QUICK_RUN: u32 = 64;

thread_local! {
    /// The epoch in which this thread leads; 0 if it does not.
    static LEADING: Cell<u64> = const { Cell::new(0) };
    /// Whether this thread runs jobs. Threads that applications start have no places.
    static RUNS_JOBS: Cell<bool> = const { Cell::new(false) };
}

/// An event loop, and threads for blocking jobs.
pub struct Runtime {
    kind: Runs,
}

enum Runs {
    /// Jobs run inside the event loop, which stands still meanwhile.
    Inline(tokio::runtime::Runtime, Arc<Inline>),
    Rescued(Arc<Shared>),
}

struct Shared {
    /// For the threads that it starts.
    this: Weak<Shared>,
    tokio: tokio::runtime::Runtime,
    /// How many threads may run jobs at once. There is one thread more, so that one always drives the event loop.
    limit: usize,
    /// How many jobs may wait for a thread.
    queue: usize,
    state: Mutex<State>,
    /// Jobs that have left their places wait here to return.
    place: Condvar,
    /// The watchdog sleeps here while nothing happens.
    bark: Condvar,
}

#[derive(Default)]
struct State {
    /// Jobs for the leader.
    jobs: VecDeque<Queued>,
    /// Jobs for followers: of lanes that are slow.
    pooled: VecDeque<Queued>,
    /// Jobs that had to wait for others to end, and how long that took in nanoseconds, all together.
    waits: u64,
    wait_nanos: u64,
    /// Jobs that were refused.
    refused: u64,
    /// Tasks to be woken from inside the event loop, where that costs no system call.
    done: Vec<Waker>,
    /// Wakes the leader inside the event loop.
    root: Option<Waker>,
    root_woken: bool,
    /// Changes with each rescue: who led in an older epoch does not lead any more.
    epoch: u64,
    /// Numbers the leader's jobs; 0 while it runs none.
    leader_job: u64,
    leader_lane: Option<Arc<Lane>>,
    job_count: u64,
    lead_wanted: bool,
    running: usize,
    /// The threads of jobs that have left their places.
    away: Vec<ThreadId>,
    threads: usize,
    /// Followers without work. Who came last is called first: its stack, and its database connection, are warm.
    idle: Vec<Thread>,
    /// Followers that were called and have not looked for work yet.
    called: usize,
    watchdog_asleep: bool,
    stopped: bool,
}

/// A job that has not begun.
struct Queued {
    job: Arc<dyn Job>,
    /// Set if there are more jobs than threads: only then waiting is worth the look at the clock.
    wait: Option<Arc<Wait>>,
}

impl Runtime {
    /// A runtime in which at most `threads` blocking jobs run at once. With one, jobs run inside the event loop: the
    /// fastest way there is for jobs that never take long, and a standstill for everybody if one does.
    ///
    /// # Errors
    /// What starting the runtime or its first threads reports.
    pub fn new(threads: usize) -> io::Result<Self> {
        Runtime::with_queue(threads, QUEUE)
    }

    /// The same, in which at most `queue` jobs wait for a thread, in order of arrival; a further one is refused.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_queue(threads: usize, queue: usize) -> io::Result<Self> {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        if threads <= 1 {
            let inline = Inline::new(tokio.handle().clone(), queue)?;
            return Ok(Runtime { kind: Runs::Inline(tokio, inline) });
        }
        let state = State { epoch: 1, lead_wanted: true, watchdog_asleep: true, ..State::default() };
        let shared = Arc::new_cyclic(|this| Shared {
            this: this.clone(),
            tokio,
            limit: threads,
            queue,
            state: Mutex::new(state),
            place: Condvar::new(),
            bark: Condvar::new(),
        });
        shared.start_thread(&mut shared.lock())?;
        watchdog::start(shared.clone())?;
        Ok(Runtime { kind: Runs::Rescued(shared) })
    }

    /// Where blocking jobs go: for a [`Server`](crate::Server) on this runtime.
    pub fn blocking(&self) -> Arc<dyn Blocking> {
        match &self.kind {
            Runs::Inline(_, inline) => inline.clone(),
            Runs::Rescued(shared) => shared.clone(),
        }
    }

    /// Tells from outside what the threads are about.
    pub(crate) fn meter(&self) -> Meter {
        match &self.kind {
            Runs::Inline(_, inline) => Meter::inline(inline),
            Runs::Rescued(shared) => Meter::of(shared),
        }
    }

    /// Runs `main` to its end, and with it everything that it spawns.
    pub fn block_on<F>(self, main: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self.kind {
            Runs::Inline(tokio, _) => {
                Inline::lead();
                let output = tokio.block_on(main);
                stay::leave();
                output
            }
            Runs::Rescued(shared) => {
                // This thread runs no jobs, so that no job can keep it from returning.
                let (sender, receiver) = oneshot::channel();
                let jobs = shared.clone();
                shared.tokio.spawn(async move {
                    let output = main.await;
                    jobs.settle().await;
                    drop(sender.send(output));
                });
                let output = receiver.blocking_recv();
                shared.stop();
                #[expect(clippy::expect_used, reason = "a panic in `main` goes on here, as it would on this thread")]
                output.expect("the main future panicked")
            }
        }
    }
}

impl Blocking for Shared {
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

impl Shared {
    /// Leads until another thread has taken over, or the runtime stops.
    fn lead(&self, epoch: u64) {
        LEADING.set(epoch);
        while let Some(job) = self.tokio.block_on(std::future::poll_fn(|cx| self.poll_job(cx.waker()))) {
            if !self.run_batch(job, epoch) {
                break;
            }
        }
        LEADING.set(0);
    }

    /// Inside the event loop: wakes what is to be woken, and takes the next job.
    fn poll_job(&self, waker: &Waker) -> Poll<Option<Arc<dyn Job>>> {
        let mut state = self.lock();
        state.root_woken = false;
        if !state.root.as_ref().is_some_and(|root| root.will_wake(waker)) {
            state.root = Some(waker.clone());
        }
        let done = std::mem::take(&mut state.done);
        let next = match state.stopped {
            true => Poll::Ready(None),
            false => self.begin_leader_job(&mut state, None).map_or(Poll::Pending, |job| Poll::Ready(Some(job))),
        };
        drop(state);
        done.into_iter().for_each(Waker::wake);
        next
    }

    /// Takes a job for the leader to run, of `lane` if that is given.
    fn begin_leader_job(&self, state: &mut State, lane: Option<&Arc<Lane>>) -> Option<Arc<dyn Job>> {
        if state.running == self.limit {
            return None;
        }
        let queued = state.jobs.pop_front_if(|queued| lane.is_none_or(|lane| Arc::ptr_eq(lane, queued.job.lane())))?;
        let job = state.begin(queued);
        state.job_count += 1;
        state.leader_job = state.job_count;
        if lane.is_none() {
            state.leader_lane = Some(job.lane().clone());
        }
        if state.watchdog_asleep {
            state.watchdog_asleep = false;
            self.bark.notify_one();
        }
        Some(job)
    }

    /// Outside of the event loop: runs jobs of one lane. Says whether this thread leads still.
    fn run_batch(&self, first: Arc<dyn Job>, epoch: u64) -> bool {
        let lane = first.lane().clone();
        let (mut next, mut leads) = (Some(first), true);
        lane.enter(|| {
            for count in 1.. {
                let Some(job) = next.take() else { break };
                let waiting = job.run();
                drop(job);
                let mut state = self.lock();
                self.end_job(&mut state, waiting);
                leads = state.epoch == epoch;
                if !leads {
                    self.wake_root(state);
                    break;
                }
                state.leader_job = 0;
                if count < BATCH {
                    next = self.begin_leader_job(&mut state, Some(&lane));
                }
            }
        });
        leads
    }

    /// A follower: leads when it is called to, else runs the jobs of slow lanes.
    fn follow(&self) {
        RUNS_JOBS.set(true);
        let mut state = self.lock();
        state.called -= 1;
        loop {
            if state.stopped {
                state.threads -= 1;
                return;
            }
            if state.lead_wanted {
                state.lead_wanted = false;
                let epoch = state.epoch;
                drop(state);
                self.lead(epoch);
                state = self.lock();
                continue;
            }
            if state.running < self.limit
                && let Some(queued) = state.pooled.pop_front()
            {
                let job = state.begin(queued);
                drop(state);
                state = self.run_pooled(job);
                continue;
            }
            let this = thread::current();
            let id = this.id();
            state.idle.push(this);
            // Who calls takes the thread out of the list; until then it was woken for nothing.
            while state.idle.iter().any(|idle| idle.id() == id) && !state.stopped {
                drop(state);
                thread::park();
                state = self.lock();
            }
            state.called = state.called.saturating_sub(1);
        }
    }

    fn run_pooled(&self, job: Arc<dyn Job>) -> MutexGuard<'_, State> {
        let lane = job.lane().clone();
        let mut waiting = None;
        let mut quick = false;
        lane.enter(|| {
            // What it took to enter the lane is not the job's fault.
            let begun = Instant::now();
            waiting = job.run();
            quick = begun.elapsed() < QUICK;
        });
        drop(job);
        let memory = lane.memory();
        let _ = memory.fetch_update(Relaxed, Relaxed, |run| match (run, quick) {
            (0, _) | (QUICK_RUN, true) => Some(0),
            (run, true) => Some(run + 1),
            (_, false) => Some(1),
        });
        let mut state = self.lock();
        self.end_job(&mut state, waiting);
        self.wake_root(state);
        self.lock()
    }

    fn end_job(&self, state: &mut State, waiting: Option<Waker>) {
        state.running -= 1;
        state.done.extend(waiting);
        if !state.away.is_empty() {
            self.place.notify_one();
        }
    }

    /// Takes the event loop away from a leader whose job takes long.
    fn rescue(&self, state: &mut State) {
        state.epoch += 1;
        state.leader_job = 0;
        state.lead_wanted = true;
        if let Some(slow) = state.leader_lane.take() {
            slow.memory().store(1, Relaxed);
            let (pooled, jobs) = state.jobs.drain(..).partition(|queued| Arc::ptr_eq(queued.job.lane(), &slow));
            state.jobs = jobs;
            state.pooled.append(&mut { pooled });
        }
        self.call_hands(state);
    }

    /// Wakes, or starts, as many followers as there is work for.
    fn call_hands(&self, state: &mut State) {
        let jobs = state.pooled.len().min(self.limit - state.running);
        for _ in state.called..jobs + usize::from(state.lead_wanted) {
            if let Some(follower) = state.idle.pop() {
                follower.unpark();
                state.called += 1;
            } else if state.threads > self.limit + state.away.len() {
                break;
            } else if let Err(error) = self.start_thread(state) {
                tracing::error!("cannot start a thread: {error}");
                break;
            }
        }
    }

    fn start_thread(&self, state: &mut State) -> io::Result<()> {
        let Some(this) = self.this.upgrade() else { return Ok(()) };
        let name = format!("gateway-{}", state.threads + 1);
        thread::Builder::new().name(name).stack_size(STACK).spawn(move || this.follow())?;
        state.threads += 1;
        state.called += 1;
        Ok(())
    }

    fn wake_root(&self, mut state: MutexGuard<'_, State>) {
        if state.root_woken {
            return;
        }
        if let Some(root) = state.root.clone() {
            state.root_woken = true;
            drop(state);
            root.wake();
        }
    }

    /// Waits for the jobs that the end has left over: connections that were cut off have iterables to be closed. A job that
    /// does not end is left to itself.
    async fn settle(&self) {
        for _ in 0..100 {
            let Load { busy: 0, queue: 0, .. } = self.load() else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            return;
        }
    }

    fn load(&self) -> Load {
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

    fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.idle.drain(..).for_each(|follower| follower.unpark());
        self.bark.notify_all();
        self.wake_root(state);
    }

    /// Nothing that can panic is done under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a place for a job.
    fn begin(&mut self, Queued { job, wait }: Queued) -> Arc<dyn Job> {
        self.running += 1;
        if let Some(wait) = wait {
            self.waits += 1;
            self.wait_nanos += wait.end();
        }
        job
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Runs::Inline(..) => f.write_str("Runtime::Inline"),
            Runs::Rescued(shared) => write!(f, "Runtime::Rescued({} threads)", shared.limit),
        }
    }
}
