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

impl Disconnected {
    pub(crate) fn new(py: Python<'_>, connection: &Connection) -> PyResult<Py<Disconnected>> {
        let (closed, host) = (connection.closed().clone(), connection.host().blocking.clone());
        Py::new(py, Disconnected { closed, host })
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
