//! The environment of a program: CGI's meta-variables (RFC 3875, section 4.1), made without any I/O.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use gateway_spec::{CgiKey, Environ, Key};
use http::header;

use crate::{error::LoadError, resolve::Target};

/// Names and values; a name is there once.
pub(crate) type Block = BTreeMap<OsString, OsString>;

/// Where programs find other programs if the server itself does not know.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The variables that follow from the request and the mount, beside those of [`CgiKey`]: middleware cannot set them.
const OWN: [&str; 5] = ["DOCUMENT_ROOT", "GATEWAY_INTERFACE", "PATH_TRANSLATED", "REDIRECT_STATUS", "SCRIPT_FILENAME"];

/// The variables that only who knows the client may set: middleware can, a configuration cannot.
const CLIENT: [&str; 4] = ["AUTH_TYPE", "REMOTE_HOST", "REMOTE_IDENT", "REMOTE_USER"];

/// What all programs of a mount are given.
#[derive(Clone, Debug)]
pub(crate) struct Variables {
    configured: Block,
    pub(crate) document_root: PathBuf,
}

impl Variables {
    /// The server's own PATH, and nothing else of its environment.
    pub(crate) fn new(document_root: PathBuf) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
        Variables { configured: Block::from([("PATH".into(), path)]), document_root }
    }

    /// Adds a variable. The protocol's names are not for a configuration to set.
    pub(crate) fn configure(&mut self, name: OsString, value: OsString) -> Result<(), LoadError> {
        let malformed = name.is_empty() || name.as_bytes().iter().any(|byte| matches!(byte, b'=' | b'\0'));
        let text = name.to_string_lossy();
        let reserved = text.starts_with("HTTP_")
            || CgiKey::from_name(&text).is_some()
            || OWN.contains(&&*text)
            || CLIENT.contains(&&*text);
        if malformed || reserved || value.as_bytes().contains(&b'\0') {
            return Err(LoadError::Variable { name: text.into_owned() });
        }
        self.configured.insert(name, value);
        Ok(())
    }

    /// The environment for `target`. What follows from the request comes last, so that nothing overrides it.
    pub(crate) fn block(&self, environ: &Environ, target: &Target) -> Block {
        let mut block = self.configured.clone();
        let mut set = |name: &str, value: &OsStr| block.insert(name.into(), value.into());
        // It may be the address (section 4.1.9); names would have to be looked up.
        if let Some(address) = environ.connection().remote_addr() {
            set("REMOTE_HOST", address.as_ref());
        }
        let mut scratch = String::new();
        environ.visit(|key, value| {
            if is_exported(key, value) {
                set(key.write(&mut scratch), OsStr::from_bytes(value));
            }
        });
        set("GATEWAY_INTERFACE", "CGI/1.1".as_ref());
        set("SCRIPT_NAME", OsStr::from_bytes(&target.script_name));
        set("SCRIPT_FILENAME", target.program.as_os_str());
        set("DOCUMENT_ROOT", self.document_root.as_os_str());
        // php-cgi refuses to work without it.
        set("REDIRECT_STATUS", "200".as_ref());
        if let Some(path) = target.translated(&self.document_root) {
            set("PATH_INFO", OsStr::from_bytes(&target.path_info));
            set("PATH_TRANSLATED", path.as_os_str());
        }
        block
    }
}

fn is_exported(key: Key<'_>, value: &[u8]) -> bool {
    match key {
        // The mount's share of the path is not the program's.
        Key::Cgi(CgiKey::ScriptName | CgiKey::PathInfo) => false,
        Key::Cgi(_) => true,
        // Passwords are for who checks them (section 4.1.18).
        Key::Header(name) => name != header::AUTHORIZATION,
        // Dotted names are for applications inside the server.
        Key::Set(name) => !name.contains('.') && !OWN.contains(&name) && !value.contains(&b'\0'),
    }
}

impl Target {
    /// `folder` and PATH_INFO, as one path (section 4.1.6). None without PATH_INFO.
    fn translated(&self, folder: &std::path::Path) -> Option<PathBuf> {
        let path = [folder.as_os_str().as_bytes(), &self.path_info].concat();
        (!self.path_info.is_empty()).then(|| OsString::from_vec(path).into())
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc};

    use gateway_spec::{Connection, Host, Input, Scheme};

    use super::*;

    fn environ(request: http::request::Builder) -> Environ {
        let local: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let remote: SocketAddr = "[::1]:5000".parse().unwrap();
        let connection = Connection::new(Arc::new(Host::default()), Scheme::Https, Some(local), Some(remote));
        Environ::new(request.body(()).unwrap().into_parts().0, Input::empty(), Arc::new(connection))
    }

