//! Blocking jobs without threads.

use std::{sync::Arc, task::Waker};

use gateway_spec::{
    Result,
    blocking::{Admission, Blocking, Job},
};

/// Runs each job at once, inside the task that submits it.
pub(super) struct Inline;

impl Blocking for Inline {
    fn submit(&self, job: Arc<dyn Job>, _: Admission) -> Result<()> {
        // Who submitted it looks for the result by itself.
        job.lane().enter(|| drop(job.run()));
        Ok(())
    }

    fn wake(&self, waker: Waker) {
        waker.wake();
    }

    fn may_wait(&self) -> bool {
        false
    }
}
