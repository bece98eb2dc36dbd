//! The first argument of an application: the request.

mod keys;
mod redirected;
#[cfg(feature = "tower")]
mod tower;

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{self, AsHeaderName},
    request::Parts,
};

pub use keys::{CgiKey, Key};
#[cfg(feature = "tower")]
pub(crate) use tower::origin_form;

use crate::{
    Connection, Error, ErrorLog, Input, Kind, Result,
    head::{head_error, names_hop_by_hop},
    percent,
};

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

/// A typed value that a server or middleware adds to a request for applications further in.
///
/// ```
/// # use gateway_spec::*;
/// use std::borrow::Cow;
///
/// #[derive(Clone)]
/// struct RequestId(u64);
///
/// impl Extension for RequestId {
///     const KEY: &'static str = "acme.request_id";
///
///     /// Python callables find it in their environ, and CGI programs in their environment.
///     fn text(&self) -> Option<Cow<'_, str>> {
///         Some(self.0.to_string().into())
///     }
/// }
///
/// fn log_with_id(environ: &Environ) {
///     if let Some(RequestId(id)) = environ.extension() {
///         environ.error_log().write(&format!("request {id}"));
///     }
/// }
/// ```
pub trait Extension: Clone + Send + Sync + 'static {
    /// Its name in lower case, after a prefix of its maker's and a dot: `"acme.request_id"`.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// #[derive(Clone)]
    /// struct Tenant(&'static str);
    ///
    /// impl Extension for Tenant {
    ///     const KEY: &'static str = "acme.tenant";
    /// }
    /// ```
    const KEY: &'static str;

    /// The value for those who can read nothing but text: Python callables and CGI programs.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::borrow::Cow;
    /// #[derive(Clone)]
    /// struct Tenant(&'static str);
    ///
    /// impl Extension for Tenant {
    ///     const KEY: &'static str = "acme.tenant";
    ///
    ///     fn text(&self) -> Option<Cow<'_, str>> {
    ///         Some(self.0.into())
    ///     }
    /// }
    /// ```
    fn text(&self) -> Option<Cow<'_, str>> {
        None
    }
}

