//! Where an application writes what its operator should read.

use std::{fmt, sync::Arc};

/// The server's error log, as an application sees it: PEP 3333's `wsgi.errors`, line by line.
///
/// ```
/// # use gateway_spec::*;
/// struct Prefixed(&'static str);
///
/// impl LogSink for Prefixed {
///     fn line(&self, line: &str) {
///         eprintln!("{}: {line}", self.0);
///     }
/// }
/// let log = ErrorLog::new(Prefixed("app"));
/// log.write("one\ntwo"); // app: one, app: two
/// ```
#[derive(Clone)]
pub struct ErrorLog(Arc<dyn LogSink>);

/// What a host provides to receive the lines of an [`ErrorLog`].
///
/// ```
/// # use gateway_spec::*;
/// struct Prefixed(&'static str);
///
/// impl LogSink for Prefixed {
///     fn line(&self, line: &str) {
///         eprintln!("{}: {line}", self.0);
///     }
/// }
/// ```
pub trait LogSink: Send + Sync + 'static {
    /// Takes one line, without its line ending. It must not block for long and must not fail.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::mpsc::Sender;
    /// /// A line that nobody waits for is lost without harm.
    /// struct Sent(Sender<String>);
    ///
    /// impl LogSink for Sent {
    ///     fn line(&self, line: &str) {
    ///         let _ = self.0.send(line.to_owned());
    ///     }
    /// }
    /// ```
    fn line(&self, line: &str);
}

impl ErrorLog {
    /// A log that hands its lines to `sink`.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// struct Prefixed(&'static str);
    ///
    /// impl LogSink for Prefixed {
    ///     fn line(&self, line: &str) {
    ///         eprintln!("{}: {line}", self.0);
    ///     }
    /// }
    /// let host = Host { error_log: ErrorLog::new(Prefixed("app")), ..Host::default() };
    /// ```
    pub fn new(sink: impl LogSink) -> Self {
        ErrorLog(Arc::new(sink))
    }

    /// A log that writes to standard error: what a host that has no log of its own would do.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// ErrorLog::stderr().write("the cache is cold");
    /// ```
    pub fn stderr() -> Self {
        ErrorLog::new(Stderr)
    }

    /// Writes `text`, each of its lines as one.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn report(environ: &Environ, error: &Error) {
    ///     environ.error_log().write(&error.chain());
    /// }
    /// ```
    pub fn write(&self, text: &str) {
        text.lines().for_each(|line| self.0.line(line));
    }
}

struct Stderr;

impl LogSink for Stderr {
    fn line(&self, line: &str) {
        eprintln!("{line}");
    }
}

impl fmt::Debug for ErrorLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorLog")
    }
}
