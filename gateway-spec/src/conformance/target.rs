//! The server that is judged, and what cases do with it.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{
    Kind, Miss, Outcome, ensure,
    raw::{Conn, PATIENCE, Response, quote},
    skip, wrong,
};

/// A server that hosts the probe application.
///
/// ```no_run
/// use gateway_spec::conformance::Target;
/// let target = Target::find("http://127.0.0.1:8000/")?;
/// println!("{} hosts the probe", target.software());
/// # Ok::<(), gateway_spec::conformance::Error>(())
/// ```
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    authority: String,
    prefix: String,
    kind: Kind,
    claims: bool,
    software: String,
    /// What the keys of this run begin with.
    run: String,
    keys: AtomicU32,
}

/// Why a server cannot be judged.
///
/// ```
/// use gateway_spec::conformance::{Error, Target};
///
/// assert!(matches!(Target::find("ftp://example.org"), Err(Error::Url(_))));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The URL is none that the kit can use.
    Url(String),
    /// Nothing listens there.
    Nobody(String, io::Error),
    /// A server answers, but not with the probe application.
    NoProbe(String, String),
}

/// The environ as the probe shows it: type and value of each key.
#[derive(Debug)]
pub(crate) struct Dump(BTreeMap<String, (String, Vec<u8>)>);

impl Target {
    /// Looks for the probe application at `url`: `http://HOST[:PORT][/PREFIX]`.
    ///
    /// ```no_run
    /// # use gateway_spec::conformance::Target;
    /// let target = Target::find("http://127.0.0.1:8000/")?;
    /// # Ok::<(), gateway_spec::conformance::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`] if there is none.
    pub fn find(url: &str) -> Result<Self, Error> {
        let rest = url.strip_prefix("http://").ok_or_else(|| Error::Url(url.to_owned()))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let with_port = if authority.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let nobody = |error| Error::Nobody(with_port.clone(), error);
        let mut addresses = with_port.to_socket_addrs().map_err(nobody)?;
        let address = addresses.next().ok_or_else(|| Error::Url(url.to_owned()))?;
        TcpStream::connect_timeout(&address, PATIENCE).map_err(nobody)?;
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut target = Target {
            address,
            authority: authority.to_owned(),
            prefix: path.trim_end_matches('/').to_owned(),
            kind: Kind::Rust,
            claims: true,
            software: String::new(),
            run: format!("k{}-{}-", process::id(), time.subsec_nanos()),
            keys: AtomicU32::new(0),
        };
        let no_probe = |seen| Error::NoProbe(url.to_owned(), seen);
        let dump = match target.environ("/environ", "") {
            Ok(dump) => dump,
            Err(Miss::Wrong(seen) | Miss::Skip(seen)) => return Err(no_probe(seen)),
        };
        let kind = dump.text("probe.kind").and_then(|kind| Kind::named(&kind));
        target.kind = kind.ok_or_else(|| no_probe("another application answers".to_owned()))?;
        target.claims = target.kind == Kind::Rust || dump.value("gateway.version").is_some();
        target.software = dump.text("SERVER_SOFTWARE").unwrap_or_default();
        Ok(target)
    }

    /// What kind of application it hosts.
    ///
    /// ```no_run
    /// # use gateway_spec::conformance::Target;
    /// let target = Target::find("http://127.0.0.1:8000/")?;
    /// println!("a host of {}", target.kind().as_str());
    /// # Ok::<(), gateway_spec::conformance::Error>(())
    /// ```
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it claims to keep this contract.
    ///
    /// ```no_run
    /// # use gateway_spec::conformance::Target;
    /// let target = Target::find("http://127.0.0.1:8000/")?;
    /// println!("claims it: {}", target.claims());
    /// # Ok::<(), gateway_spec::conformance::Error>(())
    /// ```
    pub fn claims(&self) -> bool {
        self.claims
    }

    /// What it calls itself (SERVER_SOFTWARE); may be empty.
    ///
    /// ```no_run
    /// # use gateway_spec::conformance::Target;
    /// let target = Target::find("http://127.0.0.1:8000/")?;
    /// println!("this is {}", target.software());
    /// # Ok::<(), gateway_spec::conformance::Error>(())
    /// ```
    pub fn software(&self) -> &str {
        &self.software
    }

