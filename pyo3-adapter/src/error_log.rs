//! `wsgi.errors`: a text stream into the server's error log.

use std::cell::RefCell;

use gateway_spec::ErrorLog;
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyString};

thread_local! {
    /// What was written on this thread since the last line break: `print` writes its line break by itself.
    static BEGUN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Where callables write what their operator should read.
#[pyclass(frozen, module = "gateway")]
pub(crate) struct Errors(ErrorLog);

impl Errors {
    pub(crate) fn new(log: ErrorLog) -> Self {
        Errors(log)
    }
}

#[pymethods]
impl Errors {
    /// Writes any text, also such as cannot be encoded. Returns the number of characters, as text streams do.
    #[pyo3(signature = (text, /))]
    fn write(&self, text: &Bound<'_, PyAny>) -> PyResult<usize> {
        let text = text
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err(format!("write() takes a str, not {}", text.get_type())))?;
        self.append(&text.to_string_lossy());
        text.len()
    }

    #[pyo3(signature = (lines, /))]
    fn writelines(&self, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(&line?)?;
        }
        Ok(())
    }

    fn flush(&self) {
        flush(&self.0);
    }
}

impl Errors {
    fn append(&self, text: &str) {
        let complete = BEGUN.with_borrow_mut(|begun| {
            begun.push_str(text);
            let end = begun.rfind('\n')? + 1;
            Some(begun.drain(..end).collect::<String>())
        });
        if let Some(lines) = complete {
            self.0.write(&lines);
        }
    }
}

/// Logs what was written on this thread and has no line break at its end.
pub(crate) fn flush(log: &ErrorLog) {
    let begun = BEGUN.with_borrow_mut(std::mem::take);
    if !begun.is_empty() {
        log.write(&begun);
    }
}
