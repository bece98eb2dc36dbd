//! An HTTP/1.1 client that sends exactly what it is told to, and knows a truncated response from a complete one.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

use super::PATIENCE;

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    /// What has been received and not looked at.
    buffer: Vec<u8>,
}

/// What was received for one request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

/// How a response's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As its framing says, by Content-Length, by the last chunk, or because there is none.
    Complete,
    /// By the end of the connection, as a response without framing has to.
    Closed,
    /// Before its framing says, or by a reset.
    Truncated,
}

enum Framing {
    None,
    Length(u64),
    Chunked,
    Close,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, buffer: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends although the server may have hung up.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends FIN.
    pub(crate) fn finish(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// The same connection for another thread to send on.
    pub(crate) fn sender(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// The next response to anything but HEAD. An interim response counts.
    pub(crate) fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    pub(crate) fn response_to(&mut self, method: &str) -> Response {
        let mut response = self.head();
        let mut body = Vec::new();
        response.end = self.body(&response, method, |block| body.extend_from_slice(block));
        response.body = body;
        response
    }

    /// The head of the next response; its body is still to come.
    pub(crate) fn head(&mut self) -> Response {
        self.try_head().unwrap_or_else(|| panic!("no response, but {:?}", String::from_utf8_lossy(&self.buffer)))
    }

    /// The head of the next response, if there is another.
    pub(crate) fn try_head(&mut self) -> Option<Response> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if !self.receive() {
                return None;
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        Some(parse(&head[..end]))
    }

    /// Receives the body that belongs to `head` block by block.
    pub(crate) fn body(&mut self, head: &Response, method: &str, mut sink: impl FnMut(&[u8])) -> End {
        match head.framing(method) {
            Framing::None => End::Complete,
            Framing::Length(length) => self.exactly(length, &mut sink),
            Framing::Chunked => self.chunks(&mut sink),
            Framing::Close => loop {
                sink(&std::mem::take(&mut self.buffer));
                match self.try_receive() {
                    Ok(true) => {}
                    Ok(false) => return End::Closed,
                    Err(()) => return End::Truncated,
                }
            },
        }
    }

    /// Receives at least one more byte of a body without looking at its framing.
    pub(crate) fn some(&mut self) -> Vec<u8> {
        if self.buffer.is_empty() {
            assert!(self.receive(), "the connection ended");
        }
        std::mem::take(&mut self.buffer)
    }

    /// Waits for the connection's end and gives what came before.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.receive() {}
        std::mem::take(&mut self.buffer)
    }

    /// Waits until the server has closed the connection without another byte.
    pub(crate) fn closed(&mut self) -> bool {
        self.rest().is_empty()
    }

    fn exactly(&mut self, mut length: u64, sink: &mut impl FnMut(&[u8])) -> End {
        while length > 0 {
            if self.buffer.is_empty() && !self.receive() {
                return End::Truncated;
            }
            let count = length.min(self.buffer.len() as u64) as usize;
            sink(&self.buffer[..count]);
            self.buffer.drain(..count);
            length -= count as u64;
        }
        End::Complete
    }

    fn chunks(&mut self, sink: &mut impl FnMut(&[u8])) -> End {
        loop {
            let Some(line) = self.line() else { return End::Truncated };
            let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
            let size = u64::from_str_radix(&String::from_utf8_lossy(size), 16).expect("a chunk's size");
            if size == 0 {
                // Trailers, if any, end with an empty line.
                loop {
                    match self.line() {
                        Some(line) if line.is_empty() => return End::Complete,
                        Some(_) => {}
                        None => return End::Truncated,
                    }
                }
            }
            if self.exactly(size, sink) == End::Truncated || self.line().is_none() {
                return End::Truncated;
            }
        }
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let mut line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                line.truncate(end);
                return Some(line);
            }
            if !self.receive() {
                return None;
            }
        }
    }

    /// Receives more; false at the connection's end, a reset included.
    fn receive(&mut self) -> bool {
        self.try_receive() == Ok(true)
    }

    /// Receives more; `Ok(false)` at a FIN, `Err` at a reset.
    fn try_receive(&mut self) -> Result<bool, ()> {
        let length = self.buffer.len();
        self.buffer.resize(length + 256 * 1024, 0);
        let received = self.stream.read(&mut self.buffer[length..]);
        self.buffer.truncate(length + received.as_ref().copied().unwrap_or(0));
        match received {
            Ok(count) => Ok(count > 0),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the server is silent; before that: {:?}", String::from_utf8_lossy(&self.buffer))
            }
            Err(_) => Err(()),
        }
    }
}

impl Response {
    /// A header's value as text, latin-1; several are joined by `|`, which shows that they were several.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let latin1 = |value: &Vec<u8>| value.iter().map(|&byte| byte as char).collect::<String>();
        let named = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let values: Vec<String> = named.map(|(_, value)| latin1(value)).collect();
        (!values.is_empty()).then(|| values.join("|"))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Asserts that this is a complete response with this status and text.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16, text: &str) {
        assert_eq!((self.status, self.text().as_str()), (status, text));
        assert_ne!(self.end, End::Truncated, "{self:?}");
    }

    /// Asserts that this is a complete response with this status and body.
    #[track_caller]
    pub(crate) fn expect_body(&self, status: u16, body: &[u8]) {
        assert_eq!(self.status, status);
        assert!(self.body == body, "the body of {} bytes is another: {} bytes", body.len(), self.body.len());
        assert_ne!(self.end, End::Truncated);
    }

    fn framing(&self, method: &str) -> Framing {
        let coding = self.header("transfer-encoding");
        let length = self.header("content-length");
        match (self.status, coding, length) {
            (100..200 | 204 | 304, ..) => Framing::None,
            _ if method == "HEAD" => Framing::None,
            (_, Some(coding), None) if coding == "chunked" => Framing::Chunked,
            (_, None, Some(length)) => Framing::Length(length.parse().expect("one Content-Length")),
            (_, None, None) => Framing::Close,
            (_, coding, length) => panic!("Transfer-Encoding {coding:?} and Content-Length {length:?}"),
        }
    }
}

fn parse(head: &[u8]) -> Response {
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let status = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut words = status.splitn(3, ' ').skip_while(|word| ["HTTP/1.0", "HTTP/1.1"].contains(word));
    let code = words.next().and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("a status line: {status:?}"));
    let reason = words.next().unwrap_or_default().to_owned();
    let headers = lines.map(|line| {
        let colon = line.iter().position(|&byte| byte == b':').expect("a colon in a header");
        (String::from_utf8_lossy(&line[..colon]).into_owned(), line[colon + 1..].trim_ascii().to_owned())
    });
    Response { status: code, reason, headers: headers.collect(), body: Vec::new(), end: End::Truncated }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
