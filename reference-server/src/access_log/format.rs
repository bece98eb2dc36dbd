//! The format of the access log: gunicorn's atoms, and three formats by name.

use std::{error::Error, fmt, str::FromStr};

use http::HeaderName;

/// What a line of the access log looks like. It is parsed from the name of a format, `common`, `combined` or `json`, or
/// from text with [atoms](ATOMS) in it, as in `%(h)s %(t)s "%(r)s" %(s)s`.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    pub(super) pieces: Vec<Piece>,
    pub(super) style: Style,
}

/// The formats that have a name.
pub const NAMES: [&str; 3] = ["common", "combined", "json"];

const COMMON: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s"#;
const COMBINED: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;
const JSON: &str = r#"{"time":%(time)s,"remote":%(h)s,"method":%(m)s,"path":%(U)s,"query":%(q)s,"protocol":%(H)s,"status":%(s)s,"bytes":%(B)s,"duration":%(L)s,"application":%(app)s,"queue":%(queue)s,"referer":%(f)s,"user_agent":%(a)s,"pid":%(pid)s,"aborted":%(aborted)s}"#;

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As they are, but for what could break a line or a terminal; what is absent is `-`.
    Text,
    /// As values of JSON.
    Json,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Literal(String),
    Atom(Atom),
}

/// A value that differs from request to request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Atom {
    Named(Name),
    RequestHeader(HeaderName),
    ResponseHeader(HeaderName),
    Environ(String),
}

macro_rules! names {
    ($($(#[doc = $meaning:literal])+ $name:ident = $text:literal,)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Name {
            $($(#[doc = $meaning])+ $name,)+
        }

        /// The names of the atoms, without `%(` and `)s`, and what each stands for.
        pub const ATOMS: &[(&str, &str)] = &[$(($text, concat!($($meaning),+)),)+];

        impl Name {
            const ALL: &[Name] = &[$(Name::$name,)+];
        }
    };
}

names! {
    /// the client's address
    Remote = "h",
    /// always `-`
    Identity = "l",
    /// the user's name, if there is one in `Authorization`
    User = "u",
    /// when the request arrived, as in the common log format
    Time = "t",
    /// when the request arrived, in the form of RFC 3339
    IsoTime = "time",
    /// the request line
    RequestLine = "r",
    /// the method
    Method = "m",
    /// the path, without the query
    Path = "U",
    /// the query
    Query = "q",
    /// the protocol
    Protocol = "H",
    /// the response's status; 499 if the client left before there was one
    Status = "s",
    /// bytes sent of the response's body
    Bytes = "B",
    /// bytes sent of the response's body, `-` for none
    BytesOrNone = "b",
    /// the header `Referer`
    Referer = "f",
    /// the header `User-Agent`
    Agent = "a",
    /// the time that the request took, in whole seconds
    Seconds = "T",
    /// the time that the request took, in milliseconds
    Milliseconds = "M",
    /// the time that the request took, in microseconds
    Microseconds = "D",
    /// the time that the request took, in seconds with six decimals
    Decimal = "L",
    /// the time until the application had returned its response, without that in the queue, in seconds
    Application = "app",
    /// the time that the request waited for a thread, in seconds
    Queue = "queue",
    /// `true` if the client did not get all of the response
    Aborted = "aborted",
    /// the process id between angle brackets, as gunicorn has it
    Process = "p",
    /// the process id
    Pid = "pid",
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let (text, style) = match text {
            "common" => (COMMON, Style::Text),
            "combined" => (COMBINED, Style::Text),
            "json" => (JSON, Style::Json),
            _ if text.contains("%(") => (text, Style::Text),
            _ => return Err(FormatError::Name(text.into())),
        };
        Ok(Format { pieces: parse(text)?, style })
    }
}

impl Default for Format {
    /// The common log format.
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a constant, which tests parse")]
        "common".parse().expect("a format by name")
    }
}

fn parse(text: &str) -> Result<Vec<Piece>, FormatError> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(percent) = rest.find('%') {
        literal.push_str(&rest[..percent]);
        rest = &rest[percent..];
        if let Some(behind) = rest.strip_prefix("%%") {
            literal.push('%');
            rest = behind;
            continue;
        }
        let atom = rest.strip_prefix("%(").and_then(|inside| inside.split_once(")s"));
        let (name, behind) = atom.ok_or_else(|| FormatError::Percent(rest.chars().take(20).collect()))?;
        pieces.extend((!literal.is_empty()).then(|| Piece::Literal(std::mem::take(&mut literal))));
        pieces.push(Piece::Atom(atom_of(name)?));
        rest = behind;
    }
    literal.push_str(rest);
    pieces.extend((!literal.is_empty()).then_some(Piece::Literal(literal)));
    Ok(pieces)
}

fn atom_of(name: &str) -> Result<Atom, FormatError> {
    if let Some((inner, kind)) = name.strip_prefix('{').and_then(|name| name.rsplit_once('}')) {
        let header = || inner.parse().map_err(|_| FormatError::Header(inner.into()));
        return match kind {
            "i" => header().map(Atom::RequestHeader),
            "o" => header().map(Atom::ResponseHeader),
            "e" => Ok(Atom::Environ(inner.into())),
            _ => Err(FormatError::Atom(name.into())),
        };
    }
    let known = ATOMS.iter().position(|(atom, _)| *atom == name);
    let name = known.map(|place| Name::ALL[place]).ok_or_else(|| FormatError::Atom(name.into()))?;
    Ok(Atom::Named(name))
}

/// Why a text is no [`Format`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// There is no format of this name.
    Name(String),
    /// There is no atom of this name.
    Atom(String),
    /// This is not the name of a header.
    Header(String),
    /// There is a `%` that begins no atom.
    Percent(String),
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::Name(name) => write!(f, "there is no format {name:?}"),
            FormatError::Atom(name) => write!(f, "there is no atom %({name})s"),
            FormatError::Header(name) => write!(f, "{name:?} is not the name of a header"),
            FormatError::Percent(text) => {
                write!(f, "{text:?} is no atom, as %(h)s is one; a percent sign is written %%")
            }
        }
    }
}

impl Error for FormatError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_every_atom_can_be_parsed() {
        for name in NAMES {
            assert!(!name.parse::<Format>().unwrap().pieces.is_empty());
        }
        for (atom, _) in ATOMS {
            assert_eq!(format!("%({atom})s").parse::<Format>().unwrap().pieces.len(), 1, "{atom}");
        }
    }

    #[test]
    fn text_between_atoms_is_kept_and_percent_signs_are_doubled() {
        let format: Format = "100%% %(s)s[%({X-A}i)s]".parse().unwrap();
        let literal = |text: &str| Piece::Literal(text.into());
        let header = Piece::Atom(Atom::RequestHeader(HeaderName::from_static("x-a")));
        let status = Piece::Atom(Atom::Named(Name::Status));
        assert_eq!(format.pieces, [literal("100% "), status, literal("["), header, literal("]")]);
    }

    #[test]
    fn what_is_no_format_is_refused_with_the_reason() {
        let error = |text: &str| text.parse::<Format>().unwrap_err();
        assert_eq!(error("comon"), FormatError::Name("comon".into()));
        assert_eq!(error("%(h)s %(nonsense)s"), FormatError::Atom("nonsense".into()));
        assert_eq!(error("%({a}x)s"), FormatError::Atom("{a}x".into()));
        assert_eq!(error("%({a b}i)s"), FormatError::Header("a b".into()));
        assert_eq!(error("%(h)s %h"), FormatError::Percent("%h".into()));
        assert_eq!(error("%(h"), FormatError::Percent("%(h".into()));
    }
}
