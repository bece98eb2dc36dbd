//! The options in effect: flags before environment variables before the file before defaults.
//!
//! The command line is parsed twice. The first time tells which file to read; what that says becomes the options'
//! defaults, and the second time puts everything in its order and checks it all in one way.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
};

use clap::{
    ArgMatches, CommandFactory as _, FromArgMatches as _,
    builder::Resettable,
    error::{ContextKind, ErrorKind},
    parser::ValueSource,
};
use toml::Value;

use super::{
    Cli,
    config::{self, File, Shape},
    failure::{Failure, Report},
    options::{self, ServeOptions},
    target::Mount,
};

/// What `gateway serve` is to do.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) options: ServeOptions,
    pub(super) mounts: Vec<(Mount, Origin)>,
    /// Every option that has a key, with its value if it has one.
    pub(super) values: Vec<(String, Option<Value>, Origin)>,
    /// What the configuration file said.
    pub(super) file: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    CommandLine,
    Environment(String),
    File(PathBuf),
    Default,
}

/// A value that goes before an option's own default.
#[derive(Debug)]
struct Preset {
    key: String,
    value: OsString,
    origin: Origin,
}

impl Settings {
    /// Puts together what `args`, the environment and the file say. The file is read, unless `file` is what it said
    /// when it was last found to be in order.
    ///
    /// # Errors
    /// [`Failure::Arguments`] and [`Failure::Usage`].
    pub(super) fn gather(args: &[OsString], file: Option<String>) -> Result<Self, Failure> {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap_or(&command);
        let first = command.clone().try_get_matches_from(args).or_else(|error| blame_environment(error, serve))?;
        let options = serve_options(&first)?;
        let (mut presets, mut mounts, mut text) = (Vec::new(), Vec::new(), None);
        if let Some(path) = options.config.as_deref() {
            let read = match file {
                Some(text) => text,
                None => config::read(path)?,
            };
            let file = File::parse(path, &read, serve)?;
            text = Some(read);
            let origin = Origin::File(file.path);
            mounts.extend(file.mounts.into_iter().map(|mount| (mount, origin.clone())));
            presets.extend(file.values.into_iter().map(|(key, value)| Preset { key, value, origin: origin.clone() }));
        }
        presets.extend(customary(serve_matches(&first), &presets));
        presets.iter().try_for_each(Preset::check)?;

        let second = with_defaults(command.clone(), &presets).try_get_matches_from(args)?;
        let options = serve_options(&second)?;
        override_mounts(&mut mounts, &options.targets)?;
        let values = values(serve, serve_matches(&second), &presets);
        Ok(Settings { options, mounts, values, file: text })
    }
}

/// Names the variable if a wrong value came from one, which clap does not.
fn blame_environment(error: clap::Error, serve: &clap::Command) -> Result<ArgMatches, Failure> {
    if matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        for (key, variable) in options::keys(serve).filter_map(|(key, arg)| Some((key, arg.get_env()?))) {
            let origin = Origin::Environment(variable.to_string_lossy().into_owned());
            let preset = env::var_os(variable).map(|value| Preset { key: key.to_owned(), value, origin });
            preset.map_or(Ok(()), |preset| preset.check())?;
        }
    }
    Err(error.into())
}

fn serve_options(matches: &ArgMatches) -> Result<ServeOptions, clap::Error> {
    ServeOptions::from_arg_matches(serve_matches(matches))
}

fn serve_matches(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand_matches("serve").unwrap_or(matches)
}

