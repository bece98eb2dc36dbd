//! What all requests of a server, and all requests of a connection, have in common.

use std::{
    any::Any,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use crate::{
    ErrorLog,
    blocking::{Blocking, Threads},
};

/// A server, as its applications see it. One for all its connections.
///
/// ```
/// # use gateway_spec::*;
/// use std::sync::Arc;
///
/// /// A host with a name of its own, and the default for everything else.
/// fn host() -> Arc<Host> {
///     Arc::new(Host { software: "my-server/1.0".into(), ..Host::default() })
/// }
/// ```
pub struct Host {
    /// `SERVER_SOFTWARE`: `name/version`.
    pub software: String,
    /// Where applications log.
    pub error_log: ErrorLog,
    /// Where blocking jobs go.
    pub blocking: Arc<dyn Blocking>,
    /// Whether another process may call the same application at the same time (`wsgi.multiprocess`).
    pub multiprocess: bool,
}

impl Default for Host {
    /// A host without a log or a runtime of its own: standard error, and a pool of 32 threads.
    fn default() -> Self {
        Host {
            software: concat!("gateway/", env!("CARGO_PKG_VERSION")).into(),
            error_log: ErrorLog::stderr(),
            blocking: Arc::new(Threads::new(32, 1024)),
            multiprocess: false,
        }
    }
}

/// The scheme of the URL that the client used.
///
/// ```
/// # use gateway_spec::*;
/// fn cookie(scheme: Scheme) -> &'static str {
///     if scheme == Scheme::Https { "id=1; Secure" } else { "id=1" }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`.
    Http,
    /// `https`.
    Https,
}

impl Scheme {
    /// `"http"` or `"https"`.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// assert_eq!(Scheme::Https.as_str(), "https");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// One connection: who talks to whom, over what. Shared by all its requests, so that what does not change is written
/// out once.
///
/// ```
/// # use gateway_spec::*;
/// # use std::sync::Arc;
/// # let host = Arc::new(Host::default());
/// let (local, remote) = ("127.0.0.1:8000".parse().ok(), "[::1]:5000".parse().ok());
/// let connection = Connection::new(host, Scheme::Http, local, remote);
/// assert_eq!((connection.server_name(), connection.server_port()), ("127.0.0.1", "8000"));
/// assert_eq!(connection.remote_addr(), Some("::1"));
/// ```
#[derive(Debug)]
pub struct Connection {
    host: Arc<Host>,
    scheme: Scheme,
    server_name: String,
    server_port: String,
    remote_addr: Option<String>,
    remote_port: Option<String>,
    closed: Closed,
    kept: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// Whether a connection has ended, for those who outlive it.
///
/// ```
/// # use gateway_spec::{Closed, Environ};
/// /// For a task that goes on when the request is answered.
/// fn client(environ: &Environ) -> Closed {
///     environ.connection().closed().clone()
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Closed(Arc<AtomicBool>);

impl Connection {
    /// A connection from `remote` that was accepted at `local`; `None` for addresses that are no IP addresses.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let host = Arc::new(Host::default());
    /// // On a unix socket neither side has an address.
    /// let connection = Connection::new(host, Scheme::Http, None, None);
    /// assert_eq!((connection.server_name(), connection.server_port()), ("localhost", "80"));
    /// assert_eq!(connection.remote_addr(), None);
    /// ```
    pub fn new(host: Arc<Host>, scheme: Scheme, local: Option<SocketAddr>, remote: Option<SocketAddr>) -> Self {
        let default_port = if scheme == Scheme::Https { 443 } else { 80 };
        Connection {
            host,
            scheme,
            server_name: local.map_or_else(|| "localhost".into(), |local| host_of(local.ip())),
            server_port: local.map_or(default_port, |local| local.port()).to_string(),
            remote_addr: remote.map(|remote| text_of(remote.ip())),
            remote_port: remote.map(|remote| remote.port().to_string()),
            closed: Closed::default(),
            kept: OnceLock::new(),
        }
    }

