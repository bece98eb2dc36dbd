//! The requests that an application is checked with.

use std::collections::VecDeque;

use bytes::Bytes;
use gateway_spec::{Error, Kind};
use http::{HeaderValue, Version, header, request};

/// A request, and what its client does.
pub(super) struct Exchange {
    /// For people: `POST /: a form`.
    pub(super) title: String,
    pub(super) head: request::Builder,
    pub(super) body: Body,
    pub(super) takes: Takes,
    /// Whether an application may well fail with it: PEP 3333 knows no path of `*`, and not all that is no UTF-8 can be
    /// understood.
    pub(super) is_odd: bool,
}

/// What is in the request's body, block by block.
pub(super) enum Body {
    None,
    /// Blocks whose length is declared.
    Known(&'static [&'static str]),
    /// A chunked body.
    Chunked(&'static [&'static str]),
    /// A body that breaks off behind its blocks.
    Broken(&'static [&'static str]),
}

/// How much of the response the client takes before it leaves.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Takes {
    All,
    FirstBlock,
    Head,
    /// It leaves before there is a response.
    Nothing,
}

/// Requests that are sent at once, group by group.
pub(super) type Groups = Vec<Vec<Exchange>>;

const FORM: &[&str] = &["name=v%C3%A4lue&", "other=1&empty="];
const FORM_TYPE: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// All requests to an application at `prefix`; `paths` are its user's.
pub(super) fn all(prefix: &str, paths: &[String]) -> Groups {
    let root = Place(format!("{prefix}/"));
    let mut alone = root.methods();
    alone.extend(root.bodies());
    alone.extend(root.clients());
    if !prefix.is_empty() {
        alone.push(Place(prefix.to_owned()).to("GET", "without a slash at its end"));
    }
    for path in paths {
        let place = Place(format!("{prefix}{path}"));
        alone.extend(place.plain());
        alone.extend(place.clients());
    }
    let mut groups: Groups = alone.into_iter().map(|exchange| vec![exchange]).collect();
    groups.push(root.crowd());
    // A failure is reported once, and with these it might not be.
    groups.extend(odd(prefix).into_iter().map(|exchange| vec![Exchange { is_odd: true, ..exchange }]));
    groups
}

/// What is sent last, when what belongs to earlier requests should be gone.
pub(super) fn last(prefix: &str) -> Exchange {
    Place(format!("{prefix}/")).to("GET", "once more, after a while")
}

/// A target that requests are made for.
struct Place(String);

impl Place {
    fn to(&self, method: &str, what: &str) -> Exchange {
        Exchange {
            title: format!("{method} {}: {what}", self.0),
            head: request::Builder::new().method(method).uri(&self.0).header(header::HOST, "example.org"),
            body: Body::None,
            takes: Takes::All,
            is_odd: false,
        }
    }

    fn plain(&self) -> [Exchange; 2] {
        [self.to("GET", "a plain request"), self.to("HEAD", "the head alone")]
    }

    fn methods(&self) -> Vec<Exchange> {
        let old = request::Builder::new().method("GET").uri(&self.0).version(Version::HTTP_10);
        let mut exchanges = Vec::from(self.plain());
        exchanges.push(Exchange { head: old, ..self.to("GET", "by HTTP/1.0, without Host") });
        exchanges.push(Place(format!("{}?a=b&c=%20&d=%zz&=&a=2", self.0)).to("GET", "a query"));
        exchanges.push(self.to("GET", "many headers").with(many_headers));
        exchanges.push(self.to("GET", "a conditional request").with(|head| {
            head.header("if-none-match", "\"x\", *").header("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")
        }));
        exchanges.push(self.to("GET", "a part").with(|head| head.header("range", "bytes=0-3")));
        // Nothing that would delete or replace what is there.
        exchanges.push(self.to("OPTIONS", "what can be done"));
        exchanges
    }

