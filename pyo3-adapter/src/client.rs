//! The client of a connection, as Python sees it: `gateway.disconnected`.

use std::sync::Arc;

use gateway_spec::{Closed, Connection, blocking::Blocking};
use pyo3::{prelude::*, types::PyString};

use crate::text;

/// Whether the client has gone: for calls that take long, and for work that goes on when its request is over. It keeps
/// nothing of either.
#[pyclass(frozen, name = "disconnected", module = "gateway")]
pub(crate) struct Client {
    closed: Closed,
    host: Arc<dyn Blocking>,
    /// `REMOTE_PORT`; none on a unix socket.
    pub(crate) port: Option<Py<PyString>>,
}

/// The one of a connection: it is not made for each request.
struct Kept(PyResult<Py<Client>>);

impl Client {
    pub(crate) fn of<'py>(py: Python<'py>, connection: &Connection) -> PyResult<Bound<'py, Client>> {
        match connection.keep(|| Kept(Client::new(py, connection).map(Bound::unbind))) {
            Some(Kept(Ok(kept))) => Ok(kept.bind(py).clone()),
            _ => Client::new(py, connection),
        }
    }

    fn new<'py>(py: Python<'py>, connection: &Connection) -> PyResult<Bound<'py, Client>> {
        let (closed, host) = (connection.closed().clone(), connection.host().blocking.clone());
        let port = connection.remote_port().map(|port| text::to_str(py, port.as_bytes())).transpose()?;
        Bound::new(py, Client { closed, host, port: port.map(Bound::unbind) })
    }
}

#[pymethods]
impl Client {
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