    fn target(path_info: &str) -> Target {
        Target {
            program: "/srv/cgi-bin/env".into(),
            script_name: b"/cgi-bin/env".to_vec(),
            path_info: path_info.into(),
        }
    }

    fn variables() -> Variables {
        Variables::new("/srv/www".into())
    }

    #[test]
    fn the_table() {
        let request = http::Request::get("/cgi-bin/env/a%20b?x=%20y").header("host", "e.org:9999").header("x-a", "1");
        let request =
            request.header("x-a", "2").header("cookie", "a=1").header("cookie", "b=2").header("content-type", "t/s");
        let block = variables().block(&environ(request), &target("/a b"));
        let path = std::env::var("PATH").unwrap();
        let expected = [
            ("CONTENT_TYPE", "t/s"),
            ("DOCUMENT_ROOT", "/srv/www"),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("HTTPS", "on"),
            ("HTTP_COOKIE", "a=1; b=2"),
            ("HTTP_HOST", "e.org:9999"),
            ("HTTP_X_A", "1, 2"),
            ("PATH", &path),
            ("PATH_INFO", "/a b"),
            ("PATH_TRANSLATED", "/srv/www/a b"),
            ("QUERY_STRING", "x=%20y"),
            ("REDIRECT_STATUS", "200"),
            ("REMOTE_ADDR", "::1"),
            ("REMOTE_HOST", "::1"),
            ("REMOTE_PORT", "5000"),
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_SCHEME", "https"),
            ("REQUEST_URI", "/cgi-bin/env/a%20b?x=%20y"),
            ("SCRIPT_FILENAME", "/srv/cgi-bin/env"),
            ("SCRIPT_NAME", "/cgi-bin/env"),
            ("SERVER_NAME", "e.org"),
            ("SERVER_PORT", "8080"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_SOFTWARE", concat!("gateway/", env!("CARGO_PKG_VERSION"))),
        ];
        assert_eq!(block, expected.map(|(name, value)| (name.into(), value.into())).into());
    }

    #[test]
    fn what_must_be_set_is_set_and_what_must_not_is_not() {
        let block =
            variables().block(&environ(http::Request::get("/")), &Target { script_name: Vec::new(), ..target("") });
        assert_eq!((&block[OsStr::new("QUERY_STRING")], &block[OsStr::new("SCRIPT_NAME")]), (&"".into(), &"".into()));
        for absent in ["PATH_INFO", "PATH_TRANSLATED", "CONTENT_LENGTH", "CONTENT_TYPE", "AUTH_TYPE", "REMOTE_USER"] {
            assert!(!block.contains_key(OsStr::new(absent)), "{absent}");
        }
    }

    #[test]
    fn clients_cannot_forge_and_passwords_stay() {
        let request = http::Request::get("/").header("authorization", "Basic x").header("proxy", "http://evil/");
        let request = request.header("x_foo", "evil").header("x-foo", "good").header("remote-user", "root");
        let block = variables().block(&environ(request), &target(""));
        assert_eq!(
            (&block[OsStr::new("HTTP_X_FOO")], &block[OsStr::new("HTTP_REMOTE_USER")]),
            (&"good".into(), &"root".into())
        );
        for absent in ["HTTP_PROXY", "HTTP_AUTHORIZATION", "REMOTE_USER"] {
            assert!(!block.contains_key(OsStr::new(absent)), "{absent}");
        }
    }

    #[test]
    fn configured_yields_to_set_and_set_to_the_protocol() {
        let mut variables = variables();
        variables.configure("LANG".into(), "C".into()).unwrap();
        variables.configure("PATH".into(), "/opt/bin".into()).unwrap();
        for name in ["HTTP_PROXY", "REQUEST_METHOD", "REMOTE_USER", "GATEWAY_INTERFACE", "HTTPS", "A=B", "", "N\0"] {
            assert!(variables.configure(name.into(), "x".into()).is_err(), "{name:?}");
        }
        assert!(variables.configure("N".into(), "\0".into()).is_err());
        let mut environ = environ(http::Request::get("/"));
        for (name, value) in
            [("LANG", "de"), ("REMOTE_USER", "eve"), ("acme.id", "7"), ("PATH_TRANSLATED", "/etc"), ("Z", "\0")]
        {
            environ.set(name, value).unwrap();
        }
        let block = variables.block(&environ, &target(""));
        for (name, value) in [
            ("LANG", Some("de")),
            ("PATH", Some("/opt/bin")),
            ("REMOTE_USER", Some("eve")),
            ("acme.id", None),
            ("PATH_TRANSLATED", None),
            ("Z", None),
        ] {
            assert_eq!(block.get(OsStr::new(name)).and_then(|value| value.to_str()), value, "{name}");
        }
    }
}
