//! The status of a response, and its reason phrase.

use std::fmt;

use http::StatusCode;

use super::head_error;
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
pub struct Reason(Box<[u8]>);

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
            return Err(head_error(format!("reason phrase \"{}\" has a control character", phrase.escape_ascii())));
        }
        Ok(Reason(phrase.into()))
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
        write!(f, "\"{}\"", self.0.escape_ascii())
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
}
