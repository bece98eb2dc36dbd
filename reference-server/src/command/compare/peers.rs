//! Other servers: which are installed, and how their own documentation starts them, for one core.

mod web;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    super::nearest::did_you_mean,
    contenders::{Contender, Kind, Launch},
    programs::{Folder, python, which},
};

/// A server that may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Granian,
    Gunicorn,
    GunicornThreads,
    Uwsgi,
    Bjoern,
    Waitress,
    Cheroot,
    Lighttpd,
    Apache,
    Nginx,
}

/// One that is, with its version.
#[derive(Debug)]
pub(super) struct Installed {
    pub(super) contender: Contender,
    pub(super) version: String,
}

impl Peer {
    const ALL: [Peer; 10] = [
        Peer::Granian,
        Peer::Bjoern,
        Peer::Uwsgi,
        Peer::Gunicorn,
        Peer::GunicornThreads,
        Peer::Waitress,
        Peer::Cheroot,
        Peer::Lighttpd,
        Peer::Apache,
        Peer::Nginx,
    ];

    /// What to name on the command line; `gunicorn` is both of its kinds of worker, `all` is everybody.
    ///
    /// # Errors
    /// What to tell the person who wrote `name`.
    pub(super) fn named(name: &str) -> Result<Vec<Self>, String> {
        let is_named = |peer: &Peer| name == "all" || peer.program() == name || peer.name() == name;
        let named: Vec<_> = Self::ALL.into_iter().filter(is_named).collect();
        if named.is_empty() {
            let names = Self::ALL.map(Peer::name);
            let hint = did_you_mean(name, names);
            return Err(format!("there is no peer {name:?}{hint}; there are {}", names.join(", ")));
        }
        Ok(named)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::GunicornThreads => "gunicorn-gthread",
            Peer::Apache => "apache2",
            _ => self.program(),
        }
    }

    fn label(self) -> &'static str {
        match self {
            Peer::Granian => "Granian",
            Peer::Gunicorn => "gunicorn, sync",
            Peer::GunicornThreads => "gunicorn, gthread",
            Peer::Uwsgi => "uWSGI",
            Peer::Lighttpd => "lighttpd mod_cgi, dynamic C",
            Peer::Apache => "Apache mod_cgid, dynamic C",
            Peer::Nginx => "nginx + fcgiwrap, dynamic C",
            _ => self.program(),
        }
    }

    fn program(self) -> &'static str {
        match self {
            Peer::Granian => "granian",
            Peer::Gunicorn | Peer::GunicornThreads => "gunicorn",
            Peer::Uwsgi => "uwsgi",
            Peer::Bjoern => "bjoern",
            Peer::Waitress => "waitress",
            Peer::Cheroot => "cheroot",
            Peer::Lighttpd => "lighttpd",
            Peer::Apache => "apache2",
            Peer::Nginx => "nginx",
        }
    }

    /// Looks for it, and prepares what it takes to start it.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn installed(self, folder: &Folder) -> Result<Installed, String> {
        let (launch, base, version) = match self {
            Peer::Lighttpd | Peer::Apache | Peer::Nginx => {
                let (launch, version) = web::launch(self, folder)?;
                (launch, format!("/cgi-bin/{}", web::PROGRAM), version)
            }
            _ => {
                let (command, version) = self.wsgi()?;
                let environment = vec![("PYTHONPATH", python_path(folder.path()))];
                (Launch::Peer { command, environment }, String::new(), version)
            }
        };
        let (name, label) = (self.name().to_owned(), self.label().to_owned());
        Ok(Installed { contender: Contender { name, label, kind: Kind::Peer, launch, base }, version })
    }

    /// The names of a WSGI server's program, its package's, and its arguments. Workers, where the documentation has a formula
    /// for them, are those for one core; what is not about where and what to serve is left as it comes.
    fn arguments(self) -> (&'static [&'static str], &'static str, &'static [&'static str]) {
        const APPLICATION: &str = "wsgi:application";
        const BIND: &str = "127.0.0.1:{port}";
        match self {
            Peer::Granian => (
                &["granian"],
                "granian",
                &["--interface", "wsgi", "--no-ws", "--log-level", "error", "--port", "{port}", APPLICATION],
            ),
            // "(2 x $num_cores) + 1" workers
            Peer::Gunicorn => (&["gunicorn"], "gunicorn", &["--workers", "3", "--bind", BIND, APPLICATION]),
            // "2-4 x $(NUM_CORES)" threads
            Peer::GunicornThreads => (
                &["gunicorn"],
                "gunicorn",
                &["--worker-class", "gthread", "--threads", "4", "--bind", BIND, APPLICATION],
            ),
            // "Always enable master"; requests are logged unless that is disabled
            Peer::Uwsgi => (
                &["uwsgi", "pyuwsgi"],
                "uwsgi",
                &["--http11-socket", BIND, "--master", "--disable-logging", "--module", APPLICATION],
            ),
            Peer::Waitress => (&["waitress-serve"], "waitress", &["--listen", BIND, APPLICATION]),
            _ => (&["cheroot"], "cheroot", &["--bind", BIND, APPLICATION]),
        }
    }

    /// The command of a WSGI server, and its version.
    fn wsgi(self) -> Result<(Vec<OsString>, String), String> {
        if self == Peer::Bjoern {
            let python = python_of_environment()?;
            let version = version_of("bjoern", &python).ok_or("bjoern is not installed")?;
            let script = "import bjoern, wsgi; bjoern.run(wsgi.application, '127.0.0.1', {port})";
            return Ok((vec![python.into(), "-c".into(), script.into()], version));
        }
        let (names, package, arguments) = self.arguments();
        let program =
            names.iter().find_map(|name| find(name)).ok_or_else(|| format!("{} is not installed", self.name()))?;
        let version = version_of_script(&program, package).unwrap_or_else(|| first_line(&program, "--version"));
        let mut command: Vec<OsString> = vec![program.clone().into()];
        if self == Peer::Uwsgi && program.starts_with("/usr") {
            // Distributions build it without Python, which is a plugin of theirs.
            command.extend(["--plugin".into(), "python3".into()]);
        }
        command.extend(arguments.iter().map(Into::into));
        Ok((command, version))
    }
}

