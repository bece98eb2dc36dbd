//! Servers, ours and axum's, and a client that sees the bytes.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use axum::Router;
use gateway_spec::{App, Environ, ErrorLog, Host, LogSink, Response, Result, StartResponse};
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot};

/// No test waits longer than this for something that must happen.
pub(crate) const BOUND: Duration = Duration::from_secs(120);

/// A server that ends with this value.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Ours, with `app`.
    pub(crate) fn app(app: impl App) -> Self {
        let server = reference_server::Server::builder().bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serve = async move { server.serve_until(app, async { drop(stopped.await) }).await.unwrap() };
        let thread = thread::spawn(move || Runtime::new().unwrap().block_on(serve));
        Running { address, stop: Some(stop), thread: Some(thread) }
    }

    /// axum's, with `router`.
    pub(crate) fn axum(router: Router) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let serve = async move {
            tokio::select! {
                served = async { axum::serve(listener, service).await } => served.unwrap(),
                _ = stopped => {}
            }
        };
        let thread = thread::spawn(move || runtime.block_on(serve));
        Running { address, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        socket
    }

    /// Everything that the server sends for these bytes, to its end. An end by a reset is marked.
    pub(crate) fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut socket = self.connect();
        socket.write_all(request.as_ref()).unwrap();
        read_all(socket)
    }

    /// The same for a body that breaks off.
    pub(crate) fn exchange_and_leave(&self, request: &str) -> String {
        let mut socket = self.connect();
        socket.write_all(request.as_bytes()).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        read_all(socket)
    }

    pub(crate) fn get(&self, target: &str) -> String {
        self.exchange(format!("GET {target} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "the server panicked");
    }
}

fn read_all(mut socket: TcpStream) -> String {
    let mut bytes = Vec::new();
    let ended = socket.read_to_end(&mut bytes);
    let mut text = bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
    if let Err(error) = ended {
        text.push_str(&format!("<{:?}>", error.kind()));
    }
    text
}

/// What follows the head.
pub(crate) fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {response:?}")).1
}

pub(crate) fn status(response: &str) -> &str {
    response.lines().next().unwrap_or_default()
}

pub(crate) fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let head = response.split("\r\n\r\n").next().unwrap_or_default();
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Lists the whole environ, then the body.
pub(crate) async fn environ(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    let mut lines = Vec::new();
    let mut scratch = String::new();
    environ.visit(|key, value| lines.push(format!("{}={}\n", key.write(&mut scratch), value.escape_ascii())));
    lines.sort();
    let body = environ.take_input().read_all(1 << 20).await?;
    lines.push(format!("body={}\n", body.escape_ascii()));
    Ok(start_response.start(200, [("content-type", "text/plain")])?.body(lines.concat()))
}

/// A value of an environ that was listed.
pub(crate) fn listed<'a>(response: &'a str, key: &str) -> Option<&'a str> {
    let mut pairs = body(response).lines().filter_map(|line| line.split_once('='));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// Waits for what must become true.
pub(crate) fn wait_until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + BOUND;
    while !is() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        thread::sleep(Duration::from_millis(5));
    }
}

/// An error log to look into.
#[derive(Clone, Default)]
pub(crate) struct Lines(pub(crate) Arc<Mutex<Vec<String>>>);

impl LogSink for Lines {
    fn line(&self, line: &str) {
        self.0.lock().unwrap().push(line.into());
    }
}

impl Lines {
    pub(crate) fn host(&self) -> Arc<Host> {
        Arc::new(Host { error_log: ErrorLog::new(self.clone()), ..Host::default() })
    }

    pub(crate) fn all(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}
