//! Synchronous functions as Apps.

use std::sync::Arc;

use gateway_spec::{
    App, Environ, Response, Result, StartResponse,
    blocking::{self, Admission, Lane},
};

/// An App that runs a synchronous function on a thread where it may block: see [`blocking()`].
#[derive(Debug)]
pub struct Blocking<F> {
    function: Arc<F>,
    lane: Arc<Lane>,
}

/// Makes an App of a function that blocks: that computes for long, waits for a lock, or reads a file.
///
/// It runs where the server runs its blocking jobs, of which there is a bounded number at once; a request that finds the
/// queue before them full is answered with 503. The request's body is received before the function is called, so that
/// [`Input::reader`](gateway_spec::Input::reader) never waits for the client. When the client goes away, a function
/// that has begun runs to its end, and its response is dropped.
///
/// ```no_run
/// # use gateway_spec::{Environ, StartResponse};
/// # async fn doc() -> Result<(), reference_server::Error> {
/// let app = reference_server::blocking(|_: Environ, start_response: StartResponse| {
///     let motd = std::fs::read("/etc/motd")?;
///     Ok(start_response.start(200, [("content-type", "text/plain")])?.body(motd))
/// });
/// reference_server::serve("127.0.0.1:8000", app).await
/// # }
/// ```
pub fn blocking<F>(function: F) -> Blocking<F>
where
    F: Fn(Environ, StartResponse) -> Result<Response> + Send + Sync + 'static,
{
    Blocking { function: Arc::new(function), lane: Lane::plain() }
}

/// What is kept of a request's body in memory; more goes to a file.
const MEMORY: usize = 512 * 1024;

impl<F> App for Blocking<F>
where
    F: Fn(Environ, StartResponse) -> Result<Response> + Send + Sync + 'static,
{
    async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        environ.spool_input(MEMORY).await?;
        let host = environ.connection().host().blocking.clone();
        let function = self.function.clone();
        let work = move || function(environ, start_response);
        blocking::run(&*host, self.lane.clone(), Admission::Begin, work).await?
    }
}
