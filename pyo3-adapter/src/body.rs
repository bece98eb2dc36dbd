//! The blocks of an iterable as a response's body.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_spec::{
    Body, Error, Result,
    blocking::{self, Admission},
};
use http_body::Frame;
use pyo3::prelude::*;

use crate::{
    exchange::{Exchange, Iteration, Rest},
    overtime,
};

/// A body that Python makes, job by job: no thread waits while the client takes what there is.
pub(crate) struct PyBody {
    exchange: Arc<Exchange>,
    source: Source,
    /// A block was given out and must be sent before the next is asked for.
    sending: bool,
    /// Somebody has asked for a block.
    asked: bool,
}

enum Source {
    /// A job makes blocks.
    Running(Pin<Box<dyn Future<Output = Result<Result<Rest>>> + Send>>),
    /// The next job would.
    Waiting(Iteration),
    /// What is left is to tell of the failure.
    Failed(Error),
    Over,
}

impl PyBody {
    /// The rest of the iterable is still to be pulled.
    pub(crate) fn pulling(exchange: Arc<Exchange>, iteration: Iteration) -> Body {
        PyBody { exchange, source: Source::Waiting(iteration), sending: false, asked: false }.into()
    }

    /// The job that began the response still runs.
    pub(crate) fn running(
        exchange: Arc<Exchange>,
        job: impl Future<Output = Result<Result<Rest>>> + Send + 'static,
    ) -> Body {
        PyBody { exchange, source: Source::Running(Box::pin(job)), sending: false, asked: false }.into()
    }

    /// All blocks are in the exchange.
    pub(crate) fn ended(exchange: Arc<Exchange>) -> Body {
        PyBody { exchange, source: Source::Over, sending: false, asked: false }.into()
    }

    /// The callable failed when it had given out blocks already.
    pub(crate) fn failed(exchange: Arc<Exchange>, error: Error) -> Body {
        PyBody { exchange, source: Source::Failed(error), sending: false, asked: false }.into()
    }

    /// The job that makes the next blocks.
    fn pull(&self, iteration: Iteration) -> impl FnOnce() -> Result<Rest> + Send + 'static {
        let exchange = self.exchange.clone();
        move || {
            Python::attach(|py| {
                let pulled = overtime::limited(py, exchange.limit(), &exchange, || iteration.pull(py));
                pulled.map_err(|error| exchange.failed(py, &error))
            })
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match mem::replace(&mut self.source, Source::Over) {
            Source::Over => Poll::Ready(Ok(())),
            Source::Failed(error) => Poll::Ready(Err(error)),
            Source::Waiting(iteration) if iteration.is_exhausted() => Poll::Ready(Ok(())),
            Source::Waiting(iteration) => {
                let (host, lane) = (self.exchange.host(), self.exchange.lane().clone());
                let job = blocking::run(&**host, lane, Admission::Continue, self.pull(iteration));
                self.source = Source::Running(Box::pin(job));
                self.poll_source(cx)
            }
            Source::Running(mut job) => match job.as_mut().poll(cx) {
                Poll::Pending => {
                    self.source = Source::Running(job);
                    Poll::Pending
                }
                Poll::Ready(rest) => Poll::Ready(rest?.map(|rest| match rest {
                    Rest::More(iteration) => self.source = Source::Waiting(iteration),
                    Rest::Failed(error) => self.source = Source::Failed(error),
                    Rest::End | Rest::Whole(_) | Rest::File(_) => {}
                })),
            },
        }
    }
}

impl http_body::Body for PyBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.asked = true;
        loop {
            if let Poll::Ready(block) = self.exchange.poll_block(cx.waker()) {
                self.sending = block.is_some();
                return Poll::Ready(block.map(|block| block.map(Frame::data)));
            }
            if self.sending && !self.exchange.host().is_concurrent() {
                // The event loop stands still while the next block is made: this one must have gone out before.
                self.sending = false;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Err(error) = ready!(self.poll_source(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            if matches!(self.source, Source::Over) {
                return Poll::Ready(match self.exchange.poll_block(cx.waker()) {
                    Poll::Ready(block) => block.map(|block| block.map(Frame::data)),
                    Poll::Pending => None,
                });
            }
        }
    }
}

impl Drop for PyBody {
    fn drop(&mut self) {
        let is_complete = self.exchange.close(!self.asked);
        let Source::Waiting(iteration) = mem::replace(&mut self.source, Source::Over) else { return };
        if is_complete && !iteration.is_exhausted() {
            // The client has all that it was promised. What the iterable does after its last block it does all the same, and
            // should it have another one, the log tells.
            let pull = self.pull(iteration);
            blocking::detach(&**self.exchange.host(), self.exchange.lane().clone(), move || drop(pull()));
        }
    }
}

impl From<PyBody> for Body {
    fn from(body: PyBody) -> Self {
        Body::new(body)
    }
}
