//! Sending a file without reading it: the body gives hyper a stand-in of the same length, and the socket's wrapper has
//! the kernel send the file where it meets the stand-in.
//!
//! hyper passes the blocks of a body on to the socket as they are when it writes them vectored, which connections here
//! always do. The order of stand-ins is that of the pieces of files that wait here, and their lengths are the same, so
//! the two need nothing else to find each other.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, IoSliceMut},
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use gateway_spec::FileRange;
use rustix::{
    fs::sendfile,
    io::{Errno, ReadWriteFlags, preadv2},
};

/// What is sent of a file at once.
pub(crate) const PIECE: usize = 512 * 1024;

/// Nobody reads what is here; a block that lies here is a stand-in.
static STAND_IN: [u8; PIECE] = [0; PIECE];

/// The pieces of files that a connection sends next.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Mutex<VecDeque<Piece>>);

#[derive(Debug)]
struct Piece {
    range: Arc<FileRange>,
    offset: u64,
    len: usize,
}

impl Pieces {
    /// Queues a piece, at most [`PIECE`] long, and returns its stand-in.
    pub(crate) fn push(&self, range: Arc<FileRange>, offset: u64, len: usize) -> Bytes {
        self.lock().push_back(Piece { range, offset, len });
        Bytes::from_static(&STAND_IN[..len])
    }

    /// Has the kernel send up to `count` bytes of the next piece.
    pub(crate) fn send(&self, socket: impl AsFd, count: usize) -> io::Result<usize> {
        let mut pieces = self.lock();
        let Some(piece) = pieces.front_mut() else {
            return Err(io::Error::other("there is a stand-in without a piece of a file"));
        };
        let sent = sendfile(socket, &piece.range.file, Some(&mut piece.offset), count.min(piece.len))?;
        if sent == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent"));
        }
        piece.len -= sent;
        if piece.len == 0 {
            pieces.pop_front();
        }
        Ok(sent)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Piece>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a block stands in for a piece of a file.
pub(crate) fn is_stand_in(block: &[u8]) -> bool {
    STAND_IN.as_ptr_range().contains(&block.as_ptr()) && !block.is_empty()
}

/// Reads without waiting for the disk. `None` if it would have to be waited for, or the file system cannot tell.
pub(crate) fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
    match preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
        Ok(count) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
