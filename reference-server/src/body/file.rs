//! A file as a response's body.

use std::{
    io,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use gateway_spec::FileRange;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::sendfile::{PIECE, Pieces, read_cached};

/// What is read of a file at once, off the event loop.
const FILE_BLOCK: usize = 256 * 1024;
/// Up to here reading a file into the response costs less than having the kernel send it.
const SMALL: usize = 32 * 1024;

/// Sends a file: small ones are read, of others the kernel sends what it has in memory, and what it has not is read on
/// the runtime's blocking threads, so that no disk holds the event loop up.
pub(super) enum FileReader {
    Waiting(Range),
    Reading(JoinHandle<io::Result<(Range, Bytes)>>),
    Over,
}

pub(super) struct Range {
    /// Its drop tells its maker that the file is done with.
    whole: Arc<FileRange>,
    offset: u64,
    len: u64,
}

impl FileReader {
    /// Sends at most `limit` bytes of the range: what is more than was promised must not be queued.
    pub(super) fn new(range: FileRange, limit: u64) -> Self {
        let (offset, len) = (range.offset, range.len.min(limit));
        FileReader::Waiting(Range { whole: Arc::new(range), offset, len })
    }

    pub(super) fn poll_block(&mut self, pieces: &Pieces, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match std::mem::replace(self, FileReader::Over) {
                FileReader::Over => return Poll::Ready(None),
                FileReader::Waiting(range) if range.len == 0 => return Poll::Ready(None),
                FileReader::Waiting(mut range) => match range.cached(pieces) {
                    Ok(Some(block)) => {
                        *self = FileReader::Waiting(range);
                        return Poll::Ready(Some(Ok(block)));
                    }
                    Ok(None) => *self = FileReader::Reading(spawn_blocking(|| range.read())),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                FileReader::Reading(mut task) => {
                    let Poll::Ready(read) = Pin::new(&mut task).poll(cx) else {
                        *self = FileReader::Reading(task);
                        return Poll::Pending;
                    };
                    let (range, block) = match read.map_err(io::Error::other).flatten() {
                        Ok(read) => read,
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    };
                    *self = FileReader::Waiting(range);
                    return Poll::Ready(Some(Ok(block)));
                }
            }
        }
    }
}

impl Range {
    /// The next block, if it is in memory.
    fn cached(&mut self, pieces: &Pieces) -> io::Result<Option<Bytes>> {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX).min(PIECE);
        if len <= SMALL {
            let mut block = BytesMut::zeroed(len);
            let read = read_cached(&self.whole.file, &mut block, self.offset)?.filter(|count| *count == len);
            return Ok(read.map(|_| self.advance(block.freeze())));
        }
        // If its end is in memory, the rest has been read before.
        let last = read_cached(&self.whole.file, &mut [0], self.offset + len as u64 - 1)?;
        Ok(last.filter(|count| *count == 1).map(|_| self.advance(pieces.push(self.whole.clone(), self.offset, len))))
    }

    /// The next block, whatever it takes.
    fn read(mut self) -> io::Result<(Self, Bytes)> {
        let mut block = BytesMut::zeroed(usize::try_from(self.len).unwrap_or(usize::MAX).min(FILE_BLOCK));
        let count = self.whole.file.read_at(&mut block, self.offset)?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent"));
        }
        block.truncate(count);
        let block = self.advance(block.freeze());
        Ok((self, block))
    }

    fn advance(&mut self, block: Bytes) -> Bytes {
        self.offset += block.len() as u64;
        self.len -= block.len() as u64;
        block
    }
}
