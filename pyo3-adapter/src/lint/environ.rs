//! The dict: as the callable is given it, and as it leaves it.

use gateway_spec::lint::rules;
use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};

use super::{Lint, definition, type_name};

/// Keys that are always there, as `str` (SPEC.md, section 3.1).
const CGI: [&str; 7] =
    ["REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"];

/// Keys of PEP 3333.
const WSGI: [&str; 7] = [
    "wsgi.version",
    "wsgi.url_scheme",
    "wsgi.input",
    "wsgi.errors",
    "wsgi.multithread",
    "wsgi.multiprocess",
    "wsgi.run_once",
];

/// Keys that no header may become.
const WITHHELD: [&str; 3] = ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_PROXY"];

/// Checks what this host hands over.
pub(super) fn check_given(lint: &Lint, dict: &Bound<'_, PyDict>) {
    let report = |seen: String| lint.report(rules::WSGI_ENVIRON, seen, || None);
    missing(dict).into_iter().for_each(report);
    for (key, value) in dict {
        let Ok(key) = key.cast_exact::<PyString>().map(ToString::to_string) else {
            report(format!("the key {key:?} is a {}", type_name(&key)));
            continue;
        };
        if !key.contains('.') && value.cast_exact::<PyString>().is_err() {
            report(format!("{key} is a {}", type_name(&value)));
        }
        if WITHHELD.contains(&key.as_str()) {
            report(format!("there is a key {key}"));
        }
    }
}

/// Checks what the callable has made of it. It may change what it likes (PEP 3333, "Specification Details"), as long as
/// there still is a request in it for whoever looks next: middleware around it, for one.
pub(super) fn check_left(lint: &Lint, dict: &Bound<'_, PyDict>, callable: &Bound<'_, PyAny>) {
    for seen in missing(dict) {
        lint.report(rules::WSGI_ENVIRON_CHANGED, format!("after the call, {seen}"), || definition(callable));
    }
}

/// What an environ lacks, or has with another type.
fn missing(dict: &Bound<'_, PyDict>) -> Vec<String> {
    let mut seen = Vec::new();
    for key in CGI.into_iter().chain(WSGI) {
        match dict.get_item(key).ok().flatten() {
            None => seen.push(format!("there is no {key}")),
            Some(value) if !key.contains('.') && !value.is_instance_of::<PyString>() => {
                seen.push(format!("{key} is a {}", type_name(&value)));
            }
            Some(_) => {}
        }
    }
    seen
}
