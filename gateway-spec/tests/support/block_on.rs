//! The smallest executor: one future, one thread, and a bound.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// No test waits longer than this for something that must happen.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Drives `future` to its end. Panics if it takes longer than [`BOUND`].
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let deadline = Instant::now() + BOUND;
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the future was not woken to its end within {BOUND:?}");
        thread::park_timeout(left);
    }
}
