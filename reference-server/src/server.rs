//! A server: a listener, and what all its connections share.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use gateway_spec::{
    App, Connection, ErrorLog, Host, LogSink, Scheme,
    blocking::{Blocking, Threads},
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};

use crate::{
    AccessLog, Error, Limits,
    connection::{self, Service},
    scoreboard::Scoreboard,
    watch::Registry,
};

/// How many connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 2048;

/// Serves `app` at `address` until the process is told to end by SIGTERM or SIGINT; then running requests are finished.
///
/// ```no_run
/// # use gateway_spec::{Environ, Response, Result, StartResponse};
/// async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
///     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), reference_server::Error> {
///     reference_server::serve("127.0.0.1:8000", hello).await
/// }
/// ```
///
/// # Errors
/// [`Error::Address`] if the address cannot be listened on.
pub async fn serve(address: impl fmt::Display, app: impl App) -> Result<(), Error> {
    Server::builder().bind(address)?.serve(app).await
}

/// Settings of a [`Server`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is bound"]
pub struct Builder {
    limits: Limits,
    access_log: Option<Arc<AccessLog>>,
    scoreboard: Option<Scoreboard>,
    host: Host,
}

impl Builder {
    /// Limits and times.
    pub fn limits(self, limits: Limits) -> Self {
        Builder { limits, ..self }
    }

    /// Logs each request.
    pub fn access_log(self, log: Arc<AccessLog>) -> Self {
        Builder { access_log: Some(log), ..self }
    }

    /// Publishes the server's state, for another process to watch over it. The server must run on the
    /// [`Runtime`](crate::Runtime) that the scoreboard was made for.
    pub fn scoreboard(self, scoreboard: Scoreboard) -> Self {
        Builder { scoreboard: Some(scoreboard), ..self }
    }

    /// Where blocking jobs run: a [`Runtime`](crate::Runtime)'s way, or else a pool of 32 threads.
    pub fn blocking(mut self, blocking: Arc<dyn Blocking>) -> Self {
        self.host.blocking = blocking;
        self
    }

    /// Listens on `address`, `HOST:PORT`. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`Error::Address`] if there is no such address, or it is taken.
    pub fn bind(self, address: impl fmt::Display) -> Result<Server, Error> {
        let address = address.to_string();
        match listen(&address) {
            Ok(listener) => Ok(Server { listener, settings: self }),
            Err(source) => Err(Error::Address { address, source }),
        }
    }
}

fn listen(address: &str) -> io::Result<std::net::TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in address.to_socket_addrs()? {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_at(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    // A restart must not wait for the connections of the last run to time out.
    socket.set_reuse_address(true)?;
    // Connections inherit this. Answers are written whole, so nothing is gained by waiting for more.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A server that listens and does not serve yet: connections wait in the kernel's backlog.
#[derive(Debug)]
pub struct Server {
    listener: std::net::TcpListener,
    settings: Builder,
}

impl Server {
    /// Settings to begin with: the default [`Limits`], no access log, a pool for blocking jobs, and errors to `tracing`.
    pub fn builder() -> Builder {
        let host =
            Host { error_log: ErrorLog::new(Tracing), blocking: Arc::new(Threads::new(32, 1024)), ..Host::default() };
        Builder { limits: Limits::default(), access_log: None, scoreboard: None, host }
    }

    /// The address that is listened on.
    ///
    /// # Errors
    /// What the system reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves `app` until SIGTERM or SIGINT, then finishes running requests.
    ///
    /// # Errors
    /// [`Error::Runtime`] if signals or the listener cannot be watched.
    pub async fn serve(self, app: impl App) -> Result<(), Error> {
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
        self.serve_until(app, async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await
    }

    /// Serves `app` until `shutdown` is ready. Then nothing is accepted any more, idle connections are closed, and
    /// running requests are finished or, after [`Limits::graceful_time`], cut off.
    ///
    /// # Errors
    /// [`Error::Runtime`] if the listener cannot be watched.
    pub async fn serve_until(self, app: impl App, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let Server { listener, settings: Builder { limits, access_log, scoreboard, host } } = self;
        let listener = TcpListener::from_std(listener).map_err(Error::Runtime)?;
        let registry = Registry::new(scoreboard.as_ref().map_or(0, Scoreboard::mounts));
        let publishing = scoreboard.map(|scoreboard| scoreboard.publish(registry.clone()));
        let _publishing = publishing.transpose().map_err(Error::Runtime)?;
        let graceful_time = limits.graceful_time;
        let service = Arc::new(Service { app, limits, access_log });
        let host = Arc::new(host);
        let sweep = registry.sweep(&service.limits);
        let serving = async {
            tokio::select! {
                () = accept(&listener, &service, &host, &registry) => {}
                () = shutdown => {}
            }
            drop(listener);
            registry.drain();
            if timeout(graceful_time, registry.below(1)).await.is_err() {
                tracing::warn!("{} connections were cut off at the shutdown's deadline", registry.count());
                registry.abort();
                // Their tasks end as soon as they are polled; one that does not is held up by its application.
                let _ = timeout(Duration::from_secs(1), registry.below(1)).await;
            }
        };
        tokio::select! {
            () = sweep => {}
            () = serving => {}
        }
        Ok(())
    }
}

/// Accepts connections for ever.
async fn accept<A: App>(listener: &TcpListener, service: &Arc<Service<A>>, host: &Arc<Host>, registry: &Arc<Registry>) {
    let local = listener.local_addr().ok().filter(|local| !local.ip().is_unspecified());
    let mut pause = Duration::from_millis(10);
    loop {
        registry.below(service.limits.connections).await;
        match listener.accept().await {
            Ok((socket, remote)) => {
                pause = Duration::from_millis(10);
                spawn(socket, local, remote, service, host, registry);
            }
            // The client gave up while it waited: that is no trouble of ours.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // Out of descriptors or memory: others may give some back.
            Err(error) => {
                tracing::error!("cannot accept connections: {error}");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

fn spawn<A: App>(
    socket: TcpStream,
    local: Option<SocketAddr>,
    remote: SocketAddr,
    service: &Arc<Service<A>>,
    host: &Arc<Host>,
    registry: &Arc<Registry>,
) {
    // A listener on one address needs not ask each connection for it.
    let local = local.or_else(|| socket.local_addr().ok());
    let connection = Connection::new(host.clone(), Scheme::Http, local, Some(remote));
    tokio::spawn(connection::serve(socket, service.clone(), connection, registry.register()));
}

/// Applications' logs go where the server's own go.
struct Tracing;

impl LogSink for Tracing {
    fn line(&self, line: &str) {
        // What clients have sent may stand in a line, and must not look like another, or command a terminal.
        let mut printable = String::with_capacity(line.len());
        for character in line.chars() {
            match character.is_control() && character != '\t' {
                true => printable.extend(character.escape_default()),
                false => printable.push(character),
            }
        }
        tracing::error!(target: "app", "{printable}");
    }
}
