//! A runtime for servers whose applications block: one event loop, and threads that keep it going.
//!
//! The event loop is tokio's current-thread one. The thread that drives it, the *leader*, leaves it when there are
//! blocking jobs, runs them where it is, and goes back: no hand-over, no context switch. If a job takes long, a
//! watchdog notices within two milliseconds and has a parked thread, a *follower*, take the loop over; that is the
//! *rescue*. The old leader becomes a follower when its job is done. Jobs of a lane that needed a rescue go to
//! followers straight away until 64 of them in a row were quick. So an application that waits for a database stalls
//! nobody, and one that does not pays for no thread.

mod followers;
mod inline;
mod leader;
mod meter;
mod rescued;
mod stay;
mod watchdog;

use std::{fmt, io, sync::Arc};

use gateway_spec::blocking::{Blocking, Job};
use tokio::sync::oneshot;

use crate::marks::Wait;
use inline::Inline;
use meter::Load;
pub(crate) use meter::Meter;
use rescued::Rescued;

/// The stack of a thread that runs jobs: as much as a main thread has, since what recurses there may recurse here.
const STACK: usize = 8 << 20;
/// How many jobs run before the event loop is looked after again.
const BATCH: usize = 32;
/// How many jobs may wait for a thread, if nothing else is said.
const QUEUE: usize = 1024;

/// An event loop, and threads for blocking jobs.
pub struct Runtime {
    kind: Runs,
}

enum Runs {
    /// Jobs run inside the event loop, which stands still meanwhile.
    Inline(tokio::runtime::Runtime, Arc<Inline>),
    Rescued(Arc<Rescued>),
}

/// A job that has not begun.
struct Queued {
    job: Arc<dyn Job>,
    /// Set if there are more jobs than threads: only then waiting is worth the look at the clock.
    wait: Option<Arc<Wait>>,
}

impl Runtime {
    /// A runtime in which at most `threads` blocking jobs run at once. With one, jobs run inside the event loop: the
    /// fastest way there is for jobs that never take long, and a standstill for everybody if one does.
    ///
    /// # Errors
    /// What starting the runtime or its first threads reports.
    pub fn new(threads: usize) -> io::Result<Self> {
        Runtime::with_queue(threads, QUEUE)
    }

    /// The same, in which at most `queue` jobs wait for a thread, in order of arrival; a further one is refused.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_queue(threads: usize, queue: usize) -> io::Result<Self> {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        if threads <= 1 {
            let inline = Inline::new(tokio.handle().clone(), queue)?;
            return Ok(Runtime { kind: Runs::Inline(tokio, inline) });
        }
        Ok(Runtime { kind: Runs::Rescued(Rescued::start(tokio, threads, queue)?) })
    }

    /// Where blocking jobs go: for a [`Server`](crate::Server) on this runtime.
    pub fn blocking(&self) -> Arc<dyn Blocking> {
        match &self.kind {
            Runs::Inline(_, inline) => inline.clone(),
            Runs::Rescued(rescued) => rescued.clone(),
        }
    }

    /// Tells from outside what the threads are about.
    pub(crate) fn meter(&self) -> Meter {
        match &self.kind {
            Runs::Inline(_, inline) => Meter::inline(inline),
            Runs::Rescued(rescued) => Meter::rescued(rescued),
        }
    }

    /// Runs `main` to its end, and with it everything that it spawns.
    pub fn block_on<F>(self, main: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self.kind {
            Runs::Inline(tokio, _) => {
                Inline::lead();
                let output = tokio.block_on(main);
                stay::leave();
                output
            }
            Runs::Rescued(rescued) => {
                // This thread runs no jobs, so that no job can keep it from returning.
                let (sender, receiver) = oneshot::channel();
                let jobs = rescued.clone();
                rescued.tokio.spawn(async move {
                    let output = main.await;
                    jobs.settle().await;
                    drop(sender.send(output));
                });
                let output = receiver.blocking_recv();
                rescued.stop();
                #[expect(clippy::expect_used, reason = "a panic in `main` goes on here, as it would on this thread")]
                output.expect("the main future panicked")
            }
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Runs::Inline(..) => f.write_str("Runtime::Inline"),
            Runs::Rescued(rescued) => write!(f, "Runtime::Rescued({} threads)", rescued.limit),
        }
    }
}
