//! What the callable returned, watched.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use gateway_spec::lint::rules;
use pyo3::{
    prelude::*,
    types::{PyByteArray, PyBytes, PyIterator, PyList, PyString, PyTuple},
};

use super::{Lint, definition, place, type_name};
use crate::{error, file_wrapper::FileWrapper};

/// Looks at what is there already, and has the rest watched while it comes. Lists, tuples and files stay what they are:
/// they are not answered block by block.
pub(super) fn watch<'py>(
    lint: &Arc<Lint>,
    callable: &Bound<'py, PyAny>,
    result: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let here = || definition(callable);
    if !is_iterable(&result) || is_text(&result) {
        lint.report(rules::WSGI_RESULT, format!("the callable returned a {}", type_name(&result)), here);
        return Ok(result);
    }
    let is_sequence = result.cast_exact::<PyList>().is_ok() || result.cast_exact::<PyTuple>().is_ok();
    if is_sequence {
        for block in result.try_iter()?.flatten().filter(|block| block.cast_exact::<PyBytes>().is_err()) {
            lint.report(rules::WSGI_BLOCK, format!("there is a block that is a {}", type_name(&block)), here);
        }
    }
    if is_sequence || result.cast_exact::<FileWrapper>().is_ok() {
        lint.check_started("the callable returned its body", here);
        return Ok(result);
    }
    let watched = Iterable { inner: result.clone().unbind(), lint: lint.clone(), is_closed: Arc::default() };
    Ok(Bound::new(result.py(), watched)?.into_any())
}

fn is_iterable(object: &Bound<'_, PyAny>) -> bool {
    ["__iter__", "__getitem__"].iter().any(|method| object.get_type().hasattr(*method).unwrap_or(false))
}

fn is_text(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyString>() || object.is_instance_of::<PyBytes>() || object.is_instance_of::<PyByteArray>()
}

/// An iterable whose iterator and `close` are watched.
#[pyclass(frozen, name = "iterable", module = "gateway")]
struct Iterable {
    inner: Py<PyAny>,
    lint: Arc<Lint>,
    is_closed: Arc<AtomicBool>,
}

#[pymethods]
impl Iterable {
    fn __iter__(&self, py: Python<'_>) -> PyResult<Blocks> {
        let iterator = self.inner.bind(py).try_iter().inspect_err(|error| self.lint.raised(py, error))?;
        Ok(Blocks { iterator: iterator.unbind(), lint: self.lint.clone(), is_closed: self.is_closed.clone() })
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.is_closed.store(true, Relaxed);
        let Some(close) = self.inner.bind(py).getattr_opt("close")? else { return Ok(()) };
        close.call0().map(drop).inspect_err(|error| {
            let seen = format!("close() raised {}", error::summary(py, error));
            self.lint.report(rules::WSGI_CLOSE, seen, || Some(error::traceback(py, error)));
        })
    }
}

/// An iterator whose blocks are watched.
#[pyclass(frozen, name = "iterator", module = "gateway")]
struct Blocks {
    iterator: Py<PyIterator>,
    lint: Arc<Lint>,
    is_closed: Arc<AtomicBool>,
}

#[pymethods]
impl Blocks {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.is_closed.load(Relaxed) {
            self.lint.report(rules::WSGI_AFTER_CLOSE, "a block was asked for after close()", || None);
        }
        let mut iterator = self.iterator.bind(py).clone();
        self.lint.iterating.store(true, Relaxed);
        let block = iterator.next().transpose();
        self.lint.iterating.store(false, Relaxed);
        let block = block.inspect_err(|error| self.lint.raised(py, error))?;
        match &block {
            None => self.lint.check_started("the iterable ended", || None),
            Some(block) => self.check(&iterator, block),
        }
        Ok(block)
    }
}

impl Blocks {
    fn check(&self, iterator: &Bound<'_, PyIterator>, block: &Bound<'_, PyAny>) {
        // A generator stands where it yielded.
        let here = || place(&iterator.getattr("gi_frame").ok().filter(|frame| !frame.is_none())?);
        match block.cast_exact::<PyBytes>() {
            Err(_) => {
                self.lint.report(rules::WSGI_BLOCK, format!("there is a block that is a {}", type_name(block)), here);
            }
            Ok(block) if !block.as_bytes().is_empty() => self.lint.check_started("the iterable gave a block", here),
            Ok(_) => {}
        }
    }
}
