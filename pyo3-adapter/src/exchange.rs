//! One call of a callable: what start_response was given, and the blocks that are on their way.

mod block;
mod iteration;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use gateway_spec::{
    Connection, Environ, Error, ErrorLog, Kind, Result, Status,
    blocking::{Blocking, Lane},
};
use http::{HeaderMap, Method, header, uri::PathAndQuery};
use pyo3::{
    exceptions::{PyAssertionError, PyConnectionResetError, PyRuntimeError},
    prelude::*,
    types::PyBytes,
};

use block::copy;
pub(crate) use iteration::{Iteration, Rest, close};

use crate::{app::Callable, error, error_log};

/// So much is produced ahead of the client; then the producer waits, or is left until there is room again.
const AHEAD_BYTES: usize = 64 * 1024;
const AHEAD_BLOCKS: usize = 512;
/// So much of what write() was given is kept where there is only one thread.
const KEPT_BYTES: usize = 64 * 1024 * 1024;

/// What connects the Python side of a request with its future and its body.
pub(crate) struct Exchange {
    callable: Arc<Callable>,
    connection: Arc<Connection>,
    method: Method,
    target: Option<PathAndQuery>,
    /// How long a call of Python may take.
    limit: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Accepted by start_response and not taken yet by the future.
    head: Option<Head>,
    /// start_response was called, if only to fail.
    called: bool,
    /// There is a block, or the response is taken: the head is fixed.
    sent: bool,
    /// start_response was called in a way that PEP 3333 calls fatal.
    fatal: bool,
    /// write() was called.
    written: bool,
    /// All blocks are there; what is left is to close the iterable.
    ended: bool,
    /// The body is gone: nobody takes another block.
    closed: bool,
    /// How many bytes the client still waits for; `None` if there was no Content-Length.
    owed: Option<u64>,
    /// The response has no body, whatever is written: that of HEAD, for one.
    bodiless: bool,
    /// A block was thrown away that belonged to a body.
    lost: bool,
    /// The iterable is closed, or there never was one: the callable has no more to say.
    over: bool,
    /// A call took too long.
    timed_out: bool,
    blocks: VecDeque<Bytes>,
    bytes: usize,
    /// The future, or the body, that waits for a block or the end.
    waiting: Option<Waker>,
    /// Calls of write() that wait for room.
    writers: Vec<Waker>,
}

/// What start_response accepted.
pub(crate) struct Head {
    pub(crate) status: Status,
    pub(crate) headers: HeaderMap,
}

impl Exchange {
    pub(crate) fn new(environ: &Environ, callable: Arc<Callable>, limit: Option<Duration>) -> Self {
        Exchange {
            callable,
            connection: environ.connection().clone(),
            method: environ.method().clone(),
            target: environ.uri().path_and_query().cloned(),
            limit,
            state: Mutex::default(),
        }
    }

    /// The request, for the log.
    pub(crate) fn request(&self) -> String {
        format!("{} {:?}", self.method, self.target.as_ref().map_or("", PathAndQuery::as_str))
    }

    pub(crate) fn callable(&self) -> &Callable {
        &self.callable
    }

    pub(crate) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// A call took too long: whoever waits for a block is told, and blocks that still come are thrown away.
    pub(crate) fn time_out(&self) {
        let mut state = self.lock();
        state.timed_out = true;
        state.close();
        self.wake(state);
    }

    pub(crate) fn host(&self) -> &Arc<dyn Blocking> {
        &self.connection.host().blocking
    }

