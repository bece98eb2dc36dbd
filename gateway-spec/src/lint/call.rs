//! One call under observation.

mod reporter;

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use http::Method;

pub use reporter::Reporter;

use super::{Finding, Rule, Settings, Side, rules};
use crate::{Environ, Error, ErrorLog, Kind};

/// So many findings are reported, and so many calls remembered that left something behind.
const FINDINGS: usize = 256;
const LEFT: usize = 256;

/// What outlives a call.
#[derive(Default)]
pub(super) struct Memory {
    /// Hashes of rule and place.
    reported: HashSet<u64, BuildHasherDefault<DefaultHasher>>,
    /// Whoever holds something of a call holds the call as well.
    left: Vec<(Instant, Weak<Call>)>,
}

/// What all that is watched of one call shares.
pub(crate) struct Call {
    settings: Settings,
    memory: Arc<Mutex<Memory>>,
    log: ErrorLog,
    pub(super) method: Method,
    path: String,
    /// Whether the host runs blocking work inside of a poll.
    blocks: bool,
    /// The application has returned a response.
    returned: AtomicBool,
    /// The response, or its future, was dropped.
    over: AtomicBool,
    /// The request's body broke off, or the client has gone: what fails then is nobody's fault.
    pub(super) broken: AtomicBool,
    /// The application was found fault with: why its call failed is known.
    faulted: AtomicBool,
    held: Mutex<Vec<Weak<&'static str>>>,
    /// Where the head was given, if the application's language can tell.
    head: Mutex<Option<String>>,
}

/// Something of the request that the application has to let go of: named, so that a finding can say what.
pub(crate) type Held = Arc<&'static str>;

impl Call {
    pub(super) fn new(environ: &Environ, settings: Settings, memory: Arc<Mutex<Memory>>) -> Self {
        Call {
            settings,
            memory,
            log: environ.error_log().clone(),
            method: environ.method().clone(),
            path: environ.raw_path().to_owned(),
            blocks: !environ.connection().host().blocking.is_concurrent(),
            returned: AtomicBool::new(false),
            over: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            faulted: AtomicBool::new(false),
            held: Mutex::default(),
            head: Mutex::default(),
        }
    }

    /// Reports that `rule` was broken. The same rule is reported once for each path and `subject`, a header's name for
    /// one.
    pub(super) fn report(&self, rule: Rule, subject: &str, seen: impl Into<String>) {
        self.report_with(rule, subject, seen, || None);
    }

    /// Reports that the body breaks `rule`, by which it should be as the head says.
    pub(super) fn report_body(&self, rule: Rule, seen: impl Into<String>) {
        self.report_with(rule, "", seen, || lock(&self.head).clone());
    }

    pub(super) fn report_with(
        &self,
        rule: Rule,
        subject: &str,
        seen: impl Into<String>,
        traceback: impl FnOnce() -> Option<String>,
    ) {
        if rule.side == Side::Application {
            self.faulted.store(true, Relaxed);
        }
        // What a server does wrong it does everywhere.
        let path = if rule.side == Side::Server { "" } else { &self.path };
        if self.is_new(rule, path, subject) {
            self.show(rule, seen.into(), traceback());
        }
    }

    /// Whether this place is not known yet. It is from now on.
    fn is_new(&self, rule: Rule, path: &str, subject: &str) -> bool {
        let mut memory = lock(&self.memory);
        let place = memory.reported.hasher().hash_one((rule.id, path, subject));
        memory.reported.len() < FINDINGS && memory.reported.insert(place)
    }

    fn show(&self, rule: Rule, seen: String, traceback: Option<String>) {
        let request = format!("{} {}", self.method, self.path);
        let finding = Finding::new(rule, request, seen, traceback);
        match &self.settings.sink {
            Some(sink) => sink(&finding),
            None => self.log.write(&finding.to_string()),
        }
    }

