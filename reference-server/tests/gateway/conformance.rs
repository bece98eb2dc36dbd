//! `gateway conformance`: our adapters keep the contract, and the kit finds it when somebody does not.

use std::{collections::BTreeSet, process::Command};

use gateway_spec::conformance::{Judgement, Selection, Target, Verdict, cases, judge};

use crate::support::{Gateway, Server, installed, python, run};

/// What a server with this probe makes of all cases, or of some; those that failed or warned.
fn faults(server: &Server, path: &str, only: &[&str]) -> Vec<Judgement> {
    let selections: Vec<Selection> = only.iter().map(|id| id.parse().unwrap()).collect();
    let target = Target::find(&server.url(path)).unwrap();
    let selected = cases().filter(|case| only.is_empty() || selections.iter().any(|one| one.holds(case)));
    let judged = selected.map(|case| judge(&target, case));
    judged.filter(|judgement| matches!(judgement.verdict, Verdict::Warn | Verdict::Fail)).collect()
}

fn ids(faults: &[Judgement]) -> BTreeSet<&'static str> {
    faults.iter().map(|judgement| judgement.case.id).collect()
}

#[track_caller]
fn keeps_the_contract(server: &Server, path: &str) {
    let faults: Vec<_> = faults(server, path, &[]).iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The probe as a WSGI module, from the command itself.
fn wsgi_probe(folder: &std::path::Path) {
    run(Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["conformance", "--emit-probe", "wsgi"])
        .arg(folder.join("probe.py")));
}

#[test]
fn the_rust_adapter_keeps_the_contract() {
    let server = Gateway::new(["/probe=app:probe"]).start();
    keeps_the_contract(&server, "/probe");
}

#[test]
fn the_wsgi_adapter_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    wsgi_probe(folder.path());
    let target = format!("/probe=wsgi:{}/probe.py:application", folder.path().display());
    let server = Gateway::new([target]).option("--threads", "32").start();
    keeps_the_contract(&server, "/probe");
}

#[test]
fn the_wsgi_adapter_keeps_the_contract_without_threads() {
    let folder = tempfile::tempdir().unwrap();
    wsgi_probe(folder.path());
    let target = format!("/probe=wsgi:{}/probe.py:application", folder.path().display());
    let server = Gateway::new([target]).option("--threads", "1").start();
    keeps_the_contract(&server, "/probe");
}

#[test]
fn the_cgi_adapter_keeps_the_contract() {
    if !installed(&["python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("probe");
    run(Command::new(env!("CARGO_BIN_EXE_gateway")).args(["conformance", "--emit-probe", "cgi"]).arg(&program));
    // A wrapper of that name would add variables of its own.
    let shebang = format!("1s|.*|#!{} -IS|", python::executable());
    run(Command::new("sed").args(["-i", &shebang]).arg(&program));
    let server = Gateway::new([format!("/probe=cgi:{}", program.display())]).start();
    keeps_the_contract(&server, "/probe");
}

/// Middleware around the probe, each with a fault, and cases that must fail for it.
const FAULTS: [(&str, &[&str]); 10] = [
    ("buffers", &["G-7.3/1", "G-7.3/2"]),
    ("never_closes", &["G-7.10/1", "G-7.10/2", "G-10.9/1", "G-10.9/2"]),
    ("calls_twice", &["G-2.1/1"]),
    ("strips_line_ends", &["G-10.12/3", "G-10.14/1"]),
    ("changes_line_ends", &["G-7.2/1"]),
    ("leaks_environment", &["G-3.23/1"]),
    ("decodes_twice", &["G-3.7/1"]),
    ("empty_remote_user", &["G-3.2/1"]),
    ("starts_too_early", &["G-6.15/1", "G-10.4/1", "G-10.8/1"]),
    ("tells_failures", &["G-2.5/1"]),
];

#[test]
fn a_host_with_a_fault_fails_the_cases_for_it() {
    let folder = tempfile::tempdir().unwrap();
    wsgi_probe(folder.path());
    run(Command::new("cp").arg("conformance_faults.py").arg(folder.path()).current_dir(crate::support::apps()));
    let mount = |fault| format!("/{fault}=wsgi:{}/conformance_faults.py:{fault}", folder.path().display());
    let server = Gateway::new(FAULTS.map(|(fault, _)| mount(fault))).option("--threads", "8").start();
    for (fault, expected) in FAULTS {
        let found = ids(&faults(&server, &format!("/{fault}"), expected));
        assert_eq!(found, expected.iter().copied().collect(), "{fault}");
    }
}

#[test]
fn a_server_that_does_not_claim_the_contract_may_choose_what_pep_3333_leaves_open() {
    let folder = tempfile::tempdir().unwrap();
    wsgi_probe(folder.path());
    run(Command::new("cp").arg("conformance_faults.py").arg(folder.path()).current_dir(crate::support::apps()));
    let target = format!("/stranger=wsgi:{}/conformance_faults.py:stranger", folder.path().display());
    let server = Gateway::new([target]).start();
    let target = Target::find(&server.url("/stranger")).unwrap();
    assert!(!target.claims());
    // It has lost REQUEST_URI, which PEP 3333 does not know, and SERVER_PORT, which it demands.
    let verdict = |id: &str| judge(&target, cases().find(|case| case.id == id).unwrap());
    let open = verdict("G-3.9/1");
    assert_eq!(open.verdict, Verdict::Pass);
    assert!(open.reason.contains("left open"), "{open}");
    assert_eq!(verdict("G-3.1/1").verdict, Verdict::Fail);
}

fn conformance(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gateway")).arg("conformance").args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_command_says_what_it_found_and_exits_by_it() {
    let server = Gateway::new(["/probe=app:probe", "/other=app:hello"]).start();
    let (url, other) = (server.url("/probe/"), server.url("/other"));
    let (code, text) = conformance(&["--url", &url, "--only", "G-1,G-7.3"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("pass G-7.3/1") && text.contains("skip G-1.1/1") && !text.contains("G-10."), "{text}");
    let (code, text) = conformance(&["--url", &url, "--only", "G-8.4/1", "--format", "json"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(r#""id":"G-8.4/1""#) && text.contains(r#""verdict":"pass""#), "{text}");
    let (code, text) = conformance(&["--url", &url, "--only", "G-8.4/1", "--format", "markdown"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("| G-8.4/1 |"), "{text}");

    let (code, text) = conformance(&["--url", &other]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("--emit-probe"), "{text}");
    let (code, text) = conformance(&["--url", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("nothing listens"), "{text}");
    for mistake in [&["--only", "G-99"][..], &["--url", "ftp://x"], &["--emit-probe", "perl"], &["--format", "xml"]] {
        assert_eq!(conformance(mistake).0, Some(2), "{mistake:?}");
    }
    let (code, text) = conformance(&["--list", "--only", "G-1"]);
    assert_eq!((code, text.lines().count()), (Some(0), 2), "{text}");
}

#[test]
fn a_case_that_fails_is_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    wsgi_probe(folder.path());
    run(Command::new("cp").arg("conformance_faults.py").arg(folder.path()).current_dir(crate::support::apps()));
    let target = format!("/buffers=wsgi:{}/conformance_faults.py:buffers", folder.path().display());
    let server = Gateway::new([target]).start();
    let (code, text) = conformance(&["--url", &server.url("/buffers"), "--only", "G-7.3/1"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("FAIL G-7.3/1") && text.contains("seen:"), "{text}");
}
