//! The environ as PEP 3333 has it: values by their keys.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderValue;

use super::{
    CgiKey, Environ, Key,
    headers::{header_name, is_header_key, joined},
};
use crate::{Error, Kind, Result, head::head_error};

/// Values by their keys.
impl Environ {
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
}
