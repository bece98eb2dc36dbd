//! Targets: what is served where, as it is written on the command line and in the configuration file.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use toml::Value;

use super::{
    apps::Builtin,
    nearest::{did_you_mean, nearest},
    options::Size,
};

mod cgi;

pub(super) use cgi::CgiOptions;

/// An application and the prefix of the paths that it answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mount {
    /// Begins with `/`, and ends with one only if that is all of it.
    pub(super) prefix: String,
    pub(super) target: Target,
    /// Whether it is watched, whatever its kind; what is not said here holds for all mounts.
    pub(super) lint: Option<bool>,
}

/// An application that is still to be loaded.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    Wsgi {
        /// As `pyo3_adapter::Wsgi::load` takes it.
        callable: String,
        /// Whether bodies are read as they arrive.
        stream: bool,
    },
    Cgi {
        path: PathBuf,
        options: CgiOptions,
    },
    Static {
        folder: PathBuf,
        listing: Option<bool>,
    },
    App(Builtin),
}

const KINDS: [&str; 4] = ["wsgi", "cgi", "static", "app"];

impl FromStr for Mount {
    type Err = String;

    /// Parses `[PREFIX=]KIND:WHAT`. An equals sign behind the first colon belongs to WHAT, unless a slash came first.
    fn from_str(text: &str) -> Result<Self, String> {
        let equals = text.find('=').filter(|&at| text.starts_with('/') || !text[..at].contains(':'));
        let (prefix, target) = match equals {
            Some(at) => (&text[..at], &text[at + 1..]),
            None if text.starts_with('/') => {
                return Err("a prefix needs a target, as in /files=static:FOLDER; a path needs a kind".into());
            }
            None => ("/", text),
        };
        Ok(Mount { prefix: parse_prefix(prefix)?, target: target.parse()?, lint: None })
    }
}

impl Mount {
    /// The mount that the configuration file has at `prefix`: a target, or a table with one and its options.
    ///
    /// # Errors
    /// What to tell the person who wrote it.
    pub(super) fn from_toml(prefix: &str, value: &Value) -> Result<Self, String> {
        let prefix = parse_prefix(prefix)?;
        let mut lint = None;
        let target = match value {
            Value::String(target) => target.parse()?,
            Value::Table(table) => {
                let target = table.get("target").ok_or("it lacks the key \"target\"")?;
                let mut target: Target = target.as_str().ok_or("\"target\" must be a string")?.parse()?;
                for (option, value) in table.iter().filter(|(option, _)| *option != "target") {
                    match option.as_str() {
                        "lint" => lint = Some(value.as_bool().ok_or("\"lint\" must be true or false")?),
                        _ => target.set(option, value)?,
                    }
                }
                target
            }
            other => return Err(format!("it must be a string or a table, and is of type {}", other.type_str())),
        };
        Ok(Mount { prefix, target, lint })
    }

    /// The other way round: the value in the configuration file.
    pub(super) fn to_toml(&self) -> Value {
        let target = Value::String(self.target.to_string());
        let mut table = match &self.target {
            Target::Static { listing: Some(listing), .. } => {
                toml::Table::from_iter([("listing".to_owned(), Value::Boolean(*listing))])
            }
            Target::Cgi { options, .. } => options.table().clone(),
            Target::Wsgi { stream: true, .. } => toml::Table::from_iter([("stream".to_owned(), Value::Boolean(true))]),
            _ => toml::Table::new(),
        };
        if let Some(lint) = self.lint {
            table.insert("lint".to_owned(), Value::Boolean(lint));
        }
        if table.is_empty() {
            return target;
        }
        table.insert("target".to_owned(), target);
        Value::Table(table)
    }
}

