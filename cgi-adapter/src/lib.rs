//! CGI programs as gateway applications: one process a request (RFC 3875).
//!
//! ```no_run
//! # fn is_app(_: impl gateway_spec::App) {}
//! use std::time::Duration;
//!
//! let programs = cgi_adapter::Cgi::new("cgi-bin")?.timeout(Duration::from_secs(10)).variable("LANG", "C.UTF-8")?;
//! # is_app(programs);
//! # Ok::<(), cgi_adapter::LoadError>(())
//! ```
//!
//! ```text
//!   Environ ─▶ resolve: which program ─▶ spool the body ─▶ environ: its variables ─▶ spawn ─▶ its process
//!                                                                                              │ stdout
//!   Response ◀── body: the rest of the output ◀── exchange ◀── head: the header block ◀────────┘
//! ```
//!
//! The App needs a tokio runtime with I/O and time enabled; a current-thread one is enough.

mod arguments;
mod body;
mod capacity;
mod descriptors;
mod environ;
mod error;
mod exchange;
mod head;
mod limits;
mod log;
mod resolve;
mod sendfile;
mod settings;
mod spawn;
mod stdin;
mod strings;

use std::path::Path;

use gateway_spec::{App, Environ, Response, Result, StartResponse};

pub use capacity::Capacity;
pub use descriptors::keep_descriptors_private;
pub use error::LoadError;
pub use limits::Limits;
pub use spawn::end_programs;

use crate::{environ::Variables, resolve::Programs, settings::Settings};

/// A CGI program, or a folder of them, as an [`App`].
#[derive(Clone, Debug)]
pub struct Cgi {
    programs: Programs,
    variables: Variables,
    settings: Settings,
}

impl Cgi {
    /// Offers the program at `path`, or those in the folder there.
    ///
    /// # Errors
    /// If there is neither an executable file nor a folder.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let programs = Programs::at(path.as_ref())?;
        let variables = Variables::new(programs.folder().to_owned());
        Ok(Cgi { programs, variables, settings: Settings::default() })
    }
}

impl App for Cgi {
    async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
        match self.programs.resolve(&environ.script_name(), environ.raw_path_info()) {
            Ok(target) => exchange::run(self, target, environ, start_response).await,
            Err(refusal) => {
                if let Some(reason) = refusal.reason() {
                    environ.error_log().write(&format!("{}: {reason}", environ.raw_path()));
                }
                refusal.answer(start_response)
            }
        }
    }
}
