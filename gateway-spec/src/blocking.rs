//! The seam for work that blocks: a capability of the host that travels with each request.
//!
//! An adapter for a world that blocks (Python, a synchronous closure) must not block the host's event loop, and knows
//! nothing of that loop. So it wraps its work in a [`Lane`]'s [`run`] and leaves it to the host's [`Blocking`] where the
//! work is done: in place, on the thread that drives the loop while another takes the loop over, or on a thread of a
//! pool. A host that offers nothing gets [`Threads`], a plain pool.
//!
//! ```
//! use std::sync::Arc;
//!
//! use gateway_spec::{*, blocking::{self, Admission, Lane}};
//!
//! /// Asks a database that makes its caller wait.
//! struct Report {
//!     lane: Arc<Lane>,
//! }
//!
//! impl App for Report {
//!     async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
//!         let host = environ.connection().host().clone();
//!         let query = || std::thread::sleep(std::time::Duration::from_millis(100));
//!         blocking::run(&*host.blocking, self.lane.clone(), Admission::Begin, query).await?;
//!         Ok(start_response.start(200, ())?.body("done\n"))
//!     }
//! }
//!
//! let report = Report { lane: Lane::new(|batch| batch()) };
//! # fn is_app(_: impl App) {}
//! # is_app(report);
//! ```

mod lane;
mod running;
mod threads;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread, ThreadId},
};

pub use lane::Lane;
pub use running::{Running, detach, run};
pub use threads::Threads;

use crate::Result;

/// A host's ability to run blocking jobs.
///
/// ```
/// use std::{sync::Arc, task::Waker, thread};
///
/// use gateway_spec::{Result, blocking::{Admission, Blocking, Job}};
///
/// /// A thread for each job.
/// struct Spawning;
///
/// impl Blocking for Spawning {
///     fn submit(&self, job: Arc<dyn Job>, _: Admission) -> Result<()> {
///         thread::Builder::new().spawn(move || {
///             let mut waiting = None;
///             job.lane().enter(|| waiting = job.run());
///             if let Some(waker) = waiting {
///                 waker.wake();
///             }
///         })?;
///         Ok(())
///     }
///
///     fn wake(&self, waker: Waker) {
///         waker.wake();
///     }
///
///     fn is_concurrent(&self) -> bool {
///         true
///     }
/// }
/// ```
pub trait Blocking: Send + Sync + 'static {
    /// Takes a job, in order of arrival. It may run the job before it returns.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use gateway_spec::{Result, blocking::{Admission, Blocking, Job}};
    /// fn is_full(host: &dyn Blocking, job: Arc<dyn Job>) -> bool {
    ///     host.submit(job, Admission::Begin).is_err()
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Kind::Overloaded`](crate::Kind::Overloaded) if the queue is full. A job of [`Admission::Continue`] is never refused.
    fn submit(&self, job: Arc<dyn Job>, admission: Admission) -> Result<()>;

    /// Wakes a task of the host's. Jobs use it, since a host may have a cheaper way for them than `Waker::wake`.
    ///
    /// ```
    /// # use std::task::Waker;
    /// # use gateway_spec::blocking::Blocking;
    /// /// What a job does when another task can go on.
    /// fn announce(host: &dyn Blocking, waiting: Waker) {
    ///     host.wake(waiting);
    /// }
    /// ```
    fn wake(&self, waker: Waker);

    /// Whether jobs run beside each other, and the host's event loop beside them. If not, everything stands still while
    /// a job runs, but for as long as it [waits](Self::wait).
    ///
    /// ```
    /// # use gateway_spec::Environ;
    /// /// What `wsgi.multithread` says.
    /// fn is_multithreaded(environ: &Environ) -> bool {
    ///     environ.connection().host().blocking.is_concurrent()
    /// }
    /// ```
    fn is_concurrent(&self) -> bool;

    /// Gives up the place of the job that `thread` runs, which does nothing but wait for its client, or has been given up
    /// itself: another job may run meanwhile, so that neither takes capacity from others. Says whether it was given up,
    /// which a job's place is once at most; if so, [`return_to_place`](Self::return_to_place) must follow before the job
    /// ends.
    ///
    /// ```
    /// # use gateway_spec::blocking::Blocking;
    /// fn wait_for_client(host: &dyn Blocking, wait: impl FnOnce()) {
    ///     let left = host.leave_place(std::thread::current().id());
    ///     wait();
    ///     if left {
    ///         host.return_to_place();
    ///     }
    /// }
    /// ```
    fn leave_place(&self, thread: ThreadId) -> bool {
        let _ = thread;
        false
    }

    /// Takes a place again, on the job's own thread; waits until there is one.
    ///
    /// ```
    /// # use gateway_spec::blocking::Blocking;
    /// fn come_back(host: &dyn Blocking, left: bool) {
    ///     if left {
    ///         host.return_to_place();
    ///     }
    /// }
    /// ```
    fn return_to_place(&self) {}

    /// Waits, in a job that has nothing to do until the host's event loop has brought something: a body's next block, for
    /// one. Polls `ready` until it is, here on the job's own thread.
    ///
    /// ```
    /// # use std::io::{self, Read};
    /// # use gateway_spec::{Reader, blocking::Blocking};
    /// /// Reading from a slow client takes no place from other jobs.
    /// fn read(host: &dyn Blocking, input: &mut Reader, buffer: &mut [u8]) -> io::Result<usize> {
    ///     host.wait(&mut |cx| input.poll_filled(cx));
    ///     input.read(buffer)
    /// }
    /// ```
    fn wait(&self, ready: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) {
        let left = self.leave_place(thread::current().id());
        park_until(ready);
        if left {
            self.return_to_place();
        }
    }

    /// Lets the event loop have a turn, where it would stand still until the job ends: what the job has given out is sent
    /// meanwhile, and what has happened to its client is noticed.
    ///
    /// ```
    /// # use gateway_spec::{Closed, blocking::Blocking};
    /// /// In a job that takes long: whether there is still somebody to work for.
    /// fn goes_on(host: &dyn Blocking, client: &Closed) -> bool {
    ///     host.turn();
    ///     !client.is_set()
    /// }
    /// ```
    fn turn(&self) {}
}