/// What variables that are not ours say about options that nothing else sets.
fn customary(matches: &ArgMatches, file: &[Preset]) -> Vec<Preset> {
    let is_free = |key: &str| {
        let given = matches.value_source(key).is_some_and(|source| source != ValueSource::DefaultValue);
        !given && file.iter().all(|preset| preset.key != key)
    };
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let preset = |key: &str, value, variable: &str| Preset {
        key: key.to_owned(),
        value,
        origin: Origin::Environment(variable.to_owned()),
    };
    let mut presets = Vec::new();
    if let Some(port) = variable("PORT").filter(|_| is_free("bind")) {
        let mut address = OsString::from("127.0.0.1:");
        address.push(port);
        presets.push(preset("bind", address, "PORT"));
    }
    if let Some(workers) = variable("WEB_CONCURRENCY").filter(|_| is_free("workers")) {
        presets.push(preset("workers", workers, "WEB_CONCURRENCY"));
    }
    if let Some(folder) = variable("VIRTUAL_ENV").filter(|_| is_free("venv")) {
        presets.push(preset("venv", folder, "VIRTUAL_ENV"));
    }
    presets
}

impl Preset {
    /// Checks the value as the command line's would be, so that the message can name its origin.
    fn check(&self) -> Result<(), Failure> {
        let mut flag = OsString::from(format!("--{}=", self.key));
        flag.push(&self.value);
        // Neither the environment nor any other option is of interest here.
        let command = Cli::command().mut_subcommand("serve", |serve| serve.mut_args(|arg| arg.env(Resettable::Reset)));
        let Err(error) = command.try_get_matches_from([OsStr::new("gateway"), OsStr::new("serve"), &flag]) else {
            return Ok(());
        };
        let (key, value) = (&self.key, self.value.display());
        let mut report = Report::new(format!("{}: {value:?} cannot be the value of {key:?}", self.origin));
        if let Some(reason) = std::error::Error::source(&error) {
            report = report.because(reason);
        }
        if let Some(values) = error.get(ContextKind::ValidValue) {
            report = report.tip(format!("possible values are {values}"));
        }
        Err(Failure::Usage(report))
    }
}

fn with_defaults(command: clap::Command, presets: &[Preset]) -> clap::Command {
    command.mut_subcommand("serve", |serve| {
        serve.mut_args(|arg| match presets.iter().find(|preset| arg.get_long() == Some(preset.key.as_str())) {
            Some(preset) => arg.default_value(preset.value.clone()),
            None => arg,
        })
    })
}

/// Adds the command line's targets to the file's, in whose place they are if their prefix is the same.
fn override_mounts(mounts: &mut Vec<(Mount, Origin)>, targets: &[Mount]) -> Result<(), Failure> {
    for target in targets {
        let taken = mounts.iter().position(|(mount, _)| mount.prefix == target.prefix);
        match taken.map(|at| &mut mounts[at]) {
            Some((other, Origin::CommandLine)) => {
                let what = format!("two targets are at {}: {} and {}", target.prefix, other.target, target.target);
                let tip = "write a prefix before each, as in /files=static:FOLDER";
                return Err(Failure::Usage(Report::new(what).tip(tip)));
            }
            Some(entry) => *entry = (target.clone(), Origin::CommandLine),
            None => mounts.push((target.clone(), Origin::CommandLine)),
        }
    }
    Ok(())
}

fn values(serve: &clap::Command, matches: &ArgMatches, presets: &[Preset]) -> Vec<(String, Option<Value>, Origin)> {
    let entry = |(key, arg): (&str, &clap::Arg)| {
        let id = arg.get_id().as_str();
        let origin = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Origin::CommandLine,
            Some(ValueSource::EnvVariable) => {
                Origin::Environment(arg.get_env().unwrap_or_default().to_string_lossy().into_owned())
            }
            _ => {
                presets.iter().find(|preset| preset.key == key).map_or(Origin::Default, |preset| preset.origin.clone())
            }
        };
        (key.to_owned(), Shape::of(arg).value(matches, id), origin)
    };
    options::keys(serve).map(entry).collect()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::CommandLine => f.write_str("command line"),
            Origin::Environment(variable) => write!(f, "environment variable {variable}"),
            Origin::File(path) => write!(f, "file {}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}
