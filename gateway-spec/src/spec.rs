//! The clauses of `SPEC.md`, the contract's text: for programs that judge by them and say so.
//!
//! ```
//! for clause in gateway_spec::spec::clauses() {
//!     println!("{} {}: {}", clause.id, clause.level.as_str(), clause.sentence);
//! }
//! ```

use std::fmt;

/// The text itself.
///
/// ```
/// assert!(gateway_spec::spec::TEXT.starts_with("# The gateway contract"));
/// ```
pub const TEXT: &str = include_str!("../SPEC.md");

/// One sentence of the contract.
///
/// ```
/// use gateway_spec::spec::{Level, clauses};
///
/// let duties = clauses().filter(|clause| clause.level == Level::Must).count();
/// assert!(duties > 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Clause {
    /// `G-7.3`: the third clause of section 7. It never changes.
    pub id: &'static str,
    /// How strictly it binds.
    pub level: Level,
    /// Whom it binds.
    pub party: Party,
    /// The sentence, in one line.
    pub sentence: String,
    /// What would go wrong without it.
    pub why: String,
}

/// How strictly a clause binds ([RFC 2119](https://www.rfc-editor.org/rfc/rfc2119)): by the first such word in it.
///
/// ```
/// use gateway_spec::spec::{Level, clause};
///
/// assert_eq!(clause("G-2.9").map(|clause| clause.level), Some(Level::Should));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// MUST and MUST NOT.
    Must,
    /// SHOULD and SHOULD NOT.
    Should,
    /// MAY.
    May,
}

/// Whom a clause binds.
///
/// ```
/// use gateway_spec::spec::{Party, clauses};
///
/// for clause in clauses().filter(|clause| clause.party == Party::Application) {
///     println!("{}: {}", clause.id, clause.sentence);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// Who has requests: everything between the socket and the application.
    Server,
    /// Who answers them.
    Application,
    /// Who is an application to the server, and a server to another application.
    Middleware,
    /// A server, or the part of one, that calls Python callables.
    WsgiHost,
    /// A server, or the part of one, that runs programs.
    CgiHost,
}

/// All clauses, in the order of the text.
///
/// ```
/// let clause = gateway_spec::spec::clauses().find(|clause| clause.id == "G-7.1").unwrap();
/// assert_eq!(clause.sentence, "A server MUST pull the body: it asks for a block when it can take it.");
/// ```
pub fn clauses() -> impl Iterator<Item = Clause> {
    // A clause is a paragraph that begins with its id: **G-1.1** A server MUST … *Why: …*
    TEXT.split("\n\n").filter_map(|paragraph| {
        let (id, text) = paragraph.trim().strip_prefix("**")?.split_once("**")?;
        let (sentence, why) = text.split_once("*Why:")?;
        let sentence = one_line(sentence);
        Some(Clause {
            id: id.strip_prefix("G-").map(|_| id)?,
            level: Level::of(&sentence)?,
            party: Party::of(&sentence)?,
            why: one_line(why.trim_end().trim_end_matches('*')),
            sentence,
        })
    })
}

/// The clause that `id` names.
///
/// ```
/// let clause = gateway_spec::spec::clause("G-7.1").unwrap();
/// assert!(clause.why.starts_with("a slow reader"));
/// assert_eq!(gateway_spec::spec::clause("G-99.1"), None);
/// ```
pub fn clause(id: &str) -> Option<Clause> {
    clauses().find(|clause| clause.id == id)
}

impl Level {
    fn of(sentence: &str) -> Option<Self> {
        sentence.split(|character: char| !character.is_ascii_uppercase()).find_map(|word| match word {
            "MUST" => Some(Level::Must),
            "SHOULD" => Some(Level::Should),
            "MAY" => Some(Level::May),
            _ => None,
        })
    }

    /// The word: `MUST`, `SHOULD` or `MAY`.
    ///
    /// ```
    /// assert_eq!(gateway_spec::spec::Level::Must.as_str(), "MUST");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::May => "MAY",
        }
    }
}

impl Party {
    const ALL: [Party; 5] = [Party::Server, Party::Application, Party::Middleware, Party::WsgiHost, Party::CgiHost];

    /// A clause's first words name its party.
    fn of(sentence: &str) -> Option<Self> {
        let begins = |party: &Party| {
            let rest = sentence.trim_start_matches("A ").trim_start_matches("An ").get(..party.as_str().len());
            rest.is_some_and(|rest| rest.eq_ignore_ascii_case(party.as_str()))
        };
        Self::ALL.into_iter().find(begins)
    }

    /// As the text has it: `server`, `application`, `middleware`, `WSGI host` or `CGI host`.
    ///
    /// ```
    /// assert_eq!(gateway_spec::spec::Party::Server.as_str(), "server");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Party::Server => "server",
            Party::Application => "application",
            Party::Middleware => "middleware",
            Party::WsgiHost => "WSGI host",
            Party::CgiHost => "CGI host",
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.sentence)
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_clause_of_the_text_is_read() {
        let written = TEXT.lines().filter(|line| line.starts_with("**G-")).count();
        assert_eq!(clauses().count(), written);
        assert!(written > 100);
    }

    #[test]
    fn ids_are_of_their_section_and_come_once() {
        let ids: Vec<_> = clauses().map(|clause| clause.id).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        let mut section = "";
        for line in TEXT.lines() {
            if let Some(title) = line.strip_prefix("## ") {
                section = title.split('.').next().unwrap_or_default();
            }
            if let Some(id) = line.strip_prefix("**G-") {
                assert_eq!(id.split('.').next(), Some(section), "{line}");
            }
        }
    }

    #[test]
    fn a_clause_is_one_sentence_with_its_level_party_and_reason() {
        for clause in clauses() {
            assert!(clause.sentence.ends_with('.'), "{clause}");
            assert!(clause.why.ends_with(['.', '"']) && clause.why.len() > 4, "{clause} {:?}", clause.why);
            assert!(!clause.sentence.contains("**") && !clause.why.contains('*'), "{clause}");
        }
        let found = |id| clause(id).map(|clause| (clause.level, clause.party)).unwrap();
        assert_eq!(found("G-2.8"), (Level::Must, Party::Server));
        assert_eq!(found("G-2.9"), (Level::Should, Party::Application));
        assert_eq!(found("G-9.3"), (Level::May, Party::Middleware));
        assert_eq!(found("G-10.1"), (Level::Must, Party::WsgiHost));
        assert_eq!(found("G-10.23"), (Level::Must, Party::CgiHost));
    }
}
