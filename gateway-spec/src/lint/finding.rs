//! What Lint has to say.

use std::fmt;

use super::Rule;
use crate::spec;

/// A breach of the contract that was seen.
///
/// ```
/// use gateway_spec::lint::Finding;
///
/// /// A finding on one line, for a log that programs read.
/// fn line(finding: &Finding) -> String {
///     let Finding { clause, rule, side, request, seen, .. } = finding;
///     format!("clause={clause} rule={rule} side={side} request={request:?} seen={seen:?}")
/// }
/// ```
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
///
/// ```
/// use gateway_spec::lint::{Side, rules};
///
/// assert_eq!(rules::PANIC.side, Side::Application);
/// assert_eq!(rules::HOST.side, Side::Server);
/// ```
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
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    /// #     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
    /// # }
    /// let app = Lint::new(hello).report_to(|finding| eprintln!("{}: {}", finding.clause, finding.sentence()));
    /// ```
    pub fn sentence(&self) -> String {
        spec::clause(self.clause).map(|clause| clause.sentence).unwrap_or_default()
    }
}

impl Side {
    /// `server` or `application`.
    ///
    /// ```
    /// use gateway_spec::lint::Side;
    ///
    /// assert_eq!(Side::Server.as_str(), "server");
    /// ```
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
