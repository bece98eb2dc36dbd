//! What a callable returned: its blocks go into the exchange, and then it is closed.

use std::sync::Arc;

use bytes::Bytes;
use gateway_spec::{Error, ErrorLog, FileRange, blocking};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyIterator, PyList, PyTuple},
};

use super::{
    Exchange,
    block::{bytes_of, copy},
};
use crate::{error, error_log, file_wrapper, fork, overtime};

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
