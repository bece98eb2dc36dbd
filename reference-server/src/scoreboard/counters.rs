//! What a server counts while it serves.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::snapshot::{BUCKETS, CLASSES, Totals};

/// Counters of a server. They are written by whichever thread drives the event loop, and that is one at a time: so
/// adding needs no locked instruction.
#[derive(Debug)]
pub(crate) struct Counters {
    /// By mount, the first being none, and by class.
    requests: Box<[[AtomicU64; CLASSES.len()]]>,
    durations: [AtomicU64; BUCKETS.len() + 1],
    duration_nanos: AtomicU64,
    aborted: AtomicU64,
    connections: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Counters {
    pub(crate) fn new(mounts: usize) -> Self {
        Counters {
            requests: (0..=mounts).map(|_| array::from_fn(|_| AtomicU64::new(0))).collect(),
            durations: array::from_fn(|_| AtomicU64::new(0)),
            duration_nanos: AtomicU64::new(0),
            aborted: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// A request has ended.
    pub(crate) fn request(&self, mount: u16, status: u16, nanos: u64, complete: bool) {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        if let Some(classes) = self.requests.get(usize::from(mount)).or(self.requests.first()) {
            add(&classes[class], 1);
        }
        // Nearly every request is in the first bucket.
        let bucket = BUCKETS.iter().position(|bound| nanos <= bound * 1_000_000).unwrap_or(BUCKETS.len());
        add(&self.durations[bucket], 1);
        add(&self.duration_nanos, nanos);
        if !complete {
            add(&self.aborted, 1);
        }
    }

    pub(crate) fn connected(&self) {
        add(&self.connections, 1);
    }

    pub(crate) fn received(&self, bytes: usize) {
        add(&self.received, bytes as u64);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        add(&self.sent, bytes as u64);
    }

    /// What was counted up to now. `mounts` are the prefixes, in their order.
    pub(super) fn totals(&self, mounts: &[String]) -> Totals {
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        let names = std::iter::once("").chain(mounts.iter().map(String::as_str));
        let requests = names.zip(&self.requests).map(|(name, classes)| (name.to_owned(), classes.each_ref().map(load)));
        Totals {
            requests: requests.collect(),
            durations: self.durations.each_ref().map(load),
            duration_nanos: load(&self.duration_nanos),
            aborted: load(&self.aborted),
            connections: load(&self.connections),
            received_bytes: load(&self.received),
            sent_bytes: load(&self.sent),
            ..Totals::default()
        }
    }
}

fn add(counter: &AtomicU64, number: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(number), Relaxed);
}
