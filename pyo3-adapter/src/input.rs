//! `wsgi.input`: the request's body with the methods that PEP 3333 names, as CPython's `io` has them.

use std::{
    io::{self, BufRead, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

use gateway_spec::{Reader, blocking::Blocking};
use pyo3::{
    prelude::*,
    sync::MutexExt,
    types::{PyBytes, PyList},
};

/// So much is copied before another thread could have run any Python.
const AT_ONCE: usize = 256 * 1024;

/// The request's body.
#[pyclass(frozen, module = "gateway")]
pub(crate) struct Input {
    reader: Mutex<Reader>,
    host: Arc<dyn Blocking>,
}

impl Input {
    pub(crate) fn new(input: gateway_spec::Input, host: Arc<dyn Blocking>) -> Self {
        Input { reader: Mutex::new(input.reader()), host }
    }

    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Reader> {
        // Another thread of the application's may read, and may have to wait for that.
        self.reader.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads. Where that means to wait for the client, other threads run Python meanwhile, and this thread's place is
    /// another's. What is there is read at once: that takes less time than to give the interpreter up and get it back.
    fn read_with<T: Send>(
        &self,
        py: Python<'_>,
        reader: &mut Reader,
        read: impl Fn(&mut dyn BufRead) -> io::Result<T> + Sync,
    ) -> PyResult<T> {
        if reader.is_received() {
            return Ok(read(reader)?);
        }
        Ok(py.detach(|| read(&mut Arriving { reader, host: &*self.host }))?)
    }

    /// Reads up to `limit` bytes, or to the end of the line.
    fn line<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyBytes>> {
        let reader: &mut Reader = &mut self.lock(py);
        let line = self.read_with(py, reader, |reader| read_line(reader, limit))?;
        Ok(PyBytes::new(py, &line))
    }
}

#[pymethods]
impl Input {
    /// Reads `size` bytes, fewer only at the end; all that are left if `size` is negative, None or not given.
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        let limit = limit(size);
        let reader: &mut Reader = &mut self.lock(py);
        if reader.is_received()
            && let Some(len) = reader.len()
        {
            // It is read to where Python will have it.
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(limit);
            return PyBytes::new_with(py, len, |buffer| {
                Ok(if len <= AT_ONCE { reader.read_exact(buffer) } else { py.detach(|| reader.read_exact(buffer)) }?)
            });
        }
        let bytes = self.read_with(py, reader, |reader| {
            let mut bytes = Vec::new();
            Read::take(reader, limit as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Reads a line with its `\n`, or `size` bytes of it.
    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        self.line(py, limit(size))
    }

    /// Reads lines to the end, or until they have `hint` bytes together.
    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<isize>) -> PyResult<Bound<'py, PyList>> {
        let enough = hint.filter(|hint| *hint > 0).map_or(usize::MAX, isize::unsigned_abs);
        let lines = PyList::empty(py);
        let mut total = 0;
        while total < enough {
            let line = self.line(py, usize::MAX)?;
            if line.as_bytes().is_empty() {
                break;
            }
            total += line.as_bytes().len();
            lines.append(line)?;
        }
        Ok(lines)
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(Some(self.line(py, usize::MAX)?).filter(|line| !line.as_bytes().is_empty()))
    }
}

/// A body that is waited for as the host waits.
struct Arriving<'a> {
    reader: &'a mut Reader,
    host: &'a dyn Blocking,
}

impl BufRead for Arriving<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.reader.poll_filled(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.host.wait(&mut |cx| self.reader.poll_filled(cx));
        }
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl Read for Arriving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill_buf()?;
        self.reader.read(buffer)
    }
}

fn limit(size: Option<isize>) -> usize {
    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX)
}

fn read_line(reader: &mut dyn BufRead, limit: usize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() < limit {
        let block = reader.fill_buf()?;
        let block = &block[..block.len().min(limit - line.len())];
        let (taken, ends) = match block.iter().position(|&byte| byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (block.len(), block.is_empty()),
        };
        line.extend_from_slice(&block[..taken]);
        reader.consume(taken);
        if ends {
            break;
        }
    }
    Ok(line)
}
