//! The socket as hyper sees it: bytes pass through, and the [`Watch`] learns of them.

use std::{
    cell::RefCell,
    io,
    os::fd::OwnedFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustix::net::SendFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    sendfile::is_stand_in,
    socket::Socket,
    watch::{BodyState, LINGER_BYTES, Phase, Watch},
};

/// Up to here it costs less to copy a head and its body together than to have the kernel gather them.
const FLAT: usize = 2048;

thread_local! {
    /// Where they are copied to.
    static COPY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection's socket.
pub(crate) struct Io {
    socket: Socket,
    watch: Arc<Watch>,
    /// What may still be thrown away before the socket is closed.
    linger: usize,
    /// The last bytes are with the kernel, which waits for the FIN to send it with them.
    held: bool,
}

impl Io {
    pub(crate) fn new(socket: OwnedFd, watch: Arc<Watch>) -> Self {
        Io { socket: Socket::Fresh(socket), watch, linger: LINGER_BYTES, held: false }
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.socket.poll_read(cx, buffer))?;
        self.watch.counters().received(buffer.filled().len() - before);
        if buffer.filled().len() > before && self.watch.is(Phase::Idle) {
            self.watch.enter(Phase::Head);
        }
        Poll::Ready(Ok(()))
    }
}

impl Io {
    /// Notices a FIN, which may mean that the client has said all it has to say, and a reset, which is an error.
    fn look(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut byte = [0];
        match self.socket.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(Ok(0)) => self.watch.half_closed(),
            // Pending: it is there and silent. Bytes: it sends its next request already.
            Poll::Pending | Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Err(error),
        }
        Ok(())
    }

    /// Sends bytes. Before the connection's end the kernel is told that there is more, so that it does not send a packet
    /// for the bytes and another for the FIN: shutting down sends both in one.
    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8], is_last: bool) -> Poll<io::Result<usize>> {
        self.held |= is_last;
        self.socket.poll_send(cx, bytes, if is_last { SendFlags::MORE } else { SendFlags::empty() })
    }

    fn poll_send_file(&mut self, cx: &mut Context<'_>, count: usize) -> Poll<io::Result<usize>> {
        let pieces = &self.watch.pieces;
        let result = self.socket.poll_write_with(cx, |socket| pieces.send(socket, count));
        self.written(result)
    }

    fn written(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(written) => {
                self.watch.counters().sent(*written.as_ref().unwrap_or(&0));
                self.watch.write_progress();
            }
            Poll::Pending => self.watch.write_pending(),
        }
        result
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if is_stand_in(bytes) {
            return self.poll_send_file(cx, bytes.len());
        }
        let result = self.poll_send(cx, bytes, false);
        self.written(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let plain = bytes.iter().position(|block| is_stand_in(block)).unwrap_or(bytes.len());
        if let (0, Some(stand_in)) = (plain, bytes.first()) {
            return self.poll_send_file(cx, stand_in.len());
        }
        let bytes = &bytes[..plain];
        let total = bytes.iter().map(|slice| slice.len()).sum::<usize>();
        let result = if total <= FLAT {
            COPY.with_borrow_mut(|copy| {
                copy.clear();
                bytes.iter().for_each(|slice| copy.extend_from_slice(slice));
                let is_last = self.watch.closes_next();
                self.poll_send(cx, copy, is_last)
            })
        } else {
            self.socket.poll_write_vectored(cx, bytes)
        };
        self.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A socket has no buffer of its own to flush. But hyper calls this when it has written everything, and whenever it
    /// has been woken, and so it is the place to look whether a client that waits for its answer is still there: hyper itself does not read meanwhile.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watch.flushed();
        if self.watch.is(Phase::Busy) && !self.watch.body_is(BodyState::Open) && !self.watch.is_half_closed() {
            self.look(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Closing while the client still sends makes the kernel send a reset, which can destroy the answer before the
        // client has read it (RFC 9112, section 9.6). If all has arrived, closing is all there is to do.
        if self.watch.body_is(BodyState::Received) {
            if self.held {
                // Closing alone would throw away what is held if the client has sent more than its request.
                return Poll::Ready(self.socket.shut_down());
            }
            return Poll::Ready(Ok(()));
        }
        self.socket.shut_down()?;
        if !self.watch.is(Phase::Linger) {
            self.watch.enter(Phase::Linger);
        }
        let mut waste = [0; 16 * 1024];
        while self.linger > 0 {
            let mut buffer = ReadBuf::new(&mut waste);
            match ready!(self.socket.poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {
                    self.linger = self.linger.saturating_sub(buffer.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if self.watch.is_broken_off() {
            // The client must not take a part for the whole; only a reset can tell it.
            let _ = self.socket.end_with_reset();
        }
    }
}
