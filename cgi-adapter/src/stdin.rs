//! The request's body as a program's standard input.

use std::{
    fs::File,
    io::{self, PipeWriter, Seek, SeekFrom, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use gateway_spec::{Environ, Error, Input, Kind, Result, Source};
use http_body::Body;
use rustix::fs::{MemfdFlags, memfd_create};
use tokio::net::unix::pipe;

/// How much of a request's body is kept in memory.
pub(crate) const MEMORY: usize = 64 * 1024;

/// What a program reads.
#[derive(Debug)]
pub(crate) enum Stdin {
    /// Nothing.
    Null,
    /// All of the body: it can neither block nor be cut short.
    File(File),
    /// The body as it arrives; the second is what brings it there.
    Pipe(OwnedFd, PipeWriter, Input),
}

impl Stdin {
    /// The body as a file.
    pub(crate) async fn whole(environ: &mut Environ) -> Result<Self> {
        let mut input = environ.take_input();
        let file = loop {
            match input.into_source() {
                Source::Empty => return Ok(Stdin::Null),
                Source::Bytes(bytes) if bytes.is_empty() => return Ok(Stdin::Null),
                Source::Bytes(bytes) => break in_memory(&bytes),
                Source::File { file, position, .. } => break positioned(file, position),
                // Middleware has read lines of it and left the rest.
                stream => {
                    let host = environ.connection().host();
                    input = Input::from(stream).spool(MEMORY, &host.blocking).await?;
                }
            }
        };
        file.map(Stdin::File).map_err(|error| Error::with_kind(Kind::Overloaded, error))
    }

    /// The body as it arrives.
    pub(crate) fn streamed(environ: &mut Environ) -> Result<Self> {
        let input = environ.take_input();
        if input.is_empty() {
            return Ok(Stdin::Null);
        }
        let (reader, writer) = io::pipe().map_err(|error| Error::with_kind(Kind::Overloaded, error))?;
        Ok(Stdin::Pipe(reader.into(), writer, input))
    }

    /// The descriptor for the program; none stands for `/dev/null`.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Stdin::Null => None,
            Stdin::File(file) => Some(file.as_fd()),
            Stdin::Pipe(reader, ..) => Some(reader.as_fd()),
        }
    }

    /// What is left to do once the program runs. The program's end of a pipe is closed here: its end must show.
    pub(crate) fn into_pump(self) -> io::Result<Option<Pump>> {
        let Stdin::Pipe(_, writer, input) = self else { return Ok(None) };
        rustix::io::ioctl_fionbio(&writer, true)?;
        let pipe = pipe::Sender::from_owned_fd_unchecked(writer.into())?;
        Ok(Some(Pump { input, block: Bytes::new(), pipe: Some(pipe) }))
    }
}

fn in_memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("request", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    positioned(file, 0)
}

fn positioned(mut file: File, position: u64) -> io::Result<File> {
    file.seek(SeekFrom::Start(position))?;
    Ok(file)
}

/// `/dev/null`, open for the life of the process.
pub(crate) fn null() -> io::Result<BorrowedFd<'static>> {
    static NULL: OnceLock<File> = OnceLock::new();
    if let Some(file) = NULL.get() {
        return Ok(file.as_fd());
    }
    let file = File::open("/dev/null")?;
    Ok(NULL.get_or_init(|| file).as_fd())
}

/// Moves a body from the client to the program while the program runs.
#[derive(Debug)]
pub(crate) struct Pump {
    input: Input,
    /// What the pipe had no room for yet.
    block: Bytes,
    /// None when all is there, or the program reads no more.
    pipe: Option<pipe::Sender>,
}

impl Pump {
    /// Moves what can be moved. Ready when there is nothing left to do.
    ///
    /// # Errors
    /// Those of the body, which must not look as if it were complete: the pipe stays open until this is dropped.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let Some(pipe) = &self.pipe {
            if self.block.is_empty() {
                match ready!(Pin::new(&mut self.input).poll_frame(cx)) {
                    Some(frame) => self.block = frame?.into_data().unwrap_or_default(),
                    None => self.pipe = None,
                }
                continue;
            }
            ready!(pipe.poll_write_ready(cx))?;
            match pipe.try_write(&self.block) {
                Ok(count) => self.block.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A program need not read all of its input (RFC 3875, section 4.2).
                Err(_) => self.pipe = None,
            }
        }
        Poll::Ready(Ok(()))
    }
}
