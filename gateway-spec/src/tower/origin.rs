//! What an environ has and an `http::Request` has no place for.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::Uri;

use crate::{Connection, environ::origin_form, percent};

/// Where a request comes from: the connection, the whole target, where in it the service is mounted, and what middleware
/// has set. It travels among the extensions of a request.
///
/// [`FromTower`](super::FromTower) puts one in, for services to read:
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use gateway_spec::tower::{FromTower, Origin};
///
/// async fn whoami(Extension(origin): Extension<Origin>) -> String {
///     let user = origin.var("REMOTE_USER").unwrap_or(b"nobody");
///     let client = origin.connection().remote_addr().unwrap_or("somewhere");
///     format!("{} from {client}, at {}", String::from_utf8_lossy(user), origin.script_name())
/// }
/// let app = FromTower::new(Router::new().route("/whoami", get(whoami)));
/// # fn is_app(_: impl gateway_spec::App) {}
/// # is_app(app);
/// ```
///
/// [`IntoTower`](super::IntoTower) takes it out, and the environ is what it was. The server that an App is a guest of may
/// put one in for it, since only that server knows its connections: see the [module](super#an-app-inside-axum).
#[derive(Clone, Debug)]
pub struct Origin {
    pub(crate) connection: Arc<Connection>,
    /// In origin form.
    pub(crate) uri: Uri,
    /// The raw path up to here is SCRIPT_NAME.
    pub(crate) mount: usize,
    pub(crate) vars: Vec<(Cow<'static, str>, Bytes)>,
}

impl Origin {
    /// For hosts: a request for `uri` as the client sent it, whatever part of it routers strip later.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use gateway_spec::{Connection, Host, Scheme, tower::Origin};
    /// let connection = Connection::new(Arc::new(Host::default()), Scheme::Https, None, "192.0.2.7:5000".parse().ok());
    /// let origin = Origin::new(Arc::new(connection), "/api/users?page=2".parse()?);
    /// assert_eq!(origin.uri().path(), "/api/users");
    /// # Ok::<(), http::uri::InvalidUri>(())
    /// ```
    pub fn new(connection: Arc<Connection>, uri: Uri) -> Self {
        Origin { connection, uri: origin_form(&uri), mount: 0, vars: Vec::new() }
    }

    /// The connection that the request came over.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use gateway_spec::{Connection, Host, Scheme, tower::Origin};
    /// # let remote = "192.0.2.7:5000".parse().ok();
    /// # let connection = Arc::new(Connection::new(Arc::new(Host::default()), Scheme::Http, None, remote));
    /// let origin = Origin::new(connection, "/".parse()?);
    /// assert_eq!(origin.connection().remote_addr(), Some("192.0.2.7"));
    /// # Ok::<(), http::uri::InvalidUri>(())
    /// ```
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The whole target as received: path and query.
    ///
    /// ```
    /// # use gateway_spec::tower::Origin;
    /// fn link_to_this_page(origin: &Origin) -> String {
    ///     format!("<a href='{}'>", origin.uri().path())
    /// }
    /// ```
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// SCRIPT_NAME: the part of the path that led to the service, decoded.
    ///
    /// ```
    /// # use gateway_spec::tower::Origin;
    /// fn redirect_to_start(origin: &Origin) -> String {
    ///     format!("{}/", origin.script_name())
    /// }
    /// ```
    pub fn script_name(&self) -> Cow<'_, str> {
        percent::decode_text(&self.uri.path()[..self.mount])
    }

    /// What middleware has [set](crate::Environ::set) or [inserted](crate::Environ::insert) under this key:
    /// `REMOTE_USER`, for one.
    ///
    /// ```
    /// # use gateway_spec::tower::Origin;
    /// fn is_known(origin: &Origin) -> bool {
    ///     origin.var("REMOTE_USER").is_some()
    /// }
    /// ```
    pub fn var(&self, key: &str) -> Option<&[u8]> {
        self.vars.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_ref())
    }

    /// The target without the part that led here; `/` where nothing is left, since a service has no other path for that.
    pub(crate) fn uri_behind_mount(&self) -> Uri {
        if self.mount == 0 {
            return self.uri.clone();
        }
        joined("", &self.uri, self.mount).unwrap_or_else(|| self.uri.clone())
    }

    /// The whole target and its mount, for a request whose target is now `current`: routers strip what they have matched,
    /// and layers may rewrite the rest.
    pub(crate) fn locate(&self, current: &Uri) -> (Uri, usize) {
        let whole = self.uri.path();
        let (mount, skipped) = match whole.strip_suffix(current.path()) {
            Some(before) => (before.len(), 0),
            // All of it was stripped, and the slash is only there because a path needs one.
            None if current.path() == "/" => (whole.len(), 1),
            None => (self.mount, 0),
        };
        match joined(&whole[..mount], current, skipped) {
            Some(uri) => (uri, mount),
            None => (current.clone(), 0),
        }
    }
}

/// `before` and the target from `skipped` on, with a slash where there would be no path at all.
fn joined(before: &str, uri: &Uri, skipped: usize) -> Option<Uri> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let rest = &target[skipped..];
    let slash = if before.is_empty() && !rest.starts_with(['/', '*']) { "/" } else { "" };
    format!("{before}{slash}{rest}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Host, Scheme};

    fn origin(uri: &str, mount: usize) -> Origin {
        let connection = Arc::new(Connection::new(Arc::new(Host::default()), Scheme::Http, None, None));
        Origin { mount, ..Origin::new(connection, uri.parse().unwrap()) }
    }

    #[test]
    fn a_service_sees_the_path_behind_its_mount_as_it_was_sent() {
        for (uri, mount, seen) in [
            ("/app/x?q", 4, "/x?q"),
            ("/app/a%2Fb%20c//", 4, "/a%2Fb%20c//"),
            ("/app", 4, "/"),
            ("/app?q", 4, "/?q"),
            ("/x", 0, "/x"),
            ("*", 0, "*"),
        ] {
            assert_eq!(origin(uri, mount).uri_behind_mount().to_string(), seen, "{uri}");
        }
    }

    #[test]
    fn what_was_stripped_is_script_name_and_what_was_rewritten_is_path_info() {
        for (uri, mount, current, expected) in [
            ("/app/x?q", 4, "/x?q", ("/app/x?q", 4)),
            ("/app", 4, "/", ("/app", 4)),
            ("/app?q", 4, "/?q", ("/app?q", 4)),
            ("/app/", 4, "/", ("/app/", 4)),
            ("/app/api/x", 4, "/x", ("/app/api/x", 8)),
            ("/api", 0, "/", ("/api", 4)),
            ("/app/x/", 4, "/x", ("/app/x", 4)),
            ("/app/x?q", 4, "/x?r", ("/app/x?r", 4)),
            ("/app/x", 4, "/y", ("/app/y", 4)),
            ("*", 0, "*", ("*", 0)),
        ] {
            let (whole, mount) = origin(uri, mount).locate(&current.parse().unwrap());
            assert_eq!((whole.to_string().as_str(), mount), expected, "{uri} {current}");
        }
    }
}
