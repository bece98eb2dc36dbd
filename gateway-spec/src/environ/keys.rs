//! The keys of an environ: one table for lookup, visitor and documentation.

use std::borrow::Cow;

use http::{HeaderName, Version, header};

use super::Environ;
use crate::Scheme;

/// What identifies a value of an [`Environ`] while it is [visited](Environ::visit).
///
/// ```
/// # use gateway_spec::*;
/// fn name(key: Key<'_>) -> String {
///     match key {
///         Key::Cgi(key) => key.name().to_owned(),
///         Key::Header(name) => format!("the header {name}"),
///         Key::Set(name) => format!("{name}, which middleware has set"),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// A variable of RFC 3875, or one that servers agree on.
    Cgi(CgiKey),
    /// A request header: `HTTP_` and its name in upper case, `_` for `-`.
    Header(&'a HeaderName),
    /// What middleware has [set](Environ::set).
    Set(&'a str),
}

impl Key<'_> {
    /// The key as text. `scratch` is where a header's is put together.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// let accept = http::HeaderName::from_static("accept-language");
    /// assert_eq!(Key::Header(&accept).write(&mut String::new()), "HTTP_ACCEPT_LANGUAGE");
    /// ```
    pub fn write<'s>(&'s self, scratch: &'s mut String) -> &'s str {
        match self {
            Key::Cgi(key) => key.name(),
            Key::Set(name) => name,
            Key::Header(name) => {
                scratch.clear();
                scratch.push_str("HTTP_");
                scratch.extend(name.as_str().bytes().map(|byte| match byte {
                    b'-' => '_',
                    byte => byte.to_ascii_uppercase() as char,
                }));
                scratch
            }
        }
    }
}

type Value<'a> = Option<Cow<'a, [u8]>>;

/// Declares [`CgiKey`]: variant, text, description, and where the value comes from.
macro_rules! cgi_keys {
    ($($variant:ident $name:literal $doc:literal $value:expr;)*) => {
        /// The fixed keys of an [`Environ`], in the order in which they are visited.
        ///
        /// ```
        /// # use gateway_spec::*;
        /// assert_eq!(CgiKey::PathInfo.name(), "PATH_INFO");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum CgiKey {
            $(#[doc = concat!("`", $name, "`: ", $doc)] $variant,)*
        }

        impl CgiKey {
            /// All of them.
            ///
            /// ```
            /// # use gateway_spec::*;
            /// for key in CgiKey::ALL {
            ///     println!("{}", key.name());
            /// }
            /// ```
            pub const ALL: &'static [CgiKey] = &[$(CgiKey::$variant),*];

            /// The key as text.
            ///
            /// ```
            /// # use gateway_spec::*;
            /// assert_eq!(CgiKey::RemoteAddr.name(), "REMOTE_ADDR");
            /// ```
            pub fn name(self) -> &'static str {
                match self { $(CgiKey::$variant => $name),* }
            }

            /// The key whose text is `name`.
            ///
            /// ```
            /// # use gateway_spec::*;
            /// assert_eq!(CgiKey::from_name("SERVER_PORT"), Some(CgiKey::ServerPort));
            /// assert_eq!(CgiKey::from_name("HTTP_HOST"), None);
            /// ```
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(CgiKey::$variant),)* _ => None }
            }

            /// The value in `environ`; `None` if it has none there.
            ///
            /// ```
            /// # use gateway_spec::*;
            /// # use std::sync::Arc;
            /// # let (parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
            /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
            /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
            /// assert_eq!(CgiKey::RequestMethod.value(&environ).as_deref(), Some(&b"GET"[..]));
            /// assert_eq!(CgiKey::ContentType.value(&environ), None);
            /// ```
            pub fn value(self, environ: &Environ) -> Value<'_> {
                match self { $(CgiKey::$variant => { let value: fn(&Environ) -> Value<'_> = $value; value(environ) })* }
            }
        }
    };
}

cgi_keys! {
    RequestMethod "REQUEST_METHOD" "the method, as received (RFC 3875, 4.1.12)."
        |environ| text(environ.method().as_str());
    ScriptName "SCRIPT_NAME" "the part of the path that led to this application, decoded; may be empty (4.1.13)."
        |environ| Some(match environ.script_name() {
            Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
            Cow::Owned(name) => Cow::Owned(name.into_bytes()),
        });
    PathInfo "PATH_INFO" "the rest of the path, decoded once (4.1.5)."
        |environ| Some(environ.path_info());
    QueryString "QUERY_STRING" "what follows the `?`, as received; empty if there is nothing (4.1.7)."
        |environ| text(environ.query());
    RequestUri "REQUEST_URI" "path and query as received, never decoded (de facto)."
        |environ| text(environ.raw_target());
    ContentType "CONTENT_TYPE" "present if the client sent it (4.1.3)."
        |environ| environ.header(header::CONTENT_TYPE).map(|value| Cow::Borrowed(value.as_bytes()));
    ContentLength "CONTENT_LENGTH" "the body's length in bytes, where there is a body and its length is known (4.1.2)."
        |environ| environ.content_length().map(|length| Cow::Owned(length.to_string().into_bytes()));
    ServerName "SERVER_NAME" "the host that the request was sent to; never empty (4.1.14)."
        |environ| text(environ.server_name());
    ServerPort "SERVER_PORT" "the port that the request came in by (4.1.15)."
        |environ| text(environ.connection().server_port());
    ServerProtocol "SERVER_PROTOCOL" "`HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0` (4.1.16)."
        |environ| text(protocol(environ.version()));
    ServerSoftware "SERVER_SOFTWARE" "name and version of the server (4.1.17)."
        |environ| text(&environ.connection().host().software);
    RequestScheme "REQUEST_SCHEME" "`http` or `https` (de facto)."
        |environ| text(environ.connection().scheme().as_str());
    Https "HTTPS" "`on` under TLS, else absent (de facto)."
        |environ| (environ.connection().scheme() == Scheme::Https).then_some(Cow::Borrowed(b"on"));
    RemoteAddr "REMOTE_ADDR" "the client's address; absent on a unix socket (4.1.8)."
        |environ| environ.connection().remote_addr().and_then(text);
    RemotePort "REMOTE_PORT" "the client's port; absent on a unix socket (de facto)."
        |environ| environ.connection().remote_port().and_then(text);
}

fn text(value: &str) -> Value<'_> {
    Some(Cow::Borrowed(value.as_bytes()))
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}
