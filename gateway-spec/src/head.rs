//! Status and headers, and what `start_response` accepts as such.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{Error, Kind, Result};

/// A response's status: its code and, where it is not the usual one, its reason phrase (RFC 9112, section 4).
///
/// ```
/// # use gateway_spec::*;
/// let status = Status::parse(b"404 Nothing Here")?;
/// assert_eq!(status.code(), 404);
/// assert_eq!(status.reason().unwrap().as_bytes(), b"Nothing Here");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    code: StatusCode,
    reason: Option<Reason>,
}

impl Status {
    /// Reads `b"404 Not Found"`: three digits, one space, a reason phrase (PEP 3333, "The start_response() Callable").
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert!(Status::parse(b"200 OK")?.reason().is_none());
    /// assert!(Status::parse(b"OK").is_err());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Kind::Head`] if the text has another form or the code is not from 200 to 999.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let refused = || head_error(format!("status {:?} is not \"NNN Reason\"", String::from_utf8_lossy(text)));
        let (digits, reason) = match text {
            [digits @ .., b' '] if digits.len() == 3 => (digits, &b""[..]),
            _ => match text.split_at_checked(3) {
                Some((digits, [b' ', reason @ ..])) => (digits, reason),
                _ => return Err(refused()),
            },
        };
        let code = StatusCode::from_bytes(digits).map_err(|_| refused())?;
        let status = code.into_status()?;
        if code.canonical_reason().is_some_and(|canonical| canonical.as_bytes() == reason) {
            return Ok(status);
        }
        Ok(Status { reason: Some(Reason::new(reason)?), ..status })
    }

    /// A code with a reason phrase of its own.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// let status = Status::with_reason(http::StatusCode::NOT_FOUND, Reason::new(b"Nothing Here")?)?;
    /// assert_eq!(status, Status::parse(b"404 Nothing Here")?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Kind::Head`] if the code is not from 200 to 999.
    pub fn with_reason(code: StatusCode, reason: Reason) -> Result<Self> {
        Ok(Status { reason: Some(reason), ..code.into_status()? })
    }

    /// The three-digit code.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Status::parse(b"404 Not Found")?.code(), http::StatusCode::NOT_FOUND);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn code(&self) -> StatusCode {
        self.code
    }

    /// The reason phrase, if it is not the code's canonical one.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Status::parse(b"200 Fine")?.reason(), Some(&Reason::new(b"Fine")?));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }
}

/// A reason phrase: no control characters but HTAB (RFC 9112, section 4).
///
/// ```
/// # use gateway_spec::*;
/// assert!(Reason::new(b"Out of Tea").is_ok());
/// assert!(Reason::new(b"OK\r\nX-Injected: 1").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Reason(Bytes);

impl Reason {
    /// Checks and keeps `phrase`.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// let reason = Reason::new(b"Out of Tea")?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Kind::Head`] if it has a control character.
    pub fn new(phrase: &[u8]) -> Result<Self> {
        if phrase.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            return Err(head_error(format!(
                "reason phrase {:?} has a control character",
                Bytes::copy_from_slice(phrase)
            )));
        }
        Ok(Reason(Bytes::copy_from_slice(phrase)))
    }

    /// The phrase as it goes onto the wire.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Reason::new(b"Out of Tea")?.as_bytes(), b"Out of Tea");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What `start_response` takes as a status: `200`, `StatusCode::OK`, `"200 OK"`, or a [`Status`].
///
/// ```
/// # use gateway_spec::*;
/// assert_eq!(404.into_status()?.code(), http::StatusCode::NOT_FOUND);
/// assert_eq!("404 Not Found".into_status()?, http::StatusCode::NOT_FOUND.into_status()?);
/// assert!(101.into_status().is_err());
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a status: use 404, `StatusCode::NOT_FOUND` or \"404 Not Found\""
)]
pub trait IntoStatus {
    /// Checks the status.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// A status of one's own.
    /// enum Outcome {
    ///     Created,
    ///     Known,
    /// }
    ///
    /// impl IntoStatus for Outcome {
    ///     fn into_status(self) -> Result<Status> {
    ///         match self {
    ///             Outcome::Created => 201.into_status(),
    ///             Outcome::Known => 200.into_status(),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Kind::Head`] if it is no final status from 200 to 999, or its reason phrase has control characters.
    fn into_status(self) -> Result<Status>;
}

impl IntoStatus for Status {
    fn into_status(self) -> Result<Status> {
        Ok(self)
    }
}

impl IntoStatus for StatusCode {
    fn into_status(self) -> Result<Status> {
        if self.is_informational() {
            return Err(head_error(format!("status {} is interim; a response needs a final one", self.as_str())));
        }
        Ok(Status { code: self, reason: None })
    }
}

impl IntoStatus for u16 {
    fn into_status(self) -> Result<Status> {
        let code = StatusCode::from_u16(self).map_err(|error| Error::with_kind(Kind::Head, error))?;
        code.into_status()
    }
}

impl IntoStatus for &str {
    fn into_status(self) -> Result<Status> {
        Status::parse(self.as_bytes())
    }
}