    fn bodies(&self) -> Vec<Exchange> {
        let form = |head: request::Builder| head.header(FORM_TYPE.0, FORM_TYPE.1);
        let octets = |head: request::Builder| head.header("content-type", "application/octet-stream");
        vec![
            self.to("POST", "a form").with(form).carrying(Body::Known(FORM)),
            self.to("POST", "no body").with(|head| head.header("content-length", "0")),
            self.to("POST", "a chunked form").with(form).carrying(Body::Chunked(FORM)),
            self.to("POST", "a form whose client waits for 100 Continue")
                .with(|head| form(head).header("expect", "100-continue"))
                .carrying(Body::Known(FORM)),
            self.to("POST", "a form that breaks off").with(form).carrying(Body::Broken(FORM)),
            self.to("POST", "lines of bytes").with(octets).carrying(Body::Known(&["a\r\n\0", "\u{ff}\n", "\n\nend"])),
            self.to("GET", "a body where none is expected").carrying(Body::Known(&["text"])),
        ]
    }

    /// Clients that leave.
    fn clients(&self) -> [Exchange; 3] {
        [
            Exchange { takes: Takes::FirstBlock, ..self.to("GET", "the client leaves after the first block") },
            Exchange { takes: Takes::Head, ..self.to("GET", "the client leaves before the body") },
            Exchange { takes: Takes::Nothing, ..self.to("GET", "the client leaves at once") },
        ]
    }

    /// Requests at the same time.
    fn crowd(&self) -> Vec<Exchange> {
        let mut crowd: Vec<_> = (0..6).map(|_| self.to("GET", "one of several at once")).collect();
        crowd.push(
            self.to("POST", "one of several at once")
                .with(|head| head.header(FORM_TYPE.0, FORM_TYPE.1))
                .carrying(Body::Known(FORM)),
        );
        crowd
    }
}

/// Requests that are well-formed, and nothing more.
fn odd(prefix: &str) -> Vec<Exchange> {
    let paths =
        ["//", "/no/such/page", "/a%2Fb%20c", "/caf%C3%A9", "/%ff", "/%25%32%65", "/../x", "/x;y=z,1'!$&()*+@:~"];
    let mut odd: Vec<_> =
        paths.map(|path| Place(format!("{prefix}{path}")).to("GET", "an odd path")).into_iter().collect();
    odd.push(Place(format!("{prefix}/")).to("BREW", "a method that nobody knows"));
    if prefix.is_empty() {
        odd.push(Place("*".into()).to("OPTIONS", "the server itself"));
    }
    odd
}

fn many_headers(head: request::Builder) -> request::Builder {
    let latin = HeaderValue::from_bytes(b"caf\xe9").unwrap_or(HeaderValue::from_static(""));
    head.header("accept", "text/html;q=0.9, */*;q=0.1")
        .header("accept-language", "de")
        .header("accept-encoding", "gzip, br")
        .header("cookie", "a=1")
        .header("cookie", "b=\"2\"; c=")
        .header("user-agent", "Mozilla/5.0 (gateway check)")
        .header("x-empty", "")
        .header("x-latin", latin)
        .header("x-long", "x".repeat(4000))
        .header("x-forwarded-for", "192.0.2.1, 192.0.2.2")
        .header("x_spoofed", "withheld")
        .header("proxy", "http://192.0.2.3/")
        .header("connection", "keep-alive, x-hop")
}

impl Exchange {
    fn with(self, change: impl FnOnce(request::Builder) -> request::Builder) -> Self {
        Exchange { head: change(self.head), ..self }
    }

    fn carrying(self, body: Body) -> Self {
        let length = |blocks: &[&str]| blocks.iter().map(|block| block.len() as u64).sum::<u64>();
        let head = match &body {
            Body::None => self.head,
            Body::Known(blocks) => self.head.header("content-length", length(blocks)),
            Body::Chunked(_) => self.head.header("transfer-encoding", "chunked"),
            // More was announced than ever comes.
            Body::Broken(blocks) => self.head.header("content-length", length(blocks) + 100),
        };
        Exchange { head, body, ..self }
    }
}

impl Body {
    /// How many bytes it has, where the server knows.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Body::Known(blocks) => Some(blocks.iter().map(|block| block.len() as u64).sum()),
            _ => None,
        }
    }

    /// The blocks, as they arrive.
    pub(super) fn blocks(&self) -> VecDeque<Result<Bytes, Error>> {
        let (blocks, end) = match self {
            Body::None => (&[][..], None),
            Body::Known(blocks) | Body::Chunked(blocks) => (*blocks, None),
            Body::Broken(blocks) => (*blocks, Some(Err(Kind::Disconnected.into()))),
        };
        blocks.iter().map(|block| Ok(Bytes::from_static(block.as_bytes()))).chain(end).collect()
    }
}