fn parse_prefix(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!("the prefix {text:?} must begin with \"/\""));
    }
    if text.contains(char::is_control) {
        return Err(format!("the prefix {text:?} has a control character in it"));
    }
    let trimmed = text.trim_end_matches('/');
    Ok(if trimmed.is_empty() { "/".into() } else { trimmed.into() })
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, what) = text.split_once(':').ok_or_else(|| {
            format!("{text:?} is not KIND:WHAT, as in static:FOLDER or app:hello, nor MODULE:CALLABLE for Python")
        })?;
        if KINDS.contains(&kind) && what.is_empty() {
            return Err(format!("behind {kind:?}: there is nothing"));
        }
        match kind {
            "wsgi" if is_callable(what) => Ok(Target::wsgi(what)),
            "wsgi" => Err(format!(
                "{what:?} is not MODULE:CALLABLE (for what is called {what:?} in a module called \"wsgi\": wsgi:{text})"
            )),
            "cgi" => Ok(Target::Cgi { path: what.into(), options: CgiOptions::default() }),
            "static" => Ok(Target::Static { folder: what.into(), listing: None }),
            "app" => Builtin::named(what).map(Target::App).map_err(|error| format!("{error}{}", python_hint(text))),
            _ => match nearest(kind, KINDS) {
                Some(right) => Err(format!("there is no kind {kind:?} (did you mean {right:?}?){}", python_hint(text))),
                None if is_callable(text) => Ok(Target::wsgi(text)),
                None => Err(format!("there is no kind {kind:?}; there are {}", KINDS.join(", "))),
            },
        }
    }
}

/// Whether Python could make sense of it: `module:callable`, `module:factory()` or `file.py:callable`.
fn is_callable(text: &str) -> bool {
    let is_dotted = |name: &str| name.split('.').all(is_identifier);
    text.rsplit_once(':').is_some_and(|(module, callable)| {
        (is_dotted(module) || module.ends_with(".py")) && is_dotted(callable.strip_suffix("()").unwrap_or(callable))
    })
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|character| character == '_' || character.is_alphanumeric())
}

/// Many a Python module has a name that could be a kind's.
fn python_hint(text: &str) -> String {
    if is_callable(text) { format!("; for a Python module write wsgi:{text}") } else { String::new() }
}

impl Target {
    fn wsgi(callable: &str) -> Self {
        Target::Wsgi { callable: callable.into(), stream: false }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Target::Wsgi { .. } => "wsgi",
            Target::Cgi { .. } => "cgi",
            Target::Static { .. } => "static",
            Target::App(_) => "app",
        }
    }

    pub(super) fn what(&self) -> String {
        match self {
            Target::Wsgi { callable, .. } => callable.clone(),
            Target::Cgi { path, .. } => path.display().to_string(),
            Target::Static { folder, .. } => folder.display().to_string(),
            Target::App(app) => app.name().into(),
        }
    }

    /// Sets an option that the configuration file has for this mount.
    fn set(&mut self, option: &str, value: &Value) -> Result<(), String> {
        let kind = self.kind();
        let mut known = vec!["target", "lint"];
        match self {
            Target::Static { listing, .. } if option == "listing" => {
                *listing = Some(value.as_bool().ok_or("\"listing\" must be true or false")?);
                return Ok(());
            }
            Target::Static { .. } => known.push("listing"),
            Target::Wsgi { stream, .. } if option == "stream" => {
                *stream = value.as_bool().ok_or("\"stream\" must be true or false")?;
                return Ok(());
            }
            Target::Wsgi { .. } => known.push("stream"),
            Target::Cgi { options, .. } => match options.set(option, value) {
                Some(result) => return result,
                None => known.extend(CgiOptions::names()),
            },
            Target::App(_) => {}
        }
        let hint = did_you_mean(option, known.iter().copied());
        Err(format!("{kind} targets have no option {option:?}{hint}; there are {}", known.join(", ")))
    }

    /// Makes a relative path one below `base`.
    pub(super) fn relative_to(&mut self, base: &Path) {
        match self {
            Target::Cgi { path, options } => {
                *path = base.join(&*path);
                options.relative_to(base);
            }
            Target::Static { folder, .. } => *folder = base.join(&*folder),
            Target::Wsgi { callable, .. } => {
                if let Some((file, name)) = callable.rsplit_once(':').filter(|(module, _)| module.ends_with(".py")) {
                    *callable = format!("{}:{name}", base.join(file).display());
                }
            }
            Target::App(_) => {}
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.what())
    }
}

#[cfg(test)]
mod tests;
