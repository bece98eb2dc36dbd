//! A closure as a job, and its result as a future.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use super::{Admission, Blocking, Job, Lane, lock};
use crate::{Error, Result};

/// Runs `work` as a job of `lane` on `host`, which is given it at once. Dropping the future before the job began takes it
/// out of the queue; dropping it later drops the result, on the job's thread.
///
/// ```
/// # use std::sync::Arc;
/// # use gateway_spec::{Host, Result, blocking::{self, Admission, Lane}};
/// async fn read_file(host: &Host, lane: &Arc<Lane>) -> Result<Vec<u8>> {
///     let read = || std::fs::read("/etc/motd");
///     Ok(blocking::run(&*host.blocking, lane.clone(), Admission::Begin, read).await??)
/// }
/// ```
pub fn run<F, T>(host: &dyn Blocking, lane: Arc<Lane>, admission: Admission, work: F) -> Running<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let ticket = Arc::new(Ticket { lane, state: Mutex::new(State::Waiting(work, None)) });
    match host.submit(ticket.clone(), admission) {
        Ok(()) => Running(Stage::Submitted(ticket)),
        Err(refused) => Running(Stage::Refused(refused)),
    }
}

/// Runs `work` as a job that nobody waits for, and that no host refuses.
///
/// ```
/// # use std::sync::Arc;
/// # use gateway_spec::{Host, blocking::{self, Lane}};
/// /// Nobody waits until a file is gone.
/// fn remove(host: &Host, lane: &Arc<Lane>, path: std::path::PathBuf) {
///     blocking::detach(&*host.blocking, lane.clone(), move || drop(std::fs::remove_file(path)));
/// }
/// ```
pub fn detach<F>(host: &dyn Blocking, lane: Arc<Lane>, work: F)
where
    F: FnOnce() + Send + 'static,
{
    let ticket = Arc::new(Ticket { lane, state: Mutex::new(State::Waiting(work, None)) });
    // Continue is never refused.
    let _ = host.submit(ticket, Admission::Continue);
}

/// The future of [`run`]: the job's result.
///
/// ```
/// # use std::sync::Arc;
/// # use gateway_spec::{Result, blocking::{self, Admission, Blocking, Lane}};
/// fn sum(host: &dyn Blocking, lane: Arc<Lane>) -> impl Future<Output = Result<u64>> + use<> {
///     blocking::run(host, lane, Admission::Begin, || (0..1_000_000).sum())
/// }
/// ```
///
/// # Errors
/// [`Kind::Overloaded`](crate::Kind::Overloaded) if the host has no room for the job; [`Kind::App`](crate::Kind::App) if the job panicked.
#[must_use = "futures do nothing unless polled"]
pub struct Running<F, T>(Stage<F, T>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static;

enum Stage<F, T> {
    Submitted(Arc<Ticket<F, T>>),
    Refused(Error),
    /// The result was taken.
    Over,
}

struct Ticket<F, T> {
    lane: Arc<Lane>,
    state: Mutex<State<F, T>>,
}

enum State<F, T> {
    Waiting(F, Option<Waker>),
    Running(Option<Waker>),
    Done(T),
    /// The result was taken, or nobody wants it any more, or the job panicked.
    Over,
}

impl<F, T> Job for Ticket<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    fn run(&self) -> Option<Waker> {
        let work = {
            let mut state = lock(&self.state);
            match mem::replace(&mut *state, State::Over) {
                State::Waiting(work, waker) => {
                    *state = State::Running(waker);
                    work
                }
                other => {
                    *state = other;
                    return None;
                }
            }
        };
        // A panic leaves `Over` behind, which the waiting future reports.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok();
        let mut state = lock(&self.state);
        match mem::replace(&mut *state, State::Over) {
            State::Running(waker) => {
                if let Some(result) = result {
                    *state = State::Done(result);
                }
                waker
            }
            // The future is gone. The result is dropped here, on the thread that made it, without the lock.
            _ => {
                drop(state);
                drop(result);
                None
            }
        }
    }
}

impl<F, T> Future for Running<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        match mem::replace(&mut self.0, Stage::Over) {
            Stage::Submitted(ticket) => {
                let result = ticket.poll(cx.waker());
                if result.is_pending() {
                    self.0 = Stage::Submitted(ticket);
                }
                result
            }
            Stage::Refused(error) => Poll::Ready(Err(error)),
            Stage::Over => Poll::Ready(Err(panicked())),
        }
    }
}

impl<F, T> Drop for Running<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn drop(&mut self) {
        if let Stage::Submitted(ticket) = &self.0 {
            let state = mem::replace(&mut *lock(&ticket.state), State::Over);
            drop(state);
        }
    }
}

impl<F, T> Ticket<F, T> {
    fn poll(&self, waker: &Waker) -> Poll<Result<T>> {
        let mut state = lock(&self.state);
        match &mut *state {
            State::Waiting(_, waiting) | State::Running(waiting) => {
                if !waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker)) {
                    *waiting = Some(waker.clone());
                }
                Poll::Pending
            }
            State::Done(_) | State::Over => Poll::Ready(match mem::replace(&mut *state, State::Over) {
                State::Done(result) => Ok(result),
                _ => Err(panicked()),
            }),
        }
    }
}

fn panicked() -> Error {
    Error::new("the job panicked")
}

impl<F, T> fmt::Debug for Running<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}
