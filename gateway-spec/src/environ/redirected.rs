//! A request for another path, made of one that was answered with it.

use http::{Method, Uri, header, uri::PathAndQuery};

use super::Environ;
use crate::{Input, Result, head::head_error};

impl Environ {
    /// This request turned into a fresh GET of `target`, a path with or without a query: as if the client had asked for
    /// that. The client's headers stay but for those of its body; what was [set](Self::set) or
    /// [inserted](Self::insert), by who let the first request pass, does not.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let (parts, ()) = http::Request::post("/login").header("host", "example.org").body(()).unwrap().into_parts();
    /// # let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// # let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    /// let elsewhere = environ.redirected(b"/welcome?new=1")?;
    /// assert_eq!((elsewhere.method().as_str(), elsewhere.raw_target()), ("GET", "/welcome?new=1"));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Kind::Head`](crate::Kind::Head) if `target` is no path of this server.
    pub fn redirected(mut self, target: &[u8]) -> Result<Self> {
        let refused = || head_error(format!("{:?} is no path of this server", String::from_utf8_lossy(target)));
        // The http crate would drop a fragment silently.
        if !target.starts_with(b"/") || target.contains(&b'#') {
            return Err(refused());
        }
        let request = &mut *self.0;
        request.parts.uri = Uri::from(PathAndQuery::try_from(target).map_err(|_| refused())?);
        request.parts.method = Method::GET;
        for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::TRANSFER_ENCODING, header::EXPECT] {
            request.parts.headers.remove(name);
        }
        request.parts.extensions.clear();
        (request.mount, request.input, request.vars) = (0, Input::empty(), Vec::new());
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Connection, Host, Scheme};

    fn post() -> Environ {
        let request = http::Request::post("/cgi-bin/p/x?y").header("content-length", "3").header("x-a", "1");
        let (parts, ()) = request.header("content-type", "a/b").body(()).unwrap().into_parts();
        let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, None);
        let mut environ = Environ::new(parts, Input::from(bytes::Bytes::from_static(b"abc")), Arc::new(connection));
        environ.mount("/cgi-bin");
        environ.set("REMOTE_USER", "eve").unwrap();
        environ
    }

    #[test]
    fn it_is_a_get_of_the_other_path_and_nobody_has_let_it_pass_yet() {
        let environ = post().redirected(b"/other%20path?q=1").unwrap();
        let found: Vec<_> = ["REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_X_A"]
            .map(|key| String::from_utf8(environ.get(key).unwrap().into_owned()).unwrap())
            .into();
        assert_eq!(found, ["GET", "", "/other path", "q=1", "1"]);
        for absent in ["CONTENT_LENGTH", "CONTENT_TYPE", "REMOTE_USER"] {
            assert_eq!(environ.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for target in ["", "x", "http://e.org/", "/a#b", "/a b", "/a\0", "*"] {
            assert!(post().redirected(target.as_bytes()).is_err(), "{target:?}");
        }
    }
}
