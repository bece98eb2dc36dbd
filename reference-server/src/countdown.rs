//! Counts requests up to a number that somebody wants to know of.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Calls a function when it has been ticked so often.
pub(crate) struct Countdown {
    left: AtomicU64,
    reached: Box<dyn Fn() + Send + Sync>,
}

impl Countdown {
    pub(crate) fn new(count: u64, reached: impl Fn() + Send + Sync + 'static) -> Self {
        Countdown { left: AtomicU64::new(count), reached: Box::new(reached) }
    }

    pub(crate) fn tick(&self) {
        // Wrapping around, it comes to one again after more requests than there will ever be.
        if self.left.fetch_sub(1, Relaxed) == 1 {
            (self.reached)();
        }
    }
}

impl fmt::Debug for Countdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Countdown({})", self.left.load(Relaxed))
    }
}
