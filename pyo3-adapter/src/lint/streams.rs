//! `wsgi.input` and `wsgi.errors`, watched.

use std::sync::Arc;

use gateway_spec::lint::{Rule, rules};
use pyo3::{
    intern,
    prelude::*,
    types::{PyDict, PyString, PyTuple},
};

use super::{Lint, stack};

/// Puts streams into `dict` that look at how they are used.
pub(super) fn watch(lint: &Arc<Lint>, dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = dict.py();
    for key in [intern!(py, "wsgi.input"), intern!(py, "wsgi.errors")] {
        let Some(inner) = dict.get_item(key)? else { continue };
        let stream = Stream { inner: inner.unbind(), lint: lint.clone() };
        match key == "wsgi.input" {
            true => dict.set_item(key, Bound::new(py, Input(stream))?)?,
            false => dict.set_item(key, Bound::new(py, Errors(stream))?)?,
        }
    }
    Ok(())
}

struct Stream {
    inner: Py<PyAny>,
    lint: Arc<Lint>,
}

impl Stream {
    /// Calls the real stream's method; `fits` says whether these are arguments that PEP 3333 knows.
    fn call<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        args: &Bound<'py, PyTuple>,
        fits: fn(&Bound<'py, PyTuple>) -> bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !fits(args) {
            let seen = format!("{method}() was called with {args:?}");
            self.lint.report(rules::WSGI_STREAM, seen, || stack(py));
        }
        self.inner.bind(py).call_method1(method, args)
    }

    fn closed(&self, py: Python<'_>, rule: Rule, name: &str) {
        self.lint.report(rule, format!("{name}.close() was called"), || stack(py));
    }
}

/// One number, or None, or nothing.
fn is_size(args: &Bound<'_, PyTuple>) -> bool {
    match args.get_item(0) {
        Ok(size) => args.len() == 1 && (size.is_none() || size.extract::<isize>().is_ok()),
        Err(_) => true,
    }
}

fn is_text(args: &Bound<'_, PyTuple>) -> bool {
    args.len() == 1 && args.get_item(0).is_ok_and(|text| text.is_instance_of::<PyString>())
}

fn is_one(args: &Bound<'_, PyTuple>) -> bool {
    args.len() == 1
}

fn is_nothing(args: &Bound<'_, PyTuple>) -> bool {
    args.is_empty()
}

/// `wsgi.input`.
#[pyclass(frozen, module = "gateway")]
struct Input(Stream);

#[pymethods]
impl Input {
    #[pyo3(signature = (*args))]
    fn read<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.0.call(py, "read", args, is_size)
    }

    #[pyo3(signature = (*args))]
    fn readline<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.0.call(py, "readline", args, is_size)
    }

    #[pyo3(signature = (*args))]
    fn readlines<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.0.call(py, "readlines", args, is_size)
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.inner.bind(py).try_iter()?.next().transpose()
    }

    fn close(&self, py: Python<'_>) {
        self.0.closed(py, rules::WSGI_INPUT_CLOSED, "wsgi.input");
    }

    /// Whatever else the real one has.
    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.0.inner.bind(py).getattr(name)
    }
}

/// `wsgi.errors`.
#[pyclass(frozen, module = "gateway")]
struct Errors(Stream);

#[pymethods]
impl Errors {
    #[pyo3(signature = (*args))]
    fn write<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.0.call(py, "write", args, is_text)
    }

    #[pyo3(signature = (*args))]
    fn writelines<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.0.call(py, "writelines", args, is_one)
    }

    #[pyo3(signature = (*args))]
    fn flush<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.0.call(py, "flush", args, is_nothing)
    }

    fn close(&self, py: Python<'_>) {
        self.0.closed(py, rules::WSGI_ERRORS_CLOSED, "wsgi.errors");
    }

    /// Whatever else the real one has.
    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.0.inner.bind(py).getattr(name)
    }
}
