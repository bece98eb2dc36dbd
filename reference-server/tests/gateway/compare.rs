//! `gateway compare`: everybody does the same work, what is wrong is said, and nothing stays behind.
//!
//! No figure is asserted that depends on how fast this machine is.

mod faults;
mod report;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output, Stdio},
    rc::Rc,
};

use serde_json::Value;

use crate::support::files::Signals;

/// An application that sends one thing, and others that do not keep to it.
const APPLICATIONS: &str = "
import itertools
count = itertools.count()

def same(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain'), ('X-Path', environ['PATH_INFO'])])
    return [b'always the same']

def varies(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'x' * next(count)]

def sometimes(environ, start_response):
    if next(count) > 4:
        start_response('200 OK', [('Content-Type', 'text/plain'), ('X-Path', environ['PATH_INFO'])])
        return [b'always the sane']
    return same(environ, start_response)

def missing(environ, start_response):
    start_response('404 Not Found', [('Content-Type', 'text/plain')])
    return [b'']
";

/// A comparison in a folder of its own, in which everything is that it leaves behind.
struct Comparison {
    folder: Rc<Signals>,
    command: Command,
}

impl Comparison {
    fn new(arguments: &[&str]) -> Self {
        let folder = Rc::new(Signals::new());
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        fs::create_dir(folder.file("tmp")).unwrap();
        fs::write(folder.file("applications.py"), APPLICATIONS).unwrap();
        command.arg("compare").args(arguments);
        for (option, little) in [("--duration", "0.3"), ("--rounds", "2"), ("--connections", "2")] {
            if !arguments.contains(&option) {
                command.args([option, little]);
            }
        }
        command.current_dir(folder.path()).env("TMPDIR", folder.file("tmp")).env("XDG_DATA_HOME", folder.file("data"));
        command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").env_remove("LD_LIBRARY_PATH").stdin(Stdio::null());
        // None of the options that a person has set elsewhere counts.
        command.env("GATEWAY_BIND", "127.0.0.1:1").env("PORT", "1");
        Comparison { folder, command }
    }

    fn run(&mut self) -> Output {
        self.command.output().unwrap()
    }

    /// The report, and the exit code.
    fn report(&mut self) -> (Value, i32) {
        let output = self.command.arg("--json").output().unwrap();
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(fs::read_dir(self.folder.file("tmp")).unwrap().count(), 0, "something stays behind");
        (report, output.status.code().unwrap())
    }

    /// The same in the same folder, without what was saved or compared.
    fn again(&self) -> Comparison {
        let mut command = Command::new(self.command.get_program());
        let kept = ["--json", "--save", "before"];
        command.args(self.command.get_args().filter(|argument| !kept.iter().any(|kept| argument == kept)));
        command.current_dir(self.folder.path());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Comparison { folder: self.folder.clone(), command }
    }
}

fn rows(table: &Value) -> BTreeMap<&str, &Value> {
    table["rows"].as_array().unwrap().iter().map(|row| (row["name"].as_str().unwrap(), row)).collect()
}

fn left_out(list: &Value) -> BTreeMap<&str, &str> {
    list.as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it["reason"].as_str().unwrap())).collect()
}

fn ranked(row: &Value) -> bool {
    row["wrong"].is_null() && row["errors"] == 0 && row["requests"].as_u64().unwrap() > 0
}

/// A program in the folder `bin`.
fn program(folder: &Signals, name: &str, text: &str) {
    let path = folder.file("bin").join(name);
    fs::create_dir_all(folder.file("bin")).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}
