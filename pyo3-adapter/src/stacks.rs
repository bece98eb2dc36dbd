//! Stacks of Python's threads, for the log.

use pyo3::{prelude::*, types::IntoPyDict as _};

use crate::LoadError;

/// Has the process write the stacks of all Python threads to standard error when it receives `signal`, and before it
/// dies of a crash (SIGSEGV, SIGABRT and their like). Python's own `faulthandler` does that inside of the signal's
/// handler: it works while the interpreter is held by code that never gives it up. Python must run already.
///
/// # Errors
/// What `faulthandler` raises.
pub fn dump_stacks_on(signal: i32) -> Result<(), LoadError> {
    const STDERR: i32 = 2;
    Python::attach(|py| {
        let registered = py.import("faulthandler").and_then(|faulthandler| {
            let options = [("file", STDERR)].into_py_dict(py)?;
            faulthandler.call_method("enable", (), Some(&options))?;
            faulthandler.call_method("register", (signal,), Some(&options))
        });
        registered.map(drop).map_err(|error| LoadError::raised(py, "faulthandler cannot be switched on", &error))
    })
}
