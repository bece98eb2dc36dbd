//! `gateway.disconnected`: whether the client has gone.

use std::sync::Arc;

use gateway_spec::{Closed, Connection, blocking::Blocking};
use pyo3::prelude::*;

/// For calls that take long, and for work that goes on when its request is over: it keeps nothing of either.
#[pyclass(frozen, name = "disconnected", module = "gateway")]
pub(crate) struct Disconnected {
    closed: Closed,
    host: Arc<dyn Blocking>,
}

/// The one of a connection: most requests have no use for it, so it is not made for each.
struct Kept(PyResult<Py<Disconnected>>);

impl Disconnected {
    pub(crate) fn of<'py>(py: Python<'py>, connection: &Connection) -> PyResult<Bound<'py, Disconnected>> {
        let make = || {
            let (closed, host) = (connection.closed().clone(), connection.host().blocking.clone());
            Bound::new(py, Disconnected { closed, host })
        };
        match connection.keep(|| Kept(make().map(Bound::unbind))) {
            Some(Kept(Ok(kept))) => Ok(kept.bind(py).clone()),
            _ => make(),
        }
    }
}

#[pymethods]
impl Disconnected {
    /// True when the connection has ended: by a reset, by the server, or when the client has closed its side and for a
    /// second nothing was sent to it.
    fn __call__(&self, py: Python<'_>) -> bool {
        // Where the event loop stands still it has noticed nothing since the call began.
        if !self.host.is_concurrent() {
            py.detach(|| self.host.turn());
        }
        self.closed.is_set()
    }
}
