//! What the tests of this crate share.

#![allow(dead_code, reason = "each test uses its part of it")]

pub(crate) mod block_on;

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use gateway_spec::{Error, Result};
use http_body::{Body, Frame, SizeHint};

/// A body that yields what it was told to, and ends.
#[derive(Default)]
pub(crate) struct Script {
    frames: VecDeque<Result<Frame<Bytes>>>,
    length: Option<u64>,
}

impl Script {
    /// These blocks, without a length known beforehand.
    pub(crate) fn of<B: Into<Bytes>>(blocks: impl IntoIterator<Item = B>) -> Self {
        Script { frames: blocks.into_iter().map(|block| Ok(Frame::data(block.into()))).collect(), length: None }
    }

    pub(crate) fn then(mut self, frame: Result<Frame<Bytes>>) -> Self {
        self.frames.push_back(frame);
        self
    }

    pub(crate) fn with_length(self, length: u64) -> Self {
        Script { length: Some(length), ..self }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        Poll::Ready(self.frames.pop_front())
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// A [`Script`] that counts how often it is asked, and dropped.
pub(crate) struct CountingBody {
    script: Script,
    counts: Counts,
}

#[derive(Clone, Default)]
pub(crate) struct Counts(Arc<[AtomicUsize; 2]>);

impl CountingBody {
    pub(crate) fn of<B: Into<Bytes>>(blocks: impl IntoIterator<Item = B>) -> (Self, Counts) {
        let counts = Counts::default();
        (CountingBody { script: Script::of(blocks), counts: counts.clone() }, counts)
    }
}

impl Counts {
    pub(crate) fn count(&self) -> usize {
        self.0[0].load(Relaxed)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.0[1].load(Relaxed)
    }
}

impl Body for CountingBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.counts.0[0].fetch_add(1, Relaxed);
        Pin::new(&mut self.script).poll_frame(cx)
    }
}

impl Drop for CountingBody {
    fn drop(&mut self) {
        self.counts.0[1].fetch_add(1, Relaxed);
    }
}

/// `len` bytes that differ from their neighbours, so that a lost or doubled block shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}
