//! A checker for both sides of the contract, as Rack's `Lint` and `wsgiref.validate` are for theirs.
//!
//! [`Lint`] is middleware. It looks at the environ before it calls the application that it wraps, and at the response
//! and its body as the server takes it, and it changes neither: what it finds are [`Finding`]s. Each names the
//! [rule](RULES) that was broken, the clause of [`SPEC.md`](crate::spec) behind it, and whose fault it is.
//!
//! ```
//! use gateway_spec::{Environ, Lint, Response, Result, StartResponse};
//!
//! async fn short(_: Environ, start_response: StartResponse) -> Result<Response> {
//!     Ok(start_response.start(200, [("content-type", "text/plain"), ("content-length", "6")])?.body("Hello"))
//! }
//!
//! let app = Lint::new(short).report_to(|finding| eprintln!("{finding}"));
//! # fn is_app(_: impl gateway_spec::App) {}
//! # is_app(app);
//! ```
//!
//! What the types of this crate rule out already is not looked for: that there is a status, that header names are
//! tokens, that headers which are withheld do not show.

mod body;
mod call;
mod environ;
mod finding;
mod input;
mod response;
pub mod rules;

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use call::Memory;
pub use call::Reporter;
pub(crate) use call::{Call, Held};
pub use finding::{Finding, Side};
pub use rules::{RULES, Rule};

use crate::{App, Environ, Response, Result, StartResponse};

/// An [`App`] that is checked, and the server that calls it: see the [module](self).
///
/// Each finding is reported once for each rule and place, a path for one; after 256 of them there is silence.
///
/// ```
/// # use gateway_spec::*;
/// # use std::{pin::pin, sync::Arc, task::{Context, Waker}};
/// use std::sync::mpsc;
///
/// async fn untyped(_: Environ, start_response: StartResponse) -> Result<Response> {
///     Ok(start_response.start(200, ())?.body("Hello!\n"))
/// }
///
/// let (sender, findings) = mpsc::channel();
/// let app = Lint::new(untyped).report_to(move |finding| sender.send(finding.clone()).unwrap());
/// # let (parts, ()) = http::Request::get("/").header("host", "example.org").body(()).unwrap().into_parts();
/// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, None);
/// # let environ = Environ::new(parts, Input::empty(), Arc::new(connection));
/// # assert!(pin!(app.call(environ, StartResponse::new())).poll(&mut Context::from_waker(Waker::noop())).is_ready());
/// // When it has answered a request:
/// assert_eq!(findings.try_recv().unwrap().rule, "content-type-missing");
/// ```
pub struct Lint<A> {
    app: A,
    settings: Settings,
    memory: Arc<Mutex<Memory>>,
}

type Sink = Arc<dyn Fn(&Finding) + Send + Sync>;

#[derive(Clone)]
struct Settings {
    sink: Option<Sink>,
    patience: Duration,
    grace: Duration,
    client_stays: bool,
}

impl<A: App> Lint<A> {
    /// Checks `app`, and reports findings to the error log of the request they were made in.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    /// #     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
    /// # }
    /// let app = Lint::new(hello);
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    pub fn new(app: A) -> Self {
        let settings = Settings {
            sink: None,
            patience: Duration::from_millis(50),
            grace: Duration::from_secs(5),
            client_stays: false,
        };
        Lint { app, settings, memory: Arc::default() }
    }

    /// Hands findings to `sink` instead. It is called where the finding is made, and must not block for long.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    /// #     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
    /// # }
    /// let app = Lint::new(hello).report_to(|finding| eprintln!("{finding}"));
    /// ```
    #[must_use]
    pub fn report_to(mut self, sink: impl Fn(&Finding) + Send + Sync + 'static) -> Self {
        self.settings.sink = Some(Arc::new(sink));
        self
    }

    /// How long one poll of the application or of its body may take before it is said to block: 50 ms, unless it is set.
    /// Where the host itself runs blocking work inside of a poll, this is not looked at.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::time::Duration;
    /// # async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    /// #     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
    /// # }
    /// // A machine under load stops a thread for longer than 50 ms at times.
    /// let app = Lint::new(hello).patience(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// How long the application may keep what belongs to a request after that is over: 5 s, unless it is set. That
    /// something is still kept shows with a later request.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::time::Duration;
    /// # async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    /// #     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
    /// # }
    /// // A test's next request comes at once.
    /// let app = Lint::new(hello).grace(Duration::ZERO);
    /// ```
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Says that clients take every response to its end, as they do in a test. Then a body that is dropped before it
    /// was asked for anything is the server's fault; otherwise its client may have gone.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    /// #     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
    /// # }
    /// let app = Lint::new(hello).client_stays();
    /// ```
    #[must_use]
    pub fn client_stays(mut self) -> Self {
        self.settings.client_stays = true;
        self
    }
}

impl<A: App> App for Lint<A> {
    async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        let call = Arc::new(Call::new(&environ, self.settings.clone(), self.memory.clone()));
        call.look_back();
        environ::check(&environ, &call);
        input::watch(&mut environ, &call);
        environ.insert(Reporter::new(call.clone()));
        let mut ending = Ending(Some(call.clone()));
        let result = {
            let mut answer = pin!(self.app.call(environ, start_response.watched(call.clone())));
            poll_fn(|cx| call.poll("the application", || answer.as_mut().poll(cx))).await
        };
        match result {
            Ok(response) => {
                // From here on the body knows when the call is over.
                ending.0 = None;
                call.returned();
                Ok(response::watch(response, call))
            }
            Err(error) => {
                call.failed(&error);
                Err(error)
            }
        }
    }
}

/// Ends the call when its future is done or dropped, unless a body goes on with it.
struct Ending(Option<Arc<Call>>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.over();
        }
    }
}

impl<A> fmt::Debug for Lint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lint").field("patience", &self.settings.patience).finish_non_exhaustive()
    }
}
