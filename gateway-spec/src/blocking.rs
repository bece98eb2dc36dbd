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

mod threads;

use std::{
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread, ThreadId},
};

pub use threads::Threads;

use crate::{Error, Result};

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

/// Jobs of one kind, which behave alike: those of one application.
///
/// ```
/// # use gateway_spec::blocking::Lane;
/// /// Jobs that need a lock take it once for as many as there are.
/// static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
///
/// let lane = Lane::new(|batch| {
///     let _guard = LOCK.lock();
///     batch();
/// });
/// ```
pub struct Lane {
    around: Option<Around>,
    stay: Option<Stay>,
    memory: AtomicU32,
}

type Around = Box<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

struct Stay {
    around: Around,
    leave: Box<dyn Fn() + Send + Sync>,
}

impl Lane {
    /// A lane whose jobs the host runs in batches, each batch inside one call of `around`: the place to enter an
    /// interpreter once for many jobs.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// let plain = Lane::new(|batch| batch());
    /// ```
    pub fn new(around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Lane { around: Some(Box::new(around)), stay: None, memory: AtomicU32::new(0) })
    }

    /// The same for what a host may [stay in](Self::enter_to_stay): `stay` enters it, unless the thread is inside already,
    /// runs a batch, and does not leave. `leave` leaves it, if the thread is inside.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// use std::cell::RefCell;
    /// use std::sync::{Mutex, MutexGuard};
    ///
    /// static LOCK: Mutex<()> = Mutex::new(());
    /// thread_local! {
    ///     static INSIDE: RefCell<Option<MutexGuard<'static, ()>>> = const { RefCell::new(None) };
    /// }
    ///
    /// let lock = || LOCK.lock().unwrap();
    /// let lane = Lane::with_stay(
    ///     move |batch| {
    ///         let _guard = lock();
    ///         batch();
    ///     },
    ///     move |batch| {
    ///         INSIDE.with_borrow_mut(|inside| drop(inside.get_or_insert_with(lock)));
    ///         batch();
    ///     },
    ///     || INSIDE.set(None),
    /// );
    /// # lane.enter_to_stay(|| ()); lane.enter_to_stay(|| ()); lane.leave(); lane.enter(|| ());
    /// ```
    pub fn with_stay(
        around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
        stay: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
        leave: impl Fn() + Send + Sync + 'static,
    ) -> Arc<Self> {
        let stay = Stay { around: Box::new(stay), leave: Box::new(leave) };
        Arc::new(Lane { around: Some(Box::new(around)), stay: Some(stay), memory: AtomicU32::new(0) })
    }

    /// A lane whose jobs need nothing around them. They never [wait](Blocking::wait), so that a host can run them wherever
    /// it is.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// assert!(Lane::plain().is_plain());
    /// ```
    pub fn plain() -> Arc<Self> {
        Arc::new(Lane { around: None, stay: None, memory: AtomicU32::new(0) })
    }

    /// Whether this is a [plain](Self::plain) lane.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// assert!(!Lane::new(|batch| batch()).is_plain());
    /// ```
    pub fn is_plain(&self) -> bool {
        self.around.is_none()
    }

    /// Runs a batch.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// let mut jobs = 0;
    /// Lane::new(|batch| batch()).enter(|| jobs += 1);
    /// assert_eq!(jobs, 1);
    /// ```
    pub fn enter(&self, mut batch: impl FnMut()) {
        match &self.around {
            Some(around) => around(&mut batch),
            None => batch(),
        }
    }

    /// Runs a batch and stays inside, until [`leave`](Self::leave): for a host that runs small jobs on one thread with
    /// little else between them, since to enter may cost as much as such a job.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// /// One batch after the other; others are kept out until the last is done.
    /// fn run_all(lane: &Lane, batches: Vec<Box<dyn FnMut()>>) {
    ///     batches.into_iter().for_each(|batch| lane.enter_to_stay(batch));
    ///     lane.leave();
    /// }
    /// ```
    pub fn enter_to_stay(&self, mut batch: impl FnMut()) {
        match &self.stay {
            Some(stay) => (stay.around)(&mut batch),
            None => self.enter(batch),
        }
    }

    /// Leaves what the calling thread has stayed in. Does nothing if it is not inside.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// Lane::new(|batch| batch()).leave();
    /// ```
    pub fn leave(&self) {
        if let Some(stay) = &self.stay {
            (stay.leave)();
        }
    }

    /// A word in which the host remembers how the jobs of this lane behave. Zero at first.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// use std::sync::atomic::Ordering;
    ///
    /// /// A host that counts what a lane's jobs were like.
    /// fn was_slow(lane: &Lane) -> u32 {
    ///     lane.memory().fetch_add(1, Ordering::Relaxed)
    /// }
    /// ```
    pub fn memory(&self) -> &AtomicU32 {
        &self.memory
    }
}

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

/// Nothing that can panic is done under the locks of this module.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("memory", &self.memory).finish_non_exhaustive()
    }
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
