//! A block of a body: Python's bytes.

use bytes::Bytes;
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyBytes};

/// Blocks of this size and more are not copied: they keep the Python object alive until they are sent.
const SHARE: usize = 8 * 1024;

/// The object as bytes.
///
/// # Errors
/// TypeError if it is anything else.
pub(super) fn bytes_of<'a, 'py>(block: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyBytes>> {
    block.cast::<PyBytes>().map_err(|_| {
        let kind = block.get_type();
        PyTypeError::new_err(format!("the body's blocks must be bytes, and one is {kind}"))
    })
}

pub(super) fn copy(block: &Bound<'_, PyBytes>) -> Bytes {
    struct Shared(pyo3::pybacked::PyBackedBytes);
    impl AsRef<[u8]> for Shared {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    match block.as_bytes().len() {
        len if len < SHARE => Bytes::copy_from_slice(block.as_bytes()),
        _ => Bytes::from_owner(Shared(block.clone().into())),
    }
}
