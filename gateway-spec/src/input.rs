//! The request's body.

mod reader;

use std::{
    fmt,
    fs::File,
    future::poll_fn,
    os::unix::fs::FileExt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};

pub use reader::Reader;

use crate::{Error, Kind, Result};

/// The body of a request, which ends where the request ends: no application can read beyond it.
///
/// It is read in blocks as they arrive ([`chunk`](Self::chunk)), in lines, or whole. At its end it stays at its end.
/// A body that breaks off is an error, never an end.
///
/// ```
/// # use gateway_spec::*;
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     let mut future = std::pin::pin!(future);
/// #     loop {
/// #         let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #         if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut cx) {
/// #             return output;
/// #         }
/// #     }
/// # }
/// let mut input = Input::from(bytes::Bytes::from("one\ntwo"));
/// assert_eq!(input.len(), Some(7));
/// # block_on(async {
/// assert_eq!(input.line(100).await.unwrap()?, "one\n");
/// assert_eq!(input.read_all(100).await?, "two");
/// assert!(input.chunk().await.is_none());
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
pub struct Input {
    source: Source,
    /// Bytes that [`line`](Self::line) has received and not yet given out.
    rest: BytesMut,
}

/// Where an [`Input`] takes its bytes from: for adapters that have a better way than block by block.
///
/// ```
/// # use gateway_spec::*;
/// /// Sends a body back in the cheapest way that there is.
/// fn echo(input: Input) -> Body {
///     match input.into_source() {
///         Source::Empty => Body::empty(),
///         Source::Bytes(bytes) => bytes.into(),
///         Source::File { file, position, len } => FileRange::new(file, position, len - position).into(),
///         Source::Stream(stream) => Body::new(stream),
///     }
/// }
/// ```
pub enum Source {
    /// There is no body.
    Empty,
    /// The body is in memory.
    Bytes(Bytes),
    /// The body is in a file without a name: `position` bytes are read already, of `len` in all.
    File {
        /// The file.
        file: File,
        /// How many bytes are read.
        position: u64,
        /// How many bytes the body has.
        len: u64,
    },
    /// The body arrives over time.
    Stream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = Error> + Send>>),
}

/// What is read of a file at once.
const FILE_BLOCK: u64 = 64 * 1024;

impl Input {
    /// No body.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Input::empty().len(), Some(0));
    /// ```
    pub fn empty() -> Self {
        Source::Empty.into()
    }

    /// A body that arrives over time.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// The body of a request, limited by whoever hands it on.
    /// fn input(body: impl http_body::Body<Data = bytes::Bytes, Error = Error> + Send + 'static) -> Input {
    ///     Input::new(body)
    /// }
    /// ```
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = Error> + Send + 'static,
    {
        Source::Stream(Box::pin(body)).into()
    }

    /// A body that broke off before its first byte was read: every read fails.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # fn block_on<F: Future>(future: F) -> F::Output {
    /// #     let mut future = std::pin::pin!(future);
    /// #     loop {
    /// #         let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// #         if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut cx) {
    /// #             return output;
    /// #         }
    /// #     }
    /// # }
    /// let mut input = Input::broken(Kind::Disconnected);
    /// # block_on(async {
    /// assert_eq!(input.chunk().await.unwrap().unwrap_err().kind(), Kind::Disconnected);
    /// # });
    /// ```
    pub fn broken(kind: Kind) -> Self {
        Input::new(Broken(kind))
    }

    /// The number of bytes still to be read, where it is known.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Input::from(bytes::Bytes::from("hello")).len(), Some(5));
    /// ```
    pub fn len(&self) -> Option<u64> {
        let coming = match &self.source {
            Source::Empty => Some(0),
            Source::Bytes(bytes) => Some(bytes.len() as u64),
            Source::File { position, len, .. } => Some(len - position),
            Source::Stream(body) => body.size_hint().exact(),
        };
        coming.map(|coming| coming + self.rest.len() as u64)
    }

    /// Whether there is known to be nothing to read.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert!(Input::empty().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Whether all of the body has been received, so that reading it never waits for the client.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert!(Input::from(bytes::Bytes::from("hello")).is_received());
    /// ```
    pub fn is_received(&self) -> bool {
        !matches!(self.source, Source::Stream(_))
    }

