//! `gateway compare`: everybody does the same work, what is wrong is said, and nothing stays behind.
//!
//! No figure is asserted that depends on how fast this machine is.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    rc::Rc,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{files::Signals, installed, python, server::is_running, wait_until};

const ADAPTERS: [&str; 11] = [
    "hyper",
    "rust",
    "wsgi-inline",
    "wsgi-pool",
    "spawn-static",
    "spawn-dynamic",
    "cgi-static",
    "cgi-dynamic",
    "cgi-sh",
    "cgi-perl",
    "cgi-python",
];

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
    if next(count) > 10:
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
        for (option, little) in [("--duration", "0.1"), ("--rounds", "2"), ("--connections", "2")] {
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

#[test]
fn every_adapter_does_every_piece_of_work_rightly() {
    if !installed(&["cc", "perl", "python3"]) {
        return;
    }
    let (report, code) = Comparison::new(&["--work", "all", "--rounds", "1"]).report();
    assert_eq!(code, 0);
    let tables = report["tables"].as_array().unwrap();
    let works: Vec<_> = tables.iter().map(|table| table["work"].as_str().unwrap()).collect();
    assert_eq!(works, ["hello", "page", "echo-1k", "echo-1m", "stream", "environ", "sleep"]);
    for table in tables {
        let rows = rows(table);
        // Without a static libc there is no static program.
        let absent = left_out(&report["left_out"]);
        for name in ADAPTERS.iter().filter(|name| !absent.contains_key(*name)) {
            let row = rows.get(name).unwrap_or_else(|| panic!("no {name}: {table}"));
            assert!(ranked(row), "{}: {row}", table["work"]);
            assert!(row["cpu_microseconds"].as_f64().unwrap_or(0.0) >= 0.0);
        }
    }
}

#[test]
fn the_report_says_what_was_measured_and_how() {
    let arguments = ["--adapters", "hyper,rust,wsgi,cgi-sh", "--html", "report.html", "--rounds", "3"];
    let mut comparison = Comparison::new(&arguments);
    let (report, code) = comparison.report();
    assert_eq!(code, 0);
    let table = &report["tables"][0];
    assert!(table["rounds"] == 3 && table["connections"] == 2 && table["work"] == "hello", "{table}");
    let rows = rows(table);
    let best = rows.values().filter(|row| row["ratio"]["value"] == 1.0).count();
    assert!(best >= 1, "{table}");
    for row in rows.values() {
        let ratio = &row["ratio"];
        assert!(ratio["low"].as_f64() <= ratio["value"].as_f64() && ratio["value"].as_f64() <= ratio["high"].as_f64());
        let latency = &row["latency"];
        assert!(
            latency["p50"].as_f64() <= latency["p99"].as_f64() && latency["p99"].as_f64() <= latency["p999"].as_f64()
        );
        assert_eq!(row["rounds"].as_array().unwrap().len(), 3);
        assert!(row["memory_bytes"].as_f64().unwrap() > 100_000.0);
    }
    let shares: Vec<_> = rows["wsgi-pool"]["shares"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(shares, ["HTTP", "gateway", "Python call", "hand-over to a thread"]);
    assert!(report["versions"]["gateway"].as_str().unwrap().starts_with(env!("CARGO_PKG_VERSION")));
    assert_ne!(report["method"]["cpu"], "");
    let page = fs::read_to_string(comparison.folder.file("report.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("WSGI, pool of threads") && page.contains("<svg"));
    assert!(!page.contains("://") && !page.contains("<script"));
}

#[test]
fn the_table_for_people_has_every_contender_and_what_its_time_goes_to() {
    let output = Comparison::new(&["--adapters", "hyper,rust,wsgi-inline"]).run();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for expected in [
        "hello, 2 connections (2 rounds)",
        "bare hyper (limit)",
        "Rust App",
        "WSGI, inline",
        "CPU/request",
        "p99.9",
        "Python call",
    ] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
}

#[test]
fn applications_of_ones_own_are_compared_and_their_answers_checked() {
    let targets = ["same", "varies", "sometimes", "missing"].map(|name| format!("wsgi:applications:{name}"));
    let mut arguments: Vec<_> = targets.iter().map(String::as_str).collect();
    arguments.extend(["app:hello", "cgi:./bin/program", "/below=app:environ", "--path", "/x?y=1"]);
    let mut comparison = Comparison::new(&arguments);
    program(
        &comparison.folder,
        "program",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s %s' \"$PATH_INFO\" \"$QUERY_STRING\"\n",
    );
    let (report, code) = comparison.report();
    assert_eq!(code, 0, "{report}");
    let table = &report["tables"][0];
    let rows = rows(table);
    for name in [
        "wsgi:applications:same",
        "wsgi:applications:varies",
        "app:hello",
        "cgi:./bin/program",
        "/below=app:environ",
        "hyper",
    ] {
        assert!(ranked(rows[name]), "{}", rows[name]);
    }
    for (name, wrong) in
        [("wsgi:applications:sometimes", "another body"), ("wsgi:applications:missing", "404 Not Found for /x?y=1")]
    {
        assert!(rows[name]["wrong"].as_str().unwrap().contains(wrong), "{}", rows[name]);
        assert!(rows[name]["ratio"].is_null());
    }
    let remarks = table["remarks"].to_string();
    assert!(remarks.contains("wsgi:applications:varies: its answers differ"), "{remarks}");
    assert!(remarks.contains("answer different things"), "{remarks}");
}

#[test]
fn a_target_that_does_not_load_is_said_and_the_others_are_measured() {
    let (report, code) = Comparison::new(&["wsgi:applications:nobody", "wsgi:applications:same"]).report();
    assert_eq!(code, 3);
    let table = &report["tables"][0];
    let reason = left_out(&table["left_out"])["wsgi:applications:nobody"];
    assert!(reason.contains("cannot load wsgi:applications:nobody"), "{reason}");
    assert!(ranked(rows(table)["wsgi:applications:same"]));
}

#[test]
fn a_port_in_use_is_said_and_what_needs_none_is_measured() {
    if !installed(&["cc"]) {
        return;
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (report, code) = Comparison::new(&["--adapters", "rust,hyper,spawn-dynamic", "--port", &port]).report();
    let table = &report["tables"][0];
    for name in ["rust", "hyper"] {
        let reason = left_out(&table["left_out"])[name];
        assert!(reason.contains(&format!("port {port} is in use")), "{reason}");
    }
    assert!(ranked(rows(table)["spawn-dynamic"]));
    assert_eq!(code, 0);
    let (_, code) = Comparison::new(&["--adapters", "rust", "--port", &port]).report();
    assert_eq!(code, 1, "nothing was measured");
}

#[test]
fn a_missing_interpreter_or_compiler_is_said_and_the_others_are_measured() {
    let mut comparison = Comparison::new(&["--adapters", "rust,cgi"]);
    fs::create_dir(comparison.folder.file("empty")).unwrap();
    let empty = comparison.folder.file("empty");
    comparison.command.env("PATH", empty).env_remove("CC");
    let (report, code) = comparison.report();
    assert_eq!(code, 0);
    let missing = left_out(&report["left_out"]);
    assert_eq!(missing["cgi-perl"], "there is no perl in PATH");
    assert_eq!(missing["cgi-python"], "there is no python3 in PATH");
    assert!(missing["cgi-static"].contains("no C compiler") && missing["cgi-dynamic"].contains("no C compiler"));
    let rows = rows(&report["tables"][0]);
    assert!(ranked(rows["rust"]) && ranked(rows["cgi-sh"]));
}

#[test]
fn one_core_is_enough_and_is_said_to_be_little() {
    if !installed(&["taskset"]) {
        return;
    }
    let mut comparison = Comparison::new(&["--adapters", "hyper,rust"]);
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", "0"]).arg(comparison.command.get_program()).args(comparison.command.get_args());
    pinned.current_dir(comparison.folder.path()).env("TMPDIR", comparison.folder.file("tmp"));
    comparison.command = pinned;
    let (report, code) = comparison.report();
    assert_eq!(code, 0);
    assert!(report["notes"].to_string().contains("only one core"), "{report}");
    assert!(rows(&report["tables"][0]).values().all(|row| ranked(row)));
}

#[test]
fn an_open_loop_asks_at_its_rate() {
    let arguments = ["--adapters", "rust,hyper", "--rate", "200", "--duration", "0.5", "--rounds", "1"];
    let (report, code) = Comparison::new(&arguments).report();
    assert_eq!(code, 0);
    assert_eq!(report["tables"][0]["rate"], 200.0);
    for row in rows(&report["tables"][0]).values() {
        // However slow the machine is, no more requests are sent than were due.
        let requests = row["requests"].as_u64().unwrap();
        assert!((1..=250).contains(&requests), "{row}");
    }
}

#[test]
fn a_sweep_has_a_table_for_each_step() {
    let arguments = ["--adapters", "rust", "--sweep", "headers", "--rounds", "1", "--html", "curve.html"];
    let mut comparison = Comparison::new(&arguments);
    let (report, code) = comparison.report();
    assert_eq!(code, 0);
    let steps: Vec<_> = report["tables"].as_array().unwrap().iter().map(|table| &table["headers"]).collect();
    assert_eq!(steps, [0, 4, 16, 64]);
    assert!(report["tables"].as_array().unwrap().iter().all(|table| ranked(rows(table)["rust"])));
    assert!(fs::read_to_string(comparison.folder.file("curve.html")).unwrap().contains("As headers grow"));
}

/// The same application under the same name, first as it is and then with a delay in it.
#[test]
fn what_became_slower_is_a_regression_and_the_same_again_is_none() {
    const QUICK: &str =
        "def app(environ, start_response):\n    delay()\n    start_response('200 OK', [])\n    return [b'done']\n";
    let mut comparison = Comparison::new(&["wsgi:slow:app", "--rounds", "4"]);
    let write = |comparison: &Comparison, delay: &str| {
        let text = format!("{QUICK}\ndef delay():\n    {delay}\n");
        fs::write(comparison.folder.file("slow.py"), text).unwrap();
    };
    write(&comparison, "pass");
    comparison.command.env("PYTHONDONTWRITEBYTECODE", "1").args(["--save", "before"]);
    assert_eq!(comparison.report().1, 0);
    // A busy machine must not fail this: a call costs many times as much with the delay, and the limit lies between.
    let against = |comparison: &mut Comparison| {
        comparison.command.args(["--against", "before", "--threshold", "400"]);
        comparison.report()
    };
    let mut again = comparison.again();
    let (report, code) = against(&mut again);
    assert_eq!(code, 0, "{}", report["changes"]);
    assert_eq!(report["changes"]["rows"].as_array().unwrap().len(), 2);
    write(&comparison, "for _ in range(100_000): pass");
    let mut slowed = comparison.again();
    let (report, code) = against(&mut slowed);
    assert_eq!(code, 1, "{}", report["changes"]);
    let regression = |row: &&Value| row["is_regression"] == true && row["label"] == "wsgi:slow:app";
    assert!(report["changes"]["rows"].as_array().unwrap().iter().filter(regression).count() >= 1);
}

#[test]
fn a_peer_that_answers_wrongly_is_not_ranked() {
    let mut comparison = Comparison::new(&["--adapters", "rust", "--peers=waitress,cheroot,granian"]);
    let server = format!(
        "#!{}
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        body = b'Hello, World!' if 'cheroot' in sys.argv[0] else b'Hello, world!'
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', '13')
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
port = int(sys.argv[2].rsplit(':')[-1])
http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler).serve_forever()
",
        python::executable()
    );
    program(&comparison.folder, "waitress-serve", &server);
    program(&comparison.folder, "cheroot", &server);
    let path = comparison.folder.file("bin");
    comparison.command.env("PATH", path);
    let (report, code) = comparison.report();
    assert_eq!(code, 0, "{report}");
    let rows = rows(&report["tables"][0]);
    assert!(ranked(rows["cheroot"]), "{}", rows["cheroot"]);
    assert!(rows["waitress"]["wrong"].as_str().unwrap().contains("another body"), "{}", rows["waitress"]);
    assert!(rows["waitress"]["ratio"].is_null());
    assert_eq!(left_out(&report["left_out"])["granian"], "granian is not installed");
    assert!(report["versions"].get("cheroot").is_some());
}

#[test]
fn a_signal_ends_everything_that_was_started() {
    let mut comparison = Comparison::new(&["--adapters", "rust", "--duration", "60"]);
    let mut child = comparison.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let mut server = String::new();
    wait_until("a server", || {
        server = fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
        let listens = |pid: &str| {
            fs::read_to_string(Path::new("/proc").join(pid).join("cmdline")).is_ok_and(|it| it.contains("serve"))
        };
        !server.is_empty() && !server.contains(' ') && listens(&server)
    });
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    wait_until("the server's end", || !is_running(&server));
    assert_eq!(fs::read_dir(comparison.folder.file("tmp")).unwrap().count(), 0);
}

#[test]
fn usage_errors_say_what_could_be_meant() {
    for (arguments, hint) in [
        (&["--work", "helo"][..], "did you mean \"hello\"?"),
        (&["--adapters", "cgi-prl"], "did you mean \"cgi-perl\"?"),
        (&["--peers=ngnix"], "did you mean \"nginx\"?"),
        (&["--connections", "1,0"], "from 1 to 10000"),
        (&["--duration", "0"], "seconds"),
        (&["--rate", "0"], "requests"),
        (&["--save", "../x"], "letters, digits"),
        (&["--against", "nothing"], "nothing is saved yet"),
        (&["--threshold", "5"], "--against"),
        (&["--path", "/x"], "TARGET"),
        (&["--work", "page", "app:hello"], "--work"),
        (&["app:hello", "app:hello"], "named twice"),
        (&["app:helo"], "did you mean \"hello\"?"),
        (&["--sweep", "body", "app:hello"], "--sweep body"),
        (&["--sweep", "headers", "--connections", "1,2"], "nothing else"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        let folder = Signals::new();
        let output = command.arg("compare").args(arguments).env("XDG_DATA_HOME", folder.path()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(hint), "{arguments:?}: no {hint:?} in\n{stderr}");
    }
}
