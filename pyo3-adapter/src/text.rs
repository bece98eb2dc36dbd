//! The border between HTTP's bytes and Python's `str`: each byte is the code point of its value (PEP 3333, "Unicode
//! Issues").
#![allow(unsafe_code, reason = "pyo3 knows no latin-1")]

use pyo3::{
    exceptions::PyValueError,
    ffi,
    prelude::*,
    types::{PyString, PyStringMethods, string::PyStringData},
};

/// Bytes as text.
pub(crate) fn to_str<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: pointer and length are those of a slice, which Python copies; the result is a new reference to a str, or
    // null with an exception set, which is what `from_owned_ptr_or_err` takes.
    unsafe {
        let text = ffi::PyUnicode_DecodeLatin1(bytes.as_ptr().cast(), bytes.len() as ffi::Py_ssize_t, std::ptr::null());
        Ok(Bound::from_owned_ptr_or_err(py, text)?.cast_into_unchecked())
    }
}

/// Text as bytes.
///
/// # Errors
/// ValueError if it has a code point above U+00FF. `what` says which text that is.
pub(crate) fn to_bytes<'a>(text: &'a Bound<'_, PyString>, what: &str) -> PyResult<&'a [u8]> {
    // SAFETY: the data lives as long as the str, which is immutable; none of the strs that reach this is made by C code
    // that lies about its kind.
    match unsafe { text.data() }? {
        PyStringData::Ucs1(bytes) => Ok(bytes),
        _ => Err(PyValueError::new_err(format!("{what} {text:?} has characters that are not in ISO-8859-1"))),
    }
}
