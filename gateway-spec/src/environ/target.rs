//! The URL that was asked for: its host, the path that led to the application, the rest of the path, and the query.

use std::borrow::Cow;

use http::{Uri, header};

use super::Environ;
use crate::percent;

/// The URL that was asked for (PEP 3333, "URL Reconstruction").
impl Environ {
    /// SCRIPT_NAME: the part of the path that led to this application, decoded. Empty, or begins with `/`.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// Links of an application begin with it, wherever that is mounted.
    /// fn link(environ: &Environ) -> String {
    ///     format!("<a href='{}/help'>Help</a>", environ.script_name())
    /// }
    /// ```
    pub fn script_name(&self) -> Cow<'_, str> {
        percent::decode_text(&self.raw_path()[..self.0.mount])
    }

    /// PATH_INFO: the rest of the path, decoded once. Empty, or begins with `/`; or `*` (RFC 9112, section 3.2.4).
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn app(environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     let text = match environ.path_info().as_ref() {
    ///         b"" | b"/" => "start",
    ///         b"/help" => "help",
    ///         _ => return Ok(start_response.start(404, ())?.body("There is no such page.\n")),
    ///     };
    ///     Ok(start_response.start(200, ())?.body(text))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    pub fn path_info(&self) -> Cow<'_, [u8]> {
        percent::decode(self.raw_path_info())
    }

    /// Moves `prefix` from PATH_INFO to SCRIPT_NAME if PATH_INFO is `prefix` or goes on with `/` behind it; says whether
    /// it did. `/app` matches `/app` and `/app/x`, never `/appother`. The empty prefix matches everything.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// struct Prefixed<A>(&'static str, A);
    ///
    /// impl<A: App> App for Prefixed<A> {
    ///     async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///         match environ.mount(self.0) {
    ///             true => self.1.call(environ, start_response).await,
    ///             false => Ok(start_response.start(404, ())?.body("Nothing is mounted here.\n")),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn mount(&mut self, prefix: &str) -> bool {
        let Some(matched) = percent::strip(self.raw_path_info(), prefix) else { return false };
        let rest = &self.raw_path_info().as_bytes()[matched..];
        let matches = prefix.is_empty() || matches!(percent::next(rest), None | Some((b'/', _)));
        if matches {
            self.0.mount += matched;
        }
        matches
    }

    /// QUERY_STRING: what follows the `?`, as received.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn wants_json(environ: &Environ) -> bool {
    ///     environ.query().split('&').any(|pair| pair == "format=json")
    /// }
    /// ```
    pub fn query(&self) -> &str {
        self.0.parts.uri.query().unwrap_or_default()
    }

    /// The host that the request was sent to: from its `Host`, without the port; else the server's own address.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/").header("host", "example.org:8000").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// assert_eq!(environ.server_name(), "example.org");
    /// ```
    pub fn server_name(&self) -> &str {
        let host = self.0.parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let (name, _) = split_port(host);
        if name.is_empty() { self.0.connection.server_name() } else { name }
    }

    /// The request's target as received, in origin form (RFC 9112, section 3.2.1).
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/app/x%20y?q=1").header("host", "example.org").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// assert_eq!(environ.uri().path_and_query().unwrap(), "/app/x%20y?q=1");
    /// ```
    pub fn uri(&self) -> &Uri {
        &self.0.parts.uri
    }

    /// REQUEST_URI: path and query as received.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/app/a%2Fb?q").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// assert_eq!(environ.raw_target(), "/app/a%2Fb?q");
    /// ```
    pub fn raw_target(&self) -> &str {
        self.0.parts.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// The whole path as received.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/app/a%2Fb?q").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// environ.mount("/app");
    /// assert_eq!(environ.raw_path(), "/app/a%2Fb");
    /// ```
    pub fn raw_path(&self) -> &str {
        self.0.parts.uri.path()
    }

    /// The rest of the path as received.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/app/a%2Fb").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// environ.mount("/app");
    /// assert_eq!(environ.raw_path_info(), "/a%2Fb");
    /// ```
    pub fn raw_path_info(&self) -> &str {
        &self.raw_path()[self.0.mount..]
    }
}

/// A host and its port, if it has one: the brackets of an IPv6 address may hold what looks like one.
pub(super) fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}
