//! The request guard: what hyper lets through and RFC 9110 and 9112 do not.

use std::net::Ipv6Addr;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header, request::Parts};

use crate::Limits;

/// A request that no application gets to see: the status, and what to tell the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) &'static str);

/// Checks a request's head, and makes its `Host` the host of an absolute target. Says whether the client wants the
/// connection to end with the response (RFC 9112, section 9.6).
pub(crate) fn check(parts: &mut Parts, has_body: bool, limits: &Limits) -> Result<bool, Refusal> {
    check_method(&parts.method)?;
    check_target(parts, limits)?;
    let mut hosts = 0;
    let mut is_last = false;
    for (name, value) in &parts.headers {
        if name == header::HOST {
            hosts += 1;
            check_host(value)?;
        } else if name == header::EXPECT {
            check_expect(value)?;
        } else if name == header::CONNECTION {
            is_last = value.as_bytes().eq_ignore_ascii_case(b"close");
        }
    }
    // HTTP/1.0 may do without (RFC 9112, section 3.2).
    if hosts > 1 || (hosts == 0 && parts.version != Version::HTTP_10) {
        return Err(Refusal(StatusCode::BAD_REQUEST, "a request needs exactly one Host header"));
    }
    if has_body {
        check_framing(&parts.headers, limits)?;
    }
    Ok(is_last)
}

/// Methods are case-sensitive, and those with other characters than these do not exist (RFC 9110, section 9.1).
fn check_method(method: &Method) -> Result<(), Refusal> {
    let is_known = |name: &str| name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    match *method {
        // Most requests need no closer look.
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS => Ok(()),
        // An application is an origin, no proxy; and echoing requests helps nobody but attackers.
        Method::CONNECT | Method::TRACE => {
            Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here"))
        }
        _ if is_known(method.as_str()) => Ok(()),
        _ => Err(Refusal(StatusCode::NOT_IMPLEMENTED, "this method does not exist")),
    }
}

/// The four forms of a target (RFC 9112, section 3.2), of which CONNECT's is refused with its method.
fn check_target(parts: &mut Parts, limits: &Limits) -> Result<(), Refusal> {
    let bad = |reason| Err(Refusal(StatusCode::BAD_REQUEST, reason));
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > limits.target {
        return Err(Refusal(StatusCode::URI_TOO_LONG, "the request target is too long"));
    }
    let Some(authority) = parts.uri.authority() else {
        return match target {
            "*" if parts.method != Method::OPTIONS => bad("only OPTIONS may have the target *"),
            "*" => Ok(()),
            _ if !parts.uri.path().starts_with('/') => bad("the request target is no path"),
            _ => Ok(()),
        };
    };
    if !matches!(parts.uri.scheme_str(), Some("http" | "https")) || authority.as_str().contains('@') {
        return bad("the request target is no http URL");
    }
    // The target's host wins over the header (RFC 9112, section 3.2.2). Behind it everything is in origin form.
    let host = HeaderValue::from_str(authority.as_str());
    let path = parts.uri.path_and_query().and_then(|target| match target.as_str() {
        // An empty path is that of the root (RFC 9110, section 4.2.3).
        query if query.starts_with('?') => format!("/{query}").parse().ok(),
        _ => Some(Uri::from(target.clone())),
    });
    match (host, path) {
        (Ok(host), Some(path)) if parts.headers.get_all(header::HOST).iter().count() == 1 => {
            parts.headers.insert(header::HOST, host);
            parts.uri = path;
            Ok(())
        }
        _ => bad("a request needs exactly one Host header"),
    }
}

fn check_host(host: &HeaderValue) -> Result<(), Refusal> {
    match is_host(host.as_bytes()) {
        true => Ok(()),
        false => Err(Refusal(StatusCode::BAD_REQUEST, "the Host header is not valid")),
    }
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2), not empty.
fn is_host(host: &[u8]) -> bool {
    let name_end = match host {
        [b'[', ..] => host.iter().position(|&byte| byte == b']').map_or(0, |bracket| bracket + 1),
        _ => host.iter().position(|&byte| !IN_NAME[usize::from(byte)]).unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(name_end);
    let is_name = match name {
        [b'[', address @ .., b']'] => std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
        name => !name.is_empty(),
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_name && is_port
}

/// The bytes of a `reg-name` (RFC 3986, section 3.2.2).
const IN_NAME: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0);
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let (punctuation, mut place) = (b"-._~!$&'()*+,;=%", 0);
    while place < punctuation.len() {
        table[punctuation[place] as usize] = true;
        place += 1;
    }
    table
};

/// hyper has removed a `Content-Length` that comes with `Transfer-Encoding`, and closes after such a request.
fn check_framing(headers: &HeaderMap, limits: &Limits) -> Result<(), Refusal> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let coding = coding.as_bytes().trim_ascii();
        let more = codings.next().is_some();
        if more || !coding.eq_ignore_ascii_case(b"chunked") {
            let known = |part: &[u8]| matches!(part.trim_ascii(), b"chunked" | b"identity" | b"");
            let malformed = more || coding.split(|&byte| byte == b',').all(|part| known(&part.to_ascii_lowercase()));
            return Err(match malformed {
                true => Refusal(StatusCode::BAD_REQUEST, "Transfer-Encoding is not valid"),
                false => Refusal(StatusCode::NOT_IMPLEMENTED, "no Transfer-Encoding but chunked is known"),
            });
        }
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limits.body) {
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, "the request's body is too large"));
    }
    Ok(())
}

/// The one expectation there is (RFC 9110, section 10.1.1).
fn check_expect(expect: &HeaderValue) -> Result<(), Refusal> {
    match expect.as_bytes().eq_ignore_ascii_case(b"100-continue") {
        true => Ok(()),
        false => Err(Refusal(StatusCode::EXPECTATION_FAILED, "this expectation cannot be met")),
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
        for bad in ["", ":80", "a/b@c d", "a b", "u@h", "[::1", "a:b", "a:80:80", "[]", "a:123456", "h\u{e9}"] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_url_without_a_path_is_of_the_root() {
        for (target, origin) in [("http://h?q", "/?q"), ("http://h", "/"), ("http://h/p?q", "/p?q")] {
            let request = http::Request::get(target).header("host", "a").body(()).unwrap();
            let (mut parts, ()) = request.into_parts();
            assert_eq!(check(&mut parts, false, &Limits::default()), Ok(false));
            assert_eq!(parts.uri, origin);
            assert_eq!(parts.headers["host"], "h");
        }
    }
}
