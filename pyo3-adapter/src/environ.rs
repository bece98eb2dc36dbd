//! Environ → dict.

use std::sync::{Arc, Mutex, PoisonError};

use gateway_spec::{CgiKey, Environ, Host, Key};
use http::HeaderName;
use pyo3::{
    intern,
    prelude::*,
    sync::{MutexExt, PyOnceLock},
    types::{PyDict, PyString},
};
use rustc_hash::FxHashMap;

use crate::{error_log::Errors, file_wrapper::FileWrapper, input::Input, text};

/// Makes the dicts of one callable.
#[derive(Default)]
pub(crate) struct Environs(Mutex<Option<Template>>);

/// The last dict but for what hardly any two requests have in common: a copy of it, and few changes, make the next.
struct Template {
    /// There is hardly ever more than one host.
    host: Arc<Host>,
    dict: Py<PyDict>,
    /// The values of [`STEADY`] in the dict.
    steady: [Vec<u8>; STEADY.len()],
}

/// Keys whose values are mostly those of the request before.
const STEADY: [CgiKey; 8] = [
    CgiKey::RequestMethod,
    CgiKey::ScriptName,
    CgiKey::QueryString,
    CgiKey::ServerName,
    CgiKey::ServerPort,
    CgiKey::ServerProtocol,
    CgiKey::RequestScheme,
    CgiKey::RemoteAddr,
];

fn is_in_template(key: CgiKey) -> bool {
    key == CgiKey::ServerSoftware || STEADY.contains(&key)
}

impl Environs {
    /// A fresh dict: exactly a dict, which is the callable's to change (PEP 3333, "environ Variables").
    pub(crate) fn dict<'py>(&self, py: Python<'py>, mut environ: Environ) -> PyResult<Bound<'py, PyDict>> {
        let names = Names::of(py);
        let dict = self.copy(py, names, &environ)?;
        for &key in CgiKey::ALL.iter().filter(|key| !is_in_template(**key)) {
            if let Some(value) = key.value(&environ) {
                names.set(py, &dict, Key::Cgi(key), &value)?;
            }
        }
        let mut result = Ok(());
        environ.visit_headers(|key, value| {
            if result.is_ok() {
                result = names.set(py, &dict, key, value);
            }
        });
        result?;
        if environ.connection().remote_addr().is_none() {
            dict.del_item(names.key(CgiKey::RemoteAddr).bind(py))?;
            dict.del_item(names.key(CgiKey::RemotePort).bind(py))?;
        }
        let input = environ.take_input();
        if !input.is_empty() {
            let input = Input::new(input, environ.connection().host().blocking.clone());
            dict.set_item(intern!(py, "wsgi.input"), Bound::new(py, input)?)?;
        }
        Ok(dict)
    }

    /// A copy of the template, which is made to fit this request before.
    fn copy<'py>(&self, py: Python<'py>, names: &Names, environ: &Environ) -> PyResult<Bound<'py, PyDict>> {
        let host = environ.connection().host();
        let mut known = self.0.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let template = match &mut *known {
            Some(template) if Arc::ptr_eq(&template.host, host) => template,
            other => other.insert(Template::new(py, names, host)?),
        };
        let dict = template.dict.bind(py);
        for (key, known) in STEADY.iter().zip(&mut template.steady) {
            let value = key.value(environ).unwrap_or_default();
            if **known != *value {
                dict.set_item(names.key(*key), text::to_str(py, &value)?)?;
                if *key == CgiKey::RequestScheme {
                    dict.set_item(intern!(py, "wsgi.url_scheme"), text::to_str(py, &value)?)?;
                }
                known.clear();
                known.extend_from_slice(&value);
            }
        }
        dict.copy()
    }
}

impl Template {
    fn new(py: Python<'_>, names: &Names, host: &Arc<Host>) -> PyResult<Self> {
        let dict = PyDict::new(py);
        // Keys that every request has hold their places, so that a copy has room for headers without growing.
        for &key in CgiKey::ALL {
            if !matches!(key, CgiKey::ContentType | CgiKey::ContentLength | CgiKey::Https) {
                dict.set_item(names.key(key), intern!(py, ""))?;
            }
        }
        dict.set_item(&names.raw_uri, intern!(py, ""))?;
        dict.set_item(names.key(CgiKey::ServerSoftware), &host.software)?;
        dict.set_item("wsgi.version", (1, 0))?;
        dict.set_item("wsgi.url_scheme", intern!(py, "http"))?;
        let nothing = Input::new(gateway_spec::Input::empty(), host.blocking.clone());
        dict.set_item("wsgi.input", Bound::new(py, nothing)?)?;
        dict.set_item("wsgi.errors", Bound::new(py, Errors::new(host.error_log.clone()))?)?;
        dict.set_item("wsgi.multithread", host.blocking.may_wait())?;
        dict.set_item("wsgi.multiprocess", host.multiprocess)?;
        dict.set_item("wsgi.run_once", false)?;
        dict.set_item("wsgi.file_wrapper", py.get_type::<FileWrapper>())?;
        // The input ends where the body does, whatever its framing was: werkzeug and others ask for this.
        dict.set_item("wsgi.input_terminated", true)?;
        Ok(Template { host: host.clone(), dict: dict.unbind(), steady: Default::default() })
    }
}

/// The names of keys as Python objects, made once: a dict finds those that are one and the same object fastest.
struct Names {
    /// By [`CgiKey`].
    keys: Vec<Py<PyString>>,
    raw_uri: Py<PyString>,
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
            headers: Mutex::default(),
        })
    }

    fn key(&self, key: CgiKey) -> &Py<PyString> {
        &self.keys[key as usize]
    }

    fn set(&self, py: Python<'_>, dict: &Bound<'_, PyDict>, key: Key<'_>, value: &[u8]) -> PyResult<()> {
        match key {
            Key::Cgi(key @ CgiKey::RequestUri) => {
                let value = text::to_str(py, value)?;
                dict.set_item(self.key(key), &value)?;
                dict.set_item(&self.raw_uri, value)
            }
            Key::Cgi(key) => dict.set_item(self.key(key), text::to_str(py, value)?),
            Key::Header(name) => dict.set_item(self.header(py, name), text::to_str(py, value)?),
            Key::Set(name) => dict.set_item(name, text::to_str(py, value)?),
        }
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
