//! Blocking jobs without threads: inside the event loop, on a stack of their own.
//!
//! A job runs at once, inside the task that submits it. Because it has its own stack, it can be left where it is when it
//! has to wait for its client: the event loop goes on, and comes back to the job when that can go on. It keeps its place
//! meanwhile. There is only one, so that no other job runs between two steps of this one.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    io,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use corosensei::{Coroutine, CoroutineResult, Yielder, stack::DefaultStack};
use gateway_spec::{
    Kind, Result,
    blocking::{Admission, Blocking, Job, park_until},
};
use scoped_tls::scoped_thread_local;
use tokio::{runtime::Handle, task::yield_now};

use super::{BATCH, Load, Queued, STACK, stay};
use crate::marks;

/// Runs each job at once, inside the task that submits it, if no other is half done.
pub(super) struct Inline {
    /// For tasks that go on with a job.
    this: Weak<Inline>,
    tokio: Handle,
    /// Taken when the first job runs.
    stack: Mutex<Option<DefaultStack>>,
    /// A job is half done: others wait.
    taken: AtomicBool,
    queue: Mutex<Queue>,
}

/// What waits for the half-done job, and has waited.
#[derive(Default)]
struct Queue {
    /// How many may wait.
    limit: usize,
    jobs: VecDeque<Queued>,
    waits: u64,
    wait_nanos: u64,
    refused: u64,
}

/// What this thread is doing.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// It is a thread of somebody else's.
    Elsewhere,
    Loop,
    Job,
}

/// What a job's stack is entered for.
enum Enter {
    Run(Arc<dyn Job>),
    /// The job waits: see whether that is over.
    Poll(Waker),
    /// The event loop has had its turn.
    Turned,
}

/// What a job's stack is left for.
enum Leave {
    /// The job begins to wait.
    Wait,
    /// It still does. Whoever was given the waker wakes.
    Pending,
    Turn,
    /// The job is done. The task that waits for it is to be woken.
    Done(Option<Waker>),
}

type Stack = Coroutine<Enter, Leave, Infallible, DefaultStack>;

thread_local! {
    static AT: Cell<At> = const { Cell::new(At::Elsewhere) };
    /// Never unwound: a job that is half done when the process ends has C and Python on its stack.
    static JOB_STACK: RefCell<Option<ManuallyDrop<Stack>>> = const { RefCell::new(None) };
}

scoped_thread_local!(static LEAVING: Yielder<Enter, Leave>);

impl Inline {
    pub(super) fn new(tokio: Handle, queue: usize) -> io::Result<Arc<Self>> {
        let stack = DefaultStack::new(STACK)?;
        Ok(Arc::new_cyclic(|this| Inline {
            this: this.clone(),
            tokio,
            stack: Mutex::new(Some(stack)),
            taken: AtomicBool::new(false),
            queue: Mutex::new(Queue { limit: queue, ..Queue::default() }),
        }))
    }

    /// Says that the calling thread drives the event loop from now on.
    pub(super) fn lead() {
        AT.set(At::Loop);
    }

    pub(super) fn load(&self) -> Load {
        let queue = lock(&self.queue);
        Load {
            threads: 1,
            busy: u64::from(self.taken.load(Relaxed)),
            queue: queue.jobs.len() as u64,
            waits: queue.waits,
            wait_nanos: queue.wait_nanos,
            refused: queue.refused,
        }
    }

    /// Begins a job, on the event loop's thread. Returns whom to wake if it is done.
    fn begin(&self, job: Arc<dyn Job>) -> Option<Waker> {
        match self.enter(Enter::Run(job)) {
            Leave::Done(waiting) => waiting,
            left => {
                self.taken.store(true, Relaxed);
                if let Some(this) = self.this.upgrade() {
                    self.tokio.spawn(async move { this.go_on(left).await });
                }
                None
            }
        }
    }

    /// Sees the half-done job to its end, and then those that came meanwhile.
    async fn go_on(&self, mut left: Leave) {
        for count in 1.. {
            self.finish(left).await;
            if count % BATCH == 0 {
                yield_now().await;
            }
            let next = lock(&self.queue).next();
            let Some(job) = next else { break };
            left = self.enter(Enter::Run(job));
        }
        self.taken.store(false, Relaxed);
    }

