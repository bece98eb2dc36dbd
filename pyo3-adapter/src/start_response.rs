//! `start_response` and the `write` that it returns.

mod known;

use std::{cell::Cell, sync::Arc};

use gateway_spec::{Environ, Status, is_hop_by_hop};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use pyo3::{
    exceptions::{PyAssertionError, PyRuntimeError, PyTypeError, PyValueError},
    prelude::*,
    types::{PyBytes, PyList, PyString, PyTuple},
};

use crate::{
    exchange::{Exchange, Head},
    references::references,
    slot::Slot,
    text,
};

/// The second argument of a WSGI callable. It serves one request after the other for as long as no callable keeps it: to
/// make it anew with each request costs more than to call it.
pub(crate) struct StartResponse {
    /// A method of `write`, bound to it: Python calls that without making a tuple of the arguments.
    function: Py<PyAny>,
    write: Py<Write>,
}

/// What start_response returns, for callables that write their body.
#[pyclass(frozen, name = "write", module = "gateway")]
struct Write(Slot<Arc<Exchange>>);

thread_local! {
    /// The one that nobody has.
    static SPARE: Cell<Option<StartResponse>> = const { Cell::new(None) };
    /// The memory of a request's headers, for those of a response.
    static HEADERS: Cell<Option<HeaderMap>> = const { Cell::new(None) };
}

/// Keeps what start_response can use of a request that is otherwise done with.
pub(crate) fn recycle(mut environ: Environ) {
    let mut headers = environ.take_headers();
    if headers.capacity() <= CAPACITY {
        headers.clear();
        HEADERS.set(Some(headers));
    }
}

/// What some response has made larger is not dragged along: hyper hands its map to the connection's next request.
const CAPACITY: usize = 256;

impl StartResponse {
    /// Gives one out.
    pub(crate) fn lend(py: Python<'_>, exchange: Arc<Exchange>) -> PyResult<Self> {
        if let Some(spare) = SPARE.take() {
            spare.write.get().0.with(py, |place| *place = Some(exchange));
            return Ok(spare);
        }
        let write = Bound::new(py, Write(Slot::new(Some(exchange))))?;
        let function = write.getattr("start_response")?.unbind();
        Ok(StartResponse { function, write: write.unbind() })
    }

    /// What the callable is given.
    pub(crate) fn function<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.function.bind(py)
    }

    /// Takes it back when its request has no more use for it. If the callable has kept it, or its `write`, it is that
    /// request's for ever.
    pub(crate) fn take_back(self, py: Python<'_>) {
        // The function has a reference to `write`.
        if references(self.function.bind(py)) == 1 && references(self.write.bind(py)) == 2 {
            let exchange = self.write.get().0.with(py, Option::take);
            drop(exchange);
            SPARE.set(Some(self));
        }
    }
}

impl Write {
    /// Does something with the exchange of the request that it was lent to: nothing of Python's, and nothing that waits.
    fn with<T>(&self, py: Python<'_>, act: impl FnOnce(&Arc<Exchange>) -> T) -> PyResult<T> {
        // There is one for as long as anybody can call this.
        self.0.with(py, |place| place.as_ref().map(act)).ok_or_else(|| PyRuntimeError::new_err("its request is over"))
    }
}

#[pymethods]
impl Write {
    #[pyo3(signature = (status, headers, /, exc_info=None))]
    fn start_response<'py>(
        this: &Bound<'py, Self>,
        status: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = this.py();
        let raised = exc_info.map(raised).transpose()?;
        let (head, refused) = match head(status, headers) {
            Ok(head) => (Some(head), None),
            Err(refused) => (None, Some(refused)),
        };
        if this.get().with(py, |exchange| exchange.start(head, raised.is_some()))?? {
            return refused.map_or_else(|| Ok(this.clone()), Err);
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

    #[pyo3(signature = (data, /))]
    fn __call__(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = data
            .cast::<PyBytes>()
            .map_err(|_| PyTypeError::new_err(format!("write() takes bytes, not {}", data.get_type())))?;
        let exchange = self.with(py, Arc::clone)?;
        exchange.write(py, data)
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
    let mut map = HEADERS.take().unwrap_or_default();
    // The server adds one or two.
    map.try_reserve(list.len() + 2).map_err(too_many)?;
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
    let parsed = known::name(name, || checked_name(name))?;
    let value = HeaderValue::from_bytes(text::to_bytes(value, "the header's value")?).map_err(|_| {
        PyValueError::new_err(format!("the value {value:?} of the header {name:?} has control characters"))
    })?;
    if parsed == header::CONTENT_LENGTH && !is_length(value.as_bytes()) {
        return Err(PyValueError::new_err(format!(
            "Content-Length {value:?} is not one number (RFC 9110, section 8.6)"
        )));
    }
    Ok((parsed, value))
}

fn checked_name(name: &Bound<'_, PyString>) -> PyResult<HeaderName> {
    let parsed = HeaderName::from_bytes(text::to_bytes(name, "the header's name")?)
        .map_err(|_| PyValueError::new_err(format!("{name:?} is not the name of a header (RFC 9110, section 5.1)")))?;
    if is_hop_by_hop(&parsed) {
        let why = "concerns the connection, which is the server's (PEP 3333, \"Other HTTP Features\")";
        return Err(PyAssertionError::new_err(format!("the header {name:?} {why}")));
    }
    Ok(parsed)
}

fn is_length(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_digit) && str::from_utf8(value).is_ok_and(|text| text.parse::<u64>().is_ok())
}

fn text_of<'a, 'py>(object: &'a Bound<'py, PyAny>, what: &str) -> PyResult<&'a Bound<'py, PyString>> {
    object
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err(format!("{what} must be a str, not {}: {object:?}", object.get_type())))
}

fn refused(error: gateway_spec::Error) -> PyErr {
    PyValueError::new_err(error.chain())
}
