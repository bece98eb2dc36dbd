//! The client of a connection, as Python sees it: objects that are made once for all requests of the connection.

use gateway_spec::{CgiKey, Connection};
use pyo3::{
    intern,
    prelude::*,
    types::{PyDict, PyString},
};

use super::Names;
use crate::{disconnected::Disconnected, text};

pub(super) struct Client {
    disconnected: Py<Disconnected>,
    /// `REMOTE_PORT`; none on a unix socket.
    port: Option<Py<PyString>>,
}

/// What a connection keeps: an error too, which the request then makes anew and reports.
struct Kept(PyResult<Client>);

impl Client {
    pub(super) fn of(py: Python<'_>, connection: &Connection) -> PyResult<Self> {
        match connection.keep(|| Kept(Client::new(py, connection))) {
            Some(Kept(Ok(Client { disconnected, port }))) => {
                let port = port.as_ref().map(|port| port.clone_ref(py));
                Ok(Client { disconnected: disconnected.clone_ref(py), port })
            }
            _ => Client::new(py, connection),
        }
    }

    fn new(py: Python<'_>, connection: &Connection) -> PyResult<Self> {
        let port = connection.remote_port().map(|port| text::to_str(py, port.as_bytes())).transpose()?;
        Ok(Client { disconnected: Disconnected::new(py, connection)?, port: port.map(Bound::unbind) })
    }

    pub(super) fn is(&self, other: &Client) -> bool {
        self.disconnected.is(&other.disconnected)
    }

    /// Puts these objects into an environ.
    pub(super) fn put(&self, py: Python<'_>, names: &Names, dict: &Bound<'_, PyDict>) -> PyResult<()> {
        dict.set_item(intern!(py, "gateway.disconnected"), &self.disconnected)?;
        let port = names.key(CgiKey::RemotePort);
        match &self.port {
            Some(known) => dict.set_item(port, known),
            None if dict.contains(port)? => dict.del_item(port),
            None => Ok(()),
        }
    }
}
