//! What requests to the probe tell each other.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

/// Lines by key, and who waits for more of them.
#[derive(Default)]
pub(super) struct Events(Mutex<State>);

#[derive(Default)]
struct State {
    lines: HashMap<String, Vec<String>>,
    waiting: Vec<Waker>,
}

/// The line that releases a call that waits.
const RELEASE: &str = "released";

/// Adds a line when it is dropped.
pub(super) struct Tells {
    pub(super) events: Arc<Events>,
    pub(super) key: String,
    pub(super) line: &'static str,
}

impl Events {
    pub(super) fn add(&self, key: &str, line: impl Into<String>) {
        if !key.is_empty() {
            let mut state = self.lock();
            state.lines.entry(key.to_owned()).or_default().push(line.into());
            state.waiting.drain(..).for_each(Waker::wake);
        }
    }

    pub(super) fn read(&self, key: &str) -> Vec<String> {
        let state = self.lock();
        state.lines.get(key).into_iter().flatten().filter(|line| *line != RELEASE).cloned().collect()
    }

    pub(super) fn release(&self, key: &str) {
        self.add(key, RELEASE);
    }

    pub(super) fn forget(&self, key: &str) {
        self.lock().lines.retain(|other, _| key.is_empty() || !other.starts_with(key));
    }

    /// Waits for a release; false if `patience` ends before.
    pub(super) async fn released(&self, key: &str, patience: Duration) -> bool {
        self.wait(key, patience, |lines| lines.iter().any(|line| line == RELEASE)).await
    }

    /// Waits until `enough` lines are there; false if `patience` ends before.
    pub(super) async fn wait(&self, key: &str, patience: Duration, enough: impl Fn(&[String]) -> bool) -> bool {
        let end = Instant::now() + patience;
        let mut timer = None;
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.lines.get(key).is_some_and(|lines| enough(lines)) {
                return Poll::Ready(true);
            }
            if Instant::now() >= end {
                return Poll::Ready(false);
            }
            state.waiting.push(cx.waker().clone());
            let waker = cx.waker().clone();
            // The contract knows no runtime, and so no timers.
            timer.get_or_insert_with(|| {
                thread::spawn(move || {
                    thread::sleep(patience);
                    waker.wake();
                })
            });
            Poll::Pending
        })
        .await
    }

    /// Nothing is done under the lock that could stop half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tells {
    fn drop(&mut self) {
        self.events.add(&self.key, self.line);
    }
}
