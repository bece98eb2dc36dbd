//! What can go wrong between a server and an application.

use std::{error::Error as StdError, fmt, io};

use http::StatusCode;

/// `Result` with this crate's [`Error`].
///
/// ```
/// # use gateway_spec::*;
/// fn number(environ: &Environ) -> Result<u32> {
///     environ.query().parse().map_err(Error::new)
/// }
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// A failure of an application, or of what it was given to work with.
///
/// It has a [`Kind`], which says what a host answers while nothing has been sent, and a source chain for the log.
/// The client is never shown any of its text.
///
/// ```
/// # use gateway_spec::*;
/// let cause = std::io::Error::other("the disk is full");
/// let error = Error::with_kind(Kind::Overloaded, cause);
/// assert_eq!(error.kind().status(), 503);
/// assert_eq!(error.to_string(), "there is no capacity now");
/// assert_eq!(error.chain(), "there is no capacity now: the disk is full");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    source: Option<BoxError>,
}

/// What sort of failure an [`Error`] is.
///
/// ```
/// # use gateway_spec::*;
/// /// Whether somebody should be told.
/// fn is_ours(kind: Kind) -> bool {
///     !matches!(kind, Kind::BadRequest | Kind::Disconnected | Kind::RequestTimeout | Kind::TooLarge)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The application failed.
    App,
    /// A gateway behind the application (a CGI program, say) gave an answer that cannot be used.
    BadGateway,
    /// The request's body is malformed: broken chunked framing, for one.
    BadRequest,
    /// The client has gone away.
    Disconnected,
    /// `start_response` was given a status or a header that the contract forbids.
    Head,
    /// There is no capacity now: every place in the queue is taken.
    Overloaded,
    /// The client took too long to send the request's body.
    RequestTimeout,
    /// The application took too long.
    Timeout,
    /// The request's body is larger than the host allows.
    TooLarge,
}

impl Kind {
    /// The status that a host answers with if the response has not begun.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Kind::Timeout.status(), http::StatusCode::GATEWAY_TIMEOUT);
    /// assert_eq!(Kind::App.status(), 500);
    /// ```
    pub fn status(self) -> StatusCode {
        match self {
            Kind::App | Kind::Head => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::BadGateway => StatusCode::BAD_GATEWAY,
            Kind::BadRequest | Kind::Disconnected => StatusCode::BAD_REQUEST,
            Kind::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Kind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Kind::App => "the application failed",
            Kind::BadGateway => "the gateway's answer cannot be used",
            Kind::BadRequest => "the request's body is malformed",
            Kind::Disconnected => "the client has gone away",
            Kind::Head => "start_response refused the status or a header",
            Kind::Overloaded => "there is no capacity now",
            Kind::RequestTimeout => "the request's body did not arrive in time",
            Kind::Timeout => "the application took too long",
            Kind::TooLarge => "the request's body is too large",
        }
    }
}

impl Error {
    /// The application failed, because of `source` (an error, or a text).
    ///
    /// ```
    /// # use gateway_spec::*;
    /// let lost = Error::new("lost the database");
    /// let invalid = "seven".parse::<u32>().map_err(Error::new);
    /// assert_eq!(lost.kind(), Kind::App);
    /// # assert!(invalid.is_err());
    /// ```
    pub fn new(source: impl Into<BoxError>) -> Self {
        Error::with_kind(Kind::App, source)
    }

    /// A failure of another kind, because of `source`.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// let error = Error::with_kind(Kind::BadGateway, "the backend answered nonsense");
    /// assert_eq!(error.kind().status(), 502);
    /// ```
    pub fn with_kind(kind: Kind, source: impl Into<BoxError>) -> Self {
        Error(Box::new(Inner { kind, source: Some(source.into()) }))
    }

    /// What sort of failure this is.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn is_gone(error: &Error) -> bool {
    ///     error.kind() == Kind::Disconnected
    /// }
    /// ```
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The error and its sources in one line, for a log: `outer: inner: innermost`.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// let error = Error::new("lost the database");
    /// assert_eq!(error.chain(), "the application failed: lost the database");
    /// ```
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Error(Box::new(Inner { kind, source: None }))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::new(error)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.0.kind).field("source", &self.0.source).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.text())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|error| error as &(dyn StdError + 'static))
    }
}
