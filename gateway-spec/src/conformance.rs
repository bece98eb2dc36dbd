//! The conformance kit: each clause of [the contract](crate::spec) that can be seen from outside, as cases that judge a
//! running server over raw sockets.
//!
//! A server is judged by what it makes of the *probe application*, which exists three times with the same URLs: as a Rust
//! App ([`probe`]), as a Python module for WSGI servers ([`WSGI_PROBE`]) and as a CGI program ([`CGI_PROBE`]). So a server
//! in Rust hosts the App, a server for Python that knows nothing of this contract hosts the module, and adapters are
//! compared by identical cases.
//!
//! ```no_run
//! use gateway_spec::conformance::{Target, Verdict, cases, judge};
//!
//! let target = Target::find("http://127.0.0.1:8000/")?;
//! for case in cases() {
//!     let judgement = judge(&target, case);
//!     if judgement.verdict == Verdict::Fail {
//!         println!("{} {}: {}", case.id, case.title, judgement.reason);
//!     }
//! }
//! # Ok::<(), gateway_spec::conformance::Error>(())
//! ```
//!
//! # Fairness
//!
//! A server that says `gateway.version` in its environ is held to every word of the contract. Any other is held to what
//! PEP 3333, RFC 3875 and the RFCs of HTTP demand, as strictly as they do: each case names [what demands it](Case::demands),
//! and where nothing but this contract does, either outcome passes.

mod cases;
mod probe;
mod raw;
mod report;
mod select;
mod target;
#[cfg(test)]
mod tests;

use std::{fmt, panic};

use crate::spec::Level;

pub use cases::cases;
pub use probe::probe;
pub use report::{Column, Matrix};
pub use select::Selection;
pub use target::{Error, Target};

/// The probe application as a Python module without dependencies: any WSGI server can host its `application`.
///
/// ```
/// assert!(gateway_spec::conformance::WSGI_PROBE.contains("application = "));
/// ```
pub const WSGI_PROBE: &str = include_str!("conformance/probe/wsgi.py");

/// The probe application as a CGI program, in Python without dependencies.
///
/// ```
/// assert!(gateway_spec::conformance::CGI_PROBE.starts_with("#!"));
/// ```
pub const CGI_PROBE: &str = include_str!("conformance/probe/cgi.py");

/// One thing that a server is asked to do, and what must come of it.
///
/// ```
/// let case = gateway_spec::conformance::cases().find(|case| case.id == "G-8.1/1").unwrap();
/// assert_eq!(case.title, "HEAD");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Case {
    /// The clause that it shows, and its number there: `G-7.3/1`.
    pub id: &'static str,
    /// How strictly the contract demands it.
    pub level: Level,
    /// What is tried.
    pub title: &'static str,
    /// What passes.
    pub expect: &'static str,
    /// The text beside this contract that demands it of WSGI servers, and how strictly.
    pep: Option<Demand>,
    /// The same of servers that run CGI programs.
    cgi: Option<Demand>,
    /// The same of all HTTP servers.
    http: Option<Demand>,
    /// Where it has a meaning, and why it has none elsewhere.
    hosts: &'static [Kind],
    elsewhere: &'static str,
    steps: fn(&Target) -> Outcome,
}

type Demand = (Level, &'static str);

/// What kind of application the server hosts.
///
/// ```
/// use gateway_spec::conformance::Kind;
///
/// assert_eq!(Kind::Wsgi.as_str(), "wsgi");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A Rust App.
    Rust,
    /// A Python callable.
    Wsgi,
    /// A CGI program.
    Cgi,
}

/// What a case found.
///
/// ```
/// use gateway_spec::conformance::Verdict;
///
/// assert_eq!(Verdict::Fail.to_string(), "FAIL");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What was expected; or what the texts that bind this server allow as well.
    Pass,
    /// Something that it SHOULD not do.
    Warn,
    /// Something that it MUST not do.
    Fail,
    /// It cannot be told, or has no meaning here.
    Skip,
}

/// A case's verdict about a server, and why.
///
/// ```no_run
/// # use gateway_spec::conformance::{Target, cases, judge};
/// # let target = Target::find("http://127.0.0.1:8000/")?;
/// let judgement = judge(&target, cases().next().unwrap());
/// println!("{judgement}");
/// # Ok::<(), gateway_spec::conformance::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Judgement {
    /// The case.
    pub case: &'static Case,
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen; empty where that is what was expected.
    pub reason: String,
}

