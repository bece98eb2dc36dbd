//! The response's body, from the application to hyper: of the length that was promised, and watched to its end.

mod file;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use file::FileReader;
use gateway_spec::{Body, Error, Result};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::{record::Record, sendfile::Pieces, watch::Label};

/// A body with the length that its response's head promises, if it promises one.
pub(crate) struct Framed {
    source: Source,
    /// How many bytes are still owed; `None` if the end of the source is the end.
    owed: Option<u64>,
}

enum Source {
    Empty,
    Body(Body),
    File(FileReader),
}

impl Framed {
    pub(crate) fn empty() -> Self {
        Framed { source: Source::Empty, owed: Some(0) }
    }

    /// Whether the body is there as a whole: nothing is to be waited for but the socket.
    fn is_whole(&self) -> bool {
        match &self.source {
            Source::Empty => true,
            Source::File(_) => false,
            Source::Body(body) => body.len().is_some(),
        }
    }

    /// A body as long as it is.
    pub(crate) fn new(body: Body) -> Self {
        let owed = body.len();
        Framed { source: Source::of(body, u64::MAX), owed }
    }

    /// A body of which the head says that it has `length` bytes, true or not.
    pub(crate) fn of_length(body: Body, length: u64) -> Self {
        let actual = body.len();
        let source = Source::of(body, length);
        // Of a file, a part may be meant: it is sent up to the Content-Length (PEP 3333, "Optional Platform-Specific File
        // Handling"). That there is too little of it is told when it ends.
        if let (Some(actual), Source::Body(_)) = (actual.filter(|actual| *actual != length), &source) {
            tracing::error!("the application gave a body of {actual} bytes and a Content-Length of {length}");
        }
        Framed { source, owed: Some(length) }
    }

    fn poll_block(&mut self, pieces: &Pieces, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.owed == Some(0) {
            // Whatever the source still has is more than was promised. Dropping it tells the application.
            self.source = Source::Empty;
            return Poll::Ready(None);
        }
        let block = match &mut self.source {
            Source::Empty => None,
            Source::File(reader) => ready!(reader.poll_block(pieces, cx)).map(|block| block.map_err(Error::from)),
            Source::Body(body) => loop {
                match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(block) if !block.is_empty() => break Some(Ok(block)),
                        _ => {}
                    },
                    Some(Err(error)) => break Some(Err(error)),
                    None => break None,
                }
            },
        };
        Poll::Ready(match (block, self.owed.as_mut()) {
            (Some(Ok(mut block)), Some(owed)) => {
                let owed_now = usize::try_from(*owed).unwrap_or(usize::MAX);
                if block.len() > owed_now {
                    tracing::error!("the application gave more than its Content-Length: the rest was not sent");
                    block.truncate(owed_now);
                }
                *owed -= block.len() as u64;
                if *owed == 0 {
                    self.source = Source::Empty;
                }
                Some(Ok(block))
            }
            (None, Some(owed)) => {
                Some(Err(Error::new(format!("the body ended {owed} bytes short of its Content-Length"))))
            }
            (block, _) => block,
        })
    }
}

impl Source {
    fn of(body: Body, limit: u64) -> Self {
        match body.into_file() {
            Ok(range) => Source::File(FileReader::new(range, limit)),
            Err(body) => Source::Body(body),
        }
    }
}

/// A framed body, with the record of its request, which ends with it.
pub(crate) struct Guarded {
    body: Framed,
    record: Record,
    /// Blocks were given to hyper that it may not have written yet.
    unwritten: bool,
    /// The body failed; hyper is told when what came before is written.
    failure: Option<Error>,
}

impl Guarded {
    pub(crate) fn new(body: Framed, record: Record) -> Self {
        Guarded { body, record, unwritten: false, failure: None }
    }

    /// Says what the request is, if its response may take long to send: who asks then finds nobody who could tell.
    pub(crate) fn label(&self, label: impl FnOnce() -> Label) {
        if !self.body.is_whole() {
            self.record.label(label());
        }
    }

    fn poll_failure(&mut self) -> Poll<Option<Result<Frame<Bytes>>>> {
        // As soon as the client takes more, hyper is woken and asks again.
        if self.record.watch().is_write_blocked() {
            return Poll::Pending;
        }
        if self.body.owed.is_none() {
            self.record.watch().break_off();
        }
        Poll::Ready(self.failure.take().map(Err))
    }
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.failure.is_some() {
            return this.poll_failure();
        }
        let Poll::Ready(block) = this.body.poll_block(&this.record.watch().pieces, cx) else {
            this.unwritten = false;
            return Poll::Pending;
        };
        match block {
            Some(Ok(block)) => {
                this.unwritten = true;
                this.record.sent(block.len());
                Poll::Ready(Some(Ok(Frame::data(block))))
            }
            Some(Err(error)) => {
                tracing::error!("the response broke off: {}", error.chain());
                this.failure = Some(error);
                // hyper writes only when there is nothing more to be had at once, and after a failure not at all.
                match this.unwritten {
                    true => cx.waker().wake_by_ref(),
                    false => return this.poll_failure(),
                }
                Poll::Pending
            }
            None => {
                this.record.complete();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.owed == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.owed.map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // hyper does not ask for the end of a body whose length it knows.
        if self.is_end_stream() {
            self.record.complete();
        }
    }
}
