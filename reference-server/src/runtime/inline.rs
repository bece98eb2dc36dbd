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
        // Nobody waits for it: what is waited for does not come here.
        job.lane().enter(|| drop(job.run()));
        Ok(())
    }

    fn runs_in_place(&self) -> bool {
        true
    }

    fn wake(&self, waker: Waker) {
        waker.wake();
    }

    fn may_wait(&self) -> bool {
        false
    }
}
