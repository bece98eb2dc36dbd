//! Environ → dict.

mod client;

use std::sync::{Arc, Mutex, PoisonError};

use gateway_spec::{CgiKey, Connection, Environ, Host, Key, Scheme};
use http::{HeaderName, Method, Version, header};
use pyo3::{
    intern,
    prelude::*,
    sync::{MutexExt, PyOnceLock},
    types::{PyDict, PyString},
};
use rustc_hash::FxHashMap;

use crate::{error_log::Errors, file_wrapper::FileWrapper, input::Input, text};
use client::Client;

/// Makes the dicts of one callable.
#[derive(Default)]
pub(crate) struct Environs(Mutex<Vec<Template>>);

/// So many templates are kept. Clients that come again and again send headers in a few different compositions.
const TEMPLATES: usize = 8;

impl Environs {
    /// A fresh dict: exactly a dict, which is the callable's to change (PEP 3333, "environ Variables").
    pub(crate) fn dict<'py>(&self, py: Python<'py>, environ: &mut Environ) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.copy(py, environ)?;
        for (name, value) in environ.vars() {
            dict.set_item(name, text::to_str(py, value)?)?;
        }
        if !environ.input().is_received() && environ.raw_headers().contains_key(header::TRANSFER_ENCODING) {
            // Nothing else tells that there is a body: gunicorn shows it too, and CherryPy looks for it.
            dict.set_item(intern!(py, "HTTP_TRANSFER_ENCODING"), intern!(py, "chunked"))?;
        }
        let input = environ.take_input();
        if !input.is_empty() {
            let input = Input::new(input, environ.connection().host().blocking.clone());
            dict.set_item(intern!(py, "wsgi.input"), Bound::new(py, input)?)?;
        }
        Ok(dict)
    }

    /// A copy of a template, which is made to fit this request before.
    fn copy<'py>(&self, py: Python<'py>, environ: &mut Environ) -> PyResult<Bound<'py, PyDict>> {
        let names = Names::of(py);
        let mut templates = self.0.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let place = match templates.iter().position(|template| template.is_like(environ)) {
            // What is used often moves to the front, and what is not is the next to go.
            Some(place) => {
                templates.swap(place, place.saturating_sub(1));
                place.saturating_sub(1)
            }
            None => {
                templates.truncate(TEMPLATES - 1);
                templates.push(Template::new(py, names, environ)?);
                templates.len() - 1
            }
        };
        match templates[place].fit(py, names, environ) {
            Ok(()) => templates[place].dict.bind(py).copy(),
            Err(error) => {
                templates.remove(place);
                Err(error)
            }
        }
    }
}

/// The dict of an earlier request with the same headers. Few of its values are others now, or none: to change those, and
/// to copy it, costs far less than to put all of them together again.
struct Template {
    dict: Py<PyDict>,
    host: Arc<Host>,
    /// Where the request's first line and the connection are the same, a look at them spares one at each key that
    /// follows from them. None in the beginning, when nothing is known.
    line: Option<Line>,
    way: Option<Way>,
    client: Option<Client>,
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
/// Keys whose values follow from headers, or from the body or the connection where these say nothing.
const OF_HEADERS: [CgiKey; 3] = [CgiKey::ServerName, CgiKey::ContentType, CgiKey::ContentLength];

impl Template {
    /// A template for requests like this, which it does not fit yet.
    fn new(py: Python<'_>, names: &Names, environ: &Environ) -> PyResult<Self> {
        let host = environ.connection().host().clone();
        Ok(Template {
            dict: constants(py, names, &host)?.unbind(),
            host,
            line: None,
            way: None,
            client: None,
            values: vec![None; CgiKey::ALL.len()],
            headers: environ.raw_headers().iter().map(|(name, _)| (name.clone(), None)).collect(),
        })
    }

    /// Whether the request has the same headers, whatever their values.
    fn is_like(&self, environ: &Environ) -> bool {
        let headers = environ.raw_headers();
        headers.len() == self.headers.len()
            && headers.iter().zip(&self.headers).all(|((name, _), (known, _))| name == known)
            && Arc::ptr_eq(&self.host, environ.connection().host())
    }

