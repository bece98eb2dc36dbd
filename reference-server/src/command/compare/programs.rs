//! The folder of a run: the programs of `examples/compare`, ready to run, and what contenders write.

use std::{
    env, fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::{self, Command, Output},
};

const WSGI: &str = include_str!("../../../../examples/compare/wsgi.py");
const C: &str = include_str!("../../../../examples/compare/cgi.c");
const SHELL: &str = include_str!("../../../../examples/compare/cgi.sh");
const PERL: &str = include_str!("../../../../examples/compare/cgi.pl");
const PYTHON: &str = include_str!("../../../../examples/compare/cgi.py");

/// A CGI program of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Static,
    Dynamic,
    Shell,
    Perl,
    Python,
}

/// The folder; it is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes one in the folder for temporary files, with the WSGI application in it.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("gateway-compare-{}", process::id()));
        // Web servers among the peers run programs as another user, who has to get here.
        fs::DirBuilder::new().mode(0o755).create(&path)?;
        let folder = Folder(path);
        fs::DirBuilder::new().mode(0o755).create(folder.cgi_bin())?;
        fs::write(folder.wsgi(), WSGI)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The WSGI application.
    pub(super) fn wsgi(&self) -> PathBuf {
        self.0.join("wsgi.py")
    }

    /// Where the CGI programs are.
    pub(super) fn cgi_bin(&self) -> PathBuf {
        self.0.join("cgi-bin")
    }

    /// Makes a program, unless it is there already.
    ///
    /// # Errors
    /// What it would take.
    pub(super) fn program(&self, program: Program) -> Result<PathBuf, String> {
        let path = self.cgi_bin().join(match program {
            Program::Static => "static",
            Program::Dynamic => "dynamic",
            Program::Shell => "shell",
            Program::Perl => "perl",
            Program::Python => "python",
        });
        if path.exists() {
            return Ok(path);
        }
        match program {
            Program::Static => self.compile(&path, &["-static"])?,
            Program::Dynamic => self.compile(&path, &[])?,
            Program::Shell => script(&path, Path::new("/bin/sh"), SHELL)?,
            Program::Perl => script(&path, &interpreter("perl", &["-e", "print $^X"])?, PERL)?,
            Program::Python => script(&path, &python()?, PYTHON)?,
        }
        Ok(path)
    }

    fn compile(&self, path: &Path, options: &[&str]) -> Result<(), String> {
        let source = self.0.join("cgi.c");
        fs::write(&source, C).map_err(|error| format!("{} cannot be written: {error}", source.display()))?;
        let compiler = compiler().ok_or("there is no C compiler (cc, or what CC names)")?;
        let mut command = Command::new(&compiler);
        let output = command.args(["-O2", "-o"]).arg(path).args(options).arg(&source).output();
        let output = output.map_err(|error| format!("{} does not run: {error}", compiler.display()))?;
        if output.status.success() { Ok(()) } else { Err(format!("it does not compile: {}", last_words(&output))) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The C compiler.
pub(super) fn compiler() -> Option<PathBuf> {
    let name = env::var_os("CC").filter(|name| !name.is_empty()).unwrap_or_else(|| "cc".into());
    which(Path::new(&name))
}

/// The Python that `PATH` leads to, itself and not a script that looks for it.
///
/// # Errors
/// If there is none.
pub(super) fn python() -> Result<PathBuf, String> {
    interpreter("python3", &["-c", "import sys; print(sys.executable)"])
}

/// Where `PATH` has a program.
pub(super) fn which(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_owned());
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// An interpreter's own path, which it tells itself.
fn interpreter(name: &str, ask: &[&str]) -> Result<PathBuf, String> {
    let path = which(Path::new(name)).ok_or_else(|| format!("there is no {name} in PATH"))?;
    let output = Command::new(&path).args(ask).output();
    let output = output.map_err(|error| format!("{} does not run: {error}", path.display()))?;
    if !output.status.success() {
        return Err(format!("{} does not run: {}", path.display(), last_words(&output)));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Writes a script for an interpreter at a place of its own.
fn script(path: &Path, interpreter: &Path, text: &str) -> Result<(), String> {
    let (_, rest) = text.split_once('\n').unwrap_or_default();
    let text = format!("#!{}\n{rest}", interpreter.display());
    // Whatever the umask, others can run it, and only its owner can change it.
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_in_path_and_said_to_be_missing() {
        assert!(which(Path::new("sh")).unwrap().ends_with("sh"));
        assert_eq!(which(Path::new("/bin/sh")), Some("/bin/sh".into()));
        assert_eq!(which(Path::new("/bin")), None);
        assert_eq!(interpreter("no-such-program", &[]).unwrap_err(), "there is no no-such-program in PATH");
        assert!(interpreter("false", &[]).unwrap_err().contains("does not run"));
    }
}
