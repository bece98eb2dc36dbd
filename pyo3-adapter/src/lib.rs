//! Python WSGI callables ([PEP 3333]) as gateway Apps: in process, long-lived, one interpreter.
//!
//! ```no_run
//! # fn main() -> Result<(), pyo3_adapter::LoadError> {
//! let app = pyo3_adapter::Wsgi::load("wsgiref.simple_server:demo_app")?;
//! # let _: &dyn std::any::Any = &app;
//! # Ok(())
//! # }
//! ```
//!
//! A request takes this way: its body is received ([`Environ::spool_input`](gateway_spec::Environ::spool_input)), so
//! that no client can hold a Python thread; a blocking job ([`gateway_spec::blocking`]) calls the callable; the first
//! block that is not empty fixes status and headers; further blocks are pulled by further jobs as the client takes
//! them; and `close()` is called once, whatever happened.
//!
//! | file | what it does |
//! |---|---|
//! | `interpreter` | starts Python, enters it |
//! | `load` | finds the callable |
//! | `fork` | another process with the same interpreter |
//! | `modules` | what has been imported |
//! | `app` | the [`App`](gateway_spec::App) |
//! | `environ` | [`Environ`](gateway_spec::Environ) → dict |
//! | `start_response` | `start_response` and `write` |
//! | `exchange` | calls the callable, iterates over what it returns, closes it |
//! | `body` | blocks → [`Body`](gateway_spec::Body) |
//! | `input`, `error_log`, `file_wrapper` | `wsgi.input`, `wsgi.errors`, `wsgi.file_wrapper` |
//! | `client` | `gateway.disconnected` |
//! | `overtime` | calls that take too long |
//! | `lint` | what a callable does that PEP 3333 does not allow, where [`gateway_spec::Lint`] looks for it |
//! | `pulse`, `stacks` | whether the interpreter can be had, and what its threads do |
//! | `text` | the border between bytes and `str` |
//! | `references`, `slot` | who else has an object; a place that needs no lock |
//!
//! [PEP 3333]: https://peps.python.org/pep-3333/

mod app;
mod body;
mod client;
mod environ;
mod error;
mod error_log;
mod exchange;
mod file_wrapper;
mod fork;
mod input;
mod interpreter;
mod lint;
mod load;
mod modules;
mod overtime;
mod pulse;
mod references;
mod slot;
mod stacks;
mod start_response;
mod text;

pub use app::Wsgi;
pub use error::LoadError;
pub use fork::fork;
pub use interpreter::{finish, initialize, version};
pub use modules::{imported_files, write_no_bytecode};
pub use overtime::stuck;
pub use pulse::Pulse;
pub use stacks::dump_stacks_on;
