//! What goes wrong with Python.

use std::{error::Error as StdError, fmt};

use gateway_spec::Error;
use pyo3::{prelude::*, types::PyTracebackMethods};

/// Why a callable could not be loaded, or Python not started.
#[derive(Debug)]
pub struct LoadError {
    message: String,
    traceback: Option<String>,
}

impl LoadError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        LoadError { message: message.into(), traceback: None }
    }

    pub(crate) fn raised(py: Python<'_>, doing: &str, error: &PyErr) -> Self {
        LoadError { message: format!("{doing}: {}", summary(py, error)), traceback: Some(traceback(py, error)) }
    }

    /// Python's traceback, if Python raised an exception.
    pub fn traceback(&self) -> Option<&str> {
        self.traceback.as_deref()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for LoadError {}

/// The failure of a request because of an exception, whose traceback is in the log already.
pub(crate) fn raised(py: Python<'_>, error: &PyErr) -> Error {
    Error::new(summary(py, error))
}

/// `ValueError: the message`, whatever the exception does when it is asked for it.
pub(crate) fn summary(py: Python<'_>, error: &PyErr) -> String {
    let value = error.value(py);
    let name =
        value.get_type().qualname().map_or_else(|_| "exception".into(), |name| name.to_string_lossy().into_owned());
    match value.str() {
        // The rest is in the traceback.
        Ok(text) if !text.is_empty().unwrap_or(true) => {
            format!("{name}: {}", text.to_string_lossy().lines().next().unwrap_or_default())
        }
        _ => name,
    }
}

/// What Python itself would print of an exception.
pub(crate) fn traceback(py: Python<'_>, error: &PyErr) -> String {
    let formatted = py
        .import("traceback")
        .and_then(|module| {
            module.call_method1("format_exception", (error.get_type(py), error.value(py), error.traceback(py)))
        })
        .and_then(|lines| pyo3::types::PyString::new(py, "").call_method1("join", (lines,)))
        .map(|text| text.str().map(|text| text.to_string_lossy().into_owned()));
    match formatted {
        Ok(Ok(text)) => text,
        // An exception whose own methods raise still has a place where it came from.
        _ => {
            let place = error.traceback(py).and_then(|traceback| traceback.format().ok()).unwrap_or_default();
            format!("{place}{}\n", summary(py, error))
        }
    }
}
