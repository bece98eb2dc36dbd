//! `start_response` and the `write` that it returns.

mod known;

use std::sync::Arc;

use gateway_spec::{Status, is_hop_by_hop};
use http::{HeaderMap, HeaderName, HeaderValue};
use pyo3::{
    exceptions::{PyAssertionError, PyTypeError, PyValueError},
    prelude::*,
    types::{PyBytes, PyList, PyString, PyTuple},
};

use crate::{
    exchange::{Exchange, Head},
    text,
};

/// The second argument of a WSGI callable.
#[pyclass(frozen, name = "start_response", module = "gateway")]
pub(crate) struct StartResponse(Arc<Exchange>);

impl StartResponse {
    pub(crate) fn new(exchange: Arc<Exchange>) -> Self {
        StartResponse(exchange)
    }
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (status, headers, /, exc_info=None))]
    fn __call__(
        &self,
        py: Python<'_>,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Write> {
        let raised = exc_info.map(raised).transpose()?;
        if self.0.start(|| head(status, headers), raised.is_some())? {
            return Ok(Write(self.0.clone()));
        }
        // The head is sent. The exception goes on its way, and so the connection is cut (PEP 3333, "Error Handling").
        Err(match raised.flatten() {
            Some((value, traceback)) => {
                let error = PyErr::from_value(value);
                error.set_traceback(py, traceback.cast_into().ok());
                error
            }
            None => PyAssertionError::new_err("start_response was called again after the head was sent"),
        })
    }
}

type Raised<'py> = Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

/// The exception and the traceback of `sys.exc_info()`; none if there was no exception.
fn raised<'py>(exc_info: &Bound<'py, PyAny>) -> PyResult<Raised<'py>> {
    match exc_info.cast::<PyTuple>() {
        Ok(tuple) if tuple.len() == 3 => {
            let value = tuple.get_item(1)?;
            Ok(if value.is_none() { None } else { Some((value, tuple.get_item(2)?)) })
        }
        _ => Err(PyTypeError::new_err("exc_info must be what sys.exc_info() returns: a tuple of three")),
    }
}

fn head(status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<Head> {
    let status = text_of(status, "the status")?;
    let status = Status::parse(text::to_bytes(status, "the status")?).map_err(refused)?;
    let list = headers.cast::<PyList>().map_err(|_| {
        PyTypeError::new_err(format!("the headers must be a list of pairs, not {}", headers.get_type()))
    })?;
    let too_many = |_| PyValueError::new_err(format!("{} headers are more than a response can have", list.len()));
    // The server adds one or two.
    let mut map = HeaderMap::try_with_capacity(list.len() + 2).map_err(too_many)?;
    for pair in list {
        let (name, value) = known::header(&pair, checked)?;
        map.try_append(name, value).map_err(too_many)?;
    }
    Ok(Head { status, headers: map })
}

/// The header that a pair is.
pub(crate) fn checked(pair: &Bound<'_, PyAny>) -> PyResult<(HeaderName, HeaderValue)> {
    let pair = match pair.cast::<PyTuple>() {
        Ok(pair) if pair.len() == 2 => pair,
        _ => return Err(PyTypeError::new_err(format!("a header must be a tuple (name, value), not {pair:?}"))),
    };
    let (name, value) = (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?);
    let (name, value) = (text_of(&name, "a header's name")?, text_of(&value, "a header's value")?);
    let parsed = HeaderName::from_bytes(text::to_bytes(name, "the header's name")?)
        .map_err(|_| PyValueError::new_err(format!("{name:?} is not the name of a header (RFC 9110, section 5.1)")))?;
    if is_hop_by_hop(&parsed) {
        let why = "concerns the connection, which is the server's (PEP 3333, \"Other HTTP Features\")";
        return Err(PyAssertionError::new_err(format!("the header {name:?} {why}")));
    }
    let value = HeaderValue::from_bytes(text::to_bytes(value, "the header's value")?).map_err(|_| {
        PyValueError::new_err(format!("the value {value:?} of the header {name:?} has control characters"))
    })?;
    Ok((parsed, value))
}

fn text_of<'a, 'py>(object: &'a Bound<'py, PyAny>, what: &str) -> PyResult<&'a Bound<'py, PyString>> {
    object
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err(format!("{what} must be a str, not {}: {object:?}", object.get_type())))
}

fn refused(error: gateway_spec::Error) -> PyErr {
    PyValueError::new_err(error.chain())
}

/// What start_response returns, for callables that write their body.
#[pyclass(frozen, name = "write", module = "gateway")]
pub(crate) struct Write(Arc<Exchange>);

#[pymethods]
impl Write {
    #[pyo3(signature = (data, /))]
    fn __call__(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = data
            .cast::<PyBytes>()
            .map_err(|_| PyTypeError::new_err(format!("write() takes bytes, not {}", data.get_type())))?;
        self.0.write(py, data)
    }
}
