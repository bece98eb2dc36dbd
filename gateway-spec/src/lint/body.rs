//! The response's body on its way to the server.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Call, rules};
use crate::{Body, Error, Kind, Result};

/// What the head has said of the body.
pub(super) struct Promise {
    pub(super) length: Option<u64>,
    pub(super) is_typed: bool,
    pub(super) is_wanted: bool,
}

/// Watches a body. A file stays one: there is nothing about it that its type does not say.
pub(super) fn watch(body: Body, call: Arc<Call>, promise: Promise) -> Body {
    if !promise.is_typed && body.len().is_some_and(|len| len > 0) {
        call.report_body(rules::TYPE_MISSING, "there is a body, and no Content-Type");
    }
    match body.into_file() {
        Ok(range) => range.also_keeping(Ending(call)).into(),
        Err(body) if body.is_empty() && body.is_end_stream() => {
            call.over();
            body
        }
        Err(body) => {
            let hint = HttpBody::size_hint(&body).exact();
            let stage = Stage::Unasked;
            Body::new(Watched { body: Some(body), call, promise, hint, yielded: 0, stage })
        }
    }
}

struct Watched {
    /// Taken when it is dropped, so that it is gone before the call is over.
    body: Option<Body>,
    call: Arc<Call>,
    promise: Promise,
    /// How long the body has said it is.
    hint: Option<u64>,
    yielded: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Unasked,
    Asked,
    Over,
}

impl Watched {
    fn block(&mut self, len: usize) {
        self.yielded += len as u64;
        if !self.promise.is_typed && len > 0 {
            self.call.report_body(rules::TYPE_MISSING, "there is a body, and no Content-Type");
        }
        if let Some(promised) = self.promise.length.filter(|promised| self.yielded > *promised) {
            let seen = format!("the body has {} bytes or more, and Content-Length is {promised}", self.yielded);
            self.call.report_body(rules::TOO_MANY, seen);
        }
    }

    fn end(&mut self) {
        self.stage = Stage::Over;
        let yielded = self.yielded;
        if let Some(promised) = self.promise.length.filter(|promised| yielded < *promised) {
            let seen = format!("the body ended after {yielded} bytes, and Content-Length is {promised}");
            self.call.report_body(rules::TOO_FEW, seen);
        }
        if let Some(hint) = self.hint.filter(|hint| yielded != *hint) {
            let seen = format!("the body said that it has {hint} bytes, and had {yielded}");
            self.call.report(rules::SIZE_HINT, "", seen);
        }
    }

    fn fail(&mut self, error: &Error) {
        self.stage = Stage::Over;
        if error.kind() == Kind::Disconnected {
            self.call.broken.store(true, Relaxed);
        }
        self.call.failed(error);
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        match this.stage {
            Stage::Over => this.call.report(rules::PULLED_ON, "", "the body was asked for a block after its end"),
            _ => this.stage = Stage::Asked,
        }
        let frame = ready!(this.call.poll("the body", || Pin::new(body).poll_frame(cx)));
        if this.stage == Stage::Asked {
            match &frame {
                Some(Ok(frame)) => this.block(frame.data_ref().map_or(0, Bytes::len)),
                Some(Err(error)) => this.fail(error),
                None => this.end(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        match self.stage {
            // A server that is told so need not ask again to be told that there is nothing.
            Stage::Asked if self.is_end_stream() => self.end(),
            Stage::Unasked if self.promise.is_wanted && self.call.client_stays() => {
                self.call.report(rules::BODY_LEFT, "", "the body was dropped before it was asked for a block");
            }
            _ => {}
        }
        // What the application still does from now on is for nobody.
        self.call.ends();
        self.body = None;
        self.call.clone().over();
    }
}

/// Ends the call when a file is sent.
struct Ending(Arc<Call>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.clone().over();
    }
}
