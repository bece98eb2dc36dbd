//! `start_response`: the one way to a [`Response`], and its whole state machine.

use std::sync::Arc;

use http::HeaderMap;

use crate::{
    Body, Environ, IntoHeaders, IntoStatus, Result, Status, Writer, head::refuse_hop_by_hop, lint::Call,
    write::WriteBody,
};

/// The second argument of an [`App`](crate::App): checks status and headers while the application still runs.
///
/// Nothing is sent when it is called. It is used up by [`start`](Self::start), so that a second answer to one request
/// does not compile; an application that wants a second try (PEP 3333's `exc_info`) clones it first and says so.
///
/// ```
/// # use gateway_spec::*;
/// /// A second answer takes the place of the first, and says so.
/// struct Apologetic<A>(A);
///
/// impl<A: App> App for Apologetic<A> {
///     async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
///         let again = start_response.clone();
///         match self.0.call(environ, start_response).await {
///             Err(error) if error.kind() == Kind::App => Ok(again.start(500, ())?.body("We are sorry.\n")),
///             answered => answered,
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct StartResponse {
    /// Who looks at how it is used.
    watch: Option<Arc<Call>>,
}

impl StartResponse {
    /// For hosts: what they hand to an application along with the environ.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn host(app: &impl App, environ: Environ) -> Result<Response> {
    ///     app.call(environ, StartResponse::new()).await
    /// }
    /// ```
    #[expect(clippy::new_without_default, reason = "applications are given one; a default would invite making them")]
    pub fn new() -> Self {
        StartResponse { watch: None }
    }

    /// The same, observed.
    pub(crate) fn watched(self, watch: Arc<Call>) -> Self {
        StartResponse { watch: Some(watch) }
    }

    /// Fixes status and headers.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// let refused = StartResponse::new().start(200, [("connection", "close")]);
    /// assert_eq!(refused.unwrap_err().kind(), Kind::Head);
    /// let started = StartResponse::new().start("404 Not Found", [("content-type", "text/plain")])?;
    /// # let _ = started;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Kind::Head`](crate::Kind::Head) if the status is not from 200 to 999, a name or a value is not what RFC 9110
    /// allows, or a header is hop-by-hop, which only servers may send.
    pub fn start(self, status: impl IntoStatus, headers: impl IntoHeaders) -> Result<Started> {
        let Some(watch) = self.watch else {
            let (status, headers) = (status.into_status()?, headers.into_headers()?);
            refuse_hop_by_hop(&headers)?;
            return Ok(Started { status, headers, watch: None });
        };
        watch.started();
        let status = status.into_status().inspect_err(|error| watch.refused_status(error))?;
        let headers = headers.into_headers().inspect_err(|error| watch.refused_header(error, false))?;
        refuse_hop_by_hop(&headers).inspect_err(|error| watch.refused_header(error, true))?;
        Ok(Started { status, headers, watch: Some(watch) })
    }
}

/// Status and headers that were accepted. It lacks a body to be a [`Response`].
///
/// ```
/// # use gateway_spec::*;
/// async fn app(_: Environ, start_response: StartResponse) -> Result<Response> {
///     let started = start_response.start(200, [("content-type", "text/plain")])?;
///     Ok(started.body("Hello!\n"))
/// }
/// # fn is_app(_: impl App) {}
/// # is_app(app);
/// ```
#[derive(Clone, Debug)]
#[must_use = "only a body makes a response of it"]
pub struct Started {
    status: Status,
    headers: HeaderMap,
    watch: Option<Arc<Call>>,
}

impl Started {
    /// Answers with a body that is there already, or that is pulled block by block.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// let response = StartResponse::new().start(200, ())?.body("Hello!\n");
    /// assert_eq!(response.body().len(), Some(7));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn body(self, body: impl Into<Body>) -> Response {
        Response(Box::new(Answer { status: self.status, headers: self.headers, body: body.into(), instead: None }))
    }

    /// Answers with a body that the async block `block` writes: PEP 3333's `write()`, as a coroutine.
    ///
    /// The block runs while the server pulls the body, and is dropped where it waits if the client goes away. What it
    /// may capture, it may write: the request's input, for one.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn ticks(_: Environ, start_response: StartResponse) -> Result<Response> {
    ///     let started = start_response.start(200, [("content-type", "text/plain")])?;
    ///     Ok(started.write(async |mut out| {
    ///         for n in 0..10 {
    ///             out.write(format!("tick {n}\n")).await?;
    ///         }
    ///         Ok(())
    ///     }))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(ticks);
    /// ```
    pub fn write<F, Fut>(self, block: F) -> Response
    where
        F: FnOnce(Writer) -> Fut,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let body = Body::new(WriteBody::new(block, self.watch.clone()));
        self.body(body)
    }
}

