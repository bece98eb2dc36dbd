//! The options of a mount of CGI programs, as the configuration file has them.

use std::path::Path;

use toml::{Table, Value};

use super::did_you_mean;

/// Options whose types are right.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct CgiOptions(Table);

/// What an option's value is.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Boolean,
    Seconds,
    /// From the number on.
    Count(u32),
    Folder,
    Folders,
    Names,
    /// Names and strings.
    Variables,
    /// Suffixes and paths.
    Interpreters,
    Limits,
}

const OPTIONS: [(&str, Shape); 16] = [
    ("timeout", Shape::Seconds),
    ("head-timeout", Shape::Seconds),
    ("total-timeout", Shape::Seconds),
    ("stream", Shape::Boolean),
    ("nph", Shape::Boolean),
    ("indexed", Shape::Boolean),
    ("pass-authorization", Shape::Boolean),
    ("allow-writable", Shape::Boolean),
    ("interpreters", Shape::Interpreters),
    ("document-root", Shape::Folder),
    ("environ", Shape::Variables),
    ("pass-environ", Shape::Names),
    ("concurrency", Shape::Count(1)),
    ("queue", Shape::Count(0)),
    ("sendfile", Shape::Folders),
    ("limits", Shape::Limits),
];

/// What a program may be limited in.
const LIMITS: [&str; 4] = ["cpu", "memory", "processes", "file-size"];

impl CgiOptions {
    /// Sets an option. None if there is no such option.
    ///
    /// # Errors
    /// What to tell the person who wrote it.
    pub(super) fn set(&mut self, option: &str, value: &Value) -> Option<Result<(), String>> {
        let (_, shape) = OPTIONS.iter().find(|(name, _)| *name == option)?;
        let checked = shape.check(value).map_err(|wanted| format!("{option:?} must be {wanted}"));
        Some(checked.map(|()| drop(self.0.insert(option.to_owned(), value.clone()))))
    }

    /// The names of all options that there are.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        OPTIONS.iter().map(|(name, _)| *name)
    }

    pub(super) fn table(&self) -> &Table {
        &self.0
    }

    /// Makes relative paths ones below `base`.
    pub(super) fn relative_to(&mut self, base: &Path) {
        for (name, shape) in OPTIONS {
            let Some(value) = self.0.get_mut(name) else { continue };
            match (shape, value) {
                (Shape::Folder, value) => move_below(base, value),
                (Shape::Folders, Value::Array(values)) => values.iter_mut().for_each(|value| move_below(base, value)),
                (Shape::Interpreters, Value::Table(table)) => {
                    table.iter_mut().for_each(|(_, value)| move_below(base, value));
                }
                _ => {}
            }
        }
    }
}

/// What the options say.
#[cfg(any(feature = "cgi", test))]
impl CgiOptions {
    pub(in super::super) fn boolean(&self, option: &str) -> bool {
        self.0.get(option).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(in super::super) fn number(&self, option: &str) -> Option<u64> {
        number(self.0.get(option)?)
    }

    pub(in super::super) fn text(&self, option: &str) -> Option<&str> {
        self.0.get(option)?.as_str()
    }

    pub(in super::super) fn texts(&self, option: &str) -> impl Iterator<Item = &str> {
        self.0.get(option).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    pub(in super::super) fn pairs(&self, option: &str) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.get(option).and_then(Value::as_table).into_iter().flatten();
        pairs.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    pub(in super::super) fn limit(&self, name: &str) -> Option<u64> {
        number(self.0.get("limits")?.get(name)?)
    }
}

impl Shape {
    /// Whether `value` is such a value; else what it should be.
    fn check(self, value: &Value) -> Result<(), String> {
        let is_text = |value: &Value| value.as_str().is_some();
        let (right, wanted) = match self {
            Shape::Boolean => (value.as_bool().is_some(), "true or false".into()),
            Shape::Seconds => (is_count(value, 1), "a whole number of seconds".into()),
            Shape::Count(least) => (is_count(value, least), format!("a whole number from {least}")),
            Shape::Folder => (is_text(value), "a string, the path of a folder".into()),
            Shape::Folders => (all(value, is_text), "a list of strings, the paths of folders".into()),
            Shape::Names => (all(value, is_text), "a list of strings, the names of variables".into()),
            Shape::Variables => {
                (each(value, |_, value| value.as_str().is_some()), "a table of names and strings".into())
            }
            Shape::Interpreters => (
                each(value, |suffix, path| !suffix.is_empty() && is_text(path)),
                "a table of suffixes and paths".into(),
            ),
            Shape::Limits => return check_limits(value),
        };
        if right { Ok(()) } else { Err(wanted) }
    }
}

fn check_limits(value: &Value) -> Result<(), String> {
    let table = value.as_table().ok_or_else(|| format!("a table of {}", LIMITS.join(", ")))?;
    match table.iter().find(|(name, value)| !LIMITS.contains(&name.as_str()) || number(value).is_none()) {
        None => Ok(()),
        Some((name, _)) if !LIMITS.contains(&name.as_str()) => {
            let hint = did_you_mean(name, LIMITS);
            Err(format!("a table of {}, and {name:?} is none of them{hint}", LIMITS.join(", ")))
        }
        Some((name, _)) => Err(format!("a table of numbers, and {name:?} is none, nor one like \"512M\"")),
    }
}

fn is_count(value: &Value, least: u32) -> bool {
    value.as_integer().and_then(|count| u32::try_from(count).ok()).is_some_and(|count| count >= least)
}

fn all(value: &Value, test: impl Fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|values| values.iter().all(test))
}

fn each(value: &Value, test: impl Fn(&str, &Value) -> bool) -> bool {
    value.as_table().is_some_and(|table| table.iter().all(|(name, value)| test(name, value)))
}

/// A number, or a string like "512M".
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => text.parse().ok().map(|size: super::Size| size.0),
        _ => None,
    }
}

/// An empty path stays one: it stands for none.
fn move_below(base: &Path, value: &mut Value) {
    if let Value::String(path) = value
        && !path.is_empty()
    {
        *path = base.join(&*path).to_string_lossy().into_owned();
    }
}
