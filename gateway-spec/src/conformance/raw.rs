//! An HTTP/1.1 client that sends exactly what it is told to, and knows a truncated response from a complete one.
//!
//! Nothing here trusts the server: every wait has a bound, and what cannot be understood is a finding, never a panic.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::{Miss, wrong};

/// How long a server may be silent where it has something to say.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What is received at most for one response: a server that never ends has failed as well.
const LIMIT: usize = 64 << 20;

/// A connection.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: TcpStream,
    /// What has been received and not looked at.
    buffer: Vec<u8>,
}

/// What was received for one request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// The head as it came, without the empty line.
    pub(crate) head: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

/// How a response's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As its framing says: by Content-Length, by the last chunk, or because there is none.
    Complete,
    /// By the end of the connection, as a response without framing has to.
    Closed,
    /// Before its framing says, or by a reset.
    Truncated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
    Close,
}

/// What one look at the socket came to.
#[derive(PartialEq)]
enum Received {
    Bytes,
    Fin,
    Reset,
    Silence,
}

impl Conn {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Miss> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .and_then(|stream| stream.set_write_timeout(Some(PATIENCE)).map(|()| stream))
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        match stream {
            Ok(stream) => Ok(Conn { stream, buffer: Vec::new() }),
            Err(error) => wrong(format!("no connection: {error}")),
        }
    }

    pub(crate) fn local_addr(&self) -> Result<SocketAddr, Miss> {
        self.stream.local_addr().or_else(|error| wrong(format!("no address of our own: {error}")))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<&mut Self, Miss> {
        match self.stream.write_all(bytes.as_ref()) {
            Ok(()) => Ok(self),
            Err(error) => wrong(format!("the request could not be sent: {error}")),
        }
    }

    /// Sends although the server may have hung up, or takes no more.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends FIN.
    pub(crate) fn finish(&mut self) {
        // A connection that is gone already needs none.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next response, whole.
    pub(crate) fn response(&mut self, method: &str) -> Result<Response, Miss> {
        let mut response = self.head()?;
        let framing = response.framing(method)?;
        let mut body = Vec::new();
        response.end = self.body(framing, &mut body)?;
        response.body = body;
        Ok(response)
    }

    /// The head of the next response; its body is still to come.
    pub(crate) fn head(&mut self) -> Result<Response, Miss> {
        match self.next_head()? {
            Some(head) => Ok(head),
            None => wrong(format!("the connection ended without a response{}", self.so_far())),
        }
    }

    /// The head of the next response; none if the connection ends instead.
    pub(crate) fn next_head(&mut self) -> Result<Option<Response>, Miss> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return Response::parse(head[..end].to_vec()).map(Some);
            }
            match self.receive(PATIENCE) {
                Received::Bytes => {}
                Received::Silence => return wrong(format!("no response within {PATIENCE:?}{}", self.so_far())),
                Received::Fin | Received::Reset => return Ok(None),
            }
        }
    }

    /// Receives a body into `body` as its framing says.
    pub(crate) fn body(&mut self, framing: Framing, body: &mut Vec<u8>) -> Result<End, Miss> {
        match framing {
            Framing::None => Ok(End::Complete),
            Framing::Length(length) => self.exactly(length, body),
            Framing::Chunked => self.chunks(body),
            Framing::Close => loop {
                body.append(&mut self.buffer);
                match self.receive(PATIENCE) {
                    Received::Bytes if body.len() <= LIMIT => {}
                    Received::Fin => return Ok(End::Closed),
                    Received::Reset => return Ok(End::Truncated),
                    _ => return wrong(format!("the response neither goes on nor ends after {} bytes", body.len())),
                }
            },
        }
    }

    /// Waits until `text` is among what is received, whatever its framing; false if `within` passes before.
    pub(crate) fn sees(&mut self, text: &[u8], within: Duration) -> bool {
        let end = Instant::now() + within;
        while find(&self.buffer, text).is_none() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.receive(left) != Received::Bytes {
                return false;
            }
        }
        true
    }

    /// What has been received of a body, with its framing.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// Whether nothing is received and nothing ends for so long.
    pub(crate) fn is_silent(&mut self, time: Duration) -> bool {
        self.buffer.is_empty() && self.receive(time) == Received::Silence
    }

    /// Waits for the connection's end and gives what came before; a server that does not close is a finding.
    pub(crate) fn rest(&mut self) -> Result<Vec<u8>, Miss> {
        loop {
            match self.receive(PATIENCE) {
                Received::Bytes if self.buffer.len() <= LIMIT => {}
                Received::Fin | Received::Reset => return Ok(std::mem::take(&mut self.buffer)),
                _ => return wrong(format!("the connection stays open{}", self.so_far())),
            }
        }
    }

    fn exactly(&mut self, mut length: u64, body: &mut Vec<u8>) -> Result<End, Miss> {
        while length > 0 {
            if self.buffer.is_empty() {
                match self.receive(PATIENCE) {
                    Received::Bytes => {}
                    Received::Fin | Received::Reset => return Ok(End::Truncated),
                    Received::Silence => return wrong(format!("{length} bytes of the body never come")),
                }
            }
            let count = usize::try_from(length).unwrap_or(usize::MAX).min(self.buffer.len());
            body.extend(self.buffer.drain(..count));
            length -= count as u64;
            if body.len() > LIMIT {
                return wrong("the body has no end".to_owned());
            }
        }
        Ok(End::Complete)
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Result<End, Miss> {
        loop {
            let Some(line) = self.line()? else { return Ok(End::Truncated) };
            let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
            match size {
                None => return wrong(format!("{} stands where a chunk's size should", quote(&line))),
                Some(0) => return self.trailers(),
                Some(size) => {
                    if self.exactly(size, body)? == End::Truncated || self.line()?.is_none() {
                        return Ok(End::Truncated);
                    }
                }
            }
        }
    }

    /// Trailers, if any, end with an empty line.
    fn trailers(&mut self) -> Result<End, Miss> {
        loop {
            match self.line()? {
                Some(line) if line.is_empty() => return Ok(End::Complete),
                Some(_) => {}
                None => return Ok(End::Truncated),
            }
        }
    }

    /// The next line, without its end; none if the connection ends before.
    fn line(&mut self) -> Result<Option<Vec<u8>>, Miss> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let mut line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                line.truncate(end);
                return Ok(Some(line));
            }
            match self.receive(PATIENCE) {
                Received::Bytes => {}
                Received::Fin | Received::Reset => return Ok(None),
                Received::Silence => return wrong(format!("a chunked body neither goes on nor ends{}", self.so_far())),
            }
        }
    }

    fn receive(&mut self, patience: Duration) -> Received {
        // Refused for no time at all only.
        let _ = self.stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))));
        let mut block = [0; 64 * 1024];
        match self.stream.read(&mut block) {
            Ok(0) => Received::Fin,
            Ok(count) => {
                self.buffer.extend_from_slice(&block[..count]);
                Received::Bytes
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Received::Silence,
            Err(_) => Received::Reset,
        }
    }

    fn so_far(&self) -> String {
        if self.buffer.is_empty() { String::new() } else { format!(", but {}", quote(&self.buffer)) }
    }
}

