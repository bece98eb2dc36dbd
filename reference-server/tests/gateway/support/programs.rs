//! The CGI programs of the tests, ready to run.

use std::{fs, path::PathBuf, process::Command};

use super::{apps, prepared, python, run};

/// A folder with the programs of `cgi-bin`, and those of `cgi-src` compiled.
///
/// Other processes write it: while a file is open for writing here, a program that is started elsewhere in this
/// process may inherit it, and then it cannot be executed (ETXTBSY).
pub(crate) fn folder() -> PathBuf {
    prepared("cgi-bin", &stamp(), |folder, _| {
        run(Command::new("cp").arg("-rp").arg(apps().join("cgi-bin")).arg(folder));
        // `env` would look for python3 in the PATH that programs are given, which may have another or none.
        let shebang = format!("1s|.*|#!{}|", python::executable());
        run(Command::new("sed").args(["-i", &shebang]).arg(folder.join("echo.py")));
        for source in sources("cgi-src") {
            let program = folder.join(source.file_stem().unwrap());
            run(Command::new("cc").args(["-O2", "-o"]).arg(program).arg(&source));
        }
        // A checkout can be writable by its group; such programs are refused.
        run(Command::new("chmod").args(["-R", "go-w"]).arg(folder));
    })
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(apps().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn stamp() -> Vec<u8> {
    let files = [sources("cgi-bin"), sources("cgi-src")].concat();
    let mut stamp: Vec<u8> = files.iter().flat_map(|file| fs::read(file).unwrap()).collect();
    stamp.extend(python::executable().bytes());
    stamp
}
