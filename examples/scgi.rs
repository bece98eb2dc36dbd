//! A host on another transport: applications behind a web server that speaks SCGI over a unix socket, such as nginx with
//! `scgi_pass unix:/tmp/app.scgi;` and `include scgi_params;`. `cargo run -p examples --example scgi /tmp/app.scgi`
//!
//! There is no runtime here. Each connection has a thread, which waits for its socket and drives its application.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::SocketAddr,
    os::unix::net::{UnixListener, UnixStream},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use bytes::Bytes;
use gateway_spec::{App, Connection, Environ, Error, Host, Input, Kind, Response, Result, Scheme, StartResponse};
use http_body::{Body, Frame, SizeHint};

async fn hello(environ: Environ, start_response: StartResponse) -> Result<Response> {
    let started = start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(started.body(format!("Hello from {}\n", environ.raw_target())))
}

fn main() -> io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "/tmp/app.scgi".into());
    let (listener, host) = (UnixListener::bind(path)?, Arc::new(Host::default()));
    for socket in listener.incoming() {
        let (socket, host) = (socket?, host.clone());
        thread::spawn(move || answer(socket, &hello, &host));
    }
    Ok(())
}

/// One connection is one request.
pub(crate) fn answer(socket: UnixStream, app: &impl App, host: &Arc<Host>) -> io::Result<()> {
    let mut to_client = io::BufWriter::new(socket.try_clone()?);
    let mut from_client = BufReader::new(socket);
    let variables = read_variables(&mut from_client)?;
    let is_head = variables.get("REQUEST_METHOD").is_some_and(|method| method == "HEAD");
    let answered =
        environ(&variables, from_client, host).and_then(|environ| block_on(app.call(environ, StartResponse::new())));
    let sent = match answered {
        Ok(response) => send(response, is_head, &mut to_client),
        Err(error) => {
            host.error_log.write(&error.chain());
            Ok(write!(to_client, "Status: {}\r\n\r\n", error.kind().status())?)
        }
    };
    match sent {
        Ok(()) => to_client.flush(),
        // Half a response must not look like a whole one. SCGI has no better way than to say nothing more.
        Err(error) => Err(io::Error::other(error)),
    }
}

/// A netstring of names and values, each with a NUL behind it.
fn read_variables(input: &mut impl BufRead) -> io::Result<HashMap<String, String>> {
    let mut length = Vec::new();
    input.take(10).read_until(b':', &mut length)?;
    let digits = length.strip_suffix(b":").and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u16>().ok());
    let mut block = vec![0; usize::from(digits.ok_or(io::ErrorKind::InvalidData)?) + 1];
    input.read_exact(&mut block)?;
    let text = String::from_utf8_lossy(&block);
    let mut fields = text.split('\0').map(str::to_owned);
    Ok(std::iter::from_fn(|| Some((fields.next()?, fields.next()?))).collect())
}

/// A host says what it has parsed; the keys follow from that.
fn environ(variables: &HashMap<String, String>, body: BufReader<UnixStream>, host: &Arc<Host>) -> Result<Environ> {
    let variable = |name: &str| variables.get(name).map(String::as_str);
    let mut request = http::Request::builder()
        .method(variable("REQUEST_METHOD").unwrap_or_default())
        .uri(variable("REQUEST_URI").unwrap_or_default());
    for (name, value) in variables {
        let header = match name.as_str() {
            "CONTENT_TYPE" => "content-type".into(),
            "CONTENT_LENGTH" if value != "0" => "content-length".into(),
            name => match name.strip_prefix("HTTP_") {
                Some(header) => header.replace('_', "-"),
                None => continue,
            },
        };
        request = request.header(header, value);
    }
    let left = variable("CONTENT_LENGTH").and_then(|length| length.parse().ok()).unwrap_or(0);
    let input = if left == 0 { Input::empty() } else { Input::new(Content { body, left }) };
    let malformed = |error| Error::with_kind(Kind::BadRequest, error);
    let (parts, input) = request.body(input).map_err(malformed)?.into_parts();
    let scheme = if variable("HTTPS") == Some("on") { Scheme::Https } else { Scheme::Http };
    let address =
        |ip: &str, port: &str| Some(SocketAddr::new(variable(ip)?.parse().ok()?, variable(port)?.parse().ok()?));
    let connection = Connection::new(
        host.clone(),
        scheme,
        address("SERVER_ADDR", "SERVER_PORT"),
        address("REMOTE_ADDR", "REMOTE_PORT"),
    );
    let mut environ = Environ::new(parts, input, Arc::new(connection));
    environ.mount(variable("SCRIPT_NAME").unwrap_or_default());
    Ok(environ)
}

/// A request's body. Waiting for it blocks, as it may on a thread of its own.
struct Content {
    body: BufReader<UnixStream>,
    left: u64,
}

impl Body for Content {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let block = match this.body.fill_buf() {
            _ if this.left == 0 => return Poll::Ready(None),
            // A body that breaks off is an error and no end.
            Ok([]) => return Poll::Ready(Some(Err(Kind::Disconnected.into()))),
            Ok(block) => {
                Bytes::copy_from_slice(&block[..block.len().min(usize::try_from(this.left).unwrap_or(usize::MAX))])
            }
            Err(error) => return Poll::Ready(Some(Err(Error::with_kind(Kind::Disconnected, error)))),
        };
        this.body.consume(block.len());
        this.left -= block.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(block))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Each block is sent before the next is asked for. Returning early drops the body, which is its `close()`.
fn send(response: Response, is_head: bool, to_client: &mut impl Write) -> Result<()> {
    let (status, headers, mut body) = response.into_parts();
    let reason = status
        .reason()
        .map_or(status.code().canonical_reason().unwrap_or_default().as_bytes(), |reason| reason.as_bytes());
    write!(to_client, "Status: {} {}\r\n", status.code().as_str(), String::from_utf8_lossy(reason))?;
    for (name, value) in headers.iter().filter(|(name, _)| !gateway_spec::is_hop_by_hop(name)) {
        to_client.write_all(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat())?;
    }
    to_client.write_all(b"\r\n")?;
    while !is_head && let Some(frame) = block_on(std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx))) {
        if let Ok(block) = frame?.into_data() {
            to_client.write_all(&block)?;
            to_client.flush()?;
        }
    }
    Ok(())
}

/// The smallest runtime: this thread sleeps until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
