//! The request's body, from hyper to the application: within the limit, and watched.

use std::{
    error::Error as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gateway_spec::{Error, Input, Kind, Result};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::watch::{BodyState, Watch};

/// Takes over hyper's body for the application, and tells the watch that a request has begun.
pub(crate) fn input(body: Incoming, watch: &Arc<Watch>, limit: u64) -> Input {
    if body.is_end_stream() {
        watch.begin(BodyState::Received);
        return Input::empty();
    }
    watch.begin(BodyState::Open);
    Input::new(Watched { body, watch: watch.clone(), room: limit, over: false })
}

struct Watched {
    body: Incoming,
    watch: Arc<Watch>,
    /// How many more bytes are allowed.
    room: u64,
    over: bool,
}

impl Watched {
    fn end(&mut self) {
        self.over = true;
        self.watch.set_body(BodyState::Received);
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
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
                if self.body.is_end_stream() {
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

    fn is_end_stream(&self) -> bool {
        self.over
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.over {
            self.watch.set_body(BodyState::Abandoned);
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
