//! What is known of each connection, and the one clock that holds all of them to their times.
//!
//! The hot path only stores numbers: a task sweeps over the connections a few times a second and does what a timer
//! for each connection, set and reset with every request, would cost far more for.

mod registry;
mod request;
mod times;
mod unread;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use hyper::body::Incoming;

use crate::{access_log::Entry, scoreboard::Counters, sendfile::Pieces};

use registry::Clock;
use request::WatchedRequest;
use unread::Unread;

pub(crate) use registry::{Registration, Registry};
pub(crate) use request::Label;
pub(crate) use times::LINGER_BYTES;

/// Where a connection is between two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// No byte of a request has arrived.
    Idle,
    /// A part of a request's head has arrived.
    Head,
    /// A request is being answered.
    Busy,
    /// The response is sent, and the rest of what the client sends is thrown away.
    Linger,
}

/// How much of the current request's body has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum BodyState {
    /// All of it, or there is none.
    Received,
    /// It comes when the client is told to continue, which it is when the application reads.
    Unasked,
    /// More is to come.
    Open,
    /// More was to come when the application lost interest.
    Abandoned,
}

/// What a connection is told from outside its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Command {
    Serve,
    /// Finish the running request, then close.
    Drain,
    /// Close now.
    Abort,
}

/// The state of one connection. Times are the clock's milliseconds; 0 is never.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Arc<Clock>,
    counters: Arc<Counters>,
    pub(crate) request: WatchedRequest,
    /// What the kernel sends for the body.
    pub(crate) pieces: Pieces,
    /// Its index among the open connections; changed under their lock.
    place: AtomicUsize,
    phase: AtomicU8,
    phase_since: AtomicU64,
    body: AtomicU8,
    /// How many requests have begun.
    requests: AtomicU64,
    unread: Unread,
    /// The application waits for the body since then.
    body_wait: AtomicU64,
    /// How long it has waited before that.
    body_waited: AtomicU64,
    body_bytes: AtomicU64,
    body_late: AtomicBool,
    /// The client does not take what is written since then.
    write_wait: AtomicU64,
    last_write: AtomicU64,
    fin: AtomicU64,
    command: AtomicU8,
    /// A response without a length is sent in chunks; else only the connection's end shows its end (HTTP/1.0).
    chunks: AtomicBool,
    /// A response broke off whose end only the connection's end could have shown.
    reset: AtomicBool,
    /// The connection ends with this response, as its client has asked.
    last: AtomicBool,
    task: Mutex<Option<Waker>>,
    body_reader: Mutex<Option<Waker>>,
    /// The log's entry of a request whose response has all been handed to hyper, and may not be written yet.
    unflushed: Mutex<Option<Box<Entry>>>,
    is_unflushed: AtomicBool,
}

