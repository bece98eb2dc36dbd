//! The environment of a program: CGI's meta-variables (RFC 3875, section 4.1), made without any I/O.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use gateway_spec::{CgiKey, Environ, Key};
use http::header;

use crate::{error::LoadError, resolve::Target, strings::Strings};

/// Where programs find other programs if the server itself does not know.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The variables that follow from the request and the mount, beside those of [`CgiKey`]: middleware cannot set them.
const OWN: [&str; 7] = [
    "DOCUMENT_ROOT",
    "GATEWAY_INTERFACE",
    "PATH_TRANSLATED",
    "REDIRECT_STATUS",
    "SCRIPT_FILENAME",
    "UNIQUE_ID",
    "gateway.version",
];

/// The variables that only who knows the client may set: middleware can, a configuration cannot.
const CLIENT: [&str; 4] = ["AUTH_TYPE", "REMOTE_HOST", "REMOTE_IDENT", "REMOTE_USER"];

/// What all programs of a mount are given.
#[derive(Clone, Debug)]
pub(crate) struct Variables {
    /// Names and values; a name is there once.
    configured: Vec<(OsString, OsString)>,
    pub(crate) document_root: PathBuf,
    pub(crate) pass_authorization: bool,
}

impl Variables {
    /// The server's own PATH, and nothing else of its environment.
    pub(crate) fn new(document_root: PathBuf) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
        Variables { configured: vec![("PATH".into(), path)], document_root, pass_authorization: false }
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
        self.configured.retain(|(other, _)| *other != name);
        self.configured.push((name, value));
        Ok(())
    }

    /// The environment for `target`. Each name is there once: what follows from the request goes before what middleware
    /// has set, and that before what is configured.
    pub(crate) fn block(&self, environ: &Environ, target: &Target, request: &str) -> Strings {
        let mut block = Strings::default();
        let mut put = |name: &str, value: &[u8]| block.push(&[name.as_bytes(), b"=", value]);
        put("GATEWAY_INTERFACE", b"CGI/1.1");
        let (major, minor) = gateway_spec::VERSION;
        put("gateway.version", format!("{major}.{minor}").as_bytes());
        put("SCRIPT_NAME", &target.script_name);
        put("SCRIPT_FILENAME", target.program.as_os_str().as_bytes());
        put("DOCUMENT_ROOT", self.document_root.as_os_str().as_bytes());
        put("UNIQUE_ID", request.as_bytes());
        // php-cgi refuses to work without it.
        put("REDIRECT_STATUS", b"200");
        if !target.path_info.is_empty() {
            put("PATH_INFO", &target.path_info);
            put("PATH_TRANSLATED", &target.translated(&self.document_root));
        }
        // It may be the address (section 4.1.9); names would have to be looked up.
        if let Some(address) = environ.connection().remote_addr().filter(|_| environ.get("REMOTE_HOST").is_none()) {
            put("REMOTE_HOST", address.as_bytes());
        }
        let mut scratch = String::new();
        environ.visit(|key, value| {
            if self.is_exported(key) {
                put(key.write(&mut scratch), value);
            }
        });
        for (name, value) in self.configured.iter().filter(|(name, _)| !is_set(environ, name)) {
            block.push(&[name.as_bytes(), b"=", value.as_bytes()]);
        }
        block
    }

    fn is_exported(&self, key: Key<'_>) -> bool {
        match key {
            // The mount's share of the path is not the program's.
            Key::Cgi(CgiKey::ScriptName | CgiKey::PathInfo) => false,
            Key::Cgi(_) => true,
            // Passwords are for who checks them (section 4.1.18).
            Key::Header(name) => name != header::AUTHORIZATION || self.pass_authorization,
            // Dotted names are for applications inside the server.
            Key::Set(name) => !name.contains('.') && !OWN.contains(&name),
        }
    }
}

/// Whether middleware has set what is configured.
fn is_set(environ: &Environ, name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| environ.get(name).is_some())
}

impl Target {
    /// `folder` and PATH_INFO, as one path (section 4.1.6).
    fn translated(&self, folder: &Path) -> Vec<u8> {
        [folder.as_os_str().as_bytes(), &self.path_info].concat()
    }
}

#[cfg(test)]
mod tests;
