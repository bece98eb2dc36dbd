//! The pieces of work: what every adapter is asked for, and what it must answer.

use std::{fmt, str::FromStr, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};

use super::{
    super::nearest::did_you_mean,
    exchange::{Exchange, Expected, ExpectedBody},
};

/// The body of `hello`.
pub(in super::super) const HELLO: &[u8] = b"Hello, World!";
/// The body of `page`.
pub(in super::super) const PAGE: &[u8] = &[b'x'; 10 << 10];
/// One of the blocks of `stream`, and how many there are.
pub(in super::super) const BLOCK: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub(in super::super) const BLOCKS: usize = 100;
/// How long `sleep` sleeps.
pub(in super::super) const NAP: Duration = Duration::from_millis(10);

/// The path of `environ` in the work's URL space; the others' follow from [`Work::path`].
const QUERY: &str = "a=1&b=two";

/// A piece of work. The programs of `examples/compare` do each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Work {
    /// 13 bytes.
    Hello,
    /// 10 KiB.
    Page,
    /// A request's body of so many bytes, sent back.
    Echo(usize),
    /// A hundred blocks of 64 bytes, each sent by itself.
    Stream,
    /// All that the application is told, rendered.
    Environ,
    /// 10 ms of waiting.
    Sleep,
}

impl Work {
    /// Each that has a name.
    pub(super) const ALL: [Work; 7] =
        [Work::Hello, Work::Page, Work::Echo(1 << 10), Work::Echo(1 << 20), Work::Stream, Work::Environ, Work::Sleep];

    /// The work that `path` asks for, for those who do it; an echo is one whatever its size.
    pub(in super::super) fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.path() == path)
    }

    /// The path that asks for it.
    pub(super) fn path(self) -> &'static str {
        match self {
            Work::Hello => "/hello",
            Work::Page => "/page",
            Work::Echo(_) => "/echo",
            Work::Stream => "/stream",
            Work::Environ => "/environ",
            Work::Sleep => "/sleep",
        }
    }

    /// What to name on the command line: `echo` is both sizes, `all` is everything.
    ///
    /// # Errors
    /// What to tell the person who wrote `name`.
    pub(super) fn named(name: &str) -> Result<Vec<Self>, String> {
        let named = |work: &Work| name == "all" || work.to_string() == name || work.path()[1..] == *name;
        let works: Vec<_> = Self::ALL.into_iter().filter(named).collect();
        if works.is_empty() {
            let mut names: Vec<_> = Self::ALL.iter().map(Work::to_string).collect();
            names.extend(["echo".to_owned(), "all".to_owned()]);
            let hint = did_you_mean(name, names.iter().map(String::as_str));
            return Err(format!("there is no work {name:?}{hint}; there are {}", names.join(", ")));
        }
        Ok(works)
    }

    /// The request, with `more` headers than it needs, and the answer.
    pub(super) fn exchange(self, more: usize) -> Exchange {
        let extra = (0..more).map(|number| {
            let name = HeaderName::try_from(format!("x-header-{number}")).unwrap_or(header::COOKIE);
            (name, HeaderValue::from_static("a value as long as many are"))
        });
        let body = if let Work::Echo(size) = self { pattern(size) } else { Bytes::new() };
        let method = if body.is_empty() { Method::GET } else { Method::POST };
        let query = if self == Work::Environ { format!("?{QUERY}") } else { String::new() };
        let target = format!("{}{query}", self.path());
        Exchange { method, target, headers: extra.collect(), expected: self.expected(&body), body }
    }

    fn expected(self, sent: &Bytes) -> Expected {
        let body = match self {
            Work::Hello | Work::Sleep => ExpectedBody::Exactly(HELLO.into()),
            Work::Page => ExpectedBody::Exactly(PAGE.into()),
            Work::Echo(_) => ExpectedBody::Exactly(sent.clone()),
            Work::Stream => ExpectedBody::Exactly(BLOCK.repeat(BLOCKS).into()),
            Work::Environ => ExpectedBody::Lines(lines()),
        };
        let mut headers = vec![(header::CONTENT_TYPE, vec![HeaderValue::from_static("text/plain")])];
        // The length of the others is not known when their head is sent.
        if let (Work::Hello | Work::Sleep | Work::Page | Work::Echo(_), ExpectedBody::Exactly(body)) = (self, &body) {
            headers.push((header::CONTENT_LENGTH, vec![HeaderValue::from(body.len())]));
        }
        Expected { status: http::StatusCode::OK, headers, body }
    }
}

/// What must be among the lines of `environ`: what the request alone decides.
fn lines() -> Vec<Bytes> {
    let query = format!("QUERY_STRING={QUERY}");
    let lines = ["REQUEST_METHOD=GET", "PATH_INFO=/environ", &query, "SERVER_PROTOCOL=HTTP/1.1"];
    lines.map(|line| Bytes::copy_from_slice(line.as_bytes())).to_vec()
}

/// So many bytes, in which each place looks different from the next.
fn pattern(size: usize) -> Bytes {
    (0..size).map(|at| (at % 251) as u8).collect()
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Work::Echo(size) if size % (1 << 20) == 0 => write!(f, "echo-{}m", size >> 20),
            Work::Echo(size) => write!(f, "echo-{}k", size >> 10),
            _ => f.write_str(&self.path()[1..]),
        }
    }
}

impl FromStr for Work {
    type Err = String;

    /// One piece of work by its whole name, as [`Display`](fmt::Display) writes it, an echo of any size.
    fn from_str(name: &str) -> Result<Self, String> {
        let sized = |unit: char, shift: u32| {
            let size: usize = name.strip_prefix("echo-")?.strip_suffix(unit)?.parse().ok()?;
            size.checked_shl(shift).map(Work::Echo)
        };
        let fixed = || Self::ALL.into_iter().find(|work| work.to_string() == name);
        fixed().or_else(|| sized('k', 10)).or_else(|| sized('m', 20)).ok_or_else(|| format!("no work {name:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_is_found_by_it() {
        for work in Work::ALL {
            assert_eq!(work.to_string().parse(), Ok(work));
            assert!(Work::named(&work.to_string()).unwrap().contains(&work));
        }
        assert_eq!(Work::named("echo"), Ok(vec![Work::Echo(1 << 10), Work::Echo(1 << 20)]));
        assert_eq!(Work::named("all").unwrap().len(), 7);
        assert_eq!("echo-16k".parse(), Ok(Work::Echo(16 << 10)));
        assert!(Work::named("helo").unwrap_err().contains("did you mean \"hello\"?"));
    }

    #[test]
    fn headers_that_are_added_are_all_different() {
        let exchange = Work::Hello.exchange(64);
        let names: std::collections::HashSet<_> = exchange.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 64);
    }
}
