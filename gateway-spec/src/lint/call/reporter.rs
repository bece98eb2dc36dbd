//! What adapters report of an application in their own language.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use http::{HeaderMap, header};

use super::{Call, lock};
use crate::{
    Extension, Status,
    lint::{Rule, response, rules},
};

/// For adapters: the way to report what they see of an application in their own language.
///
/// [`Lint`](crate::Lint) puts it into the environ; an adapter that finds it there looks closer.
///
/// ```
/// # use gateway_spec::*;
/// use gateway_spec::lint::Reporter;
///
/// async fn adapter(environ: Environ, start_response: StartResponse) -> Result<Response> {
///     let is_checked = environ.extension::<Reporter>().is_some();
///     Ok(start_response.start(200, ())?.body(if is_checked { "checked" } else { "not checked" }))
/// }
/// # fn is_app(_: impl App) {}
/// # is_app(adapter);
/// ```
#[derive(Clone)]
pub struct Reporter(Arc<Call>);

impl Extension for Reporter {
    const KEY: &'static str = "gateway.lint";
}

impl Reporter {
    pub(in crate::lint) fn new(call: Arc<Call>) -> Self {
        Reporter(call)
    }

    /// Reports that `rule` was broken, unless it was for the same path and `subject`. `traceback` is asked for only if
    /// it is shown.
    ///
    /// ```
    /// use gateway_spec::lint::{Reporter, rules};
    ///
    /// fn check_block(reporter: &Reporter, type_name: &str, traceback: &str) {
    ///     if type_name != "bytes" {
    ///         let seen = format!("a block is of type {type_name}");
    ///         reporter.report(rules::WSGI_BLOCK, "", seen, || Some(traceback.to_owned()));
    ///     }
    /// }
    /// ```
    pub fn report(
        &self,
        rule: Rule,
        subject: &str,
        seen: impl Into<String>,
        traceback: impl FnOnce() -> Option<String>,
    ) {
        self.0.report_with(rule, subject, seen, traceback);
    }

    /// Reports that `rule` was broken by what is the same for every path, unless it was reported before.
    ///
    /// ```
    /// use gateway_spec::lint::{Reporter, rules};
    ///
    /// fn check_callable(reporter: &Reporter, arguments: usize) {
    ///     if arguments != 2 {
    ///         reporter.report_once(rules::WSGI_CALLABLE, format!("it takes {arguments} arguments"), || None);
    ///     }
    /// }
    /// ```
    pub fn report_once(&self, rule: Rule, seen: impl Into<String>, traceback: impl FnOnce() -> Option<String>) {
        self.0.faulted.store(true, Relaxed);
        if self.0.is_new(rule, "", "") {
            self.0.show(rule, seen.into(), traceback());
        }
    }

    /// Checks what `start_response` was given. [`Lint`](crate::Lint) does that as well, later, and knows no traceback.
    ///
    /// ```
    /// use gateway_spec::{Result, Status, lint::Reporter};
    /// use http::HeaderMap;
    ///
    /// fn check(reporter: &Reporter, status: &str, headers: &HeaderMap, traceback: &str) -> Result<()> {
    ///     reporter.check_head(&Status::parse(status.as_bytes())?, headers, || Some(traceback.to_owned()));
    ///     Ok(())
    /// }
    /// ```
    pub fn check_head(&self, status: &Status, headers: &HeaderMap, traceback: impl Fn() -> Option<String>) {
        response::check_head(&self.0, status, headers, &traceback);
        // Only with these can the body turn out to be another than was said.
        if headers.contains_key(header::CONTENT_LENGTH) || !headers.contains_key(header::CONTENT_TYPE) {
            *lock(&self.0.head) = traceback();
        }
    }

    /// Reports that the application failed, if that is no consequence of what was reported already. The same failure,
    /// which is one at the same place in the code, is reported once whatever the path.
    ///
    /// ```
    /// use gateway_spec::lint::Reporter;
    ///
    /// fn raised(reporter: &Reporter, exception: &str, traceback: &str) {
    ///     reporter.failed(format!("it raised {exception}"), || Some(traceback.to_owned()));
    /// }
    /// ```
    pub fn failed(&self, seen: impl Into<String>, traceback: impl FnOnce() -> Option<String>) {
        let call = &*self.0;
        let explained = call.faulted.swap(true, Relaxed) || call.broken.load(Relaxed) || call.is_over();
        if explained || !call.is_new(rules::FAILS, &call.path, "") {
            return;
        }
        let traceback = traceback();
        let frames = |line: &&str| line.trim_start().starts_with("File ");
        let place: Option<String> = traceback.as_ref().map(|traceback| traceback.lines().filter(frames).collect());
        if place.is_none_or(|place| call.is_new(rules::FAILS, "", &place)) {
            call.show(rules::FAILS, seen.into(), traceback);
        }
    }

    /// Says that the application's language has a garbage collector: that it keeps what belongs to a request means
    /// nothing.
    ///
    /// ```
    /// use gateway_spec::{Environ, lint::Reporter};
    ///
    /// fn begin(environ: &Environ) {
    ///     if let Some(reporter) = environ.extension::<Reporter>() {
    ///         reporter.keeps_objects();
    ///     }
    /// }
    /// ```
    pub fn keeps_objects(&self) {
        lock(&self.0.held).clear();
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}
