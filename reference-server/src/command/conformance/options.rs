//! The options of `gateway conformance`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gateway_spec::conformance::{self, Case, Selection};

use super::super::failure::{Failure, Report};

pub(in crate::command) const ABOUT: &str = "\
Judge a server by the cases of the gateway contract (gateway-spec/SPEC.md).

The server hosts the probe application: `gateway serve app:probe` has it as a Rust App, --emit-probe writes it as a
Python module that any WSGI server can host, and as a CGI program. Without --url, gateway judges itself: its three
adapters, one after the other.

A server whose environ has `gateway.version` is held to the whole contract. Others are held to PEP 3333, RFC 3875 and
the RFCs of HTTP, and pass where these leave a choice.";

pub(in crate::command) const EXAMPLES: &str = "\
Examples:
  gateway conformance
  gateway conformance --emit-probe wsgi probe.py && gunicorn --threads 8 probe:application &
  gateway conformance --url http://127.0.0.1:8000/ --only G-7 --only G-10.9
  gateway conformance --peers target/peers --format markdown > gateway-spec/CONFORMANCE.md

Exit codes: 0 no case fails (with --strict, none warns either); 1 one does, or there is no server; 2 usage. With --peers,
gateway's own columns count.";

/// What stands above the matrix.
pub(super) const PAGE: &str = "\
# Conformance

What WSGI servers, and the three adapters of `gateway`, make of the cases of the [contract](SPEC.md): as of {date}, made by

    cargo run --release -- conformance --peers target/peers --format markdown > gateway-spec/CONFORMANCE.md

which installs the servers in a virtual environment, starts each as its documentation advises, with eight threads where it
has threads, and lets it host the probe application.

* **pass**: what the case expects. **open**: another outcome, which PEP 3333, RFC 3875 and the RFCs of HTTP allow as well:
  counted as passed.
* **warn**: what one of these texts says should not be. **FAIL**: what one says must not be.
* **–**: it has no meaning for this server, or cannot be told.

`gateway` claims the contract and is held to every word of it; the others are held to those texts, and named there is the
one that demands what was not seen. What failed was tried a second time with the server started anew. A server that is gone
after a case has failed it.

";

#[derive(Args, Debug)]
pub(in crate::command) struct ConformanceOptions {
    /// The server to judge: http://HOST:PORT/PREFIX, where the probe application is
    #[arg(long, value_name = "URL", conflicts_with = "peers")]
    pub(super) url: Option<String>,

    /// Cases to run: a section (G-7), a clause (G-7.3) or a case (G-7.3/1); all without. May be given several times
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<Selection>,

    /// Let warnings count as failures: what the contract says SHOULD be
    #[arg(long)]
    pub(super) strict: bool,

    /// Show the cases, and run none
    #[arg(long)]
    pub(super) list: bool,

    /// How to show what was found
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,

    /// Write the probe application to FILE, or to standard output: wsgi, a Python module, or cgi, a program
    #[arg(long, value_names = ["KIND", "FILE"], num_args = 1..=2, conflicts_with_all = ["url", "list", "peers"])]
    emit_probe: Option<Vec<String>>,

    /// Judge other WSGI servers beside gateway; they are installed in a virtual environment in FOLDER
    #[arg(long, value_name = "FOLDER")]
    pub(super) peers: Option<PathBuf>,
}

/// How results are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    Markdown,
}

/// A form of the probe application that other servers can host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    Wsgi,
    Cgi,
}

impl ConformanceOptions {
    pub(super) fn selects(&self, case: &Case) -> bool {
        self.only.is_empty() || self.only.iter().any(|selection| selection.holds(case))
    }

    /// What is to be written out, and where.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is no such probe.
    pub(super) fn probe(&self) -> Result<Option<(Probe, Option<PathBuf>)>, Failure> {
        let Some([kind, file @ ..]) = self.emit_probe.as_deref() else { return Ok(None) };
        let probe = match kind.as_str() {
            "wsgi" => Probe::Wsgi,
            "cgi" => Probe::Cgi,
            _ => {
                let report = Report::new(format!("there is no probe of the kind {kind:?}"));
                return Err(Failure::Usage(report.tip("there are wsgi and cgi; the Rust App is `app:probe`")));
            }
        };
        Ok(Some((probe, file.first().map(PathBuf::from))))
    }
}

impl Probe {
    pub(super) fn text(self) -> &'static str {
        match self {
            Probe::Wsgi => conformance::WSGI_PROBE,
            Probe::Cgi => conformance::CGI_PROBE,
        }
    }
}
