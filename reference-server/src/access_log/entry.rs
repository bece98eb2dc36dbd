//! One line of the access log, from the request's arrival to the last byte of its response.

use std::{fmt, fmt::Write as _, ops::Range, process, sync::Arc, time::Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use gateway_spec::Environ;
use http::{HeaderMap, StatusCode, header, request::Parts};
use jiff::Timestamp;

use super::{
    AccessLog,
    format::{Atom, Name, Piece, Style},
    writer::Order,
};
use crate::marks::Wait;

/// The line of one request. It is written when the entry is dropped, however the request ended.
///
/// Values are rendered when they are there to be seen: what belongs to the request at its arrival, what belongs to the
/// response when it begins, times at the end.
pub(crate) struct Entry {
    log: Arc<AccessLog>,
    /// All rendered values, in the order in which they became known.
    text: String,
    /// Where the value of each piece of the format stands in that.
    spans: Vec<Option<Range<usize>>>,
    began: Instant,
    /// When the application had returned its response, in seconds since then.
    answered: Option<f64>,
    wait: Option<Arc<Wait>>,
    status: u16,
    bytes: u64,
    aborted: bool,
}

/// A value of an atom.
enum Value<'a> {
    Absent,
    Text(&'a [u8]),
    /// Whatever needs no quotes in JSON.
    Plain(fmt::Arguments<'a>),
}

impl Entry {
    pub(super) fn new(log: &Arc<AccessLog>, remote: Option<&str>, parts: &Parts) -> Self {
        let mut entry = Entry {
            log: log.clone(),
            text: String::with_capacity(128),
            spans: vec![None; log.format.pieces.len()],
            began: Instant::now(),
            answered: None,
            wait: None,
            status: 499,
            bytes: 0,
            aborted: true,
        };
        entry.fill(|line, atom| {
            match atom {
                Atom::Named(name) => return line.of_request(*name, remote, parts),
                Atom::RequestHeader(name) => line.push(header_value(&parts.headers, name)),
                _ => return false,
            }
            true
        });
        entry
    }

    pub(crate) fn see(&mut self, environ: &Environ) {
        self.fill(|line, atom| {
            let Atom::Environ(name) = atom else { return false };
            let value = environ.get(name);
            line.push(value.as_ref().map_or(Value::Absent, |value| Value::Text(value)));
            true
        });
    }

    pub(crate) fn waits(&mut self, wait: Arc<Wait>) {
        self.wait = Some(wait);
    }

    pub(crate) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = status.as_u16();
        self.answered = Some(self.began.elapsed().as_secs_f64());
        self.fill(|line, atom| {
            let Atom::ResponseHeader(name) = atom else { return false };
            line.push(header_value(headers, name));
            true
        });
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// All of the response is written.
    pub(crate) fn complete(mut self) {
        self.aborted = false;
    }

    /// Renders the atoms that `render` knows; it says which.
    fn fill(&mut self, mut render: impl FnMut(&mut Line<'_>, &Atom) -> bool) {
        let log = &self.log;
        let mut line = Line { text: &mut self.text, log };
        for (piece, span) in log.format.pieces.iter().zip(&mut self.spans) {
            let begin = line.text.len();
            if let Piece::Atom(atom) = piece
                && render(&mut line, atom)
            {
                *span = Some(begin..line.text.len());
            }
        }
    }

    fn of_end(&self, line: &mut Line<'_>, name: Name) {
        let taken = self.began.elapsed();
        let waited = self.wait.as_ref().map_or(0.0, |wait| wait.nanos() as f64 / 1e9);
        match name {
            Name::Status => line.push(Value::Plain(format_args!("{}", self.status))),
            Name::BytesOrNone if self.bytes == 0 => line.push(Value::Absent),
            Name::Bytes | Name::BytesOrNone => line.push(Value::Plain(format_args!("{}", self.bytes))),
            Name::Seconds => line.push(Value::Plain(format_args!("{}", taken.as_secs()))),
            Name::Milliseconds => line.push(Value::Plain(format_args!("{}", taken.as_millis()))),
            Name::Microseconds => line.push(Value::Plain(format_args!("{}", taken.as_micros()))),
            Name::Decimal => line.push(Value::Plain(format_args!("{:.6}", taken.as_secs_f64()))),
            Name::Application => {
                let seconds = (self.answered.unwrap_or(taken.as_secs_f64()) - waited).max(0.0);
                line.push(Value::Plain(format_args!("{seconds:.6}")));
            }
            Name::Queue => line.push(Value::Plain(format_args!("{waited:.6}"))),
            Name::Aborted => line.push(Value::Plain(format_args!("{}", self.aborted))),
            _ => line.push(Value::Absent),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut text = String::with_capacity(self.text.len() + 128);
        for (piece, span) in self.log.format.pieces.iter().zip(&self.spans) {
            let mut line = Line { text: &mut text, log: &self.log };
            match (piece, span) {
                (Piece::Literal(literal), _) => line.text.push_str(literal),
                (_, Some(span)) => line.text.push_str(&self.text[span.clone()]),
                (Piece::Atom(Atom::Named(name)), None) => self.of_end(&mut line, *name),
                (Piece::Atom(_), None) => line.push(Value::Absent),
            }
        }
        text.push('\n');
        self.log.order(Order::Write(text));
    }
}

fn header_value<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Value<'a> {
    headers.get(name).map_or(Value::Absent, |value| Value::Text(value.as_bytes()))
}

/// A line that grows.
struct Line<'a> {
    text: &'a mut String,
    log: &'a AccessLog,
}

impl Line<'_> {
    /// Pushes what is known of a request at its arrival; false for what is known at its end.
    fn of_request(&mut self, name: Name, remote: Option<&str>, parts: &Parts) -> bool {
        let text = |text: Option<&'static str>| text.map_or(Value::Absent, |text| Value::Text(text.as_bytes()));
        match name {
            Name::Remote => self.push(remote.map_or(Value::Absent, |remote| Value::Text(remote.as_bytes()))),
            Name::Identity => self.push(text(None)),
            Name::User => match user(&parts.headers) {
                Some(user) => self.push(Value::Text(&user)),
                None => self.push(Value::Absent),
            },
            Name::Time => {
                // The time is that of the request's arrival, as in every server that writes this format.
                let now = Timestamp::now().to_zoned(self.log.zone.clone());
                self.push(Value::Text(format!("[{}]", now.strftime("%d/%b/%Y:%H:%M:%S %z")).as_bytes()));
            }
            Name::IsoTime => self.push(Value::Text(format!("{:.3}", Timestamp::now()).as_bytes())),
            Name::RequestLine => {
                let line = format!("{} {} {:?}", parts.method, parts.uri, parts.version);
                self.push(Value::Text(line.as_bytes()));
            }
            Name::Method => self.push(Value::Text(parts.method.as_str().as_bytes())),
            Name::Path => self.push(Value::Text(parts.uri.path().as_bytes())),
            Name::Query => self.push(parts.uri.query().map_or(Value::Absent, |query| Value::Text(query.as_bytes()))),
            Name::Protocol => self.push(Value::Text(format!("{:?}", parts.version).as_bytes())),
            Name::Referer => self.push(header_value(&parts.headers, &header::REFERER)),
            Name::Agent => self.push(header_value(&parts.headers, &header::USER_AGENT)),
            Name::Process => self.push(Value::Text(format!("<{}>", process::id()).as_bytes())),
            Name::Pid => self.push(Value::Plain(format_args!("{}", process::id()))),
            _ => return false,
        }
        true
    }

    fn push(&mut self, value: Value<'_>) {
        let _ = match (self.log.format.style, value) {
            (Style::Text, Value::Absent) => self.text.write_char('-'),
            (Style::Json, Value::Absent) => self.text.write_str("null"),
            (_, Value::Plain(plain)) => self.text.write_fmt(plain),
            (Style::Text, Value::Text(bytes)) => escape(self.text, bytes),
            (Style::Json, Value::Text(bytes)) => quote(self.text, bytes),
        };
    }
}

/// Nothing that a client sends may end the line, the quotes, or what a terminal shows.
fn escape(line: &mut String, bytes: &[u8]) -> fmt::Result {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend(['\\', char::from(byte)]),
            b' '..=b'~' => line.push(char::from(byte)),
            _ => write!(line, "\\x{byte:02x}")?,
        }
    }
    Ok(())
}

