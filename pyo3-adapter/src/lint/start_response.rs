//! `start_response` and `write`, watched.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use gateway_spec::{
    Status,
    lint::{Rule, rules},
};
use http::HeaderMap;
use pyo3::{
    exceptions::{PyAssertionError, PyTypeError},
    prelude::*,
    types::{PyBytes, PyDict, PyList, PyString, PyTuple},
};

use super::{Lint, stack, type_name};
use crate::{error, start_response, text};

pub(super) fn watch<'py>(lint: &Arc<Lint>, inner: &Bound<'py, PyAny>) -> PyResult<Bound<'py, StartResponse>> {
    Bound::new(inner.py(), StartResponse { inner: inner.clone().unbind(), lint: lint.clone() })
}

/// Looks at the arguments, and calls the real one.
#[pyclass(frozen, name = "start_response", module = "gateway")]
pub(super) struct StartResponse {
    inner: Py<PyAny>,
    lint: Arc<Lint>,
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Write> {
        let report = |rule: Rule, seen: String| self.lint.report(rule, seen, || stack(py));
        if let Some(kwargs) = kwargs.filter(|kwargs| !kwargs.is_empty()) {
            report(rules::WSGI_START_RESPONSE, format!("start_response was called with keywords: {}", kwargs.keys()));
        }
        match args.len() {
            2 | 3 => self.check(py, args),
            count => {
                let seen = format!("start_response was called with {count} positional arguments");
                report(rules::WSGI_START_RESPONSE, seen);
            }
        }
        let is_replacing = args.get_item(2).is_ok_and(|exc_info| !exc_info.is_none());
        if self.lint.started.load(Relaxed) && !is_replacing {
            report(rules::SECOND_START, "start_response was called a second time, and without exc_info".into());
        }
        let write = self.inner.bind(py).call(args, kwargs)?;
        self.lint.started.store(true, Relaxed);
        Ok(Write { inner: write.unbind(), lint: self.lint.clone() })
    }
}

impl StartResponse {
    fn check(&self, py: Python<'_>, args: &Bound<'_, PyTuple>) {
        let report = |rule: Rule, seen: String| self.lint.report(rule, seen, || stack(py));
        let item = |at: usize| args.get_item(at).ok();
        if let Some(exc_info) = item(2).filter(|exc_info| !exc_info.is_none() && !is_exc_info(exc_info)) {
            report(rules::WSGI_START_RESPONSE, format!("exc_info is {}", shown(&exc_info)));
        }
        let status = item(0).and_then(|status| self.status(&status));
        let headers = item(1).and_then(|headers| self.headers(&headers));
        if let (Some(status), Some(headers)) = (status, headers) {
            self.lint.reporter.check_head(&status, &headers, || stack(py));
        }
    }

    fn status(&self, status: &Bound<'_, PyAny>) -> Option<Status> {
        let py = status.py();
        let Ok(text) = status.cast_exact::<PyString>() else {
            let seen = format!("the status is {}", shown(status));
            self.lint.report(rules::WSGI_START_RESPONSE, seen, || stack(py));
            return None;
        };
        let parsed = text::to_bytes(text, "the status")
            .map_err(|error| error::summary(py, &error))
            .and_then(|bytes| Status::parse(bytes).map_err(|error| error.chain()));
        parsed.inspect_err(|seen| self.lint.report(rules::STATUS, seen, || stack(py))).ok()
    }

    fn headers(&self, headers: &Bound<'_, PyAny>) -> Option<HeaderMap> {
        let py = headers.py();
        let Ok(list) = headers.cast_exact::<PyList>() else {
            let seen = format!("the headers are {}", shown(headers));
            self.lint.report(rules::WSGI_START_RESPONSE, seen, || stack(py));
            return None;
        };
        let mut map = HeaderMap::with_capacity(list.len());
        for pair in list {
            if !is_pair(&pair) {
                let seen = format!("a header is {}", shown(&pair));
                self.lint.report(rules::WSGI_START_RESPONSE, seen, || stack(py));
            }
            match start_response::checked(&pair) {
                Ok((name, value)) => drop(map.append(name, value)),
                // Of another type: that was said above.
                Err(error) if error.is_instance_of::<PyTypeError>(py) => {}
                Err(error) => {
                    let is_hop_by_hop = error.is_instance_of::<PyAssertionError>(py);
                    let rule = if is_hop_by_hop { rules::HOP_BY_HOP } else { rules::HEADER };
                    self.lint.report(rule, error::summary(py, &error), || stack(py));
                }
            }
        }
        Some(map)
    }
}

/// Exactly a tuple of two, exactly `str` both.
fn is_pair(pair: &Bound<'_, PyAny>) -> bool {
    pair.cast_exact::<PyTuple>()
        .is_ok_and(|pair| pair.len() == 2 && pair.iter().all(|item| item.cast_exact::<PyString>().is_ok()))
}

fn is_exc_info(exc_info: &Bound<'_, PyAny>) -> bool {
    exc_info.cast::<PyTuple>().is_ok_and(|tuple| tuple.len() == 3)
}

/// Type and value, for a finding.
fn shown(object: &Bound<'_, PyAny>) -> String {
    let text: String = object.repr().map(|text| text.to_string_lossy().chars().take(200).collect()).unwrap_or_default();
    format!("a {}: {text}", type_name(object))
}

/// Looks at what is written, and when.
#[pyclass(frozen, name = "write", module = "gateway")]
pub(super) struct Write {
    inner: Py<PyAny>,
    lint: Arc<Lint>,
}

#[pymethods]
impl Write {
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let report = |seen: String| self.lint.report(rules::WSGI_WRITE, seen, || stack(py));
        if self.lint.iterating.load(Relaxed) {
            report("write() was called while the iterable made a block".into());
        }
        match args.get_item(0) {
            Ok(data) if args.len() == 1 && kwargs.is_none() && data.cast_exact::<PyBytes>().is_ok() => {}
            Ok(data) if args.len() == 1 && kwargs.is_none() => report(format!("write() was given {}", shown(&data))),
            _ => report(format!("write() was called with {} positional arguments", args.len())),
        }
        self.inner.bind(py).call(args, kwargs)
    }
}
