//! A program's standard error: always drained, logged by lines, and bounded.

use std::{convert::Infallible, future, io, os::fd::OwnedFd, sync::Arc};

use bytes::BytesMut;
use tokio::net::unix::pipe;

use crate::log::RunLog;

/// How much of one program's output is logged.
const LOGGED: usize = 64 * 1024;

/// The longest line that is logged in one piece.
const LINE: usize = 8 * 1024;

/// How many blocks are read for the last words: more than a pipe holds.
const LAST_BLOCKS: usize = 64;

/// The reading end, which does not block.
#[derive(Debug)]
pub(crate) struct Stderr {
    pipe: OwnedFd,
    lines: Lines,
}

/// What is logged of it.
#[derive(Debug)]
struct Lines {
    /// What follows the last complete line.
    pending: BytesMut,
    log: Arc<RunLog>,
    room: usize,
}

impl Stderr {
    pub(crate) fn new(pipe: OwnedFd, log: Arc<RunLog>) -> Self {
        Stderr { pipe, lines: Lines { pending: BytesMut::new(), log, room: LOGGED } }
    }

    /// Logs what is there already.
    pub(crate) fn drain_ready(&mut self) {
        let mut block = [0; LINE];
        for _ in 0..LAST_BLOCKS {
            match rustix::io::read(&self.pipe, &mut block) {
                Ok(count @ 1..) => self.lines.take(&block[..count]),
                _ => break,
            }
        }
        self.lines.flush();
    }

    /// Has the runtime watch it.
    pub(super) fn watch(self) -> io::Result<Watched> {
        Ok(Watched { pipe: pipe::Receiver::from_owned_fd_unchecked(self.pipe)?, lines: self.lines })
    }
}

/// The reading end while somebody looks after it.
pub(super) struct Watched {
    pipe: pipe::Receiver,
    lines: Lines,
}

impl Watched {
    /// Logs what comes, for as long as it is polled.
    pub(super) async fn drain(&mut self) -> Infallible {
        // One read each time it is readable: a program that never stops writing must not stop the runtime.
        while self.pipe.readable().await.is_ok() {
            match self.read() {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
        self.lines.flush();
        future::pending().await
    }

    /// Logs what is there already.
    pub(super) fn drain_ready(&mut self) {
        for _ in 0..LAST_BLOCKS {
            if !matches!(self.read(), Ok(1..)) {
                break;
            }
        }
        self.lines.flush();
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut block = [0; LINE];
        let count = self.pipe.try_read(&mut block)?;
        self.lines.take(&block[..count]);
        Ok(count)
    }
}

impl Lines {
    fn take(&mut self, block: &[u8]) {
        self.pending.extend_from_slice(block);
        while let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
            let line = self.pending.split_to(end + 1);
            self.line(&line[..end]);
        }
        if self.pending.len() >= LINE {
            self.flush();
        }
    }

    /// Logs what may be half a line.
    fn flush(&mut self) {
        let line = self.pending.split();
        if !line.is_empty() {
            self.line(&line);
        }
    }

    fn line(&mut self, line: &[u8]) {
        if self.room == 0 {
            return;
        }
        self.room = self.room.saturating_sub(line.len() + 1);
        if self.room == 0 {
            self.log.write(format_args!("(more than {LOGGED} bytes; the rest is not logged)"));
            return;
        }
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        // Control characters would forge lines of the log, and move the cursor of who reads it.
        self.log.said(&line.replace(|character: char| character.is_control() && character != '\t', "\u{fffd}"));
    }
}
