//! What is recorded of each request: counted when it ends, and logged if there is an access log.

use std::sync::Arc;

use gateway_spec::Environ;
use http::{HeaderMap, StatusCode};

use crate::{
    access_log::Entry,
    clock::coarse_now,
    marks::Marks,
    watch::{Label, Phase, Watch},
};

/// The status of a request that was never answered, because its client left: nginx's, which many a log analyser knows.
const CLIENT_LEFT: u16 = 499;

/// The record of one request. Dropping it ends the request, however that came about.
#[derive(Debug)]
pub(crate) struct Record {
    watch: Arc<Watch>,
    began: u64,
    mount: u16,
    status: u16,
    /// The response's body came to its end.
    complete: bool,
    entry: Option<Box<Entry>>,
}

impl Record {
    pub(crate) fn begin(watch: &Arc<Watch>, entry: Option<Box<Entry>>) -> Self {
        let began = coarse_now();
        watch.request.begin(began);
        Record { watch: watch.clone(), began, mount: 0, status: CLIENT_LEFT, complete: false, entry }
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// What the log wants of the environ, it gets before that is the application's.
    pub(crate) fn see(&mut self, environ: &Environ) {
        if let Some(entry) = &mut self.entry {
            entry.see(environ);
        }
    }

    /// The application's future was polled. `label` is what the request is called, if somebody asks.
    pub(crate) fn polled(&mut self, marks: Marks, label: impl FnOnce() -> Label) {
        if marks.mount != 0 {
            self.mount = marks.mount;
        }
        if let Some(wait) = marks.wait() {
            if let Some(entry) = &mut self.entry {
                entry.waits(wait.clone());
            }
            self.watch.request.tell(Label { mount: self.mount, wait: Some(wait), ..label() });
        } else if self.watch.request.is_asked() {
            self.watch.request.tell(Label { mount: self.mount, ..label() });
        }
    }

    /// Says what the request is, before anybody asks.
    pub(crate) fn label(&self, label: Label) {
        self.watch.request.tell(Label { mount: self.mount, ..label });
    }

    pub(crate) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = status.as_u16();
        self.watch.request.answered();
        if let Some(entry) = &mut self.entry {
            entry.answered(status, headers);
        }
    }

    /// A block of the response's body goes to the client.
    pub(crate) fn sent(&mut self, bytes: usize) {
        if let Some(entry) = &mut self.entry {
            entry.sent(bytes);
        }
    }

    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.watch.enter(Phase::Idle);
        self.watch.request.end();
        let nanos = coarse_now().saturating_sub(self.began);
        self.watch.counters().request(self.mount, self.status, nanos, self.complete);
        if let Some(entry) = self.entry.take() {
            match self.complete {
                // What hyper has and has not written yet may still be lost.
                true => self.watch.finish(entry),
                false => drop(entry),
            }
        }
    }
}
