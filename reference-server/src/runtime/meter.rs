//! What the threads of a runtime are about, for the scoreboard.

use std::sync::{Arc, Weak};

use super::Shared;

/// Reads how busy a runtime is. It does not keep the runtime alive.
pub(crate) struct Meter(Option<Weak<Shared>>);

/// How busy a runtime is.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Jobs that may run at once.
    pub(crate) threads: u64,
    /// Jobs that run.
    pub(crate) busy: u64,
    /// Jobs that wait.
    pub(crate) queue: u64,
    /// Jobs that had to wait for others to end, and for how long, all together.
    pub(crate) waits: u64,
    pub(crate) wait_nanos: u64,
    /// Jobs that were refused.
    pub(crate) refused: u64,
}

impl Meter {
    /// Jobs run inside the event loop, where there is no queue.
    pub(super) fn inline() -> Self {
        Meter(None)
    }

    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Meter(Some(Arc::downgrade(shared)))
    }

    pub(crate) fn read(&self) -> Load {
        let Some(shared) = &self.0 else { return Load { threads: 1, ..Load::default() } };
        let Some(shared) = shared.upgrade() else { return Load::default() };
        let state = shared.lock();
        Load {
            threads: shared.limit as u64,
            busy: state.running as u64,
            queue: (state.jobs.len() + state.pooled.len()) as u64,
            waits: state.waits,
            wait_nanos: state.wait_nanos,
            refused: state.refused,
        }
    }
}
