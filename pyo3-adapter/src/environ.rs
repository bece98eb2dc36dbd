//! Environ → dict.

mod template;

use std::sync::{Mutex, PoisonError};

use gateway_spec::{CgiKey, Environ, Host, Key};
use http::{HeaderName, header};
use pyo3::{
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyDict, PyString},
};
use rustc_hash::FxHashMap;

use template::Template;

use crate::{error_log::Errors, file_wrapper::FileWrapper, input::Input, slot::Slot, text};

/// Makes the dicts of one callable.
pub(crate) struct Environs(Slot<Vec<Template>>);

/// So many templates are kept. Clients that come again and again send headers in a few different compositions.
const TEMPLATES: usize = 8;

impl Environs {
    pub(crate) const fn new() -> Self {
        Environs(Slot::new(None))
    }

    /// A fresh dict: exactly a dict, which is the callable's to change (PEP 3333, "environ Variables").
    pub(crate) fn dict<'py>(&self, py: Python<'py>, environ: &mut Environ) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.0.with(py, |templates| copy(py, templates.get_or_insert_default(), environ))?;
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
}

/// A copy of a template, which is made to fit this request before.
fn copy<'py>(py: Python<'py>, templates: &mut Vec<Template>, environ: &mut Environ) -> PyResult<Bound<'py, PyDict>> {
    let names = Names::of(py);
    let place = match templates.iter().position(|template| template.is_like(environ)) {
        Some(0) => 0,
        // What is used often moves to the front, and what is not is the next to go.
        Some(place) => {
            templates.swap(place, place - 1);
            place - 1
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
