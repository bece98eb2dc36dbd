//! What a server must have put into an environ.

use http::{HeaderValue, Method, Version, header, uri::Authority};

use super::{Call, rules};
use crate::Environ;

/// Checks the environ that a server hands over.
pub(super) fn check(environ: &Environ, call: &Call) {
    check_path(environ, call);
    check_host(environ, call);
    check_keys(environ, call);
    let lengths: Vec<_> = environ.raw_headers().get_all(header::CONTENT_LENGTH).iter().collect();
    if lengths.len() > 1 || lengths.iter().any(|length| super::input::number(length).is_none()) {
        call.report(rules::FRAMING, "", format!("Content-Length is {lengths:?}"));
    }
}

fn check_path(environ: &Environ, call: &Call) {
    let (script_name, path_info) = (environ.script_name(), environ.path_info());
    if script_name == "/" || !(script_name.is_empty() || script_name.starts_with('/')) {
        call.report(rules::SCRIPT_NAME, "", format!("SCRIPT_NAME is {script_name:?}"));
    }
    // Any other path begins with a slash: the http crate knows none that does not.
    if &*path_info == b"*" && script_name.is_empty() && environ.method() != Method::OPTIONS {
        call.report(rules::ASTERISK, "", format!("PATH_INFO is \"*\" with {}", environ.method()));
    }
    if path_info.is_empty() && script_name.is_empty() {
        call.report(rules::PATH, "", "SCRIPT_NAME and PATH_INFO are both empty");
    }
}

fn check_host(environ: &Environ, call: &Call) {
    let hosts: Vec<_> = environ.raw_headers().get_all(header::HOST).iter().collect();
    let authority = environ.uri().authority();
    let may_lack = environ.version() == Version::HTTP_10 || authority.is_some();
    match hosts[..] {
        [] if may_lack => {}
        [host] => check_host_header(environ, call, host),
        _ => call.report(rules::HOST, "", format!("Host is {hosts:?}")),
    }
}

fn check_host_header(environ: &Environ, call: &Call, host: &HeaderValue) {
    if !is_host(host.as_bytes()) {
        call.report(
            rules::SERVER_NAME,
            "",
            format!("Host is {host:?}, and so SERVER_NAME {:?}", environ.server_name()),
        );
    } else if let Some(authority) = environ.uri().authority().filter(|authority| authority.as_str() != host) {
        call.report(rules::TARGET_HOST, "", format!("the target names {:?}, and Host {host:?}", authority.as_str()));
    }
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2), not empty.
fn is_host(host: &[u8]) -> bool {
    Authority::try_from(host).is_ok_and(|authority| {
        let behind = authority.as_str().strip_prefix(authority.host());
        !authority.host().is_empty() && (authority.port().is_some() || matches!(behind, Some("" | ":")))
    })
}

/// Keys of RFC 3875, and a few that servers agree on, that middleware may set.
const CGI: [&str; 9] = [
    "AUTH_TYPE",
    "DOCUMENT_ROOT",
    "GATEWAY_INTERFACE",
    "PATH_TRANSLATED",
    "REMOTE_HOST",
    "REMOTE_IDENT",
    "REMOTE_USER",
    "SCRIPT_FILENAME",
    "SERVER_ADDR",
];

fn check_keys(environ: &Environ, call: &Call) {
    for (name, value) in environ.vars() {
        if name.contains('.') {
            let own = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
            if !name.bytes().all(own) || name.split('.').any(str::is_empty) {
                call.report(rules::KEY_NAME, name, format!("there is a key {name:?}"));
            }
        } else if !CGI.contains(&name) && !name.starts_with("SSL_") {
            let is_upper = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
            let rule = if is_upper { rules::UNKNOWN_KEY } else { rules::KEY_NAME };
            call.report(rule, name, format!("there is a key {name:?}"));
        } else if value.is_empty() {
            call.report(rules::EMPTY_KEY, name, format!("{name} is there, and empty"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_an_optional_port() {
        for good in ["a", "a.b:80", "127.0.0.1:8000", "[::1]:80", "[::1]", "a:", "xn--nxasmq6b", "a_b"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in ["", ":80", "a/b@c d", "a b", "u@h", "[::1", "a:b", "a:80:80", "[::1]80", "h\u{e9}"] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
