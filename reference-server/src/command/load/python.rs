//! Python callables, and the interpreter that they live in.

use pyo3_adapter::Wsgi;

use super::{Loaded, Loader, Report};

/// The process's Python. It is started for the first callable, and ends properly when this is dropped: functions
/// registered with `atexit` run, and buffered output is written.
#[derive(Debug, Default)]
pub(in super::super) struct Python {
    runs: bool,
}

impl Python {
    pub(super) fn load(&mut self, target: &str, stream: bool, loader: &Loader<'_>) -> Result<Loaded, Report> {
        let report = |error: pyo3_adapter::LoadError| {
            Report::new(format!("cannot load wsgi:{target}: {error}")).quote(error.traceback())
        };
        if !self.runs {
            pyo3_adapter::initialize(loader.venv).map_err(report)?;
            self.runs = true;
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
