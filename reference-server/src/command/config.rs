//! The configuration file, turned into what could have been written on the command line.

use std::{
    any::TypeId,
    ffi::OsString,
    fs,
    path::{self, Path, PathBuf},
};

use clap::{Arg, ArgMatches};
use toml::{Table, Value};

use super::{
    failure::{Failure, Report},
    nearest::did_you_mean,
    options::{self, Size},
    target::Mount,
};

/// What a configuration file says.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    /// Option and value, as the command line would have it.
    pub(super) values: Vec<(String, OsString)>,
    pub(super) mounts: Vec<Mount>,
}

/// The key of the table of mounts.
const MOUNT: &str = "mount";

/// Reads the file at `path`.
///
/// # Errors
/// [`Failure::Usage`] that names the file.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::Usage(Report::new(format!("cannot read the configuration file {}", path.display())).because(&error))
    })
}

impl File {
    /// What the file at `path` says with `text`. Its keys are the options of `serve`, whose values are not checked yet.
    ///
    /// # Errors
    /// [`Failure::Usage`] that names file and key.
    pub(super) fn parse(path: &Path, text: &str, serve: &clap::Command) -> Result<Self, Failure> {
        let wrong = |error: String| Failure::Usage(Report::new(format!("{}: {}", path.display(), error.trim_end())));
        let absolute = path::absolute(path).map_err(|error| wrong(error.to_string()))?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        let base = absolute.parent().unwrap_or(&absolute);
        let mut file = File { path: path.to_owned(), values: Vec::new(), mounts: Vec::new() };
        for (key, value) in &table {
            file.take(key, value, serve, base).map_err(wrong)?;
        }
        Ok(file)
    }

    fn take(&mut self, key: &str, value: &Value, serve: &clap::Command, base: &Path) -> Result<(), String> {
        if key == MOUNT {
            let mounts = value.as_table().ok_or("\"mount\" must be a table: [mount]")?;
            return mounts.iter().try_for_each(|(prefix, value)| self.take_mount(prefix, value, base));
        }
        let arg = options::keys(serve).find(|(long, _)| *long == key).map(|(_, arg)| arg).ok_or_else(|| {
            let keys = options::keys(serve).map(|(long, _)| long).chain([MOUNT]);
            format!("there is no key {key:?}{}", did_you_mean(key, keys))
        })?;
        let shape = Shape::of(arg);
        let text = shape
            .text(value)
            .ok_or_else(|| format!("{key:?} must be {}, and is of type {}", shape.wanted(), value.type_str()))?;
        // Standard output is no file.
        let text = if shape == Shape::Path && text != "-" { base.join(text).into() } else { text.into() };
        self.values.push((key.to_owned(), text));
        Ok(())
    }

    fn take_mount(&mut self, prefix: &str, value: &Value, base: &Path) -> Result<(), String> {
        let mut mount = Mount::from_toml(prefix, value).map_err(|error| format!("mount {prefix:?}: {error}"))?;
        mount.target.relative_to(base);
        if self.mounts.iter().any(|other| other.prefix == mount.prefix) {
            return Err(format!("mount {prefix:?}: there are two targets at {}", mount.prefix));
        }
        self.mounts.push(mount);
        Ok(())
    }
}

/// The type of an option's value in TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Boolean,
    Integer,
    Size,
    Path,
    Text,
    /// One text or several, which the command line has separated by commas.
    Texts,
}

impl Shape {
    pub(super) fn of(arg: &Arg) -> Self {
        let parsed = arg.get_value_parser().type_id();
        if arg.get_value_delimiter().is_some() {
            Shape::Texts
        } else if parsed == TypeId::of::<bool>() {
            Shape::Boolean
        } else if parsed == TypeId::of::<u16>() || parsed == TypeId::of::<u32>() {
            Shape::Integer
        } else if parsed == TypeId::of::<Size>() {
            Shape::Size
        } else if parsed == TypeId::of::<PathBuf>() {
            Shape::Path
        } else {
            Shape::Text
        }
    }

    /// The value as the command line would have it, if it is of the right type.
    fn text(self, value: &Value) -> Option<String> {
        match (self, value) {
            (Shape::Boolean, Value::Boolean(value)) => Some(value.to_string()),
            (Shape::Integer | Shape::Size, Value::Integer(value)) => Some(value.to_string()),
            (Shape::Size | Shape::Path | Shape::Text | Shape::Texts, Value::String(value)) => Some(value.clone()),
            (Shape::Texts, Value::Array(values)) => {
                let texts: Option<Vec<_>> = values.iter().map(Value::as_str).collect();
                texts.filter(|texts| !texts.is_empty()).map(|texts| texts.join(","))
            }
            _ => None,
        }
    }

    /// The other way round: the value that is in effect, if there is one.
    pub(super) fn value(self, matches: &ArgMatches, id: &str) -> Option<Value> {
        let text = matches.get_raw(id)?.next()?.to_string_lossy();
        let integer = || text.parse().ok().map(Value::Integer);
        let string = || Value::String(text.clone().into());
        match self {
            Shape::Boolean => matches.get_one(id).copied().map(Value::Boolean),
            Shape::Integer => integer(),
            Shape::Size => integer().or_else(|| Some(string())),
            Shape::Path | Shape::Text => Some(string()),
            Shape::Texts => {
                let mut texts: Vec<_> =
                    matches.get_raw(id)?.map(|text| Value::String(text.to_string_lossy().into_owned())).collect();
                if texts.len() == 1 { texts.pop() } else { Some(Value::Array(texts)) }
            }
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Shape::Boolean => "true or false",
            Shape::Integer => "a whole number",
            Shape::Size => "a number of bytes, or a string like \"16M\"",
            Shape::Path | Shape::Text => "a string",
            Shape::Texts => "a string, or an array of strings",
        }
    }
}