    /// Polls something of the application's: it must neither block nor panic.
    pub(super) fn poll<T>(&self, what: &str, poll: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(poll));
        let took = begun.elapsed();
        let result = result.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
            self.report(rules::PANIC, what, format!("{what} panicked: {text}"));
            resume_unwind(panic)
        });
        if took > self.settings.patience && !self.blocks {
            let seen = format!("{what} held its thread for {} ms in one poll", took.as_millis());
            self.report(rules::BLOCKS, what, seen);
        }
        result
    }

    /// The application has answered.
    pub(super) fn returned(&self) {
        self.returned.store(true, Relaxed);
    }

    /// The application, or its body, has failed.
    pub(super) fn failed(&self, error: &Error) {
        let explained = self.faulted.load(Relaxed) || self.broken.load(Relaxed);
        if !explained && matches!(error.kind(), Kind::App | Kind::Head | Kind::BadGateway) {
            self.report(rules::FAILS, "", format!("it failed: {}", error.chain()));
        }
    }

    /// Nobody takes anything of this call any more.
    pub(super) fn ends(&self) {
        self.over.store(true, Relaxed);
    }

    /// Everything of this call should be gone.
    pub(super) fn over(self: Arc<Self>) {
        self.ends();
        lock(&self.held).retain(|held| held.strong_count() > 0);
        if lock(&self.held).is_empty() {
            return;
        }
        let mut memory = lock(&self.memory);
        if memory.left.len() < LEFT {
            memory.left.push((Instant::now(), Arc::downgrade(&self)));
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    pub(super) fn client_stays(&self) -> bool {
        self.settings.client_stays
    }

    /// Names something that must be let go of when the call is over.
    pub(super) fn hold(&self, what: &'static str) -> Held {
        let held = Arc::new(what);
        lock(&self.held).push(Arc::downgrade(&held));
        held
    }

    /// Looks at calls that have been over for long enough, whether they have let go of everything.
    pub(super) fn look_back(&self) {
        let grace = self.settings.grace;
        let due: Vec<_> = lock(&self.memory).left.extract_if(.., |(since, _)| since.elapsed() >= grace).collect();
        for (since, call) in due {
            let Some(call) = call.upgrade() else { continue };
            let kept: Vec<_> = lock(&call.held).iter().filter_map(Weak::upgrade).collect();
            for what in kept {
                let seen =
                    format!("{what} is still held {} ms after the response was over", since.elapsed().as_millis());
                call.report(rules::KEPT, &what, seen);
            }
        }
    }
}

/// What `start_response` and its kin have to say.
impl Call {
    /// `start_response` was called.
    pub(crate) fn started(&self) {
        if self.returned.load(Relaxed) {
            self.report(rules::SECOND_START, "", "start_response was called when a response had been returned already");
        }
    }

    /// `start_response` has refused a status.
    pub(crate) fn refused_status(&self, error: &Error) {
        self.report(rules::STATUS, "", error.chain());
    }

    /// `start_response` has refused a header, which may be one that belongs to the connection.
    pub(crate) fn refused_header(&self, error: &Error, hop_by_hop: bool) {
        let rule = if hop_by_hop { rules::HOP_BY_HOP } else { rules::HEADER };
        self.report(rule, "", error.chain());
    }

    /// A writer goes on although it was told that nobody reads.
    pub(crate) fn writes_on(&self) {
        self.report(rules::GOES_ON, "write", "it goes on writing when it was told that its client has gone");
    }

    /// A write was made and not awaited.
    pub(crate) fn write_lost(&self, len: usize) {
        self.report(rules::WRITE, "", format!("a write of {len} bytes was dropped without having been awaited"));
    }

    /// What a [`Writer`](crate::Writer) holds.
    pub(crate) fn hold_writer(&self) -> Held {
        self.hold("a Writer")
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {})", self.method, self.path)
    }
}

/// Nothing that can panic is done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
