//! How many references there are to an object.
#![allow(unsafe_code, reason = "pyo3 has no way to see a reference count")]

use pyo3::{ffi, prelude::*};

/// The number of references, of which the given one is one.
pub(crate) fn references<T>(object: &Bound<'_, T>) -> isize {
    // SAFETY: the pointer is that of a live object, and the calling thread is attached.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}
