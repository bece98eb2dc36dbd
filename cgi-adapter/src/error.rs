//! What can go wrong: with a mount, with finding a program, and with running it.

use std::{error::Error as StdError, fmt, io, path::PathBuf, process::ExitStatus, time::Duration};

use gateway_spec::{Error, Kind, Response, Result, StartResponse};
use http::StatusCode;

use crate::head::HeadError;

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
    /// It may not be executed.
    Forbidden,
    /// The request's headers do not fit an environment.
    HeadersTooLarge,
}

impl Refusal {
    /// The answer.
    pub(crate) fn answer(self, start_response: StartResponse) -> Result<Response> {
        let (status, text) = match self {
            Refusal::NotFound => (StatusCode::NOT_FOUND, "Not found\n"),
            Refusal::Forbidden => (StatusCode::FORBIDDEN, "Forbidden\n"),
            Refusal::HeadersTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's headers are too large\n")
            }
        };
        Ok(start_response.start(status, [("content-type", "text/plain; charset=utf-8")])?.body(text))
    }
}

/// A program that failed. The text is for the log.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The program's name.
    pub(crate) program: String,
    pub(crate) cause: Cause,
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
    Exit(ExitStatus),
    /// Its output could not be read.
    Read(io::Error),
    /// It took too long.
    Timeout(Duration),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.program)?;
        match &self.cause {
            // The program itself was found before.
            Cause::Spawn(error) if error.kind() == io::ErrorKind::NotFound => write!(f, "its interpreter is missing"),
            Cause::Spawn(_) => write!(f, "it cannot be started"),
            Cause::Capacity(_) => write!(f, "it cannot be started now"),
            Cause::Head(_) => write!(f, "its header block cannot be used"),
            Cause::Exit(status) => write!(f, "it ended badly ({status})"),
            Cause::Read(_) => write!(f, "its output cannot be read"),
            Cause::Timeout(limit) => write!(f, "it took longer than {limit:?}"),
        }
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Cause::Spawn(error) | Cause::Capacity(error) | Cause::Read(error) => Some(error),
            Cause::Head(error) => Some(error),
            Cause::Exit(_) | Cause::Timeout(_) => None,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = match failure.cause {
            Cause::Spawn(_) => Kind::App,
            Cause::Capacity(_) => Kind::Overloaded,
            Cause::Head(_) | Cause::Exit(_) | Cause::Read(_) => Kind::BadGateway,
            Cause::Timeout(_) => Kind::Timeout,
        };
        Error::with_kind(kind, failure)
    }
}
