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

mod body;
mod descriptors;
mod environ;
mod error;
mod exchange;
mod head;
mod resolve;
mod spawn;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use gateway_spec::{App, Environ, Response, Result, StartResponse};

pub use descriptors::keep_descriptors_private;
pub use error::LoadError;

use crate::{environ::Variables, error::Refusal, resolve::Programs};

/// A CGI program, or a folder of them, as an [`App`].
#[derive(Clone, Debug)]
pub struct Cgi {
    programs: Programs,
    variables: Variables,
    timeout: Duration,
}

impl Cgi {
    /// Offers the program at `path`, or those in the folder there.
    ///
    /// # Errors
    /// If there is neither an executable file nor a folder.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let programs = Programs::at(path.as_ref())?;
        let variables = Variables::new(programs.folder().to_owned());
        Ok(Cgi { programs, variables, timeout: Duration::from_secs(60) })
    }

    /// How long a program may take for its header block, and be silent afterwards. 60 seconds unless it is set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Adds a variable to every program's environment, which else has the request's and `PATH`.
    ///
    /// # Errors
    /// If the name is one of the protocol's (`HTTP_*`, `REMOTE_USER` …), or name or value cannot be in an environment.
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Result<Self, LoadError> {
        self.variables.configure(name.into(), value.into())?;
        Ok(self)
    }

    /// Sets `DOCUMENT_ROOT`, from which `PATH_TRANSLATED` is made: the programs' folder unless it is set.
    pub fn document_root(mut self, folder: impl Into<PathBuf>) -> Self {
        self.variables.document_root = folder.into();
        self
    }
}

impl App for Cgi {
    async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
        let resolved = self.programs.resolve(&environ.script_name(), environ.raw_path_info());
        match resolved {
            Ok(target) => exchange::run(self, target, environ, start_response).await,
            Err(refusal) => {
                if refusal == Refusal::Forbidden {
                    environ.error_log().write(&format!("{}: the program is not executable", environ.raw_path()));
                }
                refusal.answer(start_response)
            }
        }
    }
}