/// What `start_response` takes as headers: arrays, vectors and slices of pairs, a `HeaderMap`, or `()` for none.
///
/// ```
/// # use gateway_spec::*;
/// let some = [("content-type", "text/html"), ("set-cookie", "a=1"), ("set-cookie", "b=2")];
/// assert_eq!(some.into_headers()?.get_all("set-cookie").iter().count(), 2);
/// assert!(().into_headers()?.is_empty());
/// assert!([("x", "a\r\nb: c")].into_headers().is_err());
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of headers: use `[(\"content-type\", \"text/plain\")]`, a `HeaderMap` or `()`"
)]
pub trait IntoHeaders {
    /// Checks names and values; a name that comes twice is sent twice.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// Headers of one's own.
    /// struct Cached(u32);
    ///
    /// impl IntoHeaders for Cached {
    ///     fn into_headers(self) -> Result<http::HeaderMap> {
    ///         [("cache-control", format!("max-age={}", self.0))].into_headers()
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Kind::Head`] if a name is no token or a value has a control character.
    fn into_headers(self) -> Result<HeaderMap>;
}

impl IntoHeaders for HeaderMap {
    fn into_headers(self) -> Result<HeaderMap> {
        Ok(self)
    }
}

impl IntoHeaders for () {
    fn into_headers(self) -> Result<HeaderMap> {
        Ok(HeaderMap::new())
    }
}

impl<N, V, const LEN: usize> IntoHeaders for [(N, V); LEN]
where
    HeaderName: TryFrom<N, Error: Into<http::Error>>,
    HeaderValue: TryFrom<V, Error: Into<http::Error>>,
{
    fn into_headers(self) -> Result<HeaderMap> {
        collect(LEN, self)
    }
}

impl<N, V> IntoHeaders for Vec<(N, V)>
where
    HeaderName: TryFrom<N, Error: Into<http::Error>>,
    HeaderValue: TryFrom<V, Error: Into<http::Error>>,
{
    fn into_headers(self) -> Result<HeaderMap> {
        collect(self.len(), self)
    }
}

impl<N: Clone, V: Clone> IntoHeaders for &[(N, V)]
where
    HeaderName: TryFrom<N, Error: Into<http::Error>>,
    HeaderValue: TryFrom<V, Error: Into<http::Error>>,
{
    fn into_headers(self) -> Result<HeaderMap> {
        collect(self.len(), self.iter().cloned())
    }
}

fn collect<N, V>(len: usize, pairs: impl IntoIterator<Item = (N, V)>) -> Result<HeaderMap>
where
    HeaderName: TryFrom<N, Error: Into<http::Error>>,
    HeaderValue: TryFrom<V, Error: Into<http::Error>>,
{
    // Hosts add a header or two of their own.
    let mut headers = HeaderMap::with_capacity(len + 2);
    for (name, value) in pairs {
        let name = HeaderName::try_from(name).map_err(|error| Error::with_kind(Kind::Head, error.into()))?;
        let value = HeaderValue::try_from(value)
            .map_err(|error| Error::with_kind(Kind::Head, format!("header {:?}: {}", name.as_str(), error.into())))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Refuses the headers that belong to the connection, and so to the server (PEP 3333, "Other HTTP Features").
pub(crate) fn refuse_hop_by_hop(headers: &HeaderMap) -> Result<()> {
    match headers.keys().find(|name| is_hop_by_hop(name)) {
        Some(name) => Err(head_error(format!("header {:?} is hop-by-hop: it belongs to the server", name.as_str()))),
        None => Ok(()),
    }
}

/// Takes out what belongs to the connection, along with what its `Connection` header names (RFC 9110, section 7.6.1).
#[cfg(feature = "tower")]
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = headers.get_all(http::header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|names| names.split(',')).filter_map(|name| name.trim().parse().ok());
    let names: Vec<HeaderName> = named.chain(headers.keys().filter(|name| is_hop_by_hop(name)).cloned()).collect();
    names.iter().for_each(|name| drop(headers.remove(name)));
}

/// Whether a header concerns one connection only, so that neither applications send it nor environ shows it
/// (RFC 9110, section 7.6.1; RFC 2616, section 13.5.1, as PEP 3333 and wsgiref have it).
///
/// ```
/// # use gateway_spec::*;
/// assert!(is_hop_by_hop(&http::header::CONNECTION));
/// assert!(!is_hop_by_hop(&http::header::CONTENT_LENGTH));
/// ```
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    names_hop_by_hop(name.as_str())
}

/// The same for a name that may be written in any case.
pub(crate) fn names_hop_by_hop(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    ];
    // Few names are as long as one of these.
    matches!(name.len(), 2 | 7 | 8 | 10 | 16..=19) && NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

pub(crate) fn head_error(text: String) -> Error {
    Error::with_kind(Kind::Head, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_three_digits_a_space_and_a_clean_reason() {
        for bad in
            ["", "200", "OK", "99 X", "1000 X", "2000", "200OK", "20x OK", "200 A\r\nX: y", "200 \0", "100 Continue"]
        {
            assert!(Status::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let status = Status::parse(b"299 My Reason").unwrap();
        assert_eq!(status.reason().unwrap().as_bytes(), b"My Reason");
        assert_eq!(Status::parse(b"200 OK").unwrap().reason(), None);
        assert_eq!(Status::parse(b"200 ").unwrap().reason().unwrap().as_bytes(), b"");
        assert!(101.into_status().is_err());
        assert!(99.into_status().is_err());
        assert!(999.into_status().is_ok());
    }

    #[test]
    fn headers_cannot_carry_line_breaks() {
        assert!([("x", "a\r\nb: c")].into_headers().is_err());
        assert!([("x y", "a")].into_headers().is_err());
        assert_eq!(vec![("x", "1"), ("x", "2")].into_headers().unwrap().get_all("x").iter().count(), 2);
    }
}
