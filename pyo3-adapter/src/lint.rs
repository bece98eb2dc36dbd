//! What a callable does that PEP 3333 does not allow: looked for when [`gateway_spec::Lint`] has asked for it.
//!
//! The callable is given objects that look at how they are used and hand everything on to the real ones. A finding has
//! the stack of the call that it is about, or the place where what was returned comes from.

mod environ;
mod result;
mod start_response;
mod streams;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use gateway_spec::{
    Environ,
    lint::{Reporter, Rule, rules},
};
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyDict};

use crate::{error, overtime::RequestTimeout};

/// One call of a callable that is looked at.
pub(crate) struct Lint {
    reporter: Reporter,
    /// start_response was called, and has not refused.
    started: AtomicBool,
    /// The iterable makes a block just now.
    iterating: AtomicBool,
}

impl Lint {
    /// What is to be looked at, if anything is.
    pub(crate) fn of(environ: &Environ) -> Option<Arc<Self>> {
        let reporter = environ.extension::<Reporter>()?.clone();
        reporter.keeps_objects();
        Some(Arc::new(Lint { reporter, started: AtomicBool::new(false), iterating: AtomicBool::new(false) }))
    }

    /// Calls the callable, as it would be without this.
    pub(crate) fn call<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
        callable: &Bound<'py, PyAny>,
        dict: Bound<'py, PyDict>,
        start_response: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        environ::check_given(self, &dict);
        streams::watch(self, &dict)?;
        let start_response = start_response::watch(self, start_response)?;
        let result =
            callable.call1((&dict, start_response)).inspect_err(|error| self.not_called(py, callable, error))?;
        environ::check_left(self, &dict, callable);
        result::watch(self, callable, result)
    }

    fn report(&self, rule: Rule, seen: impl Into<String>, place: impl FnOnce() -> Option<String>) {
        self.reporter.report(rule, "", seen, place);
    }

    /// Without start_response there is no response.
    fn check_started(&self, what: &str, place: impl FnOnce() -> Option<String>) {
        if !self.started.load(Relaxed) {
            self.report(rules::WSGI_NO_START, format!("{what}, and start_response was not called before"), place);
        }
    }

    fn not_called(&self, py: Python<'_>, callable: &Bound<'_, PyAny>, error: &PyErr) {
        // What is raised before any of the callable's own code runs is about its arguments.
        if error.is_instance_of::<PyTypeError>(py) && error.traceback(py).is_none() {
            self.reporter.report_once(rules::WSGI_CALLABLE, error::summary(py, error), || definition(callable));
        } else {
            self.raised(py, error);
        }
    }

    /// The callable, or its iterable, raised an exception.
    fn raised(&self, py: Python<'_>, error: &PyErr) {
        if !error.is_instance_of::<RequestTimeout>(py) {
            let seen = format!("it raised {}", error::summary(py, error));
            self.reporter.failed(seen, || Some(error::traceback(py, error)));
        }
    }
}

/// The stack of the Python code that calls us.
fn stack(py: Python<'_>) -> Option<String> {
    let lines = py.import("traceback").and_then(|module| module.call_method0("format_stack")).ok()?;
    joined(&lines)
}

/// The place where a frame is.
fn place<'py>(frame: &Bound<'py, PyAny>) -> Option<String> {
    let module = frame.py().import("traceback").ok()?;
    joined(&module.call_method1("format_stack", (frame, 1)).ok()?)
}

/// The place where a callable is defined.
fn definition(callable: &Bound<'_, PyAny>) -> Option<String> {
    // A function has code, a method has a function, and an instance has a class with a method.
    let paths = [&["__code__"][..], &["__func__", "__code__"], &["__class__", "__call__", "__code__"]];
    let code = paths
        .iter()
        .find_map(|path| path.iter().try_fold(callable.clone(), |object, name| object.getattr(*name)).ok())?;
    let (file, line) = (code.getattr("co_filename").ok()?, code.getattr("co_firstlineno").ok()?);
    let name = code.getattr("co_name").ok()?;
    Some(format!("  File \"{file}\", line {line}, in {name}\n"))
}

fn joined(lines: &Bound<'_, PyAny>) -> Option<String> {
    lines.extract::<Vec<String>>().ok().map(|lines| lines.concat())
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().fully_qualified_name().map_or_else(|_| "?".into(), |name| name.to_string_lossy().into_owned())
}
