//! The body that an async block writes.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::Frame;

use crate::{
    Error, Kind, Result,
    lint::{Call, Held},
};

/// The writing end of a body: given to the block of [`Started::write`](crate::Started::write).
///
/// ```
/// # use gateway_spec::*;
/// fn count(started: Started) -> Response {
///     started.write(async |mut out: Writer| {
///         for n in 0..1000 {
///             out.write(format!("{n}\n")).await?;
///         }
///         Ok(())
///     })
/// }
/// ```
pub struct Writer {
    slot: Arc<Mutex<Slot>>,
    /// Who looks at how it is used.
    watch: Option<(Arc<Call>, Held)>,
}

/// Holds at most one block on its way from the [`Writer`] to the body.
#[derive(Default)]
struct Slot {
    block: Option<Bytes>,
    /// The body is gone: nobody will take another block.
    closed: bool,
    /// The writer knows that.
    told: bool,
    /// The writer waits for its block to be taken; it may live in another task than the body.
    writer: Option<Waker>,
    /// The body waits for a block.
    body: Option<Waker>,
}

impl Writer {
    /// Writes one block: the future returns when the server has taken it. An empty block writes nothing.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// Ends by itself when the client has gone.
    /// async fn beat(mut out: Writer) -> Result<()> {
    ///     loop {
    ///         out.write(": still here\n\n").await?;
    ///         # return Ok(());
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Kind::Disconnected`] if the body has been dropped: the client is gone.
    pub fn write(&mut self, block: impl Into<Bytes>) -> Writing<'_> {
        Writing { writer: self, block: block.into(), stage: Stage::New }
    }
}

/// The future of [`Writer::write`].
///
/// ```
/// # use gateway_spec::*;
/// async fn write_twice(out: &mut Writer) -> Result<()> {
///     out.write("one").await?;
///     out.write("two").await
/// }
/// ```
#[must_use = "nothing is written unless it is awaited"]
pub struct Writing<'a> {
    writer: &'a mut Writer,
    block: Bytes,
    stage: Stage,
}

#[derive(PartialEq)]
enum Stage {
    /// Nobody has asked for it to be written.
    New,
    /// The slot is another block's still.
    Waiting,
    /// It is in the slot.
    Offered,
}

impl Future for Writing<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        if this.stage == Stage::New {
            this.stage = if this.block.is_empty() { Stage::Offered } else { Stage::Waiting };
            if this.block.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        let mut slot = lock(&this.writer.slot);
        if this.stage == Stage::Offered && slot.block.is_none() {
            // It was taken. If the body has been dropped since, that is for the next block to learn.
            return Poll::Ready(Ok(()));
        }
        if slot.closed {
            let told = std::mem::replace(&mut slot.told, true);
            drop(slot);
            if let Some((watch, _)) = this.writer.watch.as_ref().filter(|_| told) {
                watch.writes_on();
            }
            return Poll::Ready(Err(Kind::Disconnected.into()));
        }
        if slot.block.is_none() {
            slot.block = Some(std::mem::take(&mut this.block));
            this.stage = Stage::Offered;
            wake(&mut slot.body);
        }
        slot.writer = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if let Some((watch, _)) = self.writer.watch.as_ref().filter(|_| self.stage == Stage::New) {
            watch.write_lost(self.block.len());
        }
    }
}

/// A body that drives an async block and yields what it writes.
pub(crate) struct WriteBody<Fut> {
    block: Pin<Box<Fut>>,
    slot: Arc<Mutex<Slot>>,
    /// What the async block returned; taken when it is passed on.
    result: Option<Result<()>>,
    finished: bool,
}

impl<Fut: Future<Output = Result<()>>> WriteBody<Fut> {
    pub(crate) fn new(block: impl FnOnce(Writer) -> Fut, watch: Option<Arc<Call>>) -> Self {
        let slot = Arc::new(Mutex::new(Slot::default()));
        let watch = watch.map(|call| (call.clone(), call.hold_writer()));
        let writer = Writer { slot: slot.clone(), watch };
        WriteBody { block: Box::pin(block(writer)), slot, result: None, finished: false }
    }
}

impl<Fut: Future<Output = Result<()>>> http_body::Body for WriteBody<Fut> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if !self.finished
            && let Poll::Ready(result) = self.block.as_mut().poll(cx)
        {
            self.finished = true;
            self.result = Some(result);
        }
        if let Some(block) = take(&self.slot, cx.waker()) {
            return Poll::Ready(Some(Ok(Frame::data(block))));
        }
        match self.result.take() {
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            Some(Ok(())) => Poll::Ready(None),
            None if self.finished => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl<Fut> Drop for WriteBody<Fut> {
    fn drop(&mut self) {
        let mut slot = lock(&self.slot);
        slot.closed = true;
        wake(&mut slot.writer);
    }
}

/// Takes the block and wakes the writer; if there is none, leaves `waker` to be woken for the next.
fn take(slot: &Mutex<Slot>, waker: &Waker) -> Option<Bytes> {
    let mut slot = lock(slot);
    let block = slot.block.take();
    if block.is_some() {
        wake(&mut slot.writer);
    } else {
        slot.body = Some(waker.clone());
    }
    block
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}

/// A poisoned slot is as good as any: nothing is done under its lock that could stop half-way.
fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

impl fmt::Debug for Writing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writing({} bytes)", self.block.len())
    }
}
