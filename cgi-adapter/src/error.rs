//! What can go wrong: with a mount, with finding a program, and with running it.

use std::{error::Error as StdError, fmt, io, path::PathBuf, process::ExitStatus, sync::Arc, time::Duration};

use gateway_spec::{Error, Kind, Response, Result, StartResponse};
use http::{StatusCode, header};

use crate::{head::HeadError, log::RunLog};

/// Why programs cannot be offered.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// There is nothing at the path, or nothing that can be read.
    Unreadable {
        /// The path that was tried.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is something at the path, but neither a folder nor an executable file.
    NotAProgram {
        /// The path that was tried.
        path: PathBuf,
    },
    /// A variable's name belongs to the protocol, or name or value cannot be in an environment.
    Variable {
        /// The name.
        name: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Unreadable { path, .. } => write!(f, "cannot read {}", path.display()),
            LoadError::NotAProgram { path } => {
                write!(f, "{} is neither a folder nor an executable file", path.display())
            }
            LoadError::Variable { name } => write!(f, "the variable {name:?} cannot be configured"),
        }
    }
}

impl StdError for LoadError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            LoadError::Unreadable { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What is no failure of a program, but an answer to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such program.
    NotFound,
    /// It cannot be executed.
    NotExecutable,
    /// It could have been written by anybody.
    Writable,
    /// The system does not let it run.
    Forbidden,
    /// The request's headers do not fit an environment.
    HeadersTooLarge,
    /// As many programs run, and as many requests wait, as may.
    Busy,
}

impl Refusal {
    /// What the log says, where the operator can do something about it.
    pub(crate) fn reason(self) -> Option<&'static str> {
        match self {
            Refusal::NotExecutable => Some("the program is not executable"),
            Refusal::Writable => {
                Some("the program can be written to by its group or by others: chmod go-w, or allow-writable")
            }
            _ => None,
        }
    }

    /// The answer.
    pub(crate) fn answer(self, start_response: StartResponse) -> Result<Response> {
        let (status, text) = match self {
            Refusal::NotFound => (StatusCode::NOT_FOUND, "Not found\n"),
            Refusal::NotExecutable | Refusal::Writable | Refusal::Forbidden => (StatusCode::FORBIDDEN, "Forbidden\n"),
            Refusal::HeadersTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's headers are too large\n")
            }
            Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Too many requests are waiting: try again soon\n"),
        };
        let mut response = start_response.start(status, TEXT)?.body(text);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        Ok(response)
    }
}

const TEXT: [(&str, &str); 1] = [("content-type", "text/plain; charset=utf-8")];

/// A program that failed. The text is for the log.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) log: Arc<RunLog>,
    pub(crate) cause: Cause,
    /// How it ended, if it has.
    pub(crate) status: Option<ExitStatus>,
}

/// How it failed.
#[derive(Debug)]
pub(crate) enum Cause {
    /// It could not be started.
    Spawn(io::Error),
    /// There is no capacity to start it now.
    Capacity(io::Error),
    /// Its header block cannot be used.
    Head(HeadError),
    /// It ended badly.
    Exit,
    /// Its output could not be read.
    Read(io::Error),
    /// The file that it names in its place cannot be sent.
    File(io::Error),
    /// It took too long.
    Timeout(&'static str, Duration),
    /// The request's body broke off while it was passed on.
    Input(Error),
}

impl Failure {
    /// Logs it, and tells the client no more than where to look. A client that broke off is told by the server.
    pub(crate) fn answer(self, start_response: StartResponse) -> Result<Response> {
        let status = self.kind().status();
        if matches!(self.cause, Cause::Input(_)) {
            return Err(self.into());
        }
        self.log.write(self.text());
        let reason = status.canonical_reason().unwrap_or_default();
        let text = format!("{} {reason}\nThe server's log says why: request {}\n", status.as_str(), self.log.request());
        let mut response = start_response.start(status, TEXT)?.body(text);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        Ok(response)
    }

    fn kind(&self) -> Kind {
        match &self.cause {
            Cause::Spawn(_) => Kind::App,
            Cause::Capacity(_) => Kind::Overloaded,
            Cause::Head(_) | Cause::Exit | Cause::Read(_) | Cause::File(_) => Kind::BadGateway,
            Cause::Timeout(..) => Kind::Timeout,
            Cause::Input(error) => error.kind(),
        }
    }

    fn text(&self) -> String {
        let what = match &self.cause {
            // The program itself was found before.
            Cause::Spawn(error) if error.kind() == io::ErrorKind::NotFound => {
                return format!("its interpreter is missing: {error}");
            }
            Cause::Spawn(error) => return format!("it cannot be started: {error}"),
            Cause::Capacity(error) => return format!("it cannot be started now: {error}"),
            Cause::Head(error) => format!("its header block cannot be used: {error}"),
            Cause::Exit => "it ended badly".into(),
            Cause::Read(error) => format!("its output cannot be read: {error}"),
            Cause::File(error) => format!("the file of its X-Sendfile cannot be sent: {error}"),
            Cause::Timeout(what, limit) => format!("it took longer than {limit:?} {what}"),
            Cause::Input(error) => format!("the request's body broke off: {}", error.chain()),
        };
        format!("{what} ({})", self.log.circumstances(self.status))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.log, self.text())
    }
}

impl StdError for Failure {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::with_kind(failure.kind(), failure)
    }
}
