//! The request's body for code that blocks.

use std::{
    fmt, io,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use bytes::{Buf, Bytes};

use super::Input;
use crate::{Error, Kind};

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
    failed: Option<io::ErrorKind>,
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

    fn fail(&mut self, error: Error) -> io::Error {
        let kind = match error.kind() {
            Kind::Disconnected => io::ErrorKind::ConnectionAborted,
            Kind::RequestTimeout => io::ErrorKind::TimedOut,
            Kind::BadRequest | Kind::TooLarge => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        self.failed = Some(kind);
        io::Error::new(kind, error)
    }
}

impl io::BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        if self.block.is_empty() {
            match wait(|cx| self.input.poll_chunk(cx)) {
                Some(Ok(block)) => self.block = block,
                Some(Err(error)) => return Err(self.fail(error)),
                None => {}
            }
        }
        Ok(&self.block)
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

/// Polls until there is a result; the thread sleeps meanwhile.
fn wait<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    // What is there already needs no waker.
    if let Poll::Ready(value) = poll(&mut Context::from_waker(Waker::noop())) {
        return value;
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

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("input", &self.input).field("block", &self.block.len()).finish()
    }
}