/// Whether a job begins something, and may be refused, or goes on with what was admitted before.
///
/// ```
/// # use gateway_spec::blocking::Admission;
/// /// A host may refuse the first job of a request, and no later one.
/// fn may_refuse(admission: Admission) -> bool {
///     admission == Admission::Begin
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The first job of a request.
    Begin,
    /// A later job of a request that holds resources already.
    Continue,
}

/// A piece of blocking work.
///
/// ```
/// # use gateway_spec::blocking::Job;
/// /// What a host does with a job, on a thread that may block.
/// fn work(job: &dyn Job) {
///     let mut waiting = None;
///     job.lane().enter(|| waiting = job.run());
///     if let Some(waker) = waiting {
///         waker.wake();
///     }
/// }
/// ```
pub trait Job: Send + Sync {
    /// The lane it belongs to.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use gateway_spec::blocking::Job;
    /// /// Whether two jobs may share a batch.
    /// fn are_alike(one: &dyn Job, other: &dyn Job) -> bool {
    ///     Arc::ptr_eq(one.lane(), other.lane())
    /// }
    /// ```
    fn lane(&self) -> &Arc<Lane>;

    /// Does the work, once: a second call does nothing. Returns who waits for it; the host wakes that task, unless it is
    /// still inside [`Blocking::submit`], whose caller looks by itself.
    ///
    /// ```
    /// # use std::{sync::Arc, task::Waker};
    /// # use gateway_spec::blocking::Job;
    /// fn run_all(batch: &[Arc<dyn Job>]) -> Vec<Waker> {
    ///     batch.iter().filter_map(|job| job.run()).collect()
    /// }
    /// ```
    fn run(&self) -> Option<Waker>;
}

/// Polls until there is a result; the thread sleeps meanwhile.
///
/// ```
/// # use std::task::Poll;
/// let mut polls = 0;
/// let result = gateway_spec::blocking::park_until(|cx| {
///     polls += 1;
///     cx.waker().wake_by_ref();
///     if polls == 3 { Poll::Ready("there") } else { Poll::Pending }
/// });
/// assert_eq!(result, "there");
/// ```
pub fn park_until<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = poll(&mut cx) {
            return value;
        }
        thread::park();
    }
}

/// Nothing that can panic is done under the locks of this module.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