impl Response {
    fn parse(head: Vec<u8>) -> Result<Self, Miss> {
        let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.next().unwrap_or_default();
        let status = first.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(1..)).and_then(status_of);
        let Some((status, reason)) = status else { return wrong(format!("{} is no status line", quote(first))) };
        let mut headers = Vec::new();
        for line in lines {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else {
                return wrong(format!("{} in the head is no header", quote(line)));
            };
            headers.push((line[..colon].to_vec(), line[colon + 1..].trim_ascii().to_vec()));
        }
        Ok(Response { status, reason, headers, body: Vec::new(), end: End::Truncated, head })
    }

    /// The values of a header, as bytes.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// The only value of a header, as text: none if there is none, or several.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        match self.values(name)[..] {
            [value] => Some(String::from_utf8_lossy(value).into_owned()),
            _ => None,
        }
    }

    pub(crate) fn framing(&self, method: &str) -> Result<Framing, Miss> {
        let (codings, lengths) = (self.values("transfer-encoding"), self.values("content-length"));
        if method == "HEAD" || matches!(self.status, 100..200 | 204 | 304) {
            return Ok(Framing::None);
        }
        match (&codings[..], &lengths[..]) {
            ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            ([], [length]) => match std::str::from_utf8(length).ok().and_then(|length| length.parse().ok()) {
                Some(length) => Ok(Framing::Length(length)),
                None => wrong(format!("the response's Content-Length is {}", quote(length))),
            },
            ([], []) => Ok(Framing::Close),
            _ => wrong(format!("the response's framing is ambiguous: {}", quote(&self.head))),
        }
    }

    /// The response in a few words, for a reason.
    pub(crate) fn told(&self) -> String {
        let end = match self.end {
            End::Complete => "",
            End::Closed => ", ended by the connection",
            End::Truncated => ", truncated",
        };
        format!("{} {} with {}{end}", self.status, self.reason, quote(&self.body))
    }
}

/// ` 200 OK`, behind the version.
fn status_of(text: &[u8]) -> Option<(u16, String)> {
    let text = text.strip_prefix(b" ")?;
    let digits = text.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let reason = match text.get(3..)? {
        [] => "",
        rest => &String::from_utf8_lossy(rest.strip_prefix(b" ")?),
    };
    Some((status, reason.to_owned()))
}

/// Bytes as they are shown: printable, and not too many.
pub(crate) fn quote(bytes: &[u8]) -> String {
    const SHOWN: usize = 160;
    match bytes {
        [] => "nothing".to_owned(),
        _ if bytes.len() > SHOWN => {
            format!("\"{}\"… ({} bytes)", bytes[..SHOWN].escape_ascii(), bytes.len())
        }
        _ => format!("\"{}\"", bytes.escape_ascii()),
    }
}

pub(crate) fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
