//! One call of a callable: what start_response was given, the blocks that are on their way, and the iterable.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use gateway_spec::{
    Connection, Environ, Error, ErrorLog, FileRange, Kind, Result, Status,
    blocking::{self, Blocking, Lane},
};
use http::{HeaderMap, Method, header, uri::PathAndQuery};
use pyo3::{
    exceptions::{PyAssertionError, PyConnectionResetError, PyRuntimeError, PyTypeError},
    prelude::*,
    types::{PyBytes, PyIterator, PyList, PyTuple},
};

use crate::{app::Callable, error, error_log, file_wrapper, fork, overtime};

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

/// What is left of a response when a job ends.
pub(crate) enum Rest {
    /// All of the body, and nothing to close.
    Whole(Bytes),
    File(Box<FileRange>),
    /// Blocks may still come.
    More(Iteration),
    /// All blocks are in the exchange, and the iterable is closed.
    End,
    /// There are blocks in the exchange, and after them it failed.
    Failed(Error),
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

    /// Turns what the callable returned into a response, as far as it goes without waiting for the client.
    pub(crate) fn consume(self: &Arc<Self>, py: Python<'_>, result: Bound<'_, PyAny>) -> PyResult<Rest> {
        if let Some(bytes) = whole(&result)?
            && self.ends_unwritten()?
        {
            error_log::flush(self.log());
            return Ok(Rest::Whole(bytes));
        }
        let was_written = self.lock().written;
        if !was_written && let Some(range) = file_wrapper::file_range(py, &result, self)? {
            self.ends_unwritten()?;
            return Ok(Rest::File(Box::new(range)));
        }
        let mut iteration = Iteration { exchange: self.clone(), result: Some(result.clone().unbind()), iterator: None };
        match result.try_iter() {
            Ok(iterator) => iteration.iterator = Some(iterator.unbind()),
            Err(_) if result.is_none() => {
                return Err(PyTypeError::new_err("the callable returned None and not an iterable of bytes"));
            }
            Err(error) => {
                iteration.close(py);
                return Err(error);
            }
        }
        iteration.pull(py)
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

/// The iterable that a callable returned. However it ends, it is closed once, in a job.
pub(crate) struct Iteration {
    exchange: Arc<Exchange>,
    /// What the callable returned: its `close` is to be called, not the iterator's. None when it is closed.
    result: Option<Py<PyAny>>,
    iterator: Option<Py<PyIterator>>,
}

impl Iteration {
    /// Takes blocks until the client has enough for now, or there are no more.
    ///
    /// Where the host keeps its event loop going meanwhile, a block is on its way from the moment it is there. Where it
    /// does not, each block is sent before the next is asked for (PEP 3333, "Buffering and Streaming").
    pub(crate) fn pull(mut self, py: Python<'_>) -> PyResult<Rest> {
        let pulled = self.pull_blocks(py);
        error_log::flush(self.exchange.log());
        match pulled {
            Ok(true) => Ok(Rest::More(self)),
            Ok(false) if !self.exchange.host().is_concurrent() => {
                // The last block is not sent yet, and close() comes after that.
                self.iterator = None;
                Ok(Rest::More(self))
            }
            Ok(false) => {
                let mut state = self.exchange.lock();
                state.ended = true;
                self.exchange.wake(state);
                self.close(py);
                Ok(Rest::End)
            }
            Err(error) => {
                self.close(py);
                Err(error)
            }
        }
    }

    /// Whether there may be more blocks.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.iterator.is_none()
    }

    fn pull_blocks(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(iterator) = &self.iterator else { return Ok(false) };
        for block in iterator.bind(py).clone() {
            fork::end_copy(py, block.as_ref().err());
            let block = block?;
            let block = bytes_of(&block)?;
            if block.as_bytes().is_empty() {
                // Some yield these for as long as they have no news: whether the client stays is to be noticed.
                if !self.exchange.host().is_concurrent() {
                    py.detach(|| self.exchange.host().turn());
                }
                if self.exchange.lock().closed {
                    return Ok(false);
                }
                continue;
            }
            if self.exchange.push(copy(block))? || !self.exchange.host().is_concurrent() {
                return Ok(!self.exchange.lock().closed);
            }
        }
        fork::end_copy(py, None);
        // The end of an empty body is its first block.
        self.exchange.lock().check()?;
        Ok(false)
    }

    fn close(&mut self, py: Python<'_>) {
        self.iterator = None;
        self.exchange.lock().over = true;
        if let Some(result) = self.result.take() {
            close(py, &result.into_bound(py), self.exchange.log());
        }
    }
}

impl Drop for Iteration {
    fn drop(&mut self) {
        let Some(result) = self.result.take() else { return };
        self.exchange.lock().over = true;
        let (iterator, exchange) = (self.iterator.take(), self.exchange.clone());
        let close = move || {
            Python::attach(|py| {
                overtime::limited(py, exchange.limit(), &exchange, || {
                    drop(iterator);
                    close(py, &result.into_bound(py), exchange.log());
                });
            });
        };
        blocking::detach(&**self.exchange.host(), self.exchange.lane().clone(), close);
    }
}

/// Calls `close()` if there is one (PEP 3333, "Specification Details"). What it raises concerns nobody but the log.
pub(crate) fn close(py: Python<'_>, result: &Bound<'_, PyAny>, log: &ErrorLog) {
    let closed = result.getattr_opt("close").and_then(|close| close.map(|close| close.call0()).transpose());
    fork::end_copy(py, closed.as_ref().err());
    error_log::flush(log);
    if let Err(error) = closed {
        log.write(&error::traceback(py, &error));
    }
}

/// The body, if the callable returned a list or tuple of at most one block: nothing else is as common.
fn whole(result: &Bound<'_, PyAny>) -> PyResult<Option<Bytes>> {
    let only = if let Ok(list) = result.cast_exact::<PyList>() {
        match list.len() {
            0 => return Ok(Some(Bytes::new())),
            1 => list.get_item(0)?,
            _ => return Ok(None),
        }
    } else if let Ok(tuple) = result.cast_exact::<PyTuple>() {
        match tuple.len() {
            0 => return Ok(Some(Bytes::new())),
            1 => tuple.get_item(0)?,
            _ => return Ok(None),
        }
    } else {
        return Ok(None);
    };
    Ok(Some(copy(bytes_of(&only)?)))
}

fn bytes_of<'a, 'py>(block: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyBytes>> {
    block.cast::<PyBytes>().map_err(|_| {
        let kind = block.get_type();
        PyTypeError::new_err(format!("the body's blocks must be bytes, and one is {kind}"))
    })
}

/// Blocks of this size and more are not copied: they keep the Python object alive until they are sent.
const SHARE: usize = 8 * 1024;

fn copy(block: &Bound<'_, PyBytes>) -> Bytes {
    struct Shared(pyo3::pybacked::PyBackedBytes);
    impl AsRef<[u8]> for Shared {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    match block.as_bytes().len() {
        len if len < SHARE => Bytes::copy_from_slice(block.as_bytes()),
        _ => Bytes::from_owner(Shared(block.clone().into())),
    }
}
