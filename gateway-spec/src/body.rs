//! The response's body.

use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::FileExt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{Error, Result};

/// The body of a [`Response`](crate::Response): empty, bytes in hand, a file, or blocks that are pulled over time.
///
/// The server sends each block before it asks for the next, or makes sure that it is on its way meanwhile. Dropping a
/// body, finished or not, is how an application learns that the request is over.
///
/// ```
/// # use gateway_spec::*;
/// assert_eq!(Body::from("Hello!\n").len(), Some(7));
/// assert!(Body::from(()).is_empty());
/// let bytes: Body = vec![0u8; 1024].into();
/// ```
pub struct Body(Repr);

enum Repr {
    Empty,
    Full(Bytes),
    File(FileRange),
    Stream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = Error> + Send>>),
}

impl Body {
    /// No body at all.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Body::empty().len(), Some(0));
    /// ```
    pub fn empty() -> Self {
        Body(Repr::Empty)
    }

    /// Blocks that are pulled from `body`. Its trailers are not sent.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// use std::{pin::Pin, task::{Context, Poll}};
    ///
    /// use bytes::Bytes;
    /// use http_body::Frame;
    ///
    /// /// Counts down.
    /// struct Countdown(u32);
    ///
    /// impl http_body::Body for Countdown {
    ///     type Data = Bytes;
    ///     type Error = Error;
    ///
    ///     fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
    ///         let Some(rest) = self.0.checked_sub(1) else { return Poll::Ready(None) };
    ///         self.0 = rest;
    ///         Poll::Ready(Some(Ok(Frame::data(format!("{rest}\n").into()))))
    ///     }
    /// }
    /// let body = Body::new(Countdown(10));
    /// assert_eq!(body.len(), None);
    /// ```
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = Error> + Send + 'static,
    {
        Body(Repr::Stream(Box::pin(body)))
    }

    /// The number of bytes, where it is known.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Body::from("Hello!\n").len(), Some(7));
    /// ```
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Repr::Empty => Some(0),
            Repr::Full(bytes) => Some(bytes.len() as u64),
            Repr::File(range) => Some(range.len),
            Repr::Stream(body) => body.size_hint().exact(),
        }
    }

    /// Whether the body is known to have no bytes.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert!(Body::from("").is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The file, for a host that can send one in a better way than block by block; or the body back.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// What a host does that can send files.
    /// fn send(body: Body) {
    ///     match body.into_file() {
    ///         Ok(range) => println!("sendfile({:?}, {}, {})", range.file, range.offset, range.len),
    ///         Err(body) => println!("{body:?}, block by block"),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// The body itself, if it is not a file.
    pub fn into_file(self) -> Result<FileRange, Body> {
        match self.0 {
            Repr::File(range) => Ok(range),
            other => Err(Body(other)),
        }
    }
}

/// A part of an open file, to be sent as a body.
///
/// ```
/// # use gateway_spec::*;
/// use std::fs::File;
///
/// async fn app(_: Environ, start_response: StartResponse) -> Result<Response> {
///     let file = File::open("/etc/motd")?;
///     let length = file.metadata()?.len();
///     Ok(start_response.start(200, [("content-type", "text/plain")])?.body(FileRange::new(file, 0, length)))
/// }
/// # fn is_app(_: impl App) {}
/// # is_app(app);
/// ```
pub struct FileRange {
    /// The file; its own offset is neither used nor moved.
    pub file: File,
    /// Where to begin, in bytes from the file's start.
    pub offset: u64,
    /// How many bytes to send.
    pub len: u64,
    /// Dropped with the range.
    keep: Option<Box<dyn Send + Sync>>,
}

impl FileRange {
    /// `len` bytes of `file`, from `offset` on.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// The last kilobyte.
    /// fn tail(file: std::fs::File) -> Result<Body> {
    ///     let length = file.metadata()?.len();
    ///     let offset = length.saturating_sub(1024);
    ///     Ok(FileRange::new(file, offset, length - offset).into())
    /// }
    /// ```
    pub fn new(file: File, offset: u64, len: u64) -> Self {
        FileRange { file, offset, len, keep: None }
    }

    /// Keeps a value until the range has been sent, or dropped before that: its drop is where an adapter closes what the
    /// file came from.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// `lock` is held until the file was sent.
    /// fn locked(range: FileRange, lock: std::sync::Arc<()>) -> FileRange {
    ///     range.keeping(lock)
    /// }
    /// ```
    #[must_use]
    pub fn keeping(self, value: impl Send + Sync + 'static) -> Self {
        FileRange { keep: Some(Box::new(value)), ..self }
    }

    /// Keeps another value beside the one that is kept already.
    pub(crate) fn also_keeping(self, value: impl Send + Sync + 'static) -> Self {
        FileRange { keep: Some(Box::new((self.keep, value))), ..self }
    }

    /// Reads the next bytes into `buffer` and moves past them. Blocks for as long as the disk does.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn send(mut range: FileRange, mut socket: impl std::io::Write) -> std::io::Result<()> {
    ///     let mut block = [0; 8192];
    ///     while range.len > 0 {
    ///         let count = range.read(&mut block)?;
    ///         socket.write_all(&block[..count])?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// What the read reports, and `UnexpectedEof` if the file has become shorter than the range.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.len).unwrap_or(usize::MAX));
        let count = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        if count == 0 && wanted > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent"));
        }
        self.offset += count as u64;
        self.len -= count as u64;
        Ok(count)
    }
}

/// What a host that has no better way reads of a file at once.
const FILE_BLOCK: usize = 64 * 1024;

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Repr::Empty => Poll::Ready(None),
            Repr::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Repr::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Repr::File(range) if range.len == 0 => Poll::Ready(None),
            Repr::File(range) => {
                let mut block = vec![0; FILE_BLOCK];
                Poll::Ready(Some(match range.read(&mut block) {
                    Ok(count) => {
                        block.truncate(count);
                        Ok(Frame::data(block.into()))
                    }
                    Err(error) => Err(error.into()),
                }))
            }
            Repr::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Repr::Stream(body) => body.is_end_stream(),
            _ => self.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Repr::Stream(body) => body.size_hint(),
            _ => SizeHint::with_exact(self.len().unwrap_or_default()),
        }
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Body::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body(Repr::Full(bytes))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<FileRange> for Body {
    fn from(range: FileRange) -> Self {
        Body(Repr::File(range))
    }
}

impl fmt::Debug for FileRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FileRange({:?}, {} bytes from {}, keeping: {})",
            self.file,
            self.len,
            self.offset,
            self.keep.is_some()
        )
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Empty => f.write_str("Body::Empty"),
            Repr::Full(bytes) => write!(f, "Body::Full({} bytes)", bytes.len()),
            Repr::File(range) => f.debug_tuple("Body::File").field(range).finish(),
            Repr::Stream(_) => f.write_str("Body::Stream"),
        }
    }
}
