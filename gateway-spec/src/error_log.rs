//! Where an application writes what its operator should read.

use std::{fmt, sync::Arc};

/// The server's error log, as an application sees it: PEP 3333's `wsgi.errors`, line by line.
#[derive(Clone)]
pub struct ErrorLog(Arc<dyn LogSink>);

/// What a host provides to receive the lines of an [`ErrorLog`].
pub trait LogSink: Send + Sync + 'static {
    /// Takes one line, without its line ending. It must not block for long and must not fail.
    fn line(&self, line: &str);
}

impl ErrorLog {
    /// A log that hands its lines to `sink`.
    pub fn new(sink: impl LogSink) -> Self {
        ErrorLog(Arc::new(sink))
    }

    /// A log that writes to standard error: what a host that has no log of its own would do.
    pub fn stderr() -> Self {
        ErrorLog::new(Stderr)
    }

    /// Writes `text`, each of its lines as one.
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
