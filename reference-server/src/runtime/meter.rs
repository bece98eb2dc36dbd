//! What the threads of a runtime are about, for the scoreboard.

use std::sync::{Arc, Weak};

use super::{Inline, Rescued};

/// Reads how busy a runtime is. It does not keep the runtime alive.
pub(crate) struct Meter(Of);

enum Of {
    Inline(Weak<Inline>),
    Rescued(Weak<Rescued>),
}

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
    pub(super) fn inline(inline: &Arc<Inline>) -> Self {
        Meter(Of::Inline(Arc::downgrade(inline)))
    }

    pub(super) fn rescued(rescued: &Arc<Rescued>) -> Self {
        Meter(Of::Rescued(Arc::downgrade(rescued)))
    }

    pub(crate) fn read(&self) -> Load {
        let load = match &self.0 {
            Of::Inline(inline) => inline.upgrade().map(|inline| inline.load()),
            Of::Rescued(rescued) => rescued.upgrade().map(|rescued| rescued.load()),
        };
        load.unwrap_or_default()
    }
}
