//! The contract between servers and applications: `App(environ, start_response)`, for Rust.
//!
//! An *application* is anything that answers a request: a Rust function, a Python WSGI callable, a CGI program. A
//! *server* (or *host*) is anything that has requests to answer. This crate is what they agree on, and nothing else: it
//! knows no socket, no runtime and no HTTP implementation. It is [PEP 3333] carried over to a language with ownership,
//! so that most of what the PEP has to forbid cannot be written down here.
//!
//! ```
//! use gateway_spec::{Environ, Response, Result, StartResponse};
//!
//! async fn hello(environ: Environ, start_response: StartResponse) -> Result<Response> {
//!     let started = start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok(started.body(format!("Hello from {}\n", environ.script_name())))
//! }
//! # fn is_app(_: impl gateway_spec::App) {}
//! # is_app(hello);
//! ```
//!
//! # The picture
//!
//! ```text
//!   socket ──▶ Environ ──▶ App::call(environ, start_response) ──▶ Response ──▶ socket
//!                │                        │                          │
//!                │ CGI keys on demand     │ start(status, headers)   │ head + Body
//!                │ Input: the request's   │   ▼                      │ dropping it is close()
//!                │ body                   │ Started ── body(..) ─────┤
//!                                         │         ── write(..) ────┘
//! ```
//!
//! * [`App`] is the trait; every `Fn(Environ, StartResponse) -> impl Future<Output = Result<Response>>` is one.
//! * [`Environ`] answers CGI keys (`REQUEST_METHOD`, `PATH_INFO`, `HTTP_*` …) from what the server has parsed already.
//! * [`StartResponse`] checks status and headers and gives a [`Started`]; only a `Started` makes a [`Response`].
//! * [`Body`] is empty, a block of bytes, a file, or blocks over time. Blocks are pulled, so a slow reader slows the
//!   application down and nothing is queued.
//! * Dropping the future or the body *is* PEP 3333's `close()`: it happens at the end, after an error, and when the
//!   client has gone.
//! * An [`Error`] before the response was returned becomes a 500 (or what its [kind](Kind::status) says); an error out
//!   of the body cuts the connection, so that a truncated answer never looks like a whole one.
//!
//! The README is a guide for those who write applications, middleware, hosts and adapters. `SPEC.md`, which is
//! [`spec::TEXT`], says clause by clause who owes what to whom.
//!
//! # Features
//!
//! * `tower`: the module `tower`. Apps as tower services, and tower services (axum's routers) as Apps.
//!
//! [PEP 3333]: https://peps.python.org/pep-3333/

#![forbid(unsafe_code)]

/// The guide's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod app;
pub mod blocking;
mod body;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connection;
mod environ;
mod error;
mod error_log;
mod head;
mod input;
pub mod lint;
mod percent;
pub mod spec;
mod spool;
mod start_response;
#[cfg(feature = "tower")]
pub mod tower;
mod write;

pub use app::{App, BoxApp};
pub use body::{Body, FileRange};
pub use connection::{Closed, Connection, Host, Scheme};
pub use environ::{CgiKey, Environ, Extension, Key};
pub use error::{Error, Kind, Result};
pub use error_log::{ErrorLog, LogSink};
pub use head::{IntoHeaders, IntoStatus, Reason, Status, is_hop_by_hop};
pub use input::{Input, Reader, Source};
pub use lint::Lint;
pub use start_response::{Response, StartResponse, Started};
pub use write::{Writer, Writing};

/// The version of the contract that this crate is the Rust form of: major, minor. WSGI and CGI applications find it as
/// `gateway.version` in their environ.
///
/// ```
/// assert_eq!(gateway_spec::VERSION, (1, 0));
/// ```
pub const VERSION: (u8, u8) = (1, 0);