    /// Makes the dict what it should be for this request.
    fn fit(&mut self, py: Python<'_>, names: &Names, environ: &mut Environ) -> PyResult<()> {
        let has_body = !environ.input().is_empty();
        let had_body = self.values[CgiKey::ContentLength as usize].is_some();
        if !self.line.as_ref().is_some_and(|known| known.is_of(environ)) {
            self.line = Some(Line::of(environ));
            self.refresh(py, names, environ, &OF_REQUEST)?;
        }
        let is_elsewhere = self.fit_connection(py, names, environ)?;
        if self.refresh_headers(py, names, environ)? || is_elsewhere || has_body || had_body {
            self.refresh(py, names, environ, &OF_HEADERS)?;
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
        client.put(py, names, self.dict.bind(py))?;
        self.client = Some(client);
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

/// What is the same for all requests of a server.
fn constants<'py>(py: Python<'py>, names: &Names, host: &Host) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(names.key(CgiKey::ServerSoftware), &host.software)?;
    dict.set_item("wsgi.version", (1, 0))?;
    dict.set_item("gateway.version", gateway_spec::VERSION)?;
    let nothing = Input::new(gateway_spec::Input::empty(), host.blocking.clone());
    dict.set_item("wsgi.input", Bound::new(py, nothing)?)?;
    dict.set_item("wsgi.errors", Bound::new(py, Errors::new(host.error_log.clone()))?)?;
    dict.set_item("wsgi.multithread", host.blocking.is_concurrent())?;
    dict.set_item("wsgi.multiprocess", host.multiprocess)?;
    dict.set_item("wsgi.run_once", false)?;
    dict.set_item("wsgi.file_wrapper", py.get_type::<FileWrapper>())?;
    // The input ends where the body does, whatever its framing was: werkzeug and others ask for this.
    dict.set_item("wsgi.input_terminated", true)?;
    Ok(dict)
}

/// The names of keys as Python objects, made once: a dict finds those that are one and the same object fastest.
struct Names {
    /// By [`CgiKey`].
    keys: Vec<Py<PyString>>,
    raw_uri: Py<PyString>,
    url_scheme: Py<PyString>,
    headers: Mutex<FxHashMap<HeaderName, Py<PyString>>>,
}

/// So many different headers are kept by name. Clients invent them, so there must be an end.
const HEADERS: usize = 256;

impl Names {
    fn of(py: Python<'_>) -> &Names {
        static NAMES: PyOnceLock<Names> = PyOnceLock::new();
        NAMES.get_or_init(py, || Names {
            keys: CgiKey::ALL.iter().map(|key| PyString::intern(py, key.name()).unbind()).collect(),
            raw_uri: PyString::intern(py, "RAW_URI").unbind(),
            url_scheme: PyString::intern(py, "wsgi.url_scheme").unbind(),
            headers: Mutex::default(),
        })
    }

    fn key(&self, key: CgiKey) -> &Py<PyString> {
        &self.keys[key as usize]
    }

    /// The other name of a value that has two.
    fn twin(&self, key: CgiKey) -> Option<&Py<PyString>> {
        match key {
            CgiKey::RequestUri => Some(&self.raw_uri),
            CgiKey::RequestScheme => Some(&self.url_scheme),
            _ => None,
        }
    }

    fn header<'py>(&self, py: Python<'py>, name: &HeaderName) -> Bound<'py, PyString> {
        let headers = || self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = headers().get(name) {
            return known.bind(py).clone();
        }
        let (key, mut text) = (Key::Header(name), String::new());
        let text = key.write(&mut text);
        let mut headers = headers();
        if headers.len() == HEADERS {
            return PyString::new(py, text);
        }
        headers.entry(name.clone()).or_insert_with(|| PyString::intern(py, text).unbind()).bind(py).clone()
    }
}