    pub(crate) fn log(&self) -> &ErrorLog {
        &self.connection.host().error_log
    }

    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.callable.lane
    }

    /// Takes what start_response was given (PEP 3333, "The start_response() Callable"); `None` was no head. `replaces` is
    /// whether there was exc_info. `Ok(false)` means that it came too late to replace anything.
    pub(crate) fn start(&self, head: Option<Head>, replaces: bool) -> PyResult<bool> {
        let mut state = self.lock();
        if replaces && state.sent {
            state.fatal = true;
            return Ok(false);
        }
        if state.called && !replaces {
            state.fatal = true;
            return Err(PyAssertionError::new_err("start_response was called a second time, and without exc_info"));
        }
        state.called = true;
        state.fatal &= head.is_none();
        state.head = head;
        Ok(true)
    }

    /// Passes on what write() was given. Returns when there is room for more (PEP 3333, "The write() Callable").
    pub(crate) fn write(&self, py: Python<'_>, block: &Bound<'_, PyBytes>) -> PyResult<()> {
        {
            let mut state = self.lock();
            if state.over {
                return Err(PyRuntimeError::new_err("write() was called when its response was over"));
            }
            state.written = true;
        }
        if block.as_bytes().is_empty() {
            return Ok(());
        }
        match (self.push(copy(block))?, self.host().is_concurrent()) {
            (true, true) => py.detach(|| self.host().wait(&mut |cx| self.poll_room(cx, AHEAD_BYTES))),
            // It is sent now, as far as the client takes it. The rest is kept, for no client to hold the only thread, as
            // far as there is memory.
            (_, false) => py.detach(|| {
                self.host().turn();
                if self.lock().bytes >= KEPT_BYTES {
                    self.host().wait(&mut |cx| self.poll_room(cx, KEPT_BYTES));
                }
            }),
            (false, true) => {}
        }
        // That nobody takes more is no failure yet: this may have been the last of what was to be sent.
        match self.lock().lost {
            true => Err(PyConnectionResetError::new_err("nobody takes more of this response")),
            false => Ok(()),
        }
    }

    /// Ready when less than `bytes` wait for the client, or nobody is there who would take them.
    fn poll_room(&self, cx: &mut Context<'_>, bytes: usize) -> Poll<()> {
        let mut state = self.lock();
        if state.closed || (state.bytes < bytes && state.blocks.len() < AHEAD_BLOCKS) {
            return Poll::Ready(());
        }
        state.writers.push(cx.waker().clone());
        Poll::Pending
    }

    /// Puts a block on its way, and says whether that was enough for now.
    fn push(&self, block: Bytes) -> PyResult<bool> {
        let mut state = self.lock();
        state.check()?;
        state.sent = true;
        if state.closed {
            state.lost = !state.bodiless;
            if state.is_complete() {
                // Once is enough.
                state.owed = None;
                drop(state);
                self.exceeded();
            }
            return Ok(true);
        }
        state.bytes += block.len();
        state.blocks.push_back(block);
        let full = state.is_full();
        self.wake(state);
        Ok(full)
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if let Some(waiting) = state.waiting.take() {
            drop(state);
            self.host().wake(waiting);
        }
    }

    /// The body is what was returned, all of it. Not so, `Ok(false)`, if write() was called before.
    fn ends_unwritten(&self) -> PyResult<bool> {
        let mut state = self.lock();
        if state.written {
            return Ok(false);
        }
        state.over = true;
        state.check().map(|()| true)
    }

    /// Logs an exception with its traceback, and makes an error of it.
    pub(crate) fn failed(&self, py: Python<'_>, error: &PyErr) -> Error {
        error_log::flush(self.log());
        let timed_out = {
            let mut state = self.lock();
            state.over = true;
            state.timed_out
        };
        // What was interrupted because of its time is in the log already.
        if timed_out {
            return Kind::Timeout.into();
        }
        self.log().write(&error::traceback(py, error));
        error::raised(py, error)
    }

    /// Ready when the response has begun, although its job still runs, or when that takes too long.
    pub(crate) fn poll_begun(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut state = self.lock();
        if state.timed_out {
            return Poll::Ready(Err(Kind::Timeout.into()));
        }
        if state.sent || state.ended {
            return Poll::Ready(Ok(()));
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether the head is fixed, because there was a block.
    pub(crate) fn has_begun(&self) -> bool {
        self.lock().sent
    }

    /// What the response begins with. None if start_response was not called; too late for it if the call was given up.
    pub(crate) fn take_head(&self) -> Result<Option<Head>> {
        let mut state = self.lock();
        if state.timed_out && !state.sent {
            return Err(Kind::Timeout.into());
        }
        state.sent = true;
        Ok(state.head.take())
    }

    /// What the head promises of the body.
    pub(crate) fn promise(&self, headers: &HeaderMap) {
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        self.lock().owed = length;
    }

    /// The application gave more than it promised (PEP 3333, "Handling the Content-Length Header").
    fn exceeded(&self) {
        self.log()
            .write(&format!("{}: there is more than the Content-Length says, which was not sent\n", self.request()));
    }

    /// The next block, `None` after the last; pending if neither is known yet, and then `waker` is woken when it is.
    pub(crate) fn poll_block(&self, waker: &Waker) -> Poll<Option<Result<Bytes>>> {
        let mut state = self.lock();
        if state.timed_out {
            return Poll::Ready(Some(Err(Kind::Timeout.into())));
        }
        if let Some(block) = state.blocks.pop_front() {
            let was_full = state.is_full_with(block.len());
            state.bytes -= block.len();
            // What is more than that, the server cuts off and tells.
            state.owed = state.owed.and_then(|owed| owed.checked_sub(block.len() as u64));
            if was_full {
                state.wake_writers();
            }
            return Poll::Ready(Some(Ok(block)));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.waiting = Some(waker.clone());
        Poll::Pending
    }

    /// The body is gone; if it was never asked for a block, the response has none. Says whether the client has got all
    /// that it was promised.
    pub(crate) fn close(&self, bodiless: bool) -> bool {
        let mut state = self.lock();
        state.bodiless = bodiless;
        state.close();
        state.waiting = None;
        let (is_complete, is_too_much) = (state.is_complete(), !state.blocks.is_empty());
        state.blocks.clear();
        drop(state);
        if is_complete && is_too_much {
            self.exceeded();
        }
        is_complete
    }

    /// Nothing that can panic, and nothing of Python's, is done under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.bytes >= AHEAD_BYTES || self.blocks.len() >= AHEAD_BLOCKS
    }

    fn is_full_with(&self, taken: usize) -> bool {
        self.bytes >= AHEAD_BYTES || self.blocks.len() + usize::from(taken > 0) >= AHEAD_BLOCKS
    }

    fn close(&mut self) {
        self.closed = true;
        self.lost |= !self.bodiless && !self.blocks.is_empty();
        self.wake_writers();
    }

    fn is_complete(&self) -> bool {
        self.owed == Some(0) && !self.bodiless
    }

    fn wake_writers(&mut self) {
        self.writers.drain(..).for_each(Waker::wake);
    }

    /// Whether a block may follow.
    fn check(&self) -> PyResult<()> {
        if self.fatal {
            return Err(PyAssertionError::new_err("start_response was called again when it was too late for that"));
        }
        if self.head.is_none() && !self.sent {
            return Err(PyAssertionError::new_err("start_response was not called before the first block of the body"));
        }
        Ok(())
    }
}
