//! Bodies and errors of other people's, as ours.

use std::{
    any::Any,
    error::Error as StdError,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{Error, Kind, Result, error::BoxError};

/// A body whose errors are not ours yet.
pub(super) struct Foreign<B: Body> {
    body: Pin<Box<B>>,
    error: fn(B::Error) -> Error,
}

impl<B: Body> Foreign<B> {
    pub(super) fn new(body: B, error: fn(B::Error) -> Error) -> Self {
        Foreign { body: Box::pin(body), error }
    }
}

impl<B: Body<Data = Bytes>> Body for Foreign<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let error = self.error;
        self.body.as_mut().poll_frame(cx).map_err(error)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Takes the value out as what it may have been all the time.
pub(super) fn same<T: 'static, U: 'static>(value: &mut Option<T>) -> Option<U> {
    (value as &mut dyn Any).downcast_mut::<Option<U>>().and_then(Option::take)
}

/// An error that came through other people's code: ours comes out as it went in; what ours has caused is of its kind.
pub(super) fn error_of(error: impl Into<BoxError>, kind_of_others: fn(&io::Error) -> Kind, otherwise: Kind) -> Error {
    let error = match error.into().downcast::<Error>() {
        Ok(ours) => return *ours,
        Err(other) => other,
    };
    let mut kind = otherwise;
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&*error);
    while let Some(found) = cause {
        // An io::Error does not name what it was made of as its source.
        let inner = found.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(ours) = found.downcast_ref().or_else(|| inner?.downcast_ref::<Error>()) {
            kind = ours.kind();
            break;
        }
        if let Some(error) = found.downcast_ref() {
            kind = kind_of_others(error);
        }
        cause = found.source();
    }
    Error::with_kind(kind, error)
}
