//! Python callables, and the interpreter that they live in.

use pyo3_adapter::Wsgi;
pub(in super::super) use pyo3_adapter::{fork, imported_files};

use super::{Loaded, Loader, Report};

/// The process's Python. It is started for the first callable, and ends properly when this is dropped: functions
/// registered with `atexit` run, and buffered output is written.
#[derive(Debug, Default)]
pub(in super::super) struct Python {
    runs: bool,
}

impl Python {
    /// Whether it has been started.
    pub(in super::super) fn runs(&self) -> bool {
        self.runs
    }

    pub(super) fn load(&mut self, target: &str, stream: bool, loader: &Loader<'_>) -> Result<Loaded, Report> {
        let report = |error: pyo3_adapter::LoadError| {
            Report::new(format!("cannot load wsgi:{target}: {error}")).quote(error.traceback())
        };
        if !self.runs {
            pyo3_adapter::initialize(loader.venv).map_err(report)?;
            self.runs = true;
            if loader.reload {
                pyo3_adapter::write_no_bytecode();
            }
        }
        Wsgi::load(target).map(|app| Loaded::Wsgi(app.timeout(loader.timeout).stream(stream))).map_err(report)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        if self.runs {
            pyo3_adapter::finish();
        }
    }
}