    /// The next block, or `None` at the end, however often it is asked.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn count(mut input: Input) -> Result<usize> {
    ///     let mut bytes = 0;
    ///     while let Some(block) = input.chunk().await {
    ///         bytes += block?.len();
    ///     }
    ///     Ok(bytes)
    /// }
    /// ```
    pub async fn chunk(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// The next line with its `\n`, or what is left at the end; `None` when that is nothing.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn longest(mut input: Input) -> Result<usize> {
    ///     let mut longest = 0;
    ///     while let Some(line) = input.line(64 * 1024).await {
    ///         longest = longest.max(line?.len());
    ///     }
    ///     Ok(longest)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Kind::TooLarge`] if the line is longer than `limit` bytes; and what reading the body reports.
    pub async fn line(&mut self, limit: usize) -> Option<Result<Bytes>> {
        let mut searched = 0;
        loop {
            let found = self.rest[searched..].iter().position(|&byte| byte == b'\n');
            searched = found.map_or(self.rest.len(), |found| searched + found + 1);
            if searched > limit {
                return Some(Err(Error::with_kind(Kind::TooLarge, format!("a line of more than {limit} bytes"))));
            }
            if found.is_some() {
                return Some(Ok(self.rest.split_to(searched).freeze()));
            }
            match poll_fn(|cx| self.poll_source(cx)).await {
                Some(Ok(block)) => self.rest.extend_from_slice(&block),
                Some(Err(error)) => return Some(Err(error)),
                None if self.rest.is_empty() => return None,
                None => return Some(Ok(self.rest.split().freeze())),
            }
        }
    }

    /// The rest of the body in one piece.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn text(mut input: Input) -> Result<String> {
    ///     let body = input.read_all(1 << 20).await?;
    ///     String::from_utf8(body.into()).map_err(|error| Error::with_kind(Kind::BadRequest, error))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Kind::TooLarge`] if it is longer than `limit` bytes; and what reading the body reports.
    pub async fn read_all(&mut self, limit: usize) -> Result<Bytes> {
        let mut all = BytesMut::new();
        while let Some(block) = self.chunk().await {
            let block = block?;
            if all.len() + block.len() > limit {
                return Err(Error::with_kind(Kind::TooLarge, format!("a body of more than {limit} bytes")));
            }
            all.extend_from_slice(&block);
        }
        Ok(all.freeze())
    }

    /// The input for code that blocks: see [`Reader`].
    ///
    /// ```
    /// # use gateway_spec::*;
    /// use std::io::BufRead;
    ///
    /// let input = Input::from(bytes::Bytes::from("one\ntwo\n"));
    /// let lines = input.reader().lines().collect::<std::io::Result<Vec<_>>>()?;
    /// assert_eq!(lines, ["one", "two"]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reader(self) -> Reader {
        Reader::new(self)
    }

    /// Takes the input apart: for adapters.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn is_in_a_file(input: Input) -> bool {
    ///     matches!(input.into_source(), Source::File { .. })
    /// }
    /// ```
    pub fn into_source(mut self) -> Source {
        let source = std::mem::replace(&mut self.source, Source::Empty);
        if self.rest.is_empty() {
            return source;
        }
        // Lines were read before; what they left over comes first.
        Source::Stream(Box::pin(Input { source, rest: self.rest }))
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.rest.split().freeze())));
        }
        self.poll_source(cx)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let block = match &mut self.source {
            Source::Empty => return Poll::Ready(None),
            Source::Bytes(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()).map(Ok),
            Source::File { file, position, len } => read_block(file, position, *len).transpose(),
            Source::Stream(body) => loop {
                match ready!(body.as_mut().poll_frame(cx)) {
                    // Trailers are part of the message and not of the body (RFC 9110, section 6.5).
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(block) if block.is_empty() => {}
                        Ok(block) => break Some(Ok(block)),
                        Err(_) => {}
                    },
                    Some(Err(error)) => break Some(Err(error)),
                    None => break None,
                }
            },
        };
        match &block {
            Some(Ok(_)) => {}
            Some(Err(error)) => self.source = Source::Stream(Box::pin(Broken(error.kind()))),
            None => self.source = Source::Empty,
        }
        Poll::Ready(block)
    }
}

fn read_block(file: &File, position: &mut u64, len: u64) -> Result<Option<Bytes>> {
    let wanted = FILE_BLOCK.min(len - *position);
    let mut block = vec![0; wanted as usize];
    file.read_exact_at(&mut block, *position)?;
    *position += wanted;
    Ok((wanted > 0).then(|| block.into()))
}

/// What is left of a body that broke off: the same failure, however often it is read. The body itself might well say
/// that it is at its end.
struct Broken(Kind);

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        Poll::Ready(Some(Err(self.0.into())))
    }
}

impl http_body::Body for Input {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.poll_chunk(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.len().map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl From<Source> for Input {
    fn from(source: Source) -> Self {
        Input { source, rest: BytesMut::new() }
    }
}

impl From<Bytes> for Input {
    fn from(bytes: Bytes) -> Self {
        Source::Bytes(bytes).into()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("source", &self.source).field("rest", &self.rest.len()).finish()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Empty => f.write_str("Empty"),
            Source::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Source::File { position, len, .. } => write!(f, "File({position} of {len} bytes)"),
            Source::Stream(_) => f.write_str("Stream"),
        }
    }
}
