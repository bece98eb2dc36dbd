//! The leader: the thread that drives the event loop, and leaves it to run jobs.

use std::{
    sync::{Arc, MutexGuard},
    task::{Poll, Waker},
};

use gateway_spec::blocking::{Job, Lane};

use super::{
    BATCH,
    rescued::{LEADING, Rescued, State},
};

impl Rescued {
    /// Leads until another thread has taken over, or the runtime stops.
    pub(super) fn lead(&self, epoch: u64) {
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

    /// Has the leader look for jobs, and for tasks to be woken.
    pub(super) fn wake_root(&self, mut state: MutexGuard<'_, State>) {
        if state.root_woken {
            return;
        }
        if let Some(root) = state.root.clone() {
            state.root_woken = true;
            drop(state);
            root.wake();
        }
    }
}
