//! How many programs run at once, and how many requests wait for one of those places.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for running programs, and a queue of requests that wait for one. Clones share both.
#[derive(Clone, Debug)]
pub struct Capacity(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    size: usize,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Capacity {
    /// Lets `running` programs run at once, at least one, and `queue` requests wait for them to end.
    pub fn new(running: usize, queue: usize) -> Self {
        let size = running.clamp(1, Semaphore::MAX_PERMITS);
        Capacity(Arc::new(Shared { size, places: Arc::new(Semaphore::new(size)), waiting: AtomicUsize::new(0), queue }))
    }

    /// How many programs run.
    pub fn running(&self) -> usize {
        self.0.size - self.0.places.available_permits()
    }

    /// Waits for a place, in order of arrival. None if the queue is full.
    pub(crate) async fn place(&self) -> Option<Place> {
        if let Ok(permit) = self.0.places.clone().try_acquire_owned() {
            return Some(Place { _permit: permit });
        }
        let _waiting = Waiting::begin(&self.0)?;
        let permit = self.0.places.clone().acquire_owned().await.ok()?;
        Some(Place { _permit: permit })
    }
}

/// One of the queue. Who gives up leaves it.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn begin(shared: &'a Shared) -> Option<Self> {
        let before = shared.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(shared);
        (before < shared.queue).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task::Context};

    use super::*;

    #[test]
    fn places_are_given_in_order_and_the_queue_is_bounded() {
        let capacity = Capacity::new(1, 1);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert_eq!(capacity.running(), 0);
        let first = pin!(capacity.place()).poll(&mut cx);
        assert_eq!(capacity.running(), 1);
        let mut second = pin!(capacity.place());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(matches!(pin!(capacity.place()).poll(&mut cx), std::task::Poll::Ready(None)));
        drop(first);
        assert!(matches!(second.poll(&mut cx), std::task::Poll::Ready(Some(_))));
        {
            let third = pin!(capacity.place());
            assert!(matches!(third.poll(&mut cx), std::task::Poll::Ready(Some(_))));
        }
        assert_eq!(capacity.0.waiting.load(Ordering::Relaxed), 0);
    }
}
