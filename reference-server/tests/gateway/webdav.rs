//! WsgiDAV, tried by litmus, the test suite for WebDAV servers.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use crate::support::{Gateway, apps, files::Signals, installed, python};

/// WsgiDAV behind cheroot, the server that it brings itself.
struct Cheroot(Child);

impl Cheroot {
    fn start(root: &Signals) -> (Self, String) {
        let mut command = Command::new(python::packages().join("bin/python"));
        command.arg(apps().join("wsgidav_app.py")).env("DAV_ROOT", root.path()).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut cheroot = Cheroot(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut port = String::new();
        BufReader::new(cheroot.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
        (cheroot, format!("http://127.0.0.1:{}/", port.trim()))
    }
}

impl Drop for Cheroot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What litmus has found, suite by suite and test by test.
fn litmus(url: &str) -> String {
    let folder = Signals::new();
    // It leaves a log in the folder where it runs.
    let output = Command::new("litmus").args(["--keep-going", url]).current_dir(folder.path()).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    for suite in ["basic", "copymove", "props", "locks", "http"] {
        assert!(report.contains(&format!("summary for `{suite}'")), "{suite} did not run:\n{report}");
    }
    report
}

/// The first lines that are different. What litmus says of a target with a fragment is left out: hyper takes the fragment
/// off before anybody can see it, as ARCHITECTURE.md says, so that WsgiDAV cannot refuse it.
fn difference(expected: &str, found: &str) -> Option<(String, String)> {
    lines(expected).into_iter().zip(lines(found)).find(|(expected, found)| expected != found)
}

fn lines(report: &str) -> Vec<String> {
    let fragments = ["fragment", "(with 1 warning)", "warning was issued"];
    let lines = report.lines().filter(|line| !fragments.iter().any(|text| line.contains(text)));
    // What stands before a carriage return was written over.
    lines.map(|line| line.rsplit('\r').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn litmus_finds_what_it_finds_under_cheroot() {
    if !installed(&["litmus"]) {
        return;
    }
    let root = Signals::new();
    let (_cheroot, url) = Cheroot::start(&root);
    let expected = litmus(&url);
    assert!(!expected.contains("FAIL"), "{expected}");
    for threads in ["4", "1"] {
        let root = Signals::new();
        let gateway = Gateway::new(["wsgi:wsgidav_app:application"]).with_packages().env("DAV_ROOT", root.path());
        let server = gateway.option("--threads", threads).start();
        let found = litmus(&server.url("/"));
        assert_eq!(difference(&expected, &found), None, "--threads {threads}:\n{found}");
        assert!(!server.log().contains("Traceback"), "{}", server.log());
    }
}
