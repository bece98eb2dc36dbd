//! A program's standard error: always drained, logged by lines, and bounded.

use std::{convert::Infallible, future, io};

use bytes::BytesMut;
use gateway_spec::ErrorLog;
use tokio::net::unix::pipe;

/// How much of one program's output is logged.
const LOGGED: usize = 64 * 1024;

/// The longest line that is logged in one piece.
const LINE: usize = 8 * 1024;

/// How many blocks are read for the last words: more than a pipe holds.
const LAST_BLOCKS: usize = 64;

/// The reading end.
#[derive(Debug)]
pub(crate) struct Stderr {
    pipe: pipe::Receiver,
    /// What follows the last complete line.
    pending: BytesMut,
    log: Log,
}

/// Where the lines go.
#[derive(Debug)]
pub(crate) struct Log {
    error_log: ErrorLog,
    program: String,
    room: usize,
}

impl Stderr {
    /// A log of the lines of `program`.
    pub(crate) fn log(error_log: ErrorLog, program: String) -> Log {
        Log { error_log, program, room: LOGGED }
    }

    pub(crate) fn new(pipe: pipe::Receiver, log: Log) -> Self {
        Stderr { pipe, pending: BytesMut::new(), log }
    }

    /// Logs what comes, for as long as it is polled.
    pub(crate) async fn drain(&mut self) -> Infallible {
        // One read each time it is readable: a program that never stops writing must not stop the runtime.
        while self.pipe.readable().await.is_ok() {
            match self.read() {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
        self.flush();
        future::pending().await
    }

    /// Logs what is there already.
    pub(crate) fn drain_ready(&mut self) {
        for _ in 0..LAST_BLOCKS {
            if !matches!(self.read(), Ok(1..)) {
                break;
            }
        }
        self.flush();
    }

    fn read(&mut self) -> io::Result<usize> {
        self.pending.reserve(LINE);
        let count = self.pipe.try_read_buf(&mut self.pending)?;
        while let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
            let line = self.pending.split_to(end + 1);
            self.log.line(&line[..end]);
        }
        if self.pending.len() >= LINE {
            self.flush();
        }
        Ok(count)
    }

    /// Logs what may be half a line.
    fn flush(&mut self) {
        let line = self.pending.split();
        if !line.is_empty() {
            self.log.line(&line);
        }
    }
}

impl Log {
    fn line(&mut self, line: &[u8]) {
        if self.room == 0 {
            return;
        }
        self.room = self.room.saturating_sub(line.len() + 1);
        let program = &self.program;
        if self.room == 0 {
            self.error_log.write(&format!("{program}: (more than {LOGGED} bytes; the rest is not logged)"));
            return;
        }
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        // Control characters would forge lines of the log, and move the cursor of who reads it.
        let line = line.replace(|character: char| character.is_control() && character != '\t', "\u{fffd}");
        self.error_log.write(&format!("{program}: {line}"));
    }
}