    async fn finish(&self, mut left: Leave) {
        loop {
            left = match left {
                Leave::Done(waiting) => return waiting.into_iter().for_each(Waker::wake),
                Leave::Turn => {
                    yield_now().await;
                    self.enter(Enter::Turned)
                }
                Leave::Wait | Leave::Pending => {
                    poll_fn(|cx| match self.enter(Enter::Poll(cx.waker().clone())) {
                        Leave::Pending => Poll::Pending,
                        left => Poll::Ready(left),
                    })
                    .await
                }
            }
        }
    }

    /// Enters the job's stack until it is left again.
    fn enter(&self, enter: Enter) -> Leave {
        JOB_STACK.with_borrow_mut(|stack| {
            let stack = stack.get_or_insert_with(|| ManuallyDrop::new(new_stack(lock(&self.stack).take())));
            AT.set(At::Job);
            let left = stack.resume(enter);
            AT.set(At::Loop);
            match left {
                CoroutineResult::Yield(left) => left,
                CoroutineResult::Return(never) => match never {},
            }
        })
    }
}

impl Queue {
    fn push(&mut self, job: Arc<dyn Job>, admission: Admission) -> Result<()> {
        let begins = admission == Admission::Begin;
        if begins && self.jobs.len() >= self.limit {
            self.refused += 1;
            return Err(Kind::Overloaded.into());
        }
        self.jobs.push_back(Queued { job, wait: begins.then(marks::waits) });
        Ok(())
    }

    fn next(&mut self) -> Option<Arc<dyn Job>> {
        let Queued { job, wait } = self.jobs.pop_front()?;
        if let Some(wait) = wait {
            self.waits += 1;
            self.wait_nanos += wait.end();
        }
        Some(job)
    }
}

fn new_stack(memory: Option<DefaultStack>) -> Stack {
    let run = |leaving: &Yielder<Enter, Leave>, first| LEAVING.set(leaving, || run_jobs(leaving, first));
    match memory {
        Some(memory) => Coroutine::with_stack(memory, run),
        // Only if a runtime moved to another thread, which it does not: it is consumed by the first that drives it.
        None => Coroutine::new(run),
    }
}

/// What happens on the job's stack: one job after the other.
fn run_jobs(leaving: &Yielder<Enter, Leave>, first: Enter) -> Infallible {
    let mut entered = first;
    loop {
        let mut waiting = None;
        if let Enter::Run(job) = entered {
            // A job catches its own panics. What is left is a result that nobody wants and that panics when it is dropped.
            stay::enter(job.lane(), || {
                waiting = catch_unwind(AssertUnwindSafe(|| job.run())).unwrap_or_default();
            });
        }
        entered = leaving.suspend(Leave::Done(waiting));
    }
}

impl Blocking for Inline {
    fn submit(&self, job: Arc<dyn Job>, admission: Admission) -> Result<()> {
        match AT.get() {
            // Who submitted it looks for the result by itself.
            At::Loop if !self.taken.load(Relaxed) => drop(self.begin(job)),
            // A part of the job that runs; or one that touches nothing that the half-done job has a part in.
            At::Job => job.lane().enter(|| drop(job.run())),
            At::Loop if job.lane().is_plain() => drop(job.run()),
            At::Loop => return lock(&self.queue).push(job, admission),
            At::Elsewhere => {
                let Some(this) = self.this.upgrade() else { return Ok(()) };
                self.tokio.spawn(async move {
                    match this.taken.load(Relaxed) {
                        // There is always room for a job from elsewhere, which nobody could tell that there is none.
                        true => drop(lock(&this.queue).push(job, Admission::Continue)),
                        false => this.begin(job).into_iter().for_each(Waker::wake),
                    }
                });
            }
        }
        Ok(())
    }

    fn wake(&self, waker: Waker) {
        waker.wake();
    }

    fn is_concurrent(&self) -> bool {
        false
    }

    fn wait(&self, ready: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) {
        if AT.get() != At::Job {
            // A thread that the application has started.
            return park_until(ready);
        }
        LEAVING.with(|leaving| {
            let mut entered = leaving.suspend(Leave::Wait);
            loop {
                if let Enter::Poll(waker) = &entered
                    && ready(&mut Context::from_waker(waker)).is_ready()
                {
                    return;
                }
                entered = leaving.suspend(Leave::Pending);
            }
        });
    }

    fn turn(&self) {
        if AT.get() == At::Job {
            LEAVING.with(|leaving| leaving.suspend(Leave::Turn));
        }
    }
}

/// Nothing that can panic is done under the locks of this module.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
