//! What an application has left of its request's body: read and thrown away, so that the next request gets its turn.

use std::{
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;

use super::{LINGER_BYTES, lock};

#[derive(Debug, Default)]
pub(super) struct Unread(Mutex<Option<Rest>>);

#[derive(Debug)]
struct Rest {
    body: Incoming,
    /// So much of it is read at most.
    room: usize,
}

impl Unread {
    pub(super) fn put(&self, body: Incoming) {
        *lock(&self.0) = Some(Rest { body, room: LINGER_BYTES });
    }

    /// Throws away what has arrived, and says whether that was all. A rest that is too long, or breaks off, is dropped, and
    /// hyper closes the connection.
    pub(super) fn discard(&self, cx: &mut Context<'_>) -> bool {
        let mut place = lock(&self.0);
        while let Some(Rest { body, room }) = &mut *place {
            let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else { return false };
            let is_end = frame.is_none();
            let bytes = frame.map(|frame| frame.map(|frame| frame.data_ref().map_or(0, Bytes::len)));
            match bytes {
                Some(Ok(bytes)) if bytes <= *room => *room -= bytes,
                _ => {
                    *place = None;
                    return is_end;
                }
            }
        }
        false
    }
}
