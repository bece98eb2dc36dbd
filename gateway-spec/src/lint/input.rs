//! The request's body on its way to the application.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, header};
use http_body::{Body, Frame, SizeHint};

use super::{Call, Held, rules};
use crate::{Environ, Error, Input, Result, Source};

/// Watches a body that arrives over time. What was received already has the length that it has.
pub(super) fn watch(environ: &mut Environ, call: &Arc<Call>) {
    let declared = environ.raw_headers().get(header::CONTENT_LENGTH).and_then(number);
    let input = match environ.take_input().into_source() {
        Source::Stream(body) => {
            if let (Some(declared), Some(length)) =
                (declared, body.size_hint().exact().filter(|&len| Some(len) != declared))
            {
                call.report(
                    rules::INPUT_LENGTH,
                    "",
                    format!("CONTENT_LENGTH is {declared}, and Input has {length} bytes"),
                );
            }
            let held = call.hold("the request's Input");
            Input::new(Watched { body, call: call.clone(), _held: held, declared, yielded: 0, late: 0 })
        }
        received => received.into(),
    };
    *environ.input() = input;
}

/// A Content-Length (RFC 9110, section 8.6).
pub(super) fn number(value: &HeaderValue) -> Option<u64> {
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

struct Watched {
    body: Pin<Box<dyn Body<Data = Bytes, Error = Error> + Send>>,
    call: Arc<Call>,
    _held: Held,
    declared: Option<u64>,
    yielded: u64,
    /// How often it was read when the response was over.
    late: u32,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if self.call.is_over() {
            // The first read is how one learns of it.
            self.late += 1;
            if self.late == 2 {
                self.call.report(
                    rules::GOES_ON,
                    "read",
                    "it goes on reading the request's body when the response is over",
                );
            }
        }
        let frame = ready!(self.body.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.yielded += frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(_)) => self.call.broken.store(true, Relaxed),
            None => {}
        }
        if let Some(declared) = self.declared {
            let wrong = if frame.is_none() { self.yielded != declared } else { self.yielded > declared };
            if wrong {
                let seen = format!("CONTENT_LENGTH is {declared}, and Input has yielded {} bytes", self.yielded);
                self.call.report(rules::INPUT_LENGTH, "", seen);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
