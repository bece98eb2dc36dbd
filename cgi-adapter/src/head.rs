//! The header block that a program's output begins with (RFC 3875, section 6), read without any I/O.
//!
//! It is strict where leniency is dangerous and lenient where real programs need it: Python's cgitb prints `<!--: spam`
//! to rescue a traceback, so a field whose name is no token is dropped and reported.

use std::{fmt, mem};

use bytes::{Buf, Bytes, BytesMut};
use gateway_spec::{IntoStatus, Status, is_hop_by_hop};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// The longest line, without its line feed.
const LINE: usize = 8 * 1024;

/// The largest block, with the empty line that ends it.
const BLOCK: usize = 64 * 1024;

/// A CGI field must not occur twice (RFC 3875, section 6.3), and two lengths are an attack.
const ONCE: [HeaderName; 3] = [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::LOCATION];

/// A header block, of which more and more is known.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// What follows the last complete line.
    pending: BytesMut,
    /// How much of `pending` is known to have no line feed.
    searched: usize,
    /// The bytes of all complete lines.
    consumed: usize,
    status: Option<Status>,
    headers: HeaderMap,
    dropped: Vec<String>,
    nph: Option<Nph>,
}

/// What a program that writes whole HTTP responses (RFC 3875, section 5) is expected to write next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nph {
    StatusLine,
    /// The fields of an interim response, which is not passed on.
    Interim,
    Fields,
}

/// A complete header block.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: Status,
    pub(crate) headers: HeaderMap,
    /// Whether the answer is to be found at another path of this server (section 6.2.2): a Location that is a path, and
    /// no Status.
    pub(crate) is_local_redirect: bool,
    /// The first bytes of the body.
    pub(crate) rest: Bytes,
    /// The fields that are not passed on, for the log.
    pub(crate) dropped: Vec<String>,
}

impl Parser {
    /// For a program that writes whole HTTP responses: a status line comes first.
    pub(crate) fn nph() -> Self {
        Parser { nph: Some(Nph::StatusLine), ..Parser::default() }
    }

