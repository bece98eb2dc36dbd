//! The application side of the contract.

use std::{fmt, pin::Pin, sync::Arc};

use crate::{Environ, Response, Result, StartResponse};

/// Anything that answers requests (PEP 3333, "The Application/Framework Side").
///
/// Every async function and closure of this shape is an App:
///
/// ```
/// # use gateway_spec::*;
/// # fn is_app(_: impl App) {}
/// async fn hello(_environ: Environ, start_response: StartResponse) -> Result<Response> {
///     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
/// }
/// is_app(hello);
/// ```
///
/// With state, write a struct; the method may be written as `async fn call`:
///
/// ```
/// # use gateway_spec::*;
/// struct Timed<A>(A);
///
/// impl<A: App> App for Timed<A> {
///     async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
///         let begun = std::time::Instant::now();
///         let mut response = self.0.call(environ, start_response).await?;
///         let took = format!("app;dur={}", begun.elapsed().as_millis());
///         response.headers_mut().insert("server-timing", took.parse().map_err(Error::new)?);
///         Ok(response)
///     }
/// }
/// ```
///
/// An App is called many times and at the same time, which is why `call` takes `&self`. Dropping the future it returns
/// cancels the request; that happens when the client goes away.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a gateway App",
    label = "not `Fn(Environ, StartResponse) -> impl Future<Output = Result<Response>> + Send`",
    note = "an App takes `(Environ, StartResponse)`, is `Send + Sync + 'static`, and so is everything its future keeps across an await"
)]
pub trait App: Send + Sync + 'static {
    /// Answers one request.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// What a host does: the request's head, its body and its connection go in, a response comes out.
    /// async fn answer(app: &impl App, environ: Environ) -> Result<u16> {
    ///     let response = app.call(environ, StartResponse::new()).await?;
    ///     Ok(response.status().code().as_u16())
    /// }
    /// ```
    ///
    /// # Errors
    /// Any error becomes a response of the error's [kind](crate::Kind::status); its text goes to the log only.
    fn call(&self, environ: Environ, start_response: StartResponse) -> impl Future<Output = Result<Response>> + Send;
}

impl<F, Fut> App for F
where
    F: Fn(Environ, StartResponse) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response>> + Send,
{
    fn call(&self, environ: Environ, start_response: StartResponse) -> impl Future<Output = Result<Response>> + Send {
        self(environ, start_response)
    }
}

impl<A: App> App for Arc<A> {
    fn call(&self, environ: Environ, start_response: StartResponse) -> impl Future<Output = Result<Response>> + Send {
        A::call(self, environ, start_response)
    }
}

/// An App whose type is not known at compile time: for tables of applications that a configuration chose.
///
/// It costs one allocation a call, and cloning it is cheap.
///
/// ```
/// # use gateway_spec::*;
/// /// Apps of different types by the first segment of their path.
/// struct Site(std::collections::HashMap<String, BoxApp>);
///
/// impl App for Site {
///     async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
///         let first = environ.raw_path_info().split('/').nth(1).unwrap_or_default();
///         match self.0.get(first) {
///             Some(app) => app.call(environ, start_response).await,
///             None => Ok(start_response.start(404, ())?.body("There is no such page.\n")),
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct BoxApp(Arc<dyn Erased>);

type BoxFuture<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

/// The dyn-compatible form of [`App`]. Its method has a name of its own so that `call` stays unambiguous.
trait Erased: Send + Sync {
    fn boxed_call(&self, environ: Environ, start_response: StartResponse) -> BoxFuture<'_>;
}

impl<A: App> Erased for A {
    fn boxed_call(&self, environ: Environ, start_response: StartResponse) -> BoxFuture<'_> {
        Box::pin(self.call(environ, start_response))
    }
}

impl BoxApp {
    /// Erases the type of `app`.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    ///     Ok(start_response.start(200, ())?.body("Hello!\n"))
    /// }
    /// let apps = vec![BoxApp::new(hello)];
    /// ```
    pub fn new(app: impl App) -> Self {
        BoxApp(Arc::new(app))
    }
}

impl App for BoxApp {
    fn call(&self, environ: Environ, start_response: StartResponse) -> impl Future<Output = Result<Response>> + Send {
        self.0.boxed_call(environ, start_response)
    }
}

impl fmt::Debug for BoxApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxApp")
    }
}