/// A string of JSON (RFC 8259, section 7). Bytes that are no UTF-8 become U+FFFD.
fn quote(line: &mut String, bytes: &[u8]) -> fmt::Result {
    line.push('"');
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            character if character.is_control() => write!(line, "\\u{:04x}", u32::from(character))?,
            character => line.push(character),
        }
    }
    line.push('"');
    Ok(())
}

/// The name in `Authorization: Basic` (RFC 7617, section 2). It was not checked.
fn user(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let mut user = BASE64_STANDARD.decode(credentials.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    user.truncate(user.iter().position(|&byte| byte == b':')?);
    (!user.is_empty()).then_some(user)
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("status", &self.status).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_cannot_break_a_line() {
        let mut line = String::new();
        escape(&mut line, "/a\"b\\c\u{1b}[2J\u{e9}\n".as_bytes()).unwrap();
        assert_eq!(line, r#"/a\"b\\c\x1b[2J\xc3\xa9\x0a"#);
    }

    #[test]
    fn what_clients_send_is_a_string_in_json() {
        let mut line = String::new();
        quote(&mut line, b"/a\"b\\c\x1b\n\xc3\xa9\xff").unwrap();
        assert_eq!(line, "\"/a\\\"b\\\\c\\u001b\\u000a\u{e9}\u{fffd}\"");
    }

    #[test]
    fn users_are_those_of_basic_credentials() {
        let user = |value: &str| user(&HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]));
        assert_eq!(user("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").as_deref(), Some(&b"Aladdin"[..]));
        assert_eq!(user("bAsIc QWxhZGRpbjpvcGVuIHNlc2FtZQ==").as_deref(), Some(&b"Aladdin"[..]));
        for none in ["Basic ", "Basic Ojo=", "Basic ???", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic"] {
            assert_eq!(user(none), None, "{none}");
        }
    }
}
