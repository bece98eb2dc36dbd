//! What is learnt of a request below its future, and told to its connection: where it was mounted, and that it waits
//! for a thread. It is left on the thread while the future is polled, so that the contract needs no parameter for it.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::clock::coarse_now;

thread_local! {
    static MARKS: Cell<Marks> = const { Cell::new(Marks { mount: 0, waits: false }) };
    static WAIT: RefCell<Option<Arc<Wait>>> = const { RefCell::new(None) };
}

/// What one poll has left.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    /// The mount's place among the mounts, counted from 1; 0 if no mount was looked for.
    pub(crate) mount: u16,
    waits: bool,
}

impl Marks {
    /// The wait that began, if one did.
    pub(crate) fn wait(self) -> Option<Arc<Wait>> {
        if self.waits { WAIT.take() } else { None }
    }
}

/// What was left on this thread since the last time.
pub(crate) fn take() -> Marks {
    MARKS.take()
}

pub(crate) fn mounted(place: usize) {
    MARKS.set(Marks { mount: u16::try_from(place + 1).unwrap_or(u16::MAX), ..MARKS.get() });
}

/// The request has to wait for a thread, from now on.
pub(crate) fn waits() -> Arc<Wait> {
    let wait = Arc::new(Wait { since: coarse_now(), nanos: AtomicU64::new(WAITING) });
    MARKS.set(Marks { waits: true, ..MARKS.get() });
    WAIT.set(Some(wait.clone()));
    wait
}

const WAITING: u64 = u64::MAX;

/// A request's time in the queue before the threads.
#[derive(Debug)]
pub(crate) struct Wait {
    since: u64,
    nanos: AtomicU64,
}

impl Wait {
    /// A thread has the request now. Returns how long that took, in nanoseconds.
    pub(crate) fn end(&self) -> u64 {
        let nanos = coarse_now().saturating_sub(self.since);
        self.nanos.store(nanos, Relaxed);
        nanos
    }

    pub(crate) fn is_over(&self) -> bool {
        self.nanos.load(Relaxed) != WAITING
    }

    /// How long it took in nanoseconds, or has up to now.
    pub(crate) fn nanos(&self) -> u64 {
        match self.nanos.load(Relaxed) {
            WAITING => coarse_now().saturating_sub(self.since),
            nanos => nanos,
        }
    }
}