impl Watch {
    fn new(clock: Arc<Clock>, counters: Arc<Counters>) -> Self {
        let now = clock.now();
        Watch {
            clock,
            counters,
            request: WatchedRequest::default(),
            pieces: Pieces::default(),
            place: AtomicUsize::new(0),
            phase: AtomicU8::new(Phase::Idle as u8),
            phase_since: AtomicU64::new(now),
            body: AtomicU8::new(BodyState::Received as u8),
            requests: AtomicU64::new(0),
            unread: Unread::default(),
            body_wait: AtomicU64::new(0),
            body_waited: AtomicU64::new(0),
            body_bytes: AtomicU64::new(0),
            body_late: AtomicBool::new(false),
            write_wait: AtomicU64::new(0),
            last_write: AtomicU64::new(0),
            fin: AtomicU64::new(0),
            command: AtomicU8::new(Command::Serve as u8),
            chunks: AtomicBool::new(true),
            reset: AtomicBool::new(false),
            last: AtomicBool::new(false),
            task: Mutex::new(None),
            body_reader: Mutex::new(None),
            unflushed: Mutex::new(None),
            is_unflushed: AtomicBool::new(false),
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Keeps the entry until all is written; if that does not happen, the response was aborted.
    pub(crate) fn finish(&self, entry: Box<Entry>) {
        if let Some(before) = lock(&self.unflushed).replace(entry) {
            before.complete();
        }
        self.is_unflushed.store(true, Relaxed);
    }

    /// All that hyper had is written.
    pub(crate) fn flushed(&self) {
        if self.is_unflushed.load(Relaxed) {
            self.is_unflushed.store(false, Relaxed);
            if let Some(entry) = lock(&self.unflushed).take() {
                entry.complete();
            }
        }
    }

    pub(crate) fn is(&self, phase: Phase) -> bool {
        self.phase.load(Relaxed) == phase as u8
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.phase_since.store(self.clock.now(), Relaxed);
    }

    /// A request's head is complete; its body has this state. Returns which of the connection's requests it is.
    pub(crate) fn begin(&self, body: BodyState) -> u64 {
        self.enter(Phase::Busy);
        self.body.store(body as u8, Relaxed);
        let number = self.requests.load(Relaxed) + 1;
        self.requests.store(number, Relaxed);
        if body != BodyState::Received {
            self.body_wait.store(0, Relaxed);
            self.body_waited.store(0, Relaxed);
            self.body_bytes.store(0, Relaxed);
            self.body_late.store(false, Relaxed);
        }
        number
    }

    pub(crate) fn body_is(&self, state: BodyState) -> bool {
        self.body.load(Relaxed) == state as u8
    }

    pub(crate) fn set_body(&self, state: BodyState) {
        self.body.store(state as u8, Relaxed);
        self.body_wait.store(0, Relaxed);
    }

    /// The application reads.
    pub(crate) fn ask_for_body(&self) {
        if self.body_is(BodyState::Unasked) {
            self.set_body(BodyState::Open);
        }
    }

    /// The application has no use for the rest of its body. Where the connection may go on, that is read and thrown away.
    pub(crate) fn abandon(&self, number: u64, rest: Option<Incoming>) {
        if number != self.requests.load(Relaxed) || self.body_is(BodyState::Unasked) {
            return;
        }
        self.set_body(BodyState::Abandoned);
        let is_last = self.last.load(Relaxed) || self.is_draining() || !self.chunks.load(Relaxed);
        if let Some(rest) = rest.filter(|_| !is_last) {
            self.unread.put(rest);
            wake(&self.task);
        }
    }

    /// Reads on in what the application has left.
    pub(crate) fn discard_unread(&self, cx: &mut Context<'_>) {
        if self.body_is(BodyState::Abandoned) && self.unread.discard(cx) {
            self.set_body(BodyState::Received);
        }
    }

    /// A block of the body has arrived.
    pub(crate) fn body_progress(&self, bytes: usize) {
        // Only the body's reader writes these.
        self.body_bytes.store(self.body_bytes.load(Relaxed) + bytes as u64, Relaxed);
        let since = self.body_wait.load(Relaxed);
        if since != 0 {
            self.body_wait.store(0, Relaxed);
            let waited = self.clock.now().saturating_sub(since);
            self.body_waited.store(self.body_waited.load(Relaxed) + waited, Relaxed);
        }
    }

    /// The application waits for the body; true if it has waited too long.
    pub(crate) fn body_pending(&self, reader: &Waker) -> bool {
        if self.body_wait.load(Relaxed) == 0 {
            self.body_wait.store(self.clock.now(), Relaxed);
        }
        store(&self.body_reader, reader);
        self.body_late.load(Relaxed)
    }

    pub(crate) fn write_progress(&self) {
        if self.is_write_blocked() {
            self.write_wait.store(0, Relaxed);
            // Who takes the rest of a response does not idle meanwhile.
            if self.is(Phase::Idle) {
                self.enter(Phase::Idle);
            }
        }
        if self.fin.load(Relaxed) != 0 {
            self.last_write.store(self.clock.now(), Relaxed);
        }
    }

    pub(crate) fn write_pending(&self) {
        if self.write_wait.load(Relaxed) == 0 {
            self.write_wait.store(self.clock.now(), Relaxed);
        }
    }

    /// Whether there is something to be written that the client does not take.
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.write_wait.load(Relaxed) != 0
    }

    /// The client has sent FIN and waits for its answer.
    pub(crate) fn half_closed(&self) {
        if self.fin.load(Relaxed) == 0 {
            self.fin.store(self.clock.now(), Relaxed);
        }
    }

    pub(crate) fn is_half_closed(&self) -> bool {
        self.fin.load(Relaxed) != 0
    }

    pub(crate) fn set_last(&self, is_last: bool) {
        self.last.store(is_last, Relaxed);
    }

    /// Whether hyper, having written what it has, closes the connection without waiting for anything.
    pub(crate) fn closes_next(&self) -> bool {
        self.last.load(Relaxed) && self.is(Phase::Idle) && self.body_is(BodyState::Received)
    }

    pub(crate) fn set_chunks(&self, chunks: bool) {
        self.chunks.store(chunks, Relaxed);
    }

    /// A response without a length broke off. In chunks that shows: the last is missing. A reset would throw away what the
    /// kernel has not sent yet.
    pub(crate) fn break_off(&self) {
        self.reset.store(!self.chunks.load(Relaxed), Relaxed);
    }

    pub(crate) fn is_broken_off(&self) -> bool {
        self.reset.load(Relaxed)
    }

    pub(crate) fn set_task(&self, waker: &Waker) {
        store(&self.task, waker);
    }

    pub(crate) fn command(&self) -> Command {
        match self.command.load(Relaxed) {
            0 => Command::Serve,
            1 => Command::Drain,
            _ => Command::Abort,
        }
    }

    /// Whether the server is ending, and each response has to say that it is the connection's last.
    pub(crate) fn is_draining(&self) -> bool {
        self.clock.draining.load(Relaxed)
    }

    fn order(&self, command: Command) {
        self.command.fetch_max(command as u8, Relaxed);
        wake(&self.task);
    }

    /// Asks a request that takes a while what it is.
    fn ask(&self) {
        if self.request.ask() {
            wake(&self.task);
        }
    }
}

fn store(slot: &Mutex<Option<Waker>>, waker: &Waker) {
    let mut slot = lock(slot);
    if !slot.as_ref().is_some_and(|stored| stored.will_wake(waker)) {
        *slot = Some(waker.clone());
    }
}

fn wake(slot: &Mutex<Option<Waker>>) {
    if let Some(stored) = &*lock(slot) {
        stored.wake_by_ref();
    }
}

/// Nothing that can panic is done under the locks of this module.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