/// A whole answer: what an [`App`](crate::App) returns. Only [`Started`] makes one.
///
/// It is one pointer wide: on its way to the server a response moves through many hands.
///
/// ```
/// # use gateway_spec::*;
/// let mut response = StartResponse::new().start(200, ())?.body("Hello!\n");
/// response.headers_mut().insert("x-served-by", http::HeaderValue::from_static("a"));
/// let (status, headers, body) = response.into_parts();
/// assert_eq!((status.code().as_u16(), headers.len(), body.len()), (200, 1, Some(7)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a response does nothing unless it is returned to the server"]
pub struct Response(Box<Answer>);

#[derive(Debug)]
struct Answer {
    status: Status,
    headers: HeaderMap,
    body: Body,
    instead: Option<Environ>,
}

impl Response {
    /// The status.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn is_cacheable(response: &Response) -> bool {
    ///     response.status().code() == http::StatusCode::OK
    /// }
    /// ```
    pub fn status(&self) -> &Status {
        &self.0.status
    }

    /// The headers.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn is_html(response: &Response) -> bool {
    ///     response.headers().get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
    /// }
    /// ```
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The headers, for middleware to edit. Hop-by-hop headers that are put in here are taken out by the server.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn forbid_frames(response: &mut Response) {
    ///     response.headers_mut().insert("x-frame-options", http::HeaderValue::from_static("DENY"));
    /// }
    /// ```
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.0.headers
    }

    /// The body.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn is_worth_compressing(response: &Response) -> bool {
    ///     response.body().len().is_none_or(|length| length > 1000)
    /// }
    /// ```
    pub fn body(&self) -> &Body {
        &self.0.body
    }

    /// The same response with another body: for middleware that compresses, counts or filters it.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// What a HEAD is answered with.
    /// fn without_body(response: Response) -> Response {
    ///     response.map_body(|_| Body::empty())
    /// }
    /// ```
    pub fn map_body(mut self, map: impl FnOnce(Body) -> Body) -> Self {
        self.0.body = map(std::mem::replace(&mut self.0.body, Body::empty()));
        self
    }

    /// Asks the host to answer `environ` in the place of this response, as CGI's local redirects do (RFC 3875, section
    /// 6.2.2). A host that does not know how sends the response itself: it should lead the client to the same place.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// Sends a request on, with a redirect for hosts that cannot do it themselves.
    /// fn elsewhere(environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     let started = start_response.start(302, [("location", "/new")])?;
    ///     Ok(started.body(()).instead(environ.redirected(b"/new")?))
    /// }
    /// ```
    pub fn instead(mut self, environ: Environ) -> Self {
        self.0.instead = Some(environ);
        self
    }

    /// The request that is to be answered in the place of this response: for hosts, which must bound how often they do.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn follow(app: &impl App, mut environ: Environ) -> Result<Response> {
    ///     for _ in 0..10 {
    ///         let mut response = app.call(environ, StartResponse::new()).await?;
    ///         match response.take_instead() {
    ///             Some(elsewhere) => environ = elsewhere,
    ///             None => return Ok(response),
    ///         }
    ///     }
    ///     Err(Error::new("sent on too often"))
    /// }
    /// ```
    pub fn take_instead(&mut self) -> Option<Environ> {
        self.0.instead.take()
    }

    /// Whether another request is to be answered in its place.
    pub(crate) fn leads_elsewhere(&self) -> bool {
        self.0.instead.is_some()
    }

    /// Takes the response apart: for hosts.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn head(response: Response) -> String {
    ///     let (status, headers, _body) = response.into_parts();
    ///     format!("{} and {} headers", status.code(), headers.len())
    /// }
    /// ```
    pub fn into_parts(self) -> (Status, HeaderMap, Body) {
        let Answer { status, headers, body, instead: _ } = *self.0;
        (status, headers, body)
    }
}
