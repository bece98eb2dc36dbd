//! The request's headers: which of them applications see, and under which keys.

use std::borrow::Cow;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, AsHeaderName},
};

use super::Environ;
use crate::head::names_hop_by_hop;

/// Headers.
impl Environ {
    /// The first value of a header. None if it is one of those that are withheld.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn wants_german(environ: &Environ) -> bool {
    ///     let languages = environ.header("accept-language").and_then(|value| value.to_str().ok());
    ///     languages.is_some_and(|languages| languages.starts_with("de"))
    /// }
    /// ```
    pub fn header(&self, name: impl AsHeaderName) -> Option<&HeaderValue> {
        let shown = is_shown(name.as_str());
        self.0.parts.headers.get(name).filter(|_| shown)
    }

    /// All headers but those that are withheld; values of one name come one after the other.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/").header("accept", "*/*").header("x_user", "eve").header("proxy", "evil").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// let names: Vec<_> = environ.headers().map(|(name, _)| name.as_str()).collect();
    /// assert_eq!(names, ["accept"]);
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.parts.headers.iter().filter(|(name, _)| is_shown(name.as_str()))
    }

    /// The value of a header's `HTTP_*` key: all values of that name. None if there is no such key.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn cookies(environ: &Environ) -> Option<std::borrow::Cow<'_, [u8]>> {
    ///     environ.header_value(&http::header::COOKIE)
    /// }
    /// ```
    pub fn header_value(&self, name: &HeaderName) -> Option<Cow<'_, [u8]>> {
        let mut values = self.0.parts.headers.get_all(name).iter();
        let first = values.next().filter(|_| is_header_key(name))?;
        Some(joined(name, first, values))
    }

    /// The headers as received: for hosts.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/").header("te", "trailers").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// assert_eq!(environ.header("te"), None);
    /// assert_eq!(environ.raw_headers()["te"], "trailers");
    /// ```
    pub fn raw_headers(&self) -> &HeaderMap {
        &self.0.parts.headers
    }

    /// Takes the headers out, leaving none: for adapters, which have no more use for them when they have passed them on,
    /// and may have some for the map's memory.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// An empty map, as large as the request's was.
    /// fn recycled(environ: &mut Environ) -> http::HeaderMap {
    ///     let mut headers = environ.take_headers();
    ///     headers.clear();
    ///     headers
    /// }
    /// ```
    pub fn take_headers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.0.parts.headers)
    }
}

/// Whether a header gets into an environ.
pub(super) fn is_shown(name: &str) -> bool {
    !name.contains('_') && !name.eq_ignore_ascii_case("proxy") && !names_hop_by_hop(name)
}

/// Whether a header has an `HTTP_` key: two have keys of their own (RFC 3875, section 4.1.18).
pub(super) fn is_header_key(name: &HeaderName) -> bool {
    is_shown(name.as_str()) && name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH
}

/// The header that an `HTTP_*` key stands for. Each header has one such key: in upper case, and without `-`.
pub(super) fn header_name(key: &str) -> Option<HeaderName> {
    let name = key.strip_prefix("HTTP_")?;
    if name.bytes().any(|byte| byte == b'-' || byte.is_ascii_lowercase()) {
        return None;
    }
    HeaderName::from_bytes(name.replace('_', "-").as_bytes()).ok().filter(is_header_key)
}

/// One value of several: a list (RFC 9110, section 5.3), or cookies (RFC 6265, section 5.4).
pub(super) fn joined<'a>(
    name: &HeaderName,
    first: &'a HeaderValue,
    more: impl Iterator<Item = &'a HeaderValue>,
) -> Cow<'a, [u8]> {
    let separator = if name == header::COOKIE { b"; " } else { b", " };
    let mut all = Cow::Borrowed(first.as_bytes());
    for value in more {
        let all = all.to_mut();
        all.extend_from_slice(separator);
        all.extend_from_slice(value.as_bytes());
    }
    all
}