/// A program of the virtual environment, or in `PATH`, or where servers are.
fn find(name: &str) -> Option<PathBuf> {
    let environment = env::var_os("VIRTUAL_ENV").map(|folder| Path::new(&folder).join("bin").join(name));
    let servers = ["/usr/sbin", "/usr/local/sbin"].map(|folder| Path::new(folder).join(name));
    environment
        .filter(|path| path.is_file())
        .or_else(|| which(Path::new(name)))
        .or_else(|| servers.into_iter().find(|path| path.is_file()))
}

fn python_of_environment() -> Result<PathBuf, String> {
    let environment = env::var_os("VIRTUAL_ENV").map(|folder| Path::new(&folder).join("bin/python"));
    environment.filter(|path| path.is_file()).map_or_else(python, Ok)
}

fn python_path(folder: &Path) -> OsString {
    let before = env::var_os("PYTHONPATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(env::split_paths(&before));
    env::join_paths(folders).unwrap_or_else(|_| folder.into())
}

/// The version of a Python package, for the Python that its script names in the first line.
fn version_of_script(script: &Path, package: &str) -> Option<String> {
    let text = fs::read(script).ok()?;
    let line = text.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let python = String::from_utf8_lossy(line).trim().to_owned();
    version_of(package, Path::new(&python)).or_else(|| version_of(&format!("py{package}"), Path::new(&python)))
}

fn version_of(package: &str, python: &Path) -> Option<String> {
    let script = format!("from importlib.metadata import version; print(version({package:?}))");
    let output = Command::new(python).args(["-c", &script]).output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !version.is_empty()).then_some(version)
}

/// The first line of what a program says about its version, on whichever stream.
fn first_line(program: &Path, option: &str) -> String {
    let Ok(output) = Command::new(program).arg(option).output() else { return "unknown".into() };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_found_by_its_name() {
        for peer in Peer::ALL {
            assert!(Peer::named(peer.name()).unwrap().contains(&peer));
        }
        assert_eq!(Peer::named("gunicorn").unwrap().len(), 2);
        assert_eq!(Peer::named("all").unwrap(), Peer::ALL);
        assert!(Peer::named("ngnix").unwrap_err().contains("did you mean \"nginx\"?"));
    }
}
