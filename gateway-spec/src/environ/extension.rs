//! What a request carries besides: values of types that servers and middleware have made up.

use std::borrow::Cow;

use bytes::Bytes;

use super::Environ;

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

/// Typed values.
impl Environ {
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
}

/// An [`Extension`] in the map of extensions, marked as one so that nothing else there shows.
#[derive(Clone)]
struct Extended<E>(E);
