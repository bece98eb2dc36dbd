//! The body of a response on its way into a stack of services.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{
    Body, Error, FileRange, Host, Result,
    blocking::{self, Admission},
    spool::DISK,
};

/// What [`IntoTower`](super::IntoTower) answers with: a body that keeps what its response's head promises, in a server
/// that knows nothing of ours.
///
/// It has the Content-Length that was declared: more than that is cut off, less is an error, which makes a server close
/// the connection. A file is read where the host's blocking jobs run. A body of HEAD, 204 and 304 is none, and claims no
/// length either, so that nobody writes a `Content-Length: 0` that is not true.
///
/// ```
/// use gateway_spec::tower::ResponseBody;
///
/// /// Servers and layers take it as they take any body.
/// fn boxed(response: http::Response<ResponseBody>) -> http::Response<axum::body::Body> {
///     response.map(axum::body::Body::new)
/// }
/// ```
pub struct ResponseBody {
    source: Source,
    /// How many bytes are still to come, where that is known.
    owed: Option<u64>,
    host: Arc<Host>,
}

enum Source {
    Nothing,
    Body(Body),
    File(FileRange),
    Reading(Reading),
}

type Reading = Pin<Box<dyn Future<Output = Result<(FileRange, Bytes)>> + Send>>;

/// What is read of a file at once.
const FILE_BLOCK: u64 = 256 * 1024;

impl ResponseBody {
    pub(super) fn none(host: &Arc<Host>) -> Self {
        ResponseBody { source: Source::Nothing, owed: None, host: host.clone() }
    }

    /// `body`, of the length that was declared for it.
    pub(super) fn new(body: Body, declared: Option<u64>, host: &Arc<Host>) -> Self {
        let owed = declared.or_else(|| body.len());
        let source = match body.into_file() {
            Ok(range) => Source::File(range),
            Err(body) => Source::Body(body),
        };
        ResponseBody { source, owed, host: host.clone() }
    }

    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            match &mut self.source {
                Source::Nothing => return Poll::Ready(None),
                Source::File(range) if range.len == 0 => return Poll::Ready(None),
                Source::Body(body) => match ready!(http_body::Body::poll_frame(Pin::new(body), cx)) {
                    // Trailers are no part of the body, and nothing announced them.
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(block) if !block.is_empty() => return Poll::Ready(Some(Ok(block))),
                        _ => {}
                    },
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(None),
                },
                Source::File(..) => {
                    if let Source::File(range) = std::mem::replace(&mut self.source, Source::Nothing) {
                        self.source = Source::Reading(Box::pin(read(range, self.owed, self.host.clone())));
                    }
                }
                Source::Reading(reading) => {
                    let (range, block) = match ready!(reading.as_mut().poll(cx)) {
                        Ok(read) => read,
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    };
                    self.source = Source::File(range);
                    return Poll::Ready(Some(Ok(block)));
                }
            }
        }
    }
}

async fn read(mut range: FileRange, owed: Option<u64>, host: Arc<Host>) -> Result<(FileRange, Bytes)> {
    let len = FILE_BLOCK.min(range.len).min(owed.unwrap_or(u64::MAX));
    let work = move || {
        let mut block = vec![0; len as usize];
        let count = range.read(&mut block)?;
        block.truncate(count);
        Ok((range, Bytes::from(block)))
    };
    blocking::run(&*host.blocking, DISK.clone(), Admission::Continue, work).await?
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if self.owed == Some(0) {
            // What is left is more than was promised. Dropping it tells the application.
            self.source = Source::Nothing;
            return Poll::Ready(None);
        }
        let mut block = ready!(self.poll_block(cx));
        if let (Some(Ok(block)), Some(owed)) = (&mut block, &mut self.owed) {
            block.truncate(usize::try_from(*owed).unwrap_or(usize::MAX));
            *owed -= block.len() as u64;
        }
        if block.is_none()
            && let Some(owed) = self.owed.take()
        {
            block = Some(Err(Error::new(format!("the body ended {owed} bytes short of its Content-Length"))));
        }
        if let Some(Err(error)) = &block {
            self.host.error_log.write(&format!("the response broke off: {}", error.chain()));
        }
        if !matches!(block, Some(Ok(_))) {
            *self = ResponseBody::none(&self.host);
        }
        Poll::Ready(block.map(|block| block.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.owed == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.owed.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// What a response had, for a host of ours that sends it after all: it may know better how to send a file.
impl From<ResponseBody> for Body {
    fn from(body: ResponseBody) -> Self {
        match body.source {
            Source::Nothing => Body::empty(),
            Source::Body(body) => body,
            Source::File(range) => range.into(),
            source @ Source::Reading(..) => Body::new(ResponseBody { source, ..body }),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("owed", &self.owed).finish_non_exhaustive()
    }
}
