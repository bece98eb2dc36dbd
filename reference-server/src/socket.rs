//! A connection's socket, known to the event loop only from the moment when it has to be waited for.
//!
//! Most of what a new connection is accepted for has arrived by then. If it can be answered at once, and is the last
//! that the client wants, the event loop is spared the trouble of taking the socket in and out of its list.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    net,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::{
    io::{Errno, writev},
    net::{RecvFlags, SendFlags, recv, send, shutdown, sockopt::set_socket_linger},
};
use tokio::{
    io::{AsyncRead, Interest, ReadBuf},
    net::TcpStream,
};

/// So much of a request is read before the event loop knows the socket: more than most have.
const FIRST: usize = 4096;

/// A socket that does not block.
pub(crate) enum Socket {
    /// Nothing was waited for yet.
    Fresh(OwnedFd),
    /// The event loop tells when it is ready. A unix socket is no `TcpStream`, but all that a connection does are the
    /// same calls.
    Watched(TcpStream),
    /// The event loop would not have it.
    Refused,
}

impl Socket {
    /// The socket in the event loop.
    fn watched(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if let Socket::Fresh(_) = self
            && let Socket::Fresh(socket) = std::mem::replace(self, Socket::Refused)
        {
            *self = Socket::Watched(TcpStream::from_std(net::TcpStream::from(socket))?);
        }
        match self {
            Socket::Watched(socket) => Ok(Pin::new(socket)),
            _ => Err(refused()),
        }
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Socket::Fresh(socket) = self {
            let mut first = [const { MaybeUninit::<u8>::uninit() }; FIRST];
            let room = buffer.remaining().min(FIRST);
            match recv(socket, &mut first[..room], RecvFlags::empty()) {
                Ok(((received, _), _)) => {
                    buffer.put_slice(received);
                    // What is longer is read in larger pieces, and in turn with what others send.
                    if received.len() == FIRST {
                        self.watched()?;
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::AGAIN) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        self.watched()?.poll_read(cx, buffer)
    }

    /// Looks at what could be read, without reading it.
    pub(crate) fn poll_peek(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        self.watched()?.poll_peek(cx, buffer)
    }

    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        flags: SendFlags,
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| Ok(send(socket, bytes, flags | SendFlags::NOSIGNAL)?))
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| Ok(writev(socket, bytes)?))
    }

    /// Writes in some way, as soon as that does not block.
    pub(crate) fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let would_block = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        if let Socket::Fresh(socket) = self {
            match write(socket.as_fd()) {
                Err(error) if would_block(&error) => {}
                result => return Poll::Ready(result),
            }
        }
        let socket = self.watched()?;
        loop {
            ready!(socket.poll_write_ready(cx))?;
            match socket.try_io(Interest::WRITABLE, || write(socket.as_fd())) {
                // The socket was ready before, and now is so no more.
                Err(error) if would_block(&error) => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Sends a FIN.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        match shutdown(self.as_fd()?, rustix::net::Shutdown::Write) {
            // The client has closed the connection already.
            Err(Errno::NOTCONN) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Has the socket's end be a reset.
    pub(crate) fn end_with_reset(&self) -> io::Result<()> {
        Ok(set_socket_linger(self.as_fd()?, Some(Duration::ZERO))?)
    }

    fn as_fd(&self) -> io::Result<BorrowedFd<'_>> {
        match self {
            Socket::Fresh(socket) => Ok(socket.as_fd()),
            Socket::Watched(socket) => Ok(socket.as_fd()),
            Socket::Refused => Err(refused()),
        }
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the event loop could not take the socket")
}
