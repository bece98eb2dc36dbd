//! Clients that ask all the time, and know what became of each request.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{PATIENCE, wait_until};

/// Each request has a number of its own, which an application may give back in a header of that name.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// How long after a response a connection is used again. A server that drains may close it later than that, and a
/// machine that is busy can keep a client from its next request for so long.
const FRESH: Duration = Duration::from_millis(500);

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    /// How many requests were answered up to now.
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many were answered with 200, completely.
    pub(crate) answered: usize,
    /// All others.
    pub(crate) failed: Vec<Failure>,
}

/// How a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There was no connection to be had.
    Refused,
    /// The connection ended before the first byte of a response.
    Reset,
    /// The connection ended within the response.
    Short,
    /// The response was another than 200.
    Status(String),
    /// The response was that to another request.
    Wrong,
}

/// Whether a client uses its connection again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    Kept,
    New,
}

impl Load {
    /// So many clients of each kind ask for their paths until they are stopped.
    pub(crate) fn start(address: SocketAddr, kinds: &[(&'static str, Connections, usize)]) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let kinds = kinds.iter().flat_map(|&(path, connections, count)| vec![(path, connections); count]);
        let clients = kinds.map(|(path, connections)| {
            let (stop, answered) = (stop.clone(), answered.clone());
            thread::spawn(move || ask(address, path, connections, &stop, &answered))
        });
        Load { clients: clients.collect(), stop, answered }
    }

    /// Waits until so many requests, of all, were answered: a slow machine needs longer for them.
    pub(crate) fn wait_for(&self, answered: usize) {
        wait_until(&format!("{answered} answers"), || self.answered.load(Relaxed) >= answered);
    }

    /// Goes on until so many requests, of all, were answered.
    pub(crate) fn stop_after(self, answered: usize) -> Tally {
        self.wait_for(answered);
        self.stop()
    }

    /// Lets running requests end, and sums up.
    pub(crate) fn stop(self) -> Tally {
        self.stop.store(true, Relaxed);
        let mut sum = Tally::default();
        for client in self.clients {
            let tally = client.join().unwrap();
            sum.answered += tally.answered;
            sum.failed.extend(tally.failed);
        }
        sum
    }
}

impl Tally {
    #[track_caller]
    pub(crate) fn assert_none_failed(&self) {
        eprintln!("{} requests were answered", self.answered);
        assert!(self.failed.is_empty(), "{} failed, and {} not: {:?}", self.failed.len(), self.answered, self.failed);
    }
}

fn ask(address: SocketAddr, path: &str, connections: Connections, stop: &AtomicBool, answered: &AtomicUsize) -> Tally {
    let mut tally = Tally::default();
    let mut kept = None;
    while !stop.load(Relaxed) {
        match exchange(address, path, connections, &mut kept) {
            Ok(()) => {
                tally.answered += 1;
                answered.fetch_add(1, Relaxed);
            }
            Err(failure) => {
                kept = None;
                tally.failed.push(failure);
                // A server that is gone is not to be asked a thousand times a second.
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
    tally
}

fn exchange(
    address: SocketAddr,
    path: &str,
    connections: Connections,
    kept: &mut Option<(TcpStream, Instant)>,
) -> Result<(), Failure> {
    let mut stream = match kept.take() {
        Some((stream, since)) if since.elapsed() < FRESH => stream,
        _ => connect(address)?,
    };
    let close = if connections == Connections::New { "Connection: close\r\n" } else { "" };
    let number = NUMBER.fetch_add(1, Relaxed).to_string();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nX-Number: {number}\r\n{close}\r\n");
    stream.write_all(request.as_bytes()).map_err(|_| Failure::Reset)?;
    let (mut received, mut block) = (Vec::new(), [0; 4096]);
    let head = loop {
        match stream.read(&mut block) {
            Ok(0) | Err(_) if received.is_empty() => return Err(Failure::Reset),
            Ok(0) | Err(_) => return Err(Failure::Short),
            Ok(count) => received.extend_from_slice(&block[..count]),
        }
        let text = String::from_utf8_lossy(&received);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            // Proxies write the names of headers in their own way.
            let head = head.to_ascii_lowercase();
            if body.len() >= header(&head, "content-length").expect("a Content-Length").parse().unwrap() {
                break head;
            }
        }
    };
    if !head.starts_with("http/1.1 200 ") {
        return Err(Failure::Status(head.lines().next().unwrap_or_default().to_owned()));
    }
    if header(&head, "x-number").is_some_and(|other| other != number) {
        return Err(Failure::Wrong);
    }
    if connections == Connections::Kept && !head.contains("connection: close") {
        *kept = Some((stream, Instant::now()));
    }
    Ok(())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused,
        _ => Failure::Reset,
    })?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    Ok(stream)
}
