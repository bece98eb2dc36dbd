//! A place for a value that only threads which are attached to the interpreter get at.
#![cfg_attr(not(Py_GIL_DISABLED), allow(unsafe_code, reason = "where there is a GIL, it is the lock"))]

use pyo3::prelude::*;

/// Where there is a GIL, this costs no atomic instruction; each request would need several.
pub(crate) struct Slot<T>(Place<T>);

#[cfg(not(Py_GIL_DISABLED))]
type Place<T> = std::cell::Cell<Option<T>>;
#[cfg(Py_GIL_DISABLED)]
type Place<T> = std::sync::Mutex<Option<T>>;

// SAFETY: the cell is reached through `with` alone, by a thread that is attached to the interpreter, as its `Python`
// proves. Only one thread is at a time, and no thread detaches while it takes or sets the value: that moves it, and runs
// no code of Python's nor of the value's. The value goes from thread to thread, hence `Send`.
#[cfg(not(Py_GIL_DISABLED))]
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    pub(crate) const fn new(value: Option<T>) -> Self {
        Slot(Place::new(value))
    }

    /// Does something with the value. If that runs code of Python's, others may find the place empty meanwhile, and what
    /// they put there is lost.
    pub(crate) fn with<R>(&self, py: Python<'_>, act: impl FnOnce(&mut Option<T>) -> R) -> R {
        #[cfg(not(Py_GIL_DISABLED))]
        {
            let _attached = py;
            let mut value = self.0.take();
            let result = act(&mut value);
            let lost = self.0.replace(value);
            drop(lost);
            result
        }
        #[cfg(Py_GIL_DISABLED)]
        {
            use pyo3::sync::MutexExt;
            act(&mut self.0.lock_py_attached(py).unwrap_or_else(std::sync::PoisonError::into_inner))
        }
    }
}
