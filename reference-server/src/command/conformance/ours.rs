//! gateway's own adapters, each with the probe of its kind.

use std::{env, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use super::{
    super::failure::{Failure, Report},
    child::Start,
    options::Probe,
};

/// How many columns they are.
pub(super) const COUNT: usize = 3;

/// Where the probe is mounted: so that prefixes are judged as well.
const PREFIX: &str = "/probe";

/// The three of them, with their probes in `folder`.
///
/// # Errors
/// [`Failure::Runtime`] if the probes cannot be written, or there is no Python to run them with.
pub(super) fn starts(folder: &Path) -> Result<Vec<Start>, Failure> {
    let cannot = |what: &str, error: &dyn std::error::Error| Failure::Runtime(Report::new(what).because(error));
    let gateway = env::current_exe().map_err(|error| cannot("cannot find the command itself", &error))?;
    write_probes(folder).map_err(|error| cannot("cannot write the probes", &error))?;
    let start = |name: &str, target: &str| Start {
        name: format!("gateway {} {name}", env!("CARGO_PKG_VERSION")),
        is_ours: true,
        command: [
            gateway.display().to_string(),
            "serve".into(),
            "--bind".into(),
            "127.0.0.1:{port}".into(),
            format!("{PREFIX}={target}"),
        ]
        .into(),
        folder: folder.to_owned(),
        prefix: PREFIX,
    };
    Ok(vec![start("Rust", "app:probe"), start("WSGI", "wsgi:probe.py:application"), start("CGI", "cgi:probe.cgi")])
}

fn write_probes(folder: &Path) -> std::io::Result<()> {
    fs::write(folder.join("probe.py"), Probe::Wsgi.text())?;
    let program = folder.join("probe.cgi");
    fs::write(&program, Probe::Cgi.text().replacen("/usr/bin/env python3", &python(), 1))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
}

/// The interpreter itself, without what a wrapper of that name or its site packages would cost each time.
fn python() -> String {
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let path = asked.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match path.filter(|path| !path.is_empty()) {
        Some(path) => format!("{path} -IS"),
        None => "/usr/bin/env python3".to_owned(),
    }
}
