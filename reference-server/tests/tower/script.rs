//! A body to be told what it yields.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use gateway_spec::{Error, Result};
use http_body::Frame;

/// A body that yields what it was told to, and ends; without a length known beforehand.
pub(crate) struct Script(VecDeque<Result<Frame<Bytes>>>);

impl Script {
    pub(crate) fn of(frames: impl IntoIterator<Item = Result<Frame<Bytes>>>) -> Self {
        Script(frames.into_iter().collect())
    }
}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.pop_front())
    }
}
