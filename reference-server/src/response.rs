//! The response guard: what an application must not do to the connection.

use bytes::Bytes;
use gateway_spec::{Body, Error, Kind, Response, is_hop_by_hop};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::ext::ReasonPhrase;

use crate::{
    body::{Framed, Guarded},
    record::Record,
    request::Refusal,
};

const SERVER: HeaderValue = HeaderValue::from_static("gateway");

/// What hyper is given: the response with the framing that HTTP demands of it.
pub(crate) type HttpResponse = http::Response<Guarded>;

/// Makes an application's response fit to be sent, and puts the record of its request to it.
pub(crate) fn guard(response: Response, found: &Found, method: &Method, record: Record) -> HttpResponse {
    let (status, mut headers, body) = response.into_parts();
    if found.has_hop_by_hop {
        let names: Vec<_> = headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
        names.iter().for_each(|name| drop(headers.remove(name)));
    }
    let body = match (status.code(), found.declared) {
        // These have no body whatever the application gives (RFC 9110, sections 6.4.1 and 8.6).
        (StatusCode::NO_CONTENT, _) => {
            headers.remove(header::CONTENT_LENGTH);
            Framed::empty()
        }
        (StatusCode::NOT_MODIFIED, _) => Framed::empty(),
        (_, declared) if method == Method::HEAD => {
            if let (None, Some(length)) = (declared, body.len().filter(|length| *length > 0)) {
                headers.insert(header::CONTENT_LENGTH, length.into());
            }
            Framed::empty()
        }
        (_, Some(length)) => Framed::of_length(body, length),
        (_, None) => Framed::new(body),
    };
    if !found.has_server {
        headers.append(header::SERVER, SERVER);
    }
    let mut response = assemble(status.code(), headers, body, record);
    // hyper writes `<none>` for codes that it does not know.
    let reason = match status.reason() {
        Some(reason) => Some(reason.as_bytes()),
        None if status.code().canonical_reason().is_none() => Some(&b""[..]),
        None => None,
    };
    if let Some(reason) = reason.and_then(|reason| ReasonPhrase::try_from(Bytes::copy_from_slice(reason)).ok()) {
        response.extensions_mut().insert(reason);
    }
    response
}

/// The answer to an application's error. Its text is not for the client.
pub(crate) fn failure(error: &Error, record: Record) -> HttpResponse {
    let code = error.kind().status();
    plain(code, code.canonical_reason().unwrap_or_default(), error.kind() == Kind::RequestTimeout, record)
}

/// The answer to a request that no application gets to see. The connection ends with it: what follows cannot be trusted.
pub(crate) fn refusal(Refusal(code, reason): &Refusal, record: Record) -> HttpResponse {
    plain(*code, reason, true, record)
}

fn plain(code: StatusCode, text: &str, close: bool, record: Record) -> HttpResponse {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::SERVER, SERVER);
    if close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    match code {
        // What is allowed depends on the application; these are what remains to be said (RFC 9110, section 15.5.6).
        StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            headers.insert(header::ALLOW, allowed);
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    assemble(code, headers, Framed::new(Body::from(format!("{} {text}\n", code.as_str()))), record)
}

fn assemble(code: StatusCode, headers: HeaderMap, body: Framed, mut record: Record) -> HttpResponse {
    record.answered(code, &headers);
    let mut response = http::Response::new(Guarded::new(body, record));
    *response.status_mut() = code;
    *response.headers_mut() = headers;
    response
}

/// What the guard looks for among an application's headers, in one go.
#[derive(Default)]
pub(crate) struct Found {
    declared: Option<u64>,
    has_server: bool,
    has_hop_by_hop: bool,
}

/// Looks for it.
///
/// # Errors
/// The application's Content-Length is no number, or there are several.
pub(crate) fn look(headers: &HeaderMap) -> Result<Found, Error> {
    let mut found = Found::default();
    for (name, value) in headers {
        if name == header::CONTENT_LENGTH {
            // There is one at most, and a number (RFC 9110, section 8.6): hyper would send whatever stands there.
            let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            match digits.and_then(|text| text.parse().ok()) {
                Some(length) if found.declared.is_none() => found.declared = Some(length),
                _ => return Err(Error::with_kind(Kind::Head, format!("Content-Length {value:?} is not one number"))),
            }
        } else {
            found.has_server |= name == header::SERVER;
            found.has_hop_by_hop |= is_hop_by_hop(name);
        }
    }
    Ok(found)
}
