//! What the tests have in common: a running `gateway`, a client that sees every byte, and the programs around them.

pub(crate) mod admin;
pub(crate) mod client;
pub(crate) mod curl;
pub(crate) mod files;
pub(crate) mod load;
pub(crate) mod programs;
pub(crate) mod python;
pub(crate) mod server;
mod shared;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

pub(crate) use client::{Client, End, Response};
pub(crate) use load::Load;
pub(crate) use server::{Gateway, Server};
pub(crate) use shared::{BothWays, Shared};

/// How long anything that must happen may take. Nothing is ever waited for in vain but by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The folder of the Python applications.
pub(crate) fn apps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps")
}

/// Waits until `happened`; `what` is for the message if it never does.
pub(crate) fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !happened() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// Whether all of these programs are installed. On CI they have to be.
pub(crate) fn installed(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| which(program).is_none()).collect();
    assert!(missing.is_empty() || env::var_os("CI").is_none(), "not installed: {missing:?}");
    missing.iter().for_each(|program| eprintln!("skipped: no {program}"));
    missing.is_empty()
}

/// Where a program is. Servers are where the PATH of most users does not lead.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// A folder that is made once for all runs of the tests, and again when `stamp` is another. What makes it may hold the
/// lock too: a run that is killed leaves no process behind that writes to the folder while the next one makes it anew.
pub(crate) fn prepared(name: &str, stamp: &[u8], make: impl FnOnce(&Path, &fs::File)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Another thread or process may be about to do the same.
    let lock = fs::File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let stamp_file = folder.with_extension("stamp");
    if !folder.is_dir() || fs::read(&stamp_file).unwrap_or_default() != stamp {
        // Half of it is no folder for this stamp, nor for the last one.
        let _ = fs::remove_file(&stamp_file);
        let _ = fs::remove_dir_all(&folder);
        make(&folder, &lock);
        fs::write(&stamp_file, stamp).unwrap();
    }
    folder
}

/// Runs a command that must succeed, and gives its standard output.
pub(crate) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    output.stdout
}

/// A Rust App, a WSGI application, CGI programs and files behind one port.
pub(crate) static EVERYTHING: Shared = Shared::new(|| {
    let cgi = format!("/cgi=cgi:{}", programs::folder().display());
    let rust = ["/rust=app:echo", "/hello=app:hello", "/environ=app:environ"];
    Gateway::new([&rust[..], &["/py=wsgi:cases:application", &cgi, "/static=static:static"]].concat()).start()
});

/// Where each kind of App gives back the body that it is sent.
pub(crate) const ECHOES: [&str; 3] = ["/rust", "/py/echo", "/cgi/echo"];
