//! The cases, by the sections of SPEC.md.

mod body;
mod call;
mod cgi;
mod connection;
mod environ;
mod framing;
mod headers;
mod input;
mod server;
mod start_response;
mod wsgi;
mod wsgi_streams;

use super::{Case, Kind, Outcome, Target};
use crate::spec::Level;

/// All cases, in the order of the contract.
///
/// ```
/// assert!(gateway_spec::conformance::cases().count() >= 120);
/// ```
pub fn cases() -> impl Iterator<Item = &'static Case> {
    let early = [call::CASES, environ::CASES, headers::CASES, input::CASES, start_response::CASES, body::CASES];
    let late = [server::CASES, framing::CASES, connection::CASES, wsgi::CASES, wsgi_streams::CASES, cgi::CASES];
    early.into_iter().chain(late).flatten()
}

const EVERYWHERE: &[Kind] = &[Kind::Rust, Kind::Wsgi, Kind::Cgi];

type Steps = fn(&Target) -> Outcome;

const fn case(level: Level, id: &'static str, title: &'static str, expect: &'static str, steps: Steps) -> Case {
    Case { id, level, title, expect, pep: None, cgi: None, http: None, hosts: EVERYWHERE, elsewhere: "", steps }
}

const fn must(id: &'static str, title: &'static str, expect: &'static str, steps: Steps) -> Case {
    case(Level::Must, id, title, expect, steps)
}

const fn should(id: &'static str, title: &'static str, expect: &'static str, steps: Steps) -> Case {
    case(Level::Should, id, title, expect, steps)
}

const fn may(id: &'static str, title: &'static str, expect: &'static str, steps: Steps) -> Case {
    case(Level::May, id, title, expect, steps)
}

impl Case {
    /// PEP 3333 demands it as strictly as we do, in this section.
    const fn pep(self, section: &'static str) -> Self {
        Case { pep: Some((self.level, section)), ..self }
    }

    /// PEP 3333 says "should".
    const fn pep_should(self, section: &'static str) -> Self {
        Case { pep: Some((Level::Should, section)), ..self }
    }

    /// RFC 3875 demands it, in this section.
    const fn cgi(self, section: &'static str) -> Self {
        Case { cgi: Some((self.level, section)), ..self }
    }

    /// RFC 3875 says "should".
    const fn cgi_should(self, section: &'static str) -> Self {
        Case { cgi: Some((Level::Should, section)), ..self }
    }

    /// An RFC about HTTP demands it.
    const fn http(self, section: &'static str) -> Self {
        Case { http: Some((self.level, section)), ..self }
    }

    /// An RFC about HTTP says "should".
    const fn http_should(self, section: &'static str) -> Self {
        Case { http: Some((Level::Should, section)), ..self }
    }

    /// It has a meaning only there; `elsewhere` says why.
    const fn only(self, hosts: &'static [Kind], elsewhere: &'static str) -> Self {
        Case { hosts, elsewhere, ..self }
    }

    /// A rule for hosts of Python callables.
    const fn wsgi(self) -> Self {
        self.only(&[Kind::Wsgi], "it is about Python callables")
    }

    /// A rule for hosts of CGI programs.
    const fn program(self) -> Self {
        self.only(&[Kind::Cgi], "it is about CGI programs")
    }

    /// A rule about what a CGI program has no way to do.
    const fn callable(self, elsewhere: &'static str) -> Self {
        self.only(&[Kind::Rust, Kind::Wsgi], elsewhere)
    }
}
