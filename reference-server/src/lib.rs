//! Serves any gateway [`App`](gateway_spec::App) over HTTP/1.1, on hyper and tokio.
//!
//! ```no_run
//! use gateway_spec::{Environ, Response, Result, StartResponse};
//!
//! async fn hello(environ: Environ, start_response: StartResponse) -> Result<Response> {
//!     let started = start_response.start(200, [("content-type", "text/plain")])?;
//!     Ok(started.body(format!("Hello from {}\n", environ.script_name())))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), reference_server::Error> {
//!     reference_server::serve("127.0.0.1:8000", hello).await
//! }
//! ```
//!
//! What stands between the socket and the App, in the order in which a request meets it:
//!
//! 1. the accept gate: a limit of connections; further ones wait in the backlog;
//! 2. the watched socket: times for the head, the body, idling and stalled writes, and clients that half-close;
//! 3. hyper;
//! 4. the request guard: what hyper lets through and RFC 9110 and 9112 do not;
//! 5. [`Mounts`], if there are several Apps;
//! 6. the App;
//! 7. the response guard: lengths that lie, headers that are the server's, bodies where there must be none.

#![forbid(unsafe_code)]

pub mod access_log;
mod balance;
mod blocking;
mod body;
mod clock;
mod config;
mod connection;
mod countdown;
mod error;
mod files;
mod input;
mod io;
mod kept_back;
mod listener;
mod marks;
mod mounts;
mod record;
mod request;
mod response;
mod runtime;
pub mod scoreboard;
mod sendfile;
mod server;
mod socket;
mod watch;

pub use access_log::AccessLog;
pub use balance::Balance;
pub use blocking::{Blocking, blocking};
pub use config::Limits;
pub use error::Error;
pub use files::Files;
pub use listener::{Listener, SocketAccess};
pub use mounts::Mounts;
pub use runtime::Runtime;
pub use server::{Builder, Server, serve};
