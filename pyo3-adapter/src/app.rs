//! A WSGI callable as an App.

use std::{fmt, future::poll_fn, mem, pin::Pin, sync::Arc, task::Poll, time::Duration};

use gateway_spec::{
    App, Environ, Error, Input, Kind, Response, Result, StartResponse,
    blocking::{self, Admission, Lane},
};
use pyo3::prelude::*;

use crate::{
    LoadError,
    body::PyBody,
    environ::Environs,
    exchange::{Exchange, Head, Rest},
    fork, initialize, interpreter,
    lint::Lint,
    load, overtime, start_response,
};

/// What is kept of a request's body in memory; more goes to a file without a name.
const BODY_MEMORY: usize = 512 * 1024;

/// A Python WSGI callable ([PEP 3333](https://peps.python.org/pep-3333/)) as an [`App`].
#[derive(Clone)]
pub struct Wsgi {
    callable: Arc<Callable>,
    limit: Option<Duration>,
    stream: bool,
}

/// A callable, and what all its calls share.
pub(crate) struct Callable {
    object: Py<PyAny>,
    pub(crate) lane: Arc<Lane>,
    environs: Environs,
}

impl Wsgi {
    /// Loads the callable that `target` names: `module:name`, `module:factory()`, `module:object.attribute`, or the path
    /// of a `.py` file in place of the module. The current folder is put on `sys.path`. Python is started if it does not
    /// run yet, as [`initialize`] does without a virtual environment.
    ///
    /// # Errors
    /// Python does not start, the module or the name is not there, something raised an exception, or what was found
    /// cannot be called.
    pub fn load(target: &str) -> Result<Self, LoadError> {
        initialize(None)?;
        Python::attach(|py| Ok(Wsgi::new(load::load(py, target)?)))
    }

    /// Takes a callable that is there already.
    pub fn new(callable: Py<PyAny>) -> Self {
        let callable = Callable { object: callable, lane: interpreter::lane(), environs: Environs::new() };
        Wsgi { callable: Arc::new(callable), limit: None, stream: false }
    }

    /// Limits how long one call of Python may take: of the callable, or for a block of its iterable. A call that takes
    /// longer is answered with 504, or cut off if its response has begun; its stack is logged, and an exception that is
    /// no `Exception` is raised in it. Without this, and with `None`, calls take as long as they do.
    #[must_use]
    pub fn timeout(self, limit: Option<Duration>) -> Self {
        Wsgi { limit, ..self }
    }

    /// Calls the callable as soon as the head of a request is there: it reads the body as it arrives, for progress bars,
    /// proxies and uploads that never end. A chunked body then has no CONTENT_LENGTH, but HTTP_TRANSFER_ENCODING, and ends
    /// where it ends (`wsgi.input_terminated`). Without this bodies are received first.
    #[must_use]
    pub fn stream(self, stream: bool) -> Self {
        Wsgi { stream, ..self }
    }
}

impl App for Wsgi {
    async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        if !self.stream {
            receive(&mut environ).await?;
        }
        let exchange = Arc::new(Exchange::new(&environ, self.callable.clone(), self.limit));
        let shared = exchange.clone();
        let mut job = blocking::run(&**exchange.host(), self.callable.lane.clone(), Admission::Begin, move || {
            Python::attach(|py| {
                overtime::limited(py, shared.limit(), &shared, || shared.callable().call(py, environ, &shared))
            })
        });
        let unanswered = Unanswered(&exchange);
        // The job may go on after the response has begun: in write(), or while the next block is made.
        let rest = poll_fn(|cx| match Pin::new(&mut job).poll(cx) {
            Poll::Ready(rest) => Poll::Ready(rest.map(Some)),
            Poll::Pending => exchange.poll_begun(cx).map_ok(|()| None),
        })
        .await?;
        mem::forget(unanswered);
        let rest = match rest {
            // What was given out before the failure has been sent, as far as the callable can know; so it is.
            Some(Err(error)) if exchange.has_begun() => Some(Rest::Failed(error)),
            rest => rest.transpose()?,
        };
        let Some(Head { status, headers }) = exchange.take_head()? else {
            return Err(Error::new("the callable returned without having called start_response"));
        };
        if !matches!(rest, Some(Rest::Whole(_) | Rest::File(_))) {
            exchange.promise(&headers);
        }
        let started = start_response.start(status, headers)?;
        Ok(match rest {
            Some(Rest::Whole(bytes)) => started.body(bytes),
            Some(Rest::File(range)) => started.body(*range),
            Some(Rest::More(iteration)) => started.body(PyBody::pulling(exchange, iteration)),
            Some(Rest::End) => started.body(PyBody::ended(exchange)),
            Some(Rest::Failed(error)) => started.body(PyBody::failed(exchange, error)),
            None => started.body(PyBody::running(exchange, job)),
        })
    }
}

/// A request whose callable runs. If it is given up, its client having left, the callable must not wait in write().
struct Unanswered<'a>(&'a Exchange);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.close(false);
    }
}

/// Receives the request's body, so that the callable finds it there, and its length known.
///
/// There is one exception: a client that waits for `100 Continue` gets it when the callable reads, and not if it answers
/// without reading (PEP 3333, "HTTP 1.1 Expect/Continue").
async fn receive(environ: &mut Environ) -> Result<()> {
    if environ.expects_continue() && environ.content_length().is_some() {
        return Ok(());
    }
    match environ.spool_input(BODY_MEMORY).await {
        // What to make of a body that broke off is the callable's business: its read raises.
        Err(error) if error.kind() == Kind::Disconnected => {
            *environ.input() = Input::broken(Kind::Disconnected);
            Ok(())
        }
        received => received,
    }
}

impl Callable {
    /// Calls the callable. Exceptions are logged here, where their traceback is.
    fn call(&self, py: Python<'_>, mut environ: Environ, exchange: &Arc<Exchange>) -> Result<Rest> {
        let lint = Lint::of(&environ);
        let dict = self.environs.dict(py, &mut environ);
        start_response::recycle(environ);
        let result = dict.and_then(|dict| {
            let start_response = start_response::StartResponse::lend(py, exchange.clone())?;
            let function = start_response.function(py);
            let callable = self.object.bind(py);
            let result = match lint {
                None => callable.call1((dict, function)),
                Some(lint) => lint.call(py, callable, dict, function),
            };
            fork::end_copy(py, result.as_ref().err());
            let rest = exchange.consume(py, result?);
            start_response.take_back(py);
            rest
        });
        result.map_err(|error| exchange.failed(py, &error))
    }
}

impl fmt::Debug for Wsgi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wsgi").field(&self.callable.object).finish()
    }
}
