//! What the log says of one program's run: every line with the program's name and the request's id.

use std::{
    fmt,
    process::ExitStatus,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use gateway_spec::ErrorLog;

/// How much of a program's last words is repeated with its failure.
const TAIL: usize = 512;

/// The log of one run.
#[derive(Debug)]
pub(crate) struct RunLog {
    error_log: ErrorLog,
    program: String,
    request: String,
    begun: Instant,
    tail: Mutex<String>,
}

impl RunLog {
    pub(crate) fn new(error_log: ErrorLog, program: String) -> Self {
        RunLog { error_log, program, request: next_id(), begun: Instant::now(), tail: Mutex::default() }
    }

    /// The request's id: in the log, in the program's `UNIQUE_ID`, and in what the client is told of a failure.
    pub(crate) fn request(&self) -> &str {
        &self.request
    }

    /// Says something about the program.
    pub(crate) fn write(&self, text: impl fmt::Display) {
        self.error_log.write(&format!("{self}: {text}"));
    }

    /// Passes on a line that the program itself wrote.
    pub(crate) fn said(&self, line: &str) {
        self.write(line);
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if !tail.is_empty() {
            tail.push_str(" | ");
        }
        tail.push_str(line);
        let surplus = tail.len().saturating_sub(TAIL);
        let cut = (surplus..=tail.len()).find(|&at| tail.is_char_boundary(at)).unwrap_or_default();
        tail.drain(..cut);
    }

    /// How a run went that failed: how it ended, if it has, how long it took, and its last words.
    pub(crate) fn circumstances(&self, status: Option<ExitStatus>) -> String {
        let milliseconds = self.begun.elapsed().as_millis();
        let end = status.map_or_else(|| "running".into(), |status| status.to_string());
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let words = if tail.is_empty() { String::new() } else { format!("; it said: {tail}") };
        format!("{end} after {milliseconds} ms{words}")
    }
}

impl fmt::Display for RunLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.program, self.request)
    }
}

/// An id that no other request of this server has, and hardly one of another.
fn next_id() -> String {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        AtomicU64::new(now.as_micros() as u64)
    });
    format!("{:x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_the_tail_is_bounded() {
        let log = RunLog::new(ErrorLog::stderr(), "p".into());
        assert_ne!(log.request(), RunLog::new(ErrorLog::stderr(), "p".into()).request());
        for _ in 0..100 {
            log.said("ä line of the program");
        }
        let circumstances = log.circumstances(None);
        assert!(circumstances.ends_with("of the program") && circumstances.len() < TAIL + 60, "{circumstances}");
    }
}
