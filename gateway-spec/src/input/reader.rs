//! The request's body for code that blocks.

use std::{
    fmt, io,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};

use super::Input;
use crate::{Error, Kind, blocking::park_until};

/// An [`Input`] as `std::io` has it: made by [`Input::reader`].
///
/// A body that is still arriving is waited for, on the thread that reads. A body that breaks off is an error of kind
/// `ConnectionAborted`, and stays one: it never becomes an end.
///
/// ```
/// # use gateway_spec::*;
/// use std::io::Read;
///
/// let mut text = String::new();
/// Input::from(bytes::Bytes::from("hello")).reader().read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Reader {
    input: Input,
    block: Bytes,
    failed: Option<Failure>,
}

/// How the body broke off.
struct Failure {
    kind: io::ErrorKind,
    /// Its cause, for the first who is told.
    error: Option<Error>,
}

impl Reader {
    pub(super) fn new(input: Input) -> Self {
        Reader { input, block: Bytes::new(), failed: None }
    }

    /// The number of bytes still to be read, where it is known.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Input::empty().reader().len(), Some(0));
    /// ```
    pub fn len(&self) -> Option<u64> {
        self.input.len().map(|len| len + self.block.len() as u64)
    }

    /// Whether reading never waits for the client.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert!(Input::empty().reader().is_received());
    /// ```
    pub fn is_received(&self) -> bool {
        self.input.is_received()
    }

    /// Whether there is known to be nothing left.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert!(Input::empty().reader().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Ready when there is something to read without waiting for it: a block, the end, or a failure. For adapters that
    /// know a better way to wait than with their thread.
    ///
    /// ```
    /// # use std::{future::poll_fn, io::BufRead};
    /// # use gateway_spec::Input;
    /// # async fn doc() -> std::io::Result<()> {
    /// let mut reader = Input::empty().reader();
    /// poll_fn(|cx| reader.poll_filled(cx)).await;
    /// assert_eq!(reader.fill_buf()?, b"");
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll_filled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.block.is_empty() && self.failed.is_none() {
            match ready!(self.input.poll_chunk(cx)) {
                Some(Ok(block)) => self.block = block,
                Some(Err(error)) => self.failed = Some(Failure::of(error)),
                None => {}
            }
        }
        Poll::Ready(())
    }
}

impl Failure {
    fn of(error: Error) -> Self {
        let kind = match error.kind() {
            Kind::Disconnected => io::ErrorKind::ConnectionAborted,
            Kind::RequestTimeout => io::ErrorKind::TimedOut,
            Kind::BadRequest | Kind::TooLarge => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Failure { kind, error: Some(error) }
    }

    fn tell(&mut self) -> io::Error {
        match self.error.take() {
            Some(error) => io::Error::new(self.kind, error),
            None => self.kind.into(),
        }
    }
}

impl io::BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // What is there already needs no waker.
        if self.poll_filled(&mut Context::from_waker(Waker::noop())).is_pending() {
            park_until(|cx| self.poll_filled(cx));
        }
        match &mut self.failed {
            Some(failure) => Err(failure.tell()),
            None => Ok(&self.block),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.block.advance(amount);
    }
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let block = io::BufRead::fill_buf(self)?;
        let count = block.len().min(buffer.len());
        buffer[..count].copy_from_slice(&block[..count]);
        self.block.advance(count);
        Ok(count)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("input", &self.input).field("block", &self.block.len()).finish()
    }
}
