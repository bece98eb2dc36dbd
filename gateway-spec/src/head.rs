//! Status and headers, and what `start_response` accepts as such.

mod status;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use status::{IntoStatus, Reason, Status};

use crate::{Error, Kind, Result};

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
    fn headers_cannot_carry_line_breaks() {
        assert!([("x", "a\r\nb: c")].into_headers().is_err());
        assert!([("x y", "a")].into_headers().is_err());
        assert_eq!(vec![("x", "1"), ("x", "2")].into_headers().unwrap().get_all("x").iter().count(), 2);
    }
}
