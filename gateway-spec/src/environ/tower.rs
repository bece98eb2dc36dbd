//! A request on its way into a tower service, and out of one.

use std::{mem, sync::Arc};

use http::{HeaderValue, Request, Uri, header, request::Parts, uri::PathAndQuery};

use super::{Environ, Inner, input::declared_length, target::split_port};
use crate::{Connection, Host, Input, Scheme, tower::Origin};

impl Environ {
    /// The request as a service sees it that is mounted where this environ has come to: its path is PATH_INFO. What it has
    /// no place for is among its extensions, as an [`Origin`].
    pub(crate) fn into_service_request(mut self) -> Request<Input> {
        let length = self.content_length();
        let origin = Origin {
            connection: self.0.connection.clone(),
            uri: self.0.parts.uri.clone(),
            mount: self.0.mount,
            vars: mem::take(&mut self.0.vars),
        };
        let mut request = self.into_request();
        *request.uri_mut() = origin.uri_behind_mount();
        match length {
            _ if length == declared_length(request.headers()) => {}
            // A chunked body that was spooled has a length now; one that was read in part has a smaller one.
            Some(length) => drop(request.headers_mut().insert(header::CONTENT_LENGTH, length.into())),
            None => drop(request.headers_mut().remove(header::CONTENT_LENGTH)),
        }
        request.extensions_mut().insert(origin);
        request
    }

    /// The environ of a request that comes out of a stack of services. Where there is no [`Origin`], the request itself
    /// says what it says of its connection, and `host` is the server.
    pub(crate) fn from_service_request(request: Request<Input>, host: &Arc<Host>) -> Self {
        let (mut parts, input) = request.into_parts();
        let scheme = if parts.uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
        put_in_origin_form(&mut parts);
        let Some(origin) = parts.extensions.remove::<Origin>() else {
            let connection = Connection::unknown(host.clone(), scheme, host_port(&parts));
            return Environ::new(parts, input, Arc::new(connection));
        };
        let (uri, mount) = origin.locate(&parts.uri);
        parts.uri = uri;
        Environ(Box::new(Inner { parts, mount, input, connection: origin.connection, vars: origin.vars }))
    }
}

/// Path and query only; the host goes where HTTP/1.1 has it (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1).
fn put_in_origin_form(parts: &mut Parts) {
    if let Some(authority) = parts.uri.authority() {
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        if let Ok(host) = HeaderValue::from_str(host) {
            parts.headers.insert(header::HOST, host);
        }
    }
    parts.uri = origin_form(&parts.uri);
}

pub(crate) fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")).into()
}

/// The port that the client has named.
fn host_port(parts: &Parts) -> Option<u16> {
    let host = parts.headers.get(header::HOST)?.to_str().ok()?;
    split_port(host).1?.parse().ok()
}