    /// A connection of which nothing is known but what the request says.
    #[cfg(feature = "tower")]
    pub(crate) fn unknown(host: Arc<Host>, scheme: Scheme, port: Option<u16>) -> Self {
        let connection = Connection::new(host, scheme, None, None);
        match port {
            Some(port) => Connection { server_port: port.to_string(), ..connection },
            None => connection,
        }
    }

    /// The server.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn server_of(environ: &Environ) -> &str {
    ///     &environ.connection().host().software
    /// }
    /// ```
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// The scheme of the URL that the client used.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn start_page(environ: &Environ) -> String {
    ///     format!("{}://{}/", environ.connection().scheme().as_str(), environ.server_name())
    /// }
    /// ```
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The server's address, for requests that name no host: never empty, and IPv6 in brackets.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let host = Arc::new(Host::default());
    /// let connection = Connection::new(host, Scheme::Http, "[::1]:80".parse().ok(), None);
    /// assert_eq!(connection.server_name(), "[::1]");
    /// ```
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// The port that the connection came in by, in digits; on a unix socket the scheme's own.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let host = Arc::new(Host::default());
    /// let connection = Connection::new(host, Scheme::Https, None, None);
    /// assert_eq!(connection.server_port(), "443");
    /// ```
    pub fn server_port(&self) -> &str {
        &self.server_port
    }

    /// The client's address; none on a unix socket.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn client(environ: &Environ) -> &str {
    ///     environ.connection().remote_addr().unwrap_or("a unix socket")
    /// }
    /// ```
    pub fn remote_addr(&self) -> Option<&str> {
        self.remote_addr.as_deref()
    }

    /// The client's port in digits; none on a unix socket.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let host = Arc::new(Host::default());
    /// let connection = Connection::new(host, Scheme::Http, None, "192.0.2.7:5000".parse().ok());
    /// assert_eq!(connection.remote_port(), Some("5000"));
    /// ```
    pub fn remote_port(&self) -> Option<&str> {
        self.remote_port.as_deref()
    }

    /// Whether the connection has ended: nobody is there who would take an answer. A request's future and its body are
    /// dropped when that happens; this is for work that cannot be dropped, or that goes on without them.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let host = Arc::new(Host::default());
    /// let connection = Connection::new(host, Scheme::Http, None, None);
    /// let closed = connection.closed().clone();
    /// assert!(!closed.is_set());
    /// ```
    pub fn closed(&self) -> &Closed {
        &self.closed
    }

    /// For hosts: the connection has ended.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let host = Arc::new(Host::default());
    /// let connection = Connection::new(host, Scheme::Http, None, None);
    /// connection.close();
    /// assert!(connection.closed().is_set());
    /// ```
    pub fn close(&self) {
        self.closed.0.store(true, Relaxed);
    }

    /// For adapters: a value that is made for a connection's first request and is the same for the others. None if another
    /// adapter keeps one already.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// # let host = Arc::new(Host::default());
    /// let connection = Connection::new(host, Scheme::Http, None, None);
    /// assert_eq!(connection.keep(|| 1), Some(&1));
    /// assert_eq!(connection.keep(|| 2), Some(&1));
    /// ```
    pub fn keep<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.kept.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

impl Closed {
    /// Whether it has ended.
    ///
    /// ```
    /// assert!(!gateway_spec::Closed::default().is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

fn host_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(_) => text_of(ip),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// An address as text. The standard library's way takes ten times as long, and each connection has two.
fn text_of(ip: IpAddr) -> String {
    let ip = match ip.to_canonical() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(ip) => return ip.to_string(),
    };
    let mut text = String::with_capacity(15);
    for octet in ip.octets() {
        if !text.is_empty() {
            text.push('.');
        }
        for (digits, unit) in [(100, 100), (10, 10), (0, 1)] {
            if octet >= digits {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
    text
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("software", &self.software)
            .field("multiprocess", &self.multiprocess)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_standard_library_writes_them() {
        for ip in ["0.0.0.0", "127.0.0.1", "1.10.100.255", "209.99.9.90", "2001:db8::1", "::ffff:10.20.30.40"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(text_of(ip), ip.to_canonical().to_string());
        }
    }
}
