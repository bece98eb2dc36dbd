//! What keeps a server from serving.

use std::{error::Error as StdError, fmt, io};

/// Why a server could not begin to serve.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The address is not one that can be listened on.
    Address {
        /// The address as it was given.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The runtime or its threads could not be started.
    Runtime(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Address { address, .. } => write!(f, "cannot listen on {address}"),
            Error::Runtime(_) => write!(f, "cannot start the runtime"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Address { source, .. } | Error::Runtime(source) => Some(source),
        }
    }
}