/// An [`Extension`] in the map of extensions, marked as one so that nothing else there shows.
#[derive(Clone)]
struct Extended<E>(E);

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

    /// The first value of a header. None if it is one of those that are withheld.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn wants_german(environ: &Environ) -> bool {
    ///     let languages = environ.header("accept-language").and_then(|value| value.to_str().ok());
    ///     languages.is_some_and(|languages| languages.starts_with("de"))
    /// }
    /// ```
    pub fn header(&self, name: impl AsHeaderName) -> Option<&HeaderValue> {
        let shown = is_shown(name.as_str());
        self.0.parts.headers.get(name).filter(|_| shown)
    }

    /// All headers but those that are withheld; values of one name come one after the other.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/").header("accept", "*/*").header("x_user", "eve").header("proxy", "evil").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// let names: Vec<_> = environ.headers().map(|(name, _)| name.as_str()).collect();
    /// assert_eq!(names, ["accept"]);
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.parts.headers.iter().filter(|(name, _)| is_shown(name.as_str()))
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

    /// The body's length in bytes: None if there is no body, or its length is not known before its end.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn is_large(environ: &Environ) -> bool {
    ///     environ.content_length().is_none_or(|length| length > 1 << 20)
    /// }
    /// ```
    pub fn content_length(&self) -> Option<u64> {
        let declared = self.0.parts.headers.get(header::CONTENT_LENGTH);
        match self.0.input.len() {
            // "Content-Length: 0" is a body of no bytes; a request without it has none.
            Some(0) if declared.is_none() => None,
            Some(length) if self.0.input.is_received() => Some(length),
            _ => declared.and_then(|length| length.to_str().ok()?.parse().ok()),
        }
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

    /// The request's body.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     let mut bytes = 0;
    ///     while let Some(block) = environ.input().chunk().await {
    ///         bytes += block?.len();
    ///     }
    ///     Ok(start_response.start(200, ())?.body(format!("{bytes} bytes\n")))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    pub fn input(&mut self) -> &mut Input {
        &mut self.0.input
    }

    /// Takes the request's body out, leaving an empty one: to keep it longer than the environ.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// // Sends back what comes in, as it comes in.
    /// async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     let mut input = environ.take_input();
    ///     Ok(start_response.start(200, ())?.write(async move |mut out| {
    ///         while let Some(block) = input.chunk().await {
    ///             out.write(block?).await?;
    ///         }
    ///         Ok(())
    ///     }))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    pub fn take_input(&mut self) -> Input {
        std::mem::replace(&mut self.0.input, Input::empty())
    }

    /// Whether the client waits for `100 Continue` before it sends the body: the server sends that when the body is first
    /// read (RFC 9110, section 10.1.1).
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     if environ.expects_continue() && environ.content_length() > Some(1 << 20) {
    ///         // Nothing was read, so the client is not told to go on.
    ///         return Ok(start_response.start(413, ())?.body("Too large\n"));
    ///     }
    ///     let body = environ.input().read_all(1 << 20).await?;
    ///     Ok(start_response.start(200, ())?.body(body))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    pub fn expects_continue(&self) -> bool {
        !self.0.input.is_received() && self.0.parts.headers.contains_key(header::EXPECT)
    }

    /// Receives the body whole, as [`Input::spool`] does, so that CONTENT_LENGTH is known and exact.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     environ.spool_input(512 * 1024).await?;
    ///     // Chunked or not, the length is known now.
    ///     let length = environ.content_length().unwrap_or_default();
    ///     Ok(start_response.start(200, ())?.body(format!("{length} bytes\n")))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    ///
    /// # Errors
    /// Those of [`Input::spool`].
    pub async fn spool_input(&mut self, memory: usize) -> Result<()> {
        if self.0.input.is_received() {
            return Ok(());
        }
        self.0.input = self.take_input().spool(memory, &self.0.connection.host().blocking).await?;
        if self.0.input.is_empty() && self.0.parts.headers.contains_key(header::TRANSFER_ENCODING) {
            // A chunked body of no bytes is a body.
            self.0.parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(())
    }

    /// The value of a key: a [`CgiKey`], `HTTP_*`, or what was [set](Self::set). None if it is absent.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/").header("cookie", "a=1").header("cookie", "b=2").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// assert_eq!(environ.get("REMOTE_ADDR").as_deref(), Some(&b"192.0.2.7"[..]));
    /// assert_eq!(environ.get("HTTP_COOKIE").as_deref(), Some(&b"a=1; b=2"[..]));
    /// assert_eq!(environ.get("REMOTE_USER"), None);
    /// ```
    pub fn get(&self, key: &str) -> Option<Cow<'_, [u8]>> {
        if let Some(fixed) = CgiKey::from_name(key) {
            return fixed.value(self);
        }
        if let Some(name) = header_name(key) {
            return self.header_value(&name);
        }
        let set = self.0.vars.iter().find(|(name, _)| name == key);
        set.map(|(_, value)| Cow::Borrowed(value.as_ref()))
    }

    /// Shows every key that is present, with its value: what CGI programs and Python callables are given.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// The environment of a program.
    /// fn variables(environ: &Environ) -> Vec<(String, Vec<u8>)> {
    ///     let (mut all, mut scratch) = (Vec::new(), String::new());
    ///     environ.visit(|key, value| all.push((key.write(&mut scratch).to_owned(), value.to_owned())));
    ///     all
    /// }
    /// ```
    pub fn visit(&self, mut visitor: impl FnMut(Key<'_>, &[u8])) {
        for &key in CgiKey::ALL {
            if let Some(value) = key.value(self) {
                visitor(Key::Cgi(key), &value);
            }
        }
        let mut headers = self.headers().filter(|(name, _)| is_header_key(name)).peekable();
        while let Some((name, value)) = headers.next() {
            let more = std::iter::from_fn(|| headers.next_if(|(next, _)| *next == name).map(|(_, value)| value));
            visitor(Key::Header(name), &joined(name, value, more));
        }
        for (name, value) in self.vars() {
            visitor(Key::Set(name), value);
        }
    }

    /// The value of a header's `HTTP_*` key: all values of that name. None if there is no such key.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn cookies(environ: &Environ) -> Option<std::borrow::Cow<'_, [u8]>> {
    ///     environ.header_value(&http::header::COOKIE)
    /// }
    /// ```
    pub fn header_value(&self, name: &HeaderName) -> Option<Cow<'_, [u8]>> {
        let mut values = self.0.parts.headers.get_all(name).iter();
        let first = values.next().filter(|_| is_header_key(name))?;
        Some(joined(name, first, values))
    }

    /// What was [set](Self::set).
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn names(environ: &Environ) -> Vec<&str> {
    ///     environ.vars().map(|(name, _)| name).collect()
    /// }
    /// ```
    pub fn vars(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.vars.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Sets a key: `HTTP_*` changes the header, another name is added or replaced. Names without a dot are for CGI
    /// variables (`REMOTE_USER`), others are `maker.name`.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// /// Tells the application within who is there.
    /// struct Known<A>(A);
    ///
    /// impl<A: App> App for Known<A> {
    ///     async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///         environ.set("REMOTE_USER", "ann")?;
    ///         environ.set("HTTP_X_FORWARDED_PROTO", "https")?;
    ///         self.0.call(environ, start_response).await
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Kind::Head`](crate::Kind::Head) if the key is one of the fixed ones, which follow from the request, or stands
    /// for a header that is withheld, or a value for a header is none.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) -> Result<()> {
        let (key, value) = (key.into(), value.into());
        let header = header_name(&key);
        let malformed = key.is_empty() || key.contains(['=', '\0']) || (key.starts_with("HTTP_") && header.is_none());
        if CgiKey::from_name(&key).is_some() || malformed {
            return Err(head_error(format!("the key {key:?} cannot be set")));
        }
        if let Some(name) = header {
            let value = HeaderValue::from_maybe_shared(value).map_err(|error| Error::with_kind(Kind::Head, error))?;
            self.0.parts.headers.insert(name, value);
            return Ok(());
        }
        self.0.vars.retain(|(name, _)| *name != key);
        self.0.vars.push((key, value));
        Ok(())
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

    /// Adds a typed value, replacing another of its type.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct RequestId(u64);
    ///
    /// impl Extension for RequestId {
    ///     const KEY: &'static str = "acme.request_id";
    /// }
    ///
    /// environ.insert(RequestId(7));
    /// assert_eq!(environ.extension(), Some(&RequestId(7)));
    /// ```
    pub fn insert<E: Extension>(&mut self, value: E) {
        self.0.vars.retain(|(name, _)| name != E::KEY);
        if let Some(text) = value.text() {
            self.0.vars.push((Cow::Borrowed(E::KEY), Bytes::copy_from_slice(text.as_bytes())));
        }
        self.0.parts.extensions.insert(Extended(value));
    }

    /// A typed value that was added.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct RequestId(u64);
    ///
    /// impl Extension for RequestId {
    ///     const KEY: &'static str = "acme.request_id";
    /// }
    ///
    /// assert_eq!(environ.extension::<RequestId>(), None);
    /// ```
    pub fn extension<E: Extension>(&self) -> Option<&E> {
        self.0.parts.extensions.get::<Extended<E>>().map(|extended| &extended.0)
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

    /// The headers as received: for hosts.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::get("/").header("te", "trailers").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// assert_eq!(environ.header("te"), None);
    /// assert_eq!(environ.raw_headers()["te"], "trailers");
    /// ```
    pub fn raw_headers(&self) -> &HeaderMap {
        &self.0.parts.headers
    }
}

/// A host and its port, if it has one: the brackets of an IPv6 address may hold what looks like one.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Whether a header gets into an environ.
fn is_shown(name: &str) -> bool {
    !name.contains('_') && !name.eq_ignore_ascii_case("proxy") && !names_hop_by_hop(name)
}

/// Whether a header has an `HTTP_` key: two have keys of their own (RFC 3875, section 4.1.18).
fn is_header_key(name: &HeaderName) -> bool {
    is_shown(name.as_str()) && name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH
}

/// The header that an `HTTP_*` key stands for. Each header has one such key: in upper case, and without `-`.
fn header_name(key: &str) -> Option<HeaderName> {
    let name = key.strip_prefix("HTTP_")?;
    if name.bytes().any(|byte| byte == b'-' || byte.is_ascii_lowercase()) {
        return None;
    }
    HeaderName::from_bytes(name.replace('_', "-").as_bytes()).ok().filter(is_header_key)
}

/// One value of several: a list (RFC 9110, section 5.3), or cookies (RFC 6265, section 5.4).
fn joined<'a>(name: &HeaderName, first: &'a HeaderValue, more: impl Iterator<Item = &'a HeaderValue>) -> Cow<'a, [u8]> {
    let separator = if name == header::COOKIE { b"; " } else { b", " };
    let mut all = Cow::Borrowed(first.as_bytes());
    for value in more {
        let all = all.to_mut();
        all.extend_from_slice(separator);
        all.extend_from_slice(value.as_bytes());
    }
    all
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
