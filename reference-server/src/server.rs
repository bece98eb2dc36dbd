//! A server: a listener, and what all its connections share.

use std::{fmt, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use gateway_spec::{
    App, Connection, ErrorLog, Host, LogSink, Scheme,
    blocking::{Blocking, Threads},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    AccessLog, Balance, Error, Limits, Listener,
    connection::{self, Service},
    countdown::Countdown,
    listener::{Accepted, Accepting},
    scoreboard::Scoreboard,
    watch::Registry,
};

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
    balance: Option<Balance>,
    countdown: Option<Countdown>,
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

    /// Shares connections equally with other processes that accept from the same listeners.
    pub fn balance(self, balance: Balance) -> Self {
        Builder { balance: Some(balance), ..self }
    }

    /// Calls `reached` when the request of this number begins: for a process that is to be replaced then. It serves on.
    pub fn after_requests(self, count: u64, reached: impl Fn() + Send + Sync + 'static) -> Self {
        Builder { countdown: Some(Countdown::new(count, reached)), ..self }
    }

    /// Whether other processes serve the same application meanwhile: what it is told as `wsgi.multiprocess`.
    pub fn multiprocess(mut self, multiprocess: bool) -> Self {
        self.host.multiprocess = multiprocess;
        self
    }

    /// Listens on `address`, `HOST:PORT` or `unix:PATH`. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`Error::Address`] if there is no such address, or it is taken.
    pub fn bind(self, address: impl fmt::Display) -> Result<Server, Error> {
        Listener::bind(address).map(|listener| self.listen([listener]))
    }

    /// Takes the connections of all of these.
    pub fn listen(self, listeners: impl IntoIterator<Item = Listener>) -> Server {
        Server { listeners: listeners.into_iter().collect(), settings: self }
    }
}

/// A server that listens and does not serve yet: connections wait in the kernel's backlog.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    settings: Builder,
}

impl Server {
    /// Settings to begin with: the default [`Limits`], no access log, a pool for blocking jobs, and errors to `tracing`.
    pub fn builder() -> Builder {
        let host =
            Host { error_log: ErrorLog::new(Tracing), blocking: Arc::new(Threads::new(32, 1024)), ..Host::default() };
        Builder { limits: Limits::default(), access_log: None, balance: None, countdown: None, scoreboard: None, host }
    }

    /// The TCP address that is listened on, the first if there are several.
    ///
    /// # Errors
    /// If there is none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let mut addresses = self.listeners.iter().filter_map(Listener::local_addr);
        addresses.next().ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "there is no TCP port"))
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

    /// Serves `app` until `shutdown` is ready. Then what waits in the backlog is accepted, and nothing after that; each
    /// response says `Connection: close`, connections that have idled for [`Limits::drain_idle_time`] are closed, and
    /// running requests are finished or, after [`Limits::graceful_time`], cut off.
    ///
    /// # Errors
    /// [`Error::Runtime`] if a listener cannot be watched.
    pub async fn serve_until(self, app: impl App, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let Server { listeners, settings: Builder { limits, access_log, balance, countdown, scoreboard, host } } = self;
        let registry = Registry::new(scoreboard.as_ref().map_or(0, Scoreboard::mounts));
        let publishing = scoreboard.map(|scoreboard| scoreboard.publish(registry.clone()));
        let _publishing = publishing.transpose().map_err(Error::Runtime)?;
        let graceful_time = limits.graceful_time;
        let shared = Arc::new(Shared {
            service: Arc::new(Service { app, limits, access_log, countdown }),
            host: Arc::new(host),
            registry,
            balance,
        });
        let (stop, stopped) = watch::channel(());
        let mut acceptors = JoinSet::new();
        for listener in listeners {
            acceptors.spawn(accept(listener.accepting().map_err(Error::Runtime)?, shared.clone(), stopped.clone()));
        }
        if let Some(balance) = &shared.balance {
            balance.note(0);
        }
        let registry = &shared.registry;
        let serving = async {
            shutdown.await;
            registry.drain();
            if let Some(balance) = &shared.balance {
                balance.leave();
            }
            drop(stop);
            let finished = async {
                acceptors.join_all().await;
                registry.below(1).await;
            };
            if timeout(graceful_time, finished).await.is_err() {
                tracing::warn!("{} connections were cut off at the shutdown's deadline", registry.count());
                registry.abort();
                // Their tasks end as soon as they are polled; one that does not is held up by its application.
                let _ = timeout(Duration::from_secs(1), registry.below(1)).await;
            }
        };
        tokio::select! {
            () = registry.sweep(&shared.service.limits) => {}
            () = serving => {}
        }
        Ok(())
    }
}

/// What the connections of a server have in common.
struct Shared<A> {
    service: Arc<Service<A>>,
    host: Arc<Host>,
    registry: Arc<Registry>,
    balance: Option<Balance>,
}

/// How long a server that ends waits for the first bytes of connections that were made before; and how long at most, until
/// the kernel has shown those on which nothing was said.
const ON_THE_WAY: Duration = Duration::from_millis(50);
const KEPT_BACK: Duration = Duration::from_millis(1500);

/// Accepts connections until `stopped` is closed, and then those that wait already: whoever was let into the backlog is
/// served.
async fn accept<A: App>(listener: Accepting, shared: Arc<Shared<A>>, mut stopped: watch::Receiver<()>) {
    let mut pause = Duration::from_millis(10);
    let mut stopping = pin!(stopped.changed());
    let mut idle = None;
    loop {
        tokio::select! {
            biased;
            _ = &mut stopping => break,
            () = shared.turn(&listener, &mut idle) => {}
        }
        match listener.accept() {
            Ok(accepted) => {
                pause = Duration::from_millis(10);
                shared.spawn(accepted);
            }
            // Another process was quicker, or the client gave up while it waited: that is no trouble of ours.
            Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::ConnectionAborted].contains(&error.kind()) => {}
            // Out of descriptors or memory: others may give some back.
            Err(error) => {
                tracing::error!("cannot accept connections: {error}");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
    let begin = Instant::now();
    loop {
        // A request may be on its way over a connection that the kernel has not shown yet.
        sleep(ON_THE_WAY).await;
        // What is shown between the question and the answer is accepted still.
        let keeps_back = listener.keeps_back();
        while shared.registry.count() < shared.service.limits.connections
            && let Ok(accepted) = listener.accept_unasked()
        {
            shared.spawn(accepted);
        }
        if begin.elapsed() > KEPT_BACK || !keeps_back {
            break;
        }
    }
}

impl<A: App> Shared<A> {
    /// Waits until a connection waits that this process may take.
    async fn turn(&self, listener: &Accepting, idle: &mut Option<(usize, u32)>) {
        self.registry.below(self.service.limits.connections).await;
        // An error comes again with the attempt to accept.
        let _ = listener.ready().await;
        if let Some(balance) = &self.balance {
            balance.give_way(self.connections(), idle).await;
        }
    }

    fn connections(&self) -> u32 {
        u32::try_from(self.registry.count()).unwrap_or(u32::MAX - 1)
    }

    fn spawn(&self, Accepted { socket, local, remote }: Accepted) {
        let connection = Connection::new(self.host.clone(), Scheme::Http, local, remote);
        let serving = connection::serve(socket, self.service.clone(), connection, self.registry.register());
        // A task moves its future when it begins and when it ends, and this one has kilobytes.
        tokio::spawn(Box::pin(serving));
        if let Some(balance) = &self.balance {
            balance.note(self.connections());
        }
    }
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
