//! Another process with the same interpreter, in which everything is imported already.

use pyo3::prelude::*;

use crate::LoadError;

/// Forks this process, which must have one thread and a Python that was [initialized](crate::initialize). True in the
/// new process, whose parent is not this one: it is an orphan from the beginning, for process 1 or whoever has offered
/// to look after orphans.
///
/// `tell` is called with its number, in a process between the two.
///
/// # Errors
/// The system refuses another process.
pub fn fork(tell: impl FnOnce(u32)) -> Result<bool, LoadError> {
    Python::attach(|py| twice(py, tell).map_err(|error| LoadError::raised(py, "cannot fork", &error)))
}

/// Python forks, so that what it does before and after is done: locks, random numbers, an application's own hooks.
fn twice(py: Python<'_>, tell: impl FnOnce(u32)) -> PyResult<bool> {
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
    let status = i32::from(forked.is_err());
    if let Ok(pid) = forked {
        tell(pid);
    }
    // Nothing of what the process would do at its end is this one's to do.
    os.call_method1("_exit", (status,))?;
    Ok(false)
}
