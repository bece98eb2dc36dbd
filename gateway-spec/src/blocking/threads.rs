//! A pool of threads, for hosts without a runtime of their own for blocking work.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::Waker,
    thread,
};

use super::{Admission, Blocking, Job, lock};
use crate::{Error, Kind, Result};

/// A plain pool of threads, which start when they are needed.
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
    idle: usize,
    closed: bool,
}

impl Threads {
    /// A pool of at most `limit` threads (at least one), before which at most `backlog` jobs wait.
    pub fn new(limit: usize, backlog: usize) -> Self {
        let shared =
            Shared { limit: limit.max(1), backlog, queue: Mutex::new(Queue::default()), arrived: Condvar::new() };
        Threads { shared: Arc::new(shared) }
    }
}

impl Blocking for Threads {
    fn submit(&self, job: Arc<dyn Job>, admission: Admission) -> Result<()> {
        let mut queue = lock(&self.shared.queue);
        if admission == Admission::Begin && queue.jobs.len() >= self.shared.backlog {
            return Err(Kind::Overloaded.into());
        }
        queue.jobs.push_back(job);
        if queue.idle >= queue.jobs.len() || queue.threads == self.shared.limit {
            self.shared.arrived.notify_one();
            return Ok(());
        }
        let shared = self.shared.clone();
        match thread::Builder::new().name("gateway-blocking".into()).spawn(move || shared.work()) {
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

    fn may_wait(&self) -> bool {
        true
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let job = {
                let mut queue = lock(&self.queue);
                queue.idle += 1;
                while queue.jobs.is_empty() && !queue.closed {
                    queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
                queue.idle -= 1;
                match queue.jobs.pop_front() {
                    Some(job) => job,
                    None => return,
                }
            };
            let mut waiting = None;
            job.lane().enter(|| waiting = job.run());
            if let Some(waker) = waiting {
                waker.wake();
            }
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
