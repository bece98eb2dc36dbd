//! A dict that is made to fit one request after the other.

use std::sync::Arc;

use gateway_spec::{CgiKey, Connection, Environ, Host, Scheme};
use http::{HeaderName, Method, Version};
use pyo3::{intern, prelude::*, types::PyDict};

use super::{Names, constants};
use crate::{client::Client, text};

/// The dict of an earlier request with the same headers. Few of its values are others now, or none: to change those, and
/// to copy it, costs far less than to put all of them together again.
pub(super) struct Template {
    pub(super) dict: Py<PyDict>,
    host: Arc<Host>,
    /// Where the request's first line and the connection are the same, a look at them spares one at each key that
    /// follows from them. None in the beginning, when nothing is known.
    line: Option<Line>,
    way: Option<Way>,
    client: Option<Py<Client>>,
    /// CONTENT_LENGTH.
    length: Option<u64>,
    /// By [`CgiKey`].
    values: Vec<Option<Vec<u8>>>,
    /// As received, in their order.
    headers: Vec<(HeaderName, Option<Vec<u8>>)>,
}

/// A request's first line, and how much of its path is SCRIPT_NAME.
struct Line {
    method: Method,
    target: String,
    path_info: usize,
    version: Version,
}

/// From where to where a connection goes, but for the client's port.
struct Way {
    scheme: Scheme,
    server_name: String,
    server_port: String,
    remote_addr: Option<String>,
}

/// Keys whose values follow from the request's first line.
const OF_REQUEST: [CgiKey; 6] = [
    CgiKey::RequestMethod,
    CgiKey::ScriptName,
    CgiKey::PathInfo,
    CgiKey::QueryString,
    CgiKey::RequestUri,
    CgiKey::ServerProtocol,
];
/// Keys whose values follow from the connection, but for [`CgiKey::RemotePort`], which no two have in common.
const OF_CONNECTION: [CgiKey; 4] = [CgiKey::ServerPort, CgiKey::RequestScheme, CgiKey::Https, CgiKey::RemoteAddr];
/// Keys whose values follow from headers, or from the connection where these say nothing.
const OF_HEADERS: [CgiKey; 2] = [CgiKey::ServerName, CgiKey::ContentType];

impl Template {
    /// A template for requests like this, which it does not fit yet.
    pub(super) fn new(py: Python<'_>, names: &Names, environ: &Environ) -> PyResult<Self> {
        let host = environ.connection().host().clone();
        Ok(Template {
            dict: constants(py, names, &host)?.unbind(),
            host,
            line: None,
            way: None,
            client: None,
            length: None,
            values: vec![None; CgiKey::ALL.len()],
            headers: environ.raw_headers().iter().map(|(name, _)| (name.clone(), None)).collect(),
        })
    }

    /// Whether the request has the same headers, whatever their values.
    pub(super) fn is_like(&self, environ: &Environ) -> bool {
        let headers = environ.raw_headers();
        headers.len() == self.headers.len()
            && headers.iter().zip(&self.headers).all(|((name, _), (known, _))| name == known)
            && Arc::ptr_eq(&self.host, environ.connection().host())
    }

    /// Makes the dict what it should be for this request.
    pub(super) fn fit(&mut self, py: Python<'_>, names: &Names, environ: &mut Environ) -> PyResult<()> {
        if !self.line.as_ref().is_some_and(|known| known.is_of(environ)) {
            self.line = Some(Line::of(environ));
            self.refresh(py, names, environ, &OF_REQUEST)?;
        }
        let is_elsewhere = self.fit_connection(py, names, environ)?;
        let has_changed = self.refresh_headers(py, names, environ)?;
        if has_changed || is_elsewhere {
            self.refresh(py, names, environ, &OF_HEADERS)?;
        }
        // A body that was received has a length, whatever its header says.
        if has_changed || self.length.is_some() || !environ.input().is_empty() {
            let length = environ.content_length();
            if length != self.length {
                self.refresh(py, names, environ, &[CgiKey::ContentLength])?;
                self.length = length;
            }
        }
        Ok(())
    }

    /// The same for what follows from the connection; says whether SERVER_NAME may be another.
    fn fit_connection(&mut self, py: Python<'_>, names: &Names, environ: &Environ) -> PyResult<bool> {
        let connection = environ.connection();
        let client = Client::of(py, connection)?;
        if self.client.as_ref().is_some_and(|known| known.is(&client)) {
            return Ok(false);
        }
        let (dict, port) = (self.dict.bind(py), names.key(CgiKey::RemotePort));
        dict.set_item(intern!(py, "gateway.disconnected"), &client)?;
        match &client.get().port {
            Some(known) => dict.set_item(port, known)?,
            None if dict.contains(port)? => dict.del_item(port)?,
            None => {}
        }
        self.client = Some(client.unbind());
        if self.way.as_ref().is_some_and(|known| known.is_of(connection)) {
            return Ok(false);
        }
        self.refresh(py, names, environ, &OF_CONNECTION)?;
        self.way = Some(Way::of(connection));
        Ok(true)
    }

    fn refresh(&mut self, py: Python<'_>, names: &Names, environ: &Environ, keys: &[CgiKey]) -> PyResult<()> {
        let dict = self.dict.bind(py);
        for &key in keys {
            let (value, known) = (key.value(environ), &mut self.values[key as usize]);
            if value.as_deref() == known.as_deref() {
                continue;
            }
            match value {
                Some(value) => {
                    let text = text::to_str(py, &value)?;
                    if let Some(twin) = names.twin(key) {
                        dict.set_item(twin, &text)?;
                    }
                    dict.set_item(names.key(key), text)?;
                    keep(known, &value);
                }
                None => {
                    dict.del_item(names.key(key))?;
                    *known = None;
                }
            }
        }
        Ok(())
    }

    /// The same for headers; says whether there was any change.
    fn refresh_headers(&mut self, py: Python<'_>, names: &Names, environ: &Environ) -> PyResult<bool> {
        let dict = self.dict.bind(py);
        let mut changed = false;
        for ((name, received), (_, known)) in environ.raw_headers().iter().zip(&mut self.headers) {
            if known.as_deref() == Some(received.as_bytes()) {
                continue;
            }
            changed = true;
            if let Some(value) = environ.header_value(name) {
                dict.set_item(names.header(py, name), text::to_str(py, &value)?)?;
            }
            keep(known, received.as_bytes());
        }
        Ok(changed)
    }
}

fn keep(known: &mut Option<Vec<u8>>, value: &[u8]) {
    let known = known.get_or_insert_default();
    known.clear();
    known.extend_from_slice(value);
}

impl Line {
    fn of(environ: &Environ) -> Self {
        Line {
            method: environ.method().clone(),
            target: environ.raw_target().to_owned(),
            path_info: environ.raw_path_info().len(),
            version: environ.version(),
        }
    }

    fn is_of(&self, environ: &Environ) -> bool {
        self.target == environ.raw_target()
            && self.path_info == environ.raw_path_info().len()
            && self.method == environ.method()
            && self.version == environ.version()
    }
}

impl Way {
    fn of(connection: &Connection) -> Self {
        Way {
            scheme: connection.scheme(),
            server_name: connection.server_name().to_owned(),
            server_port: connection.server_port().to_owned(),
            remote_addr: connection.remote_addr().map(str::to_owned),
        }
    }

    fn is_of(&self, connection: &Connection) -> bool {
        self.remote_addr.as_deref() == connection.remote_addr()
            && self.server_port == connection.server_port()
            && self.server_name == connection.server_name()
            && self.scheme == connection.scheme()
    }
}
