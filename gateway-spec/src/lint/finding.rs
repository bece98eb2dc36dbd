//! What Lint has to say.

use std::fmt;

use super::Rule;
use crate::spec;

/// A breach of the contract that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The clause that was broken: `G-7.6`.
    pub clause: &'static str,
    /// The [rule](super::RULES) by which it was noticed.
    pub rule: &'static str,
    /// Who broke it.
    pub side: Side,
    /// The request: `GET /path`.
    pub request: String,
    /// What was seen.
    pub seen: String,
    /// What should have been.
    pub expected: &'static str,
    /// Where it happened, if the application's language can tell.
    pub traceback: Option<String>,
}

/// One of the two parties to the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The server, or middleware in front of [`Lint`](crate::Lint).
    Server,
    /// The application that is wrapped, middleware around it included.
    Application,
}

impl Finding {
    pub(super) fn new(rule: Rule, request: String, seen: String, traceback: Option<String>) -> Self {
        let Rule { id, clause, side, what } = rule;
        Finding { clause, rule: id, side, request, seen, expected: what, traceback }
    }

    /// The clause's sentence in the contract.
    pub fn sentence(&self) -> String {
        spec::clause(self.clause).map(|clause| clause.sentence).unwrap_or_default()
    }
}

impl Side {
    /// `server` or `application`.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Server => "server",
            Side::Application => "application",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// For people: several lines, of which the first says it all.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "lint: {} [{}]: {}: {}", self.side, self.rule, self.request, self.seen)?;
        writeln!(f, "  expected: {}", self.expected)?;
        write!(f, "  {}: {}", self.clause, self.sentence())?;
        self.traceback.iter().flat_map(|traceback| traceback.lines()).try_for_each(|line| write!(f, "\n  | {line}"))
    }
}
