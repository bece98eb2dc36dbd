//! Other WSGI servers, to judge by the same cases.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    super::failure::{Failure, Report},
    child::Start,
    options::Probe,
};

/// A server: what pip knows it by, its version, and how its documentation starts it, with threads where it has some.
struct Peer {
    package: &'static str,
    version: &'static str,
    command: &'static [&'static str],
}

const PEERS: [Peer; 6] = [
    Peer {
        package: "gunicorn",
        version: "27.0.1",
        command: &["gunicorn", "--threads", "8", "--bind", "127.0.0.1:{port}", "probe:application"],
    },
    Peer {
        package: "granian",
        version: "2.8.7",
        command: &[
            "granian",
            "--interface",
            "wsgi",
            "--port",
            "{port}",
            "--blocking-threads",
            "8",
            "probe:application",
        ],
    },
    Peer {
        package: "pyuwsgi",
        version: "2.0.30.post1",
        command: &[
            "pyuwsgi",
            "--http",
            "127.0.0.1:{port}",
            "--module",
            "probe:application",
            "--master",
            "--processes",
            "1",
            "--threads",
            "8",
        ],
    },
    Peer {
        package: "waitress",
        version: "3.0.2",
        command: &["waitress-serve", "--listen", "127.0.0.1:{port}", "--threads", "8", "probe:application"],
    },
    Peer {
        package: "bjoern",
        version: "3.2.2",
        command: &["python", "-c", "import bjoern, probe; bjoern.run(probe.application, '127.0.0.1', {port})"],
    },
    Peer {
        package: "cheroot",
        version: "11.1.2",
        command: &["cheroot", "--bind", "127.0.0.1:{port}", "probe:application"],
    },
];

/// All of them, installed in a virtual environment in `folder`.
///
/// # Errors
/// [`Failure::Runtime`] if they cannot be installed.
pub(super) fn starts(folder: &Path) -> Result<Vec<Start>, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::Runtime(Report::new(format!("cannot use the folder {}", folder.display())).because(&error))
    };
    fs::create_dir_all(folder).map_err(cannot)?;
    let folder = fs::canonicalize(folder).map_err(cannot)?;
    fs::write(folder.join("probe.py"), Probe::Wsgi.text()).map_err(cannot)?;
    let programs = install(&folder)?;
    let start = |peer: &Peer| {
        let (program, arguments) = peer.command.split_first()?;
        let command = [programs.join(program).display().to_string()].into_iter();
        Some(Start {
            name: format!("{} {}", peer.package, peer.version),
            is_ours: false,
            command: command.chain(arguments.iter().map(|argument| (*argument).to_owned())).collect(),
            folder: folder.clone(),
            prefix: "",
        })
    };
    Ok(PEERS.iter().filter_map(start).collect())
}

/// Where their programs are.
fn install(folder: &Path) -> Result<PathBuf, Failure> {
    let programs = folder.join("venv/bin");
    if !programs.join("pip").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    }
    let wanted = PEERS.iter().map(|peer| format!("{}=={}", peer.package, peer.version));
    run(Command::new(programs.join("pip")).args(["install", "--quiet", "--disable-pip-version-check"]).args(wanted))?;
    Ok(programs)
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let report = Report::new("cannot install the other servers");
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Failure::Runtime(report.tip(String::from_utf8_lossy(&output.stderr).into_owned()))),
        Err(error) => Err(Failure::Runtime(report.because(&error).tip("python3 with the module venv is needed"))),
    }
}