    /// Where the probe is, below the server's root: empty, or begins with `/`.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn connect(&self) -> Outcome<Conn> {
        Conn::open(self.address)
    }

    /// A connection on which `request` was sent, which begins with its method: `GET /echo HTTP/1.1`, and its headers but
    /// for Host.
    pub(crate) fn begin(&self, method: &str, path: &str, headers: &str) -> Outcome<Conn> {
        let mut conn = self.connect()?;
        conn.send(self.head(method, path, headers))?;
        Ok(conn)
    }

    /// The head of a request. `headers` are complete lines.
    pub(crate) fn head(&self, method: &str, path: &str, headers: &str) -> String {
        format!("{method} {}{path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.prefix, self.authority)
    }

    /// One request without a body, on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Outcome<Response> {
        self.begin("GET", path, "")?.response("GET")
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &str) -> Outcome<Response> {
        self.begin(method, path, headers)?.response(method)
    }

    /// One request with a body.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Outcome<Response> {
        let mut conn = self.begin("POST", path, &format!("Content-Length: {}\r\n", body.len()))?;
        conn.send(body)?;
        conn.response("POST")
    }

    /// Sends bytes as they are, and gives the response to them.
    pub(crate) fn raw(&self, method: &str, bytes: impl AsRef<[u8]>) -> Outcome<Response> {
        let mut conn = self.connect()?;
        conn.send(bytes)?;
        conn.response(method)
    }

    /// The environ of a request; `headers` are complete lines.
    pub(crate) fn environ(&self, path: &str, headers: &str) -> Outcome<Dump> {
        Dump::of(&self.request("GET", path, headers)?)
    }

    /// A key for events that nobody else uses.
    pub(crate) fn key(&self) -> String {
        format!("{}{}", self.run, self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// The events that requests have left for a key.
    pub(crate) fn events(&self, key: &str) -> Outcome<Vec<String>> {
        let response = self.get(&format!("/events?key={key}"))?;
        ensure(response.status == 200, || format!("/events gives {}", response.told()))?;
        Ok(String::from_utf8_lossy(&response.body).lines().map(str::to_owned).collect())
    }

    /// Waits until the events are as they should be, and gives them; after `patience` those that there are.
    pub(crate) fn events_until(
        &self,
        key: &str,
        patience: Duration,
        enough: impl Fn(&[String]) -> bool,
    ) -> Outcome<Vec<String>> {
        let end = Instant::now() + patience;
        loop {
            let events = self.events(key)?;
            if enough(&events) || Instant::now() > end {
                return Ok(events);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets a call go on that waits; on a server that is busy with nothing but that call, it has no effect.
    pub(crate) fn release(&self, key: &str) -> Outcome<Conn> {
        self.begin("GET", &format!("/release?key={key}"), "")
    }

    /// Whether several calls may run at once, as the environ says.
    pub(crate) fn is_concurrent(&self) -> Outcome<bool> {
        let dump = self.environ("/environ", "")?;
        let says = |key: &str| dump.text(key).is_some_and(|value| !matches!(value.as_str(), "" | "False" | "0"));
        Ok(self.kind != Kind::Wsgi || says("wsgi.multithread") || says("wsgi.multiprocess"))
    }

    /// Whether it still answers.
    pub(crate) fn is_there(&self) -> Result<(), String> {
        match self.environ("/environ", "") {
            Ok(_) => Ok(()),
            Err(Miss::Wrong(seen) | Miss::Skip(seen)) => Err(seen),
        }
    }

    /// Lets the probe forget the events of this run.
    ///
    /// ```no_run
    /// # use gateway_spec::conformance::Target;
    /// let target = Target::find("http://127.0.0.1:8000/")?;
    /// target.forget();
    /// # Ok::<(), gateway_spec::conformance::Error>(())
    /// ```
    pub fn forget(&self) {
        // If it does not, little is lost.
        let _ = self.get(&format!("/forget?key={}", self.run.trim_end_matches('-')));
    }

    /// For cases of what the server's operator has to have set up.
    pub(crate) fn needs_prefix(&self) -> Outcome {
        match self.prefix.as_str() {
            "" => skip("the probe answers all paths here; host it below a prefix to try this"),
            _ => Ok(()),
        }
    }
}

impl Dump {
    pub(crate) fn of(response: &Response) -> Outcome<Self> {
        if response.status != 200 {
            return wrong(format!("/environ gives {}", response.told()));
        }
        let text = String::from_utf8_lossy(&response.body);
        let keys = text.lines().map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().map(unquoted);
            let (key, kind, value) = (word()?, word()?, word()?);
            Some((String::from_utf8_lossy(&key).into_owned(), (String::from_utf8_lossy(&kind).into_owned(), value)))
        });
        match keys.collect::<Option<BTreeMap<_, _>>>().filter(|keys| keys.contains_key("probe.kind")) {
            Some(keys) => Ok(Dump(keys)),
            None => wrong(format!("/environ gives {}", quote(&response.body))),
        }
    }

    /// A key's value, as bytes.
    pub(crate) fn value(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.value(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The name of the type of a key's value.
    pub(crate) fn type_of(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|(kind, _)| kind.as_str())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|key| !key.starts_with("probe."))
    }

    /// Finds fault with a key whose value is another.
    pub(crate) fn expect(&self, key: &str, expected: impl AsRef<[u8]>) -> Outcome {
        let seen = self.value(key);
        ensure(seen == Some(expected.as_ref()), || match seen {
            Some(seen) => format!("{key} is {} and not {}", quote(seen), quote(expected.as_ref())),
            None => format!("there is no {key}"),
        })
    }

    pub(crate) fn expect_absent(&self, key: &str) -> Outcome {
        let seen = self.value(key);
        ensure(seen.is_none(), || format!("{key} is there: {}", quote(seen.unwrap_or_default())))
    }
}

/// A URL of the probe's with parameters: `/name?key=value&..`. Characters are bytes here: ISO-8859-1.
pub(crate) fn url(name: &str, parameters: &[(&str, &str)]) -> String {
    let mut url = format!("/{name}");
    for (index, (key, value)) in parameters.iter().enumerate() {
        url.push_str(if index == 0 { "?" } else { "&" });
        url.push_str(key);
        url.push('=');
        value.chars().for_each(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' => url.push(character),
            _ => url.push_str(&format!("%{:02X}", u32::from(character) & 0xff)),
        });
    }
    url
}

fn unquoted(text: &str) -> Vec<u8> {
    crate::percent::decode(text).into_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Url(url) => write!(f, "{url:?} is not of the form http://HOST:PORT/PREFIX"),
            Error::Nobody(address, _) => write!(f, "nothing listens at {address}"),
            Error::NoProbe(url, seen) => write!(f, "the probe application is not at {url}: {seen}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Nobody(_, error) => Some(error),
            Error::Url(_) | Error::NoProbe(..) => None,
        }
    }
}
