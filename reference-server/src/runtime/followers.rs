//! Followers: the threads that take the event loop over, and run the jobs of slow lanes.

use std::{
    io,
    sync::{Arc, MutexGuard, atomic::Ordering::Relaxed},
    task::Waker,
    thread,
    time::{Duration, Instant},
};

use gateway_spec::blocking::Job;

use super::{
    STACK,
    rescued::{RUNS_JOBS, Rescued, State},
};

/// A job that takes less is quick.
const QUICK: Duration = Duration::from_micros(200);
/// So many quick jobs in a row bring a lane back to the leader.
const QUICK_RUN: u32 = 64;

impl Rescued {
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

    pub(super) fn end_job(&self, state: &mut State, waiting: Option<Waker>) {
        state.running -= 1;
        state.done.extend(waiting);
        if !state.away.is_empty() {
            self.place.notify_one();
        }
    }

    /// Takes the event loop away from a leader whose job takes long.
    pub(super) fn rescue(&self, state: &mut State) {
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
    pub(super) fn call_hands(&self, state: &mut State) {
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

    pub(super) fn start_thread(&self, state: &mut State) -> io::Result<()> {
        let Some(this) = self.this.upgrade() else { return Ok(()) };
        let name = format!("gateway-{}", state.threads + 1);
        thread::Builder::new().name(name).stack_size(STACK).spawn(move || this.follow())?;
        state.threads += 1;
        state.called += 1;
        Ok(())
    }
}
