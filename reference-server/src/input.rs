//! The request's body, from hyper to the application: within the limit, and watched.

use std::{
    error::Error as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_spec::{Error, Input, Kind, Result};
use http::{Version, header, request::Parts};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::watch::{BodyState, Watch};

/// Takes over hyper's body for the application, and tells the watch that a request has begun.
pub(crate) fn input(body: Incoming, parts: &Parts, watch: &Arc<Watch>, limit: u64) -> Input {
    if body.is_end_stream() {
        watch.begin(BodyState::Received);
        return Input::empty();
    }
    let waits = parts.headers.contains_key(header::EXPECT) && parts.version != Version::HTTP_10;
    let number = watch.begin(if waits { BodyState::Unasked } else { BodyState::Open });
    Input::new(Watched { body: Some(body), number, watch: watch.clone(), room: limit, failed: false })
}

struct Watched {
    /// None when all of it has arrived.
    body: Option<Incoming>,
    /// Which of the connection's requests it belongs to.
    number: u64,
    watch: Arc<Watch>,
    /// How many more bytes are allowed.
    room: u64,
    /// It broke off, is malformed or too large: no request can follow it.
    failed: bool,
}

impl Watched {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending if self.watch.body_pending(cx.waker()) => {
                return Poll::Ready(Some(Err(Kind::RequestTimeout.into())));
            }
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.watch.body_progress(bytes);
                if body.is_end_stream() {
                    self.end();
                }
                match self.room.checked_sub(bytes as u64) {
                    Some(room) => {
                        self.room = room;
                        Some(Ok(frame))
                    }
                    None => Some(Err(Kind::TooLarge.into())),
                }
            }
            Some(Err(error)) => Some(Err(Error::with_kind(kind_of(&error), error))),
            None => {
                self.end();
                None
            }
        })
    }

    fn end(&mut self) {
        self.body = None;
        self.watch.set_body(BodyState::Received);
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.watch.ask_for_body();
        let frame = ready!(self.poll_body(cx));
        self.failed |= matches!(frame, Some(Err(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.watch.abandon(self.number, Some(body).filter(|_| !self.failed));
        }
    }
}

/// Whether the body is malformed or the client is gone: hyper says so only by the cause.
fn kind_of(error: &hyper::Error) -> Kind {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other) => Kind::BadRequest,
        _ => Kind::Disconnected,
    }
}
