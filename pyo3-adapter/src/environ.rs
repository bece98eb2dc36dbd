//! Environ → dict.

use std::sync::{Arc, Mutex, PoisonError};

use gateway_spec::{CgiKey, Environ, Host, Key};
use http::HeaderName;
use pyo3::{
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyDict, PyString},
};
use rustc_hash::FxHashMap;

use crate::{error_log::Errors, file_wrapper::FileWrapper, input::Input, text};

/// Makes the dicts of one callable.
#[derive(Default)]
pub(crate) struct Environs {
    /// What is the same in all requests of a host. There is hardly ever more than one host.
    template: Mutex<Option<(Arc<Host>, Py<PyDict>)>>,
}

impl Environs {
    /// A fresh dict: exactly a dict, which is the callable's to change (PEP 3333, "environ Variables").
    pub(crate) fn dict<'py>(&self, py: Python<'py>, mut environ: Environ) -> PyResult<Bound<'py, PyDict>> {
        let names = Names::of(py);
        let dict = self.template(py, environ.connection().host())?.copy()?;
        let mut result = Ok(());
        environ.visit(|key, value| {
            if result.is_ok() {
                result = names.set(py, &dict, key, value);
            }
        });
        result?;
        if environ.connection().remote_addr().is_none() {
            dict.del_item(names.key(CgiKey::RemoteAddr).bind(py))?;
            dict.del_item(names.key(CgiKey::RemotePort).bind(py))?;
        }
        dict.set_item(intern!(py, "wsgi.url_scheme"), scheme(py, &environ))?;
        let input = environ.take_input();
        if !input.is_empty() {
            dict.set_item(
                intern!(py, "wsgi.input"),
                Bound::new(py, Input::new(input, environ.connection().host().blocking.clone()))?,
            )?;
        }
        Ok(dict)
    }

    fn template<'py>(&self, py: Python<'py>, host: &Arc<Host>) -> PyResult<Bound<'py, PyDict>> {
        let template = || self.template.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, dict)) = &*template()
            && Arc::ptr_eq(known, host)
        {
            return Ok(dict.bind(py).clone());
        }
        let dict = make_template(py, host)?;
        *template() = Some((host.clone(), dict.clone().unbind()));
        Ok(dict)
    }
}

fn scheme<'py>(py: Python<'py>, environ: &Environ) -> &'py Bound<'py, PyString> {
    match environ.connection().scheme() {
        gateway_spec::Scheme::Http => intern!(py, "http"),
        gateway_spec::Scheme::Https => intern!(py, "https"),
    }
}

fn make_template<'py>(py: Python<'py>, host: &Host) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let names = Names::of(py);
    // Keys that every request has hold their places, so that the copy is large enough from the start.
    for &key in CgiKey::ALL {
        if !matches!(key, CgiKey::ContentType | CgiKey::ContentLength | CgiKey::Https) {
            dict.set_item(names.key(key), intern!(py, ""))?;
        }
    }
    dict.set_item(names.key(CgiKey::ServerSoftware), &host.software)?;
    dict.set_item("wsgi.version", (1, 0))?;
    dict.set_item("wsgi.url_scheme", intern!(py, "http"))?;
    dict.set_item("wsgi.input", Bound::new(py, Input::new(gateway_spec::Input::empty(), host.blocking.clone()))?)?;
    dict.set_item("wsgi.errors", Bound::new(py, Errors::new(host.error_log.clone()))?)?;
    dict.set_item("wsgi.multithread", host.blocking.may_wait())?;
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
    headers: Mutex<FxHashMap<HeaderName, Py<PyString>>>,
    /// The last value of each key, by [`CgiKey`]: most are the same from request to request.
    last: Mutex<Vec<Option<Last>>>,
}

/// A value, and the text it was made into.
type Last = (Vec<u8>, Py<PyString>);

/// So many different headers are kept by name. Clients invent them, so there must be an end.
const HEADERS: usize = 256;

impl Names {
    fn of(py: Python<'_>) -> &Names {
        static NAMES: PyOnceLock<Names> = PyOnceLock::new();
        NAMES.get_or_init(py, || Names {
            keys: CgiKey::ALL.iter().map(|key| PyString::intern(py, key.name()).unbind()).collect(),
            raw_uri: PyString::intern(py, "RAW_URI").unbind(),
            headers: Mutex::default(),
            last: Mutex::new(CgiKey::ALL.iter().map(|_| None).collect()),
        })
    }

    fn key(&self, key: CgiKey) -> &Py<PyString> {
        &self.keys[key as usize]
    }

    fn set(&self, py: Python<'_>, dict: &Bound<'_, PyDict>, key: Key<'_>, value: &[u8]) -> PyResult<()> {
        match key {
            // The template has it.
            Key::Cgi(CgiKey::ServerSoftware) => Ok(()),
            Key::Cgi(key @ CgiKey::RequestUri) => {
                let value = text::to_str(py, value)?;
                dict.set_item(self.key(key), &value)?;
                dict.set_item(&self.raw_uri, value)
            }
            Key::Cgi(key @ (CgiKey::PathInfo | CgiKey::ContentLength | CgiKey::RemotePort)) => {
                dict.set_item(self.key(key), text::to_str(py, value)?)
            }
            Key::Cgi(key) => dict.set_item(self.key(key), self.same_or_new(py, key, value)?),
            Key::Header(name) => dict.set_item(self.header(py, name), text::to_str(py, value)?),
            Key::Set(name) => dict.set_item(name, text::to_str(py, value)?),
        }
    }

    fn same_or_new<'py>(&self, py: Python<'py>, key: CgiKey, value: &[u8]) -> PyResult<Bound<'py, PyString>> {
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((bytes, text)) = &last()[key as usize]
            && bytes == value
        {
            return Ok(text.bind(py).clone());
        }
        let text = text::to_str(py, value)?;
        let replaced = last()[key as usize].replace((value.to_vec(), text.clone().unbind()));
        // Dropped without the lock: it may be the last reference.
        drop(replaced);
        Ok(text)
    }

    fn header<'py>(&self, py: Python<'py>, name: &HeaderName) -> Bound<'py, PyString> {
        let headers = || self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = headers().get(name) {
            return known.bind(py).clone();
        }
        let key = PyString::new(py, Key::Header(name).write(&mut String::new()));
        let mut headers = headers();
        if headers.len() < HEADERS {
            headers.insert(name.clone(), key.clone().unbind());
        }
        key
    }
}
