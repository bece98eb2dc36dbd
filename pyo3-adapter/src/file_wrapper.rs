//! `wsgi.file_wrapper`: a file as an iterable, and where it is a real file, as a body that Python does not touch.
#![allow(unsafe_code, reason = "a descriptor number comes from Python")]

use std::{fs::File, os::fd::BorrowedFd, sync::Arc};

use gateway_spec::{FileRange, blocking};
use pyo3::{exceptions::PyTypeError, intern, prelude::*, types::PyBytes};

use crate::{
    exchange::{self, Exchange},
    overtime,
};

/// What `wsgi.file_wrapper(filelike, block_size)` returns (PEP 3333, "Optional Platform-Specific File Handling").
#[pyclass(frozen, name = "file_wrapper", module = "gateway")]
pub(crate) struct FileWrapper {
    #[pyo3(get)]
    filelike: Py<PyAny>,
    #[pyo3(get)]
    blksize: isize,
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, blksize=8192))]
    fn new(filelike: Py<PyAny>, blksize: isize) -> Self {
        FileWrapper { filelike, blksize }
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let block = self.filelike.bind(py).call_method1("read", (self.blksize,))?;
        let block = block.cast_into::<PyBytes>().map_err(|error| {
            PyTypeError::new_err(format!("read() must return bytes, not {}", error.into_inner().get_type()))
        })?;
        Ok(Some(block).filter(|block| !block.as_bytes().is_empty()))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.filelike.bind(py).getattr_opt("close")? {
            Some(close) => close.call0().map(drop),
            None => Ok(()),
        }
    }
}

/// The rest of the file, from where it stands, if `result` is a file wrapper around a regular file. One that has no length,
/// as those in /proc, is read like any other object.
pub(crate) fn file_range(
    py: Python<'_>,
    result: &Bound<'_, PyAny>,
    exchange: &Arc<Exchange>,
) -> PyResult<Option<FileRange>> {
    let Ok(wrapper) = result.cast_exact::<FileWrapper>() else { return Ok(None) };
    let filelike = wrapper.get().filelike.bind(py);
    let Some((file, offset)) = open_file(filelike) else { return Ok(None) };
    let len = file.metadata()?.len().saturating_sub(offset);
    if len == 0 {
        return Ok(None);
    }
    let keep = Closing { wrapper: Some(wrapper.clone().unbind().into_any()), exchange: exchange.clone() };
    Ok(Some(FileRange::new(file, offset, len).keeping(keep)))
}

/// A descriptor of our own for the same file, and the position in it; `None` if what the object reads is not what the
/// descriptor would give: gzip's files have one too. Whatever such an object raises then, it can still be read.
fn open_file(filelike: &Bound<'_, PyAny>) -> Option<(File, u64)> {
    if !reads_its_descriptor(filelike).ok()? {
        return None;
    }
    // What was written to it may be in its buffer still.
    filelike.call_method0(intern!(filelike.py(), "flush")).ok()?;
    let descriptor: i32 = filelike.call_method0("fileno").ok()?.extract().ok()?;
    let offset: u64 = filelike.call_method0("tell").ok()?.extract().ok()?;
    if descriptor < 0 {
        return None;
    }
    // SAFETY: the descriptor is not negative, and it is only used to make another of it, at once. If the object lies and
    // it is not open, that fails.
    let file: File = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned().ok()?.into();
    file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some((file, offset))
}

/// Whether reading the object is reading its descriptor: it is a file of `io`, and `read()` is the one that it has there.
fn reads_its_descriptor(filelike: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = filelike.py();
    // Somebody may have put another in its place, to count what is read for one.
    if let Some(own) = filelike.getattr_opt(intern!(py, "__dict__"))?
        && own.contains(intern!(py, "read"))?
    {
        return Ok(false);
    }
    let io = py.import(intern!(py, "io"))?;
    let is_plain = |object: &Bound<'_, PyAny>, class: &str| {
        let class = io.getattr(class)?;
        Ok::<_, PyErr>(object.is_instance(&class)? && object.get_type().getattr("read")?.is(class.getattr("read")?))
    };
    if is_plain(filelike, "FileIO")? {
        return Ok(true);
    }
    let is_buffered = is_plain(filelike, "BufferedReader")? || is_plain(filelike, "BufferedRandom")?;
    Ok(is_buffered && filelike.getattr("raw")?.is_exact_instance(&io.getattr("FileIO")?))
}

/// Closes the wrapper when the file is sent, or nobody wants it any more.
struct Closing {
    wrapper: Option<Py<PyAny>>,
    exchange: Arc<Exchange>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        let Some(wrapper) = self.wrapper.take() else { return };
        let exchange = self.exchange.clone();
        let close = move || {
            Python::attach(|py| {
                let close = || exchange::close(py, &wrapper.into_bound(py), exchange.log());
                overtime::limited(py, exchange.limit(), &exchange, close);
            });
        };
        blocking::detach(&**self.exchange.host(), self.exchange.lane().clone(), close);
    }
}
