//! Connections that are kept, over which requests go one at a time, and what drives them.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    mem,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::gateway::NAPS;

pub(crate) fn request(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// A request to the application that sleeps for so many milliseconds.
pub(crate) fn nap(milliseconds: u32) -> Vec<u8> {
    request(&format!("{NAPS}?{}", f64::from(milliseconds) / 1000.0))
}

/// A connection. All responses over it are equally long.
pub(crate) struct Connection {
    socket: TcpStream,
    response: Vec<u8>,
    received: usize,
    is_free: bool,
}

impl Connection {
    /// Connects, and has a first answer, which all others are as long as.
    pub(crate) fn open(address: SocketAddr, request: &[u8]) -> Self {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(request).unwrap();
        let response = first_response(&mut socket);
        socket.set_nonblocking(true).unwrap();
        Connection { socket, response, received: 0, is_free: true }
    }

    pub(crate) fn send(&mut self, request: &[u8]) {
        self.socket.write_all(request).unwrap();
        (self.received, self.is_free) = (0, false);
    }

    /// Whether the answer is there, now for the first time.
    pub(crate) fn poll(&mut self) -> bool {
        if self.is_free {
            return false;
        }
        match self.socket.read(&mut self.response[self.received..]) {
            Ok(0) => panic!("the server has closed a connection"),
            Ok(count) => self.received += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        }
        self.is_free = self.received == self.response.len();
        if self.is_free {
            assert!(self.response.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&self.response));
        }
        self.is_free
    }

    pub(crate) fn exchange(&mut self, request: &[u8]) {
        self.send(request);
        self.wait();
    }

    pub(crate) fn wait(&mut self) {
        while !self.is_free {
            self.poll();
        }
    }

    /// Which of the server's threads has run the callable that answered last.
    pub(crate) fn thread(&self) -> u64 {
        let line = self.response.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
        str::from_utf8(line).unwrap().parse().unwrap()
    }
}

fn first_response(socket: &mut TcpStream) -> Vec<u8> {
    let mut response = vec![];
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        response.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&response).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let at = response.len();
    response.resize(at + length.parse::<usize>().unwrap(), 0);
    socket.read_exact(&mut response[at..]).unwrap();
    response
}

/// When a client sends its next request.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as it has an answer.
    Eager,
    /// Each so often, whether or not there is an answer: a request that has to wait for the one before it is late.
    Every(Duration),
}

struct Client {
    connection: Connection,
    pace: Pace,
    /// When the request that is under way, or else the next one, has to be sent.
    due: Instant,
}

impl Client {
    /// Says how long the answer took that is there now, counted from when it was due; sends what is due.
    fn turn(&mut self, request: impl FnOnce() -> Vec<u8>) -> Option<Duration> {
        let time = self.connection.poll().then(|| {
            let now = Instant::now();
            let due = match self.pace {
                Pace::Eager => now,
                Pace::Every(time) => self.due + time,
            };
            now - mem::replace(&mut self.due, due)
        });
        if self.connection.is_free && Instant::now() >= self.due {
            self.connection.send(&request());
        }
        time
    }
}

/// Which requests sleep.
#[derive(Clone, Copy)]
pub(crate) struct Naps {
    /// Each so many requests there is one that does; none if 0.
    pub(crate) each: usize,
    pub(crate) milliseconds: u32,
}

/// Clients of the application that sleeps.
pub(crate) struct Load {
    clients: Vec<Client>,
    naps: Naps,
    sent: usize,
    pub(crate) answered: usize,
}

impl Load {
    /// Clients that begin one after the other within a time.
    pub(crate) fn new(address: SocketAddr, count: u32, naps: Naps, begin: Duration, pace: Pace) -> Self {
        let client = |place: u32| {
            let connection = Connection::open(address, &request(NAPS));
            Client { connection, pace, due: Instant::now() + begin * place / count }
        };
        Load { clients: (0..count).map(client).collect(), naps, sent: 0, answered: 0 }
    }

    pub(crate) fn turn(&mut self) {
        for client in &mut self.clients {
            let next = || {
                self.sent += 1;
                match self.naps.each > 0 && self.sent.is_multiple_of(self.naps.each) {
                    true => nap(self.naps.milliseconds),
                    false => request(NAPS),
                }
            };
            self.answered += usize::from(client.turn(next).is_some());
        }
    }
}

/// A client whose answers are timed.
pub(crate) struct Neighbour {
    client: Client,
    target: &'static str,
    times: Vec<Duration>,
}

impl Neighbour {
    pub(crate) fn new(address: SocketAddr, target: &'static str, pace: Pace) -> Self {
        let connection = Connection::open(address, &request(target));
        Neighbour { client: Client { connection, pace, due: Instant::now() }, target, times: Vec::new() }
    }

    pub(crate) fn turn(&mut self) {
        self.times.extend(self.client.turn(|| request(self.target)));
    }

    /// The times of all requests, the shortest first.
    pub(crate) fn times(mut self) -> Vec<Duration> {
        self.client.connection.wait();
        self.times.sort();
        self.times
    }
}