    /// Takes the next bytes of output; gives the head when they complete it.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Head>, HeadError> {
        self.pending.extend_from_slice(bytes);
        while let Some(found) = self.pending[self.searched..].iter().position(|&byte| byte == b'\n') {
            let length = self.searched + found;
            self.check_size(length, length + 1)?;
            let line = self.pending.split_to(length);
            self.pending.advance(1);
            self.consumed += length + 1;
            self.searched = 0;
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            match (line, self.nph) {
                (line, Some(Nph::StatusLine)) => self.status_line(line)?,
                (b"", Some(Nph::Interim)) => self.nph = Some(Nph::StatusLine),
                (_, Some(Nph::Interim)) => {}
                (b"", _) => return self.complete().map(Some),
                (line, _) => self.field(line)?,
            }
        }
        self.searched = self.pending.len();
        self.check_size(self.searched, self.searched)?;
        Ok(None)
    }

    /// What it means that the output ends here.
    pub(crate) fn ended(&self) -> HeadError {
        if self.consumed + self.pending.len() == 0 { HeadError::Empty } else { HeadError::Truncated }
    }

    fn check_size(&self, line: usize, with_ending: usize) -> Result<(), HeadError> {
        if line > LINE || self.consumed + with_ending > BLOCK { Err(HeadError::TooLarge) } else { Ok(()) }
    }

    /// `HTTP/1.1 299 Hi`: the status of an NPH program, which may have interim ones before it.
    fn status_line(&mut self, line: &[u8]) -> Result<(), HeadError> {
        let bad = || HeadError::Status(quoted(line));
        let (_, status) = line
            .split_first_chunk::<9>()
            .filter(|(version, _)| version.starts_with(b"HTTP/1.") && version[8] == b' ' && version[7].is_ascii_digit())
            .ok_or_else(bad)?;
        let interim = matches!(status, [b'1', b'0'..=b'9', b'0'..=b'9'] | [b'1', b'0'..=b'9', b'0'..=b'9', b' ', ..]);
        if interim {
            self.nph = Some(Nph::Interim);
            return Ok(());
        }
        self.nph = Some(Nph::Fields);
        self.set_status(status)
    }

    fn field(&mut self, line: &[u8]) -> Result<(), HeadError> {
        if line.iter().any(|byte| matches!(byte, b'\0' | b'\r')) {
            return Err(HeadError::Control(quoted(line)));
        }
        // There are no continuation lines (section 6.3); taken for a field, one could smuggle another.
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return Err(HeadError::Folded(quoted(line)));
        }
        let colon = line.iter().position(|&byte| byte == b':').ok_or_else(|| HeadError::NoColon(quoted(line)))?;
        let (name, value) = (&line[..colon], trimmed(&line[colon + 1..]));
        match HeaderName::from_bytes(name) {
            // In a whole response the status line says it.
            Ok(name) if name == "status" && self.nph.is_some() => self.drop_field(name.as_str().as_bytes(), "is CGI's"),
            Ok(name) if name == "status" => self.set_status(value),
            Ok(name) if name == header::TRANSFER_ENCODING => Err(HeadError::TransferEncoding),
            Ok(name) if is_hop_by_hop(&name) => self.drop_field(name.as_str().as_bytes(), "belongs to the connection"),
            Ok(name) => self.append(name, value),
            Err(_) => self.drop_field(name, "is no field name"),
        }
    }

    fn set_status(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let status = parse_status(value).ok_or_else(|| HeadError::Status(quoted(value)))?;
        match self.status.replace(status) {
            Some(_) => Err(HeadError::Twice("status".into())),
            None => Ok(()),
        }
    }

    fn append(&mut self, name: HeaderName, value: &[u8]) -> Result<(), HeadError> {
        if ONCE.contains(&name) && self.headers.contains_key(&name) {
            return Err(HeadError::Twice(name.to_string()));
        }
        let value = HeaderValue::from_bytes(value).map_err(|_| HeadError::Control(quoted(value)))?;
        self.headers.try_append(name, value).map_err(|_| HeadError::TooLarge)?;
        Ok(())
    }

    fn drop_field(&mut self, name: &[u8], why: &str) -> Result<(), HeadError> {
        self.dropped.push(format!("the field {} was dropped: it {why}", quoted(name)));
        Ok(())
    }

    fn complete(&mut self) -> Result<Head, HeadError> {
        if self.status.is_none() && self.headers.is_empty() {
            return Err(HeadError::NoField);
        }
        // A redirect without a status is a 302 (sections 6.2.3 and 6.3.2), wherever its Location stands.
        let redirect = self.headers.contains_key(header::LOCATION);
        let location = self.headers.get(header::LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let is_local_redirect = self.status.is_none() && location.starts_with(b"/");
        let usual = if redirect { StatusCode::FOUND } else { StatusCode::OK };
        let status = match self.status.take() {
            Some(status) => status,
            None => usual.into_status().map_err(|_| HeadError::Status(usual.to_string()))?,
        };
        Ok(Head {
            status,
            headers: mem::take(&mut self.headers),
            is_local_redirect,
            rest: self.pending.split().freeze(),
            dropped: mem::take(&mut self.dropped),
        })
    }
}

/// Three digits from 200 to 599 and, behind a space, an optional text (section 6.3.3).
fn parse_status(value: &[u8]) -> Option<Status> {
    let status = match value.len() {
        3 => StatusCode::from_bytes(value).ok()?.into_status().ok()?,
        _ => Status::parse(value).ok()?,
    };
    (200..600).contains(&status.code().as_u16()).then_some(status)
}

fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// What a program wrote, fit for one line of a log.
fn quoted(bytes: &[u8]) -> String {
    const SHOWN: usize = 80;
    let dots = if bytes.len() > SHOWN { "…" } else { "" };
    format!("\"{}{dots}\"", bytes[..bytes.len().min(SHOWN)].escape_ascii())
}

/// What is wrong with a header block. Texts are quoted from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeadError {
    Empty,
    Truncated,
    NoField,
    TooLarge,
    Control(String),
    Folded(String),
    NoColon(String),
    Status(String),
    TransferEncoding,
    Twice(String),
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeadError::Empty => write!(f, "there is no output"),
            HeadError::Truncated => write!(f, "the output ends before the empty line that ends the header block"),
            HeadError::NoField => write!(f, "the header block has no valid field"),
            HeadError::TooLarge => write!(f, "the header block is larger than {BLOCK} bytes, or a line than {LINE}"),
            HeadError::Control(text) => write!(f, "there is a control character in {text}"),
            HeadError::Folded(text) => write!(f, "the line {text} begins with a space"),
            HeadError::NoColon(text) => write!(f, "the line {text} has no colon"),
            HeadError::Status(text) => write!(f, "the status {text} is not three digits from 200 to 599 and a text"),
            HeadError::TransferEncoding => write!(f, "Transfer-Encoding belongs to the server"),
            HeadError::Twice(name) => write!(f, "the field {name} comes twice"),
        }
    }
}

impl std::error::Error for HeadError {}

#[cfg(test)]
mod tests;
