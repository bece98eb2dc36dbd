//! The settings in effect, in the form of a configuration file, with the origin of each.

use toml::Value;

use super::settings::{Origin, Settings};

/// All options, then all mounts; behind each, where it comes from.
pub(super) fn print_config(settings: &Settings) -> String {
    let options = settings.values.iter().map(|(key, value, origin)| match value {
        Some(value) => (format!("{key} = {value}"), origin),
        None => (format!("# {key} is not set"), &Origin::Default),
    });
    let mounts = settings
        .mounts
        .iter()
        .map(|(mount, origin)| (format!("{} = {}", Value::String(mount.prefix.clone()), mount.to_toml()), origin));
    format!("{}\n[mount]\n{}", table(options.collect()), table(mounts.collect()))
}

/// Lines with their comments below each other.
fn table(lines: Vec<(String, &Origin)>) -> String {
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    lines.iter().map(|(line, origin)| format!("{line:width$}  # {origin}\n")).collect()
}
