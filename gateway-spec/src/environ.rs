//! The first argument of an application: the request.

mod extension;
mod headers;
mod input;
mod keys;
mod redirected;
mod target;
#[cfg(feature = "tower")]
mod tower;
mod variables;

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Version, request::Parts};

pub use extension::Extension;
pub use keys::{CgiKey, Key};
#[cfg(feature = "tower")]
pub(crate) use tower::origin_form;

use crate::{Connection, ErrorLog, Input};
use headers::is_shown;

/// A request, as PEP 3333's `environ` has it, without its thirty strings: it keeps what the server has parsed, and
/// answers each key when it is asked for.
///
/// Values are bytes; HTTP has no other. Two keys can never disagree, since each has one source: `HTTP_HOST` *is* the
/// header. Three kinds of header never get in: names with `_`, which would pass for another header's name once `-` is
/// mapped to `_`; `Proxy`, which would become `HTTP_PROXY`; and hop-by-hop headers, which are the server's business.
///
/// It is one pointer wide: on its way to an application a request moves through many hands.
///
/// ```
/// # use gateway_spec::*;
/// # use std::sync::Arc;
/// # let (parts, ()) = http::Request::get("/app/x%20y?q=1").header("host", "example.org").body(()).unwrap().into_parts();
/// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
/// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
/// assert!(environ.mount("/app"));
/// assert_eq!(environ.script_name(), "/app");
/// assert_eq!(environ.path_info().as_ref(), b"/x y");
/// assert_eq!(environ.get("QUERY_STRING").as_deref(), Some(&b"q=1"[..]));
/// assert_eq!(environ.get("HTTP_HOST").as_deref(), Some(&b"example.org"[..]));
/// ```
pub struct Environ(Box<Inner>);

struct Inner {
    parts: Parts,
    /// The raw path up to here is SCRIPT_NAME.
    mount: usize,
    input: Input,
    connection: Arc<Connection>,
    /// What was `set`; most requests have none.
    vars: Vec<(Cow<'static, str>, Bytes)>,
}

/// The request itself.
impl Environ {
    /// For hosts: the request's head, its body, and the connection it came over. A host has checked the head.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let connection = Arc::new(Connection::new(Arc::new(Host::default()), Scheme::Http, None, None));
    /// let (parts, body) = http::Request::post("/x").body(bytes::Bytes::from("hello")).unwrap().into_parts();
    /// let environ = Environ::new(parts, Input::from(body), connection);
    /// assert_eq!(environ.method(), "POST");
    /// ```
    pub fn new(parts: Parts, input: Input, connection: Arc<Connection>) -> Self {
        Environ(Box::new(Inner { parts, mount: 0, input, connection, vars: Vec::new() }))
    }

    /// The method.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn app(environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     match environ.method().as_str() {
    ///         "GET" | "HEAD" => Ok(start_response.start(200, ())?.body("Hello!\n")),
    ///         _ => Ok(start_response.start(405, [("allow", "GET, HEAD")])?.body(())),
    ///     }
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    pub fn method(&self) -> &Method {
        &self.0.parts.method
    }

    /// The protocol's version.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn may_stream(environ: &Environ) -> bool {
    ///     environ.version() >= http::Version::HTTP_11
    /// }
    /// ```
    pub fn version(&self) -> Version {
        self.0.parts.version
    }

    /// The connection that the request came over.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn is_secure(environ: &Environ) -> bool {
    ///     environ.connection().scheme() == Scheme::Https
    /// }
    /// ```
    pub fn connection(&self) -> &Arc<Connection> {
        &self.0.connection
    }

    /// Where to write what the operator should read.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn complain(environ: &Environ) {
    ///     environ.error_log().write(&format!("{}: the cache is cold", environ.raw_target()));
    /// }
    /// ```
    pub fn error_log(&self) -> &ErrorLog {
        &self.0.connection.host().error_log
    }

    /// The request as the `http` crate has it, less the headers that are withheld. Its URI is the whole one.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// For libraries that know the `http` crate and nothing of this one.
    /// fn accept(environ: Environ) -> Option<http::HeaderValue> {
    ///     let request: http::Request<Input> = environ.into_request();
    ///     request.headers().get("accept").cloned()
    /// }
    /// ```
    pub fn into_request(mut self) -> Request<Input> {
        let withheld: Vec<_> = self.0.parts.headers.keys().filter(|name| !is_shown(name.as_str())).cloned().collect();
        for name in withheld {
            self.0.parts.headers.remove(name);
        }
        let Inner { parts, input, .. } = *self.0;
        Request::from_parts(parts, input)
    }
}

impl fmt::Debug for Environ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environ")
            .field("method", self.method())
            .field("script_name", &self.script_name())
            .field("path_info", &String::from_utf8_lossy(&self.path_info()))
            .field("input", &self.0.input)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
