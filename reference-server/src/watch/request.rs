//! What a connection's watch knows of the request that is being answered.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
};

use http::{Method, uri::PathAndQuery};

use super::lock;
use crate::{
    clock::coarse_now,
    marks::Wait,
    scoreboard::{Request, State},
};

/// The path of a request is published up to so many bytes.
const PATH: usize = 200;

/// A request, as far as it is of interest to whoever looks at the server from outside.
///
/// Most requests are over before anybody looks. So a request says what it is only when it is asked to, by its task's
/// being woken, or when it must be expected to take long.
#[derive(Debug, Default)]
pub(crate) struct WatchedRequest {
    /// On the coarse clock.
    began: AtomicU64,
    is_answered: AtomicU8,
    asked: AtomicU8,
    label: Mutex<Option<Label>>,
}

/// What a request is.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) method: Method,
    pub(crate) target: Option<PathAndQuery>,
    /// Counted from 1; 0 is none.
    pub(crate) mount: u16,
    pub(crate) wait: Option<Arc<Wait>>,
}

const NO: u8 = 0;
const ASKED: u8 = 1;
const TOLD: u8 = 2;

impl WatchedRequest {
    pub(crate) fn begin(&self, now: u64) {
        self.began.store(now, Relaxed);
        self.is_answered.store(0, Relaxed);
        self.asked.store(NO, Relaxed);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Relaxed) == ASKED
    }

    pub(crate) fn tell(&self, label: Label) {
        let mut told = lock(&self.label);
        let wait = label.wait.or_else(|| told.take()?.wait);
        *told = Some(Label { wait, ..label });
        self.asked.store(TOLD, Relaxed);
    }

    /// The application has returned its response.
    pub(crate) fn answered(&self) {
        self.is_answered.store(1, Relaxed);
    }

    pub(crate) fn end(&self) {
        // The label keeps the head's memory.
        let is_told = self.asked.load(Relaxed) == TOLD;
        // Who asks just now comes too late.
        self.asked.store(NO, Relaxed);
        if is_told {
            lock(&self.label).take();
        }
    }

    /// Asks the request what it is; true if its task must be woken for it.
    pub(super) fn ask(&self) -> bool {
        self.asked.compare_exchange(NO, ASKED, Relaxed, Relaxed).is_ok()
    }

    /// When it began, on the coarse clock.
    pub(super) fn began(&self) -> u64 {
        self.began.load(Relaxed)
    }

    pub(super) fn show(&self, is_receiving: bool, mounts: &[String]) -> Request {
        let label = lock(&self.label);
        let is_queued = label.as_ref().and_then(|label| label.wait.as_ref()).is_some_and(|wait| !wait.is_over());
        let mount = label.as_ref().and_then(|label| mounts.get(usize::from(label.mount).checked_sub(1)?));
        Request {
            age: coarse_now().saturating_sub(self.began()) / 1_000_000,
            method: label.as_ref().map(|label| label.method.to_string()).unwrap_or_default(),
            path: label.as_ref().map(Label::path).unwrap_or_default(),
            mount: mount.cloned().unwrap_or_default(),
            state: match self.is_answered.load(Relaxed) {
                1 => State::Sending,
                _ if is_queued => State::Queued,
                _ if is_receiving => State::Receiving,
                _ => State::Running,
            },
        }
    }
}

impl Label {
    /// The path alone: what stands in a query is nobody's business.
    fn path(&self) -> String {
        let path = self.target.as_ref().map_or("*", PathAndQuery::path).as_bytes();
        let mut shown = String::new();
        for &byte in &path[..path.len().min(PATH)] {
            match byte {
                b' '..=b'~' => shown.push(char::from(byte)),
                _ => shown.extend(byte.escape_ascii().map(char::from)),
            }
        }
        if path.len() > PATH {
            shown.push('…');
        }
        shown
    }
}
