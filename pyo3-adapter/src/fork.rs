//! Another process with the same interpreter, in which everything is imported already.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pyo3::{
    exceptions::PySystemExit,
    prelude::*,
    types::{PyCFunction, PyDict},
};

use crate::{LoadError, interpreter};

/// Whether this process is a copy that Python has forked.
static IS_COPY: AtomicBool = AtomicBool::new(false);

/// Forks this process, which must have one thread and a Python that was [initialized](crate::initialize). True in the
/// new process, whose parent is not this one: it is an orphan from the beginning, for process 1 or whoever has offered
/// to look after orphans.
///
/// # Errors
/// The system refuses another process.
pub fn fork() -> Result<bool, LoadError> {
    let is_new = Python::attach(|py| twice(py).map_err(|error| LoadError::raised(py, "cannot fork", &error)))?;
    // This copy is one that serves.
    IS_COPY.store(false, Relaxed);
    Ok(is_new)
}

/// Has Python tell when a process is a copy.
pub(crate) fn watch(py: Python<'_>) -> PyResult<()> {
    let mark = PyCFunction::new_closure(py, None, None, |_, _| IS_COPY.store(true, Relaxed))?;
    let hooks = PyDict::new(py);
    hooks.set_item("after_in_child", mark)?;
    py.import("os")?.call_method("register_at_fork", (), Some(&hooks)).map(drop)
}

/// Ends a process that an application has forked and that comes back out of the application, with an exception or without.
/// It has the server's sockets and one of its threads, and would take requests from the server that it is a copy of.
pub(crate) fn end_copy(py: Python<'_>, raised: Option<&PyErr>) {
    if IS_COPY.load(Relaxed) {
        let status = raised.map_or(0, |error| exit_status(py, error));
        interpreter::flush(py);
        let _ = py.import("os").and_then(|os| os.call_method1("_exit", (status,)));
    }
}

/// What Python would exit with. It shows the exception, unless that is an orderly exit.
fn exit_status(py: Python<'_>, error: &PyErr) -> i32 {
    if error.is_instance_of::<PySystemExit>(py)
        && let Ok(code) = error.value(py).getattr("code")
        && let Ok(status) = code.extract::<Option<i32>>()
    {
        return status.unwrap_or_default();
    }
    error.display(py);
    1
}

/// Python forks, so that what it does before and after is done: locks, random numbers, an application's own hooks.
fn twice(py: Python<'_>) -> PyResult<bool> {
    let os = py.import("os")?;
    let between: u32 = os.call_method0("fork")?.extract()?;
    if between != 0 {
        let (_, status): (u32, i32) = os.call_method1("waitpid", (between, 0))?.extract()?;
        return match status {
            0 => Ok(false),
            status => {
                Err(pyo3::exceptions::PyOSError::new_err(format!("the second process ended with status {status}")))
            }
        };
    }
    let forked = os.call_method0("fork").and_then(|pid| pid.extract::<u32>());
    if let Ok(0) = forked {
        return Ok(true);
    }
    // Nothing of what the process would do at its end is this one's to do.
    os.call_method1("_exit", (i32::from(forked.is_err()),))?;
    Ok(false)
}
