//! A pool of threads, for hosts without a runtime of their own for blocking work.

use std::{
    collections::VecDeque,
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::Waker,
    thread,
};

use super::{Admission, Blocking, Job, lock};
use crate::{Error, Kind, Result};

/// As much as a main thread has: what recurses there may recurse here.
const STACK: usize = 8 << 20;

/// A plain pool of threads, which start when they are needed.
///
/// ```
/// use std::sync::Arc;
///
/// use gateway_spec::{Host, blocking::Threads};
///
/// let host = Host { blocking: Arc::new(Threads::new(8, 100)), ..Host::default() };
/// ```
pub struct Threads {
    shared: Arc<Shared>,
}

struct Shared {
    limit: usize,
    backlog: usize,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Arc<dyn Job>>,
    threads: usize,
    /// How many of them have a job; the others take one as soon as they are awake.
    busy: usize,
    closed: bool,
}

impl Threads {
    /// A pool of at most `limit` threads (at least one), before which at most `backlog` jobs wait while all are busy.
    ///
    /// ```
    /// # use gateway_spec::blocking::Threads;
    /// let pool = Threads::new(32, 1024);
    /// ```
    pub fn new(limit: usize, backlog: usize) -> Self {
        let shared =
            Shared { limit: limit.max(1), backlog, queue: Mutex::new(Queue::default()), arrived: Condvar::new() };
        Threads { shared: Arc::new(shared) }
    }
}

impl Blocking for Threads {
    fn submit(&self, job: Arc<dyn Job>, admission: Admission) -> Result<()> {
        let mut queue = lock(&self.shared.queue);
        let room = self.shared.backlog.saturating_add(self.shared.limit - queue.busy);
        if admission == Admission::Begin && queue.jobs.len() >= room {
            return Err(Kind::Overloaded.into());
        }
        queue.jobs.push_back(job);
        if queue.threads - queue.busy >= queue.jobs.len() || queue.threads == self.shared.limit {
            self.shared.arrived.notify_one();
            return Ok(());
        }
        let shared = self.shared.clone();
        match thread::Builder::new().name("gateway-blocking".into()).stack_size(STACK).spawn(move || shared.work()) {
            Ok(_) => queue.threads += 1,
            // With a thread there already the job only waits longer.
            Err(_) if queue.threads > 0 => self.shared.arrived.notify_one(),
            Err(error) => {
                queue.jobs.pop_back();
                return Err(Error::with_kind(Kind::Overloaded, error));
            }
        }
        Ok(())
    }

    fn wake(&self, waker: Waker) {
        waker.wake();
    }

    fn is_concurrent(&self) -> bool {
        true
    }
}

impl Shared {
    fn work(&self) {
        while let Some(job) = self.next() {
            // A job catches its own panics. What is left is a result that nobody wants and that panics when it is
            // dropped: no reason to lose a thread.
            let waiting = panic::catch_unwind(AssertUnwindSafe(|| {
                let mut waiting = None;
                job.lane().enter(|| waiting = job.run());
                waiting
            }));
            // Whoever is woken finds this thread free.
            lock(&self.queue).busy -= 1;
            if let Ok(Some(waker)) = waiting {
                waker.wake();
            }
        }
    }

    /// Waits for a job. None when the pool is gone and everything is done.
    fn next(&self) -> Option<Arc<dyn Job>> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                queue.busy += 1;
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.arrived.notify_all();
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("limit", &self.shared.limit).finish_non_exhaustive()
    }
}