/// What the steps of a case come to.
pub(crate) type Outcome<T = ()> = Result<T, Miss>;

/// Why the steps of a case did not come to their end.
#[derive(Debug)]
pub(crate) enum Miss {
    Wrong(String),
    Skip(String),
}

/// Runs a case against a server.
///
/// ```no_run
/// use gateway_spec::conformance::{Target, Verdict, cases, judge};
///
/// let target = Target::find("http://127.0.0.1:8000/")?;
/// assert!(cases().all(|case| judge(&target, case).verdict != Verdict::Fail));
/// # Ok::<(), gateway_spec::conformance::Error>(())
/// ```
pub fn judge(target: &Target, case: &'static Case) -> Judgement {
    let judgement = |verdict, reason| Judgement { case, verdict, reason };
    if !case.hosts.contains(&target.kind()) {
        return judgement(Verdict::Skip, case.elsewhere.to_owned());
    }
    let outcome = panic::catch_unwind(|| (case.steps)(target));
    // Whatever a case found, a server that is gone is the worst of it.
    if let Err(gone) = target.is_there() {
        return judgement(Verdict::Fail, format!("the server does not answer any more: {gone}"));
    }
    match outcome {
        Ok(Ok(())) => judgement(Verdict::Pass, String::new()),
        Ok(Err(Miss::Skip(reason))) => judgement(Verdict::Skip, reason),
        Ok(Err(Miss::Wrong(seen))) => match case.binds(target) {
            Some(Level::Should) => judgement(Verdict::Warn, seen),
            Some(_) => judgement(Verdict::Fail, seen),
            None => judgement(Verdict::Pass, format!("left open by PEP 3333 and RFC 3875; seen: {seen}")),
        },
        Err(_) => judgement(Verdict::Fail, "the case itself has failed: that is a defect of the kit".to_owned()),
    }
}

impl Case {
    /// The clause that it shows.
    ///
    /// ```
    /// let case = gateway_spec::conformance::cases().find(|case| case.id == "G-8.1/1").unwrap();
    /// assert_eq!(case.clause(), "G-8.1");
    /// ```
    pub fn clause(&self) -> &'static str {
        self.id.split('/').next().unwrap_or(self.id)
    }

    /// The texts beside this contract that demand it, and how strictly.
    ///
    /// ```
    /// use gateway_spec::spec::Level;
    ///
    /// let case = gateway_spec::conformance::cases().find(|case| case.id == "G-8.1/1").unwrap();
    /// assert_eq!(case.demands().next(), Some((Level::Must, "RFC 9110, 9.3.2")));
    /// ```
    pub fn demands(&self) -> impl Iterator<Item = (Level, &'static str)> {
        [self.pep, self.cgi, self.http].into_iter().flatten()
    }

    /// How strictly it binds a server.
    fn binds(&self, target: &Target) -> Option<Level> {
        if target.claims() {
            return Some(self.level);
        }
        let own = match target.kind() {
            Kind::Wsgi => self.pep,
            Kind::Cgi => self.cgi,
            Kind::Rust => None,
        };
        own.into_iter().chain(self.http).map(|(level, _)| level).min()
    }
}

impl Kind {
    /// Its name: `rust`, `wsgi` or `cgi`.
    ///
    /// ```
    /// assert_eq!(gateway_spec::conformance::Kind::Rust.as_str(), "rust");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Rust => "rust",
            Kind::Wsgi => "wsgi",
            Kind::Cgi => "cgi",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Kind::Rust, Kind::Wsgi, Kind::Cgi].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Verdict {
    /// `pass`, `warn`, `FAIL` or `skip`: what is bad stands out.
    ///
    /// ```
    /// assert_eq!(gateway_spec::conformance::Verdict::Skip.as_str(), "skip");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
            Verdict::Skip => "skip",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

fn wrong<T>(seen: String) -> Outcome<T> {
    Err(Miss::Wrong(seen))
}

fn skip<T>(reason: impl Into<String>) -> Outcome<T> {
    Err(Miss::Skip(reason.into()))
}

/// Finds fault with what was `seen` unless it is `right`.
fn ensure(right: bool, seen: impl FnOnce() -> String) -> Outcome {
    if right { Ok(()) } else { wrong(seen()) }
}

/// Finds fault with a value that is not the expected one.
fn same<T: PartialEq + fmt::Debug>(what: &str, seen: T, expected: T) -> Outcome {
    ensure(seen == expected, || format!("{what} is {seen:?} and not {expected:?}"))
}
