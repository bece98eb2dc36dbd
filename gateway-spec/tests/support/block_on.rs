//! The smallest executor: one future, one thread, and a bound.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// No test waits longer than this for something that must happen.
pub(crate) const BOUND: Duration = Duration::from_secs(120);

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Drives `future` to its end. Polls only when it was woken, so that a wake that is missing shows; panics if none comes
/// within [`BOUND`].
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let deadline = Instant::now() + BOUND;
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(unpark.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while !unpark.woken.swap(false, Ordering::Acquire) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the future was not woken within {BOUND:?}");
            thread::park_timeout(left);
        }
    }
}
