//! Python callables, and the interpreter that they live in.

use std::sync::OnceLock;

use pyo3_adapter::{Pulse, Wsgi};
pub(in super::super) use pyo3_adapter::{fork, imported_files};
use reference_server::scoreboard::Vitals;
use rustix::process::Signal;

use super::{Loaded, Loader, Report};

/// The process's Python. It is started for the first callable, and ends properly when this is dropped: functions
/// registered with `atexit` run, and buffered output is written.
#[derive(Debug, Default)]
pub(in super::super) struct Python {
    runs: bool,
}

/// Has a worker write the stacks of its Python threads to the log.
pub(in super::super) const DUMP_STACKS: Signal = Signal::USR2;

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
            pyo3_adapter::dump_stacks_on(DUMP_STACKS.as_raw()).map_err(report)?;
        }
        Wsgi::load(target).map(|app| Loaded::Wsgi(app.timeout(loader.timeout).stream(stream))).map_err(report)
    }
}

impl Python {
    /// How the interpreter is, whenever that is asked.
    pub(in super::super) fn vitals(&self) -> impl Fn(&mut Vitals) + Send + use<> {
        let pulse = self.runs.then(OnceLock::new);
        move |vitals| {
            // Its thread is started by whoever asks first: after a fork, that is. Without a pulse the interpreter is
            // never found to be held, and the worker serves all the same.
            if let Some(Some(pulse)) = pulse.as_ref().map(|pulse| pulse.get_or_init(|| Pulse::start().ok())) {
                vitals.gil_ticks = Some(pulse.beats());
                vitals.gil_wait = pulse.waited();
                vitals.stuck = pyo3_adapter::stuck() as u64;
            }
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        if self.runs {
            pyo3_adapter::finish();
        }
    }
}
