//! What cannot be measured, or is answered wrongly, is said.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Comparison, left_out, program, ranked, rows};
use crate::support::{files::Signals, installed, python, server::is_running, wait_until};

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
fn a_peer_that_answers_wrongly_is_not_ranked() {
    // Other servers are told a port before they listen. Nobody is given one below 32768 by chance.
    let port = (10_000 + std::process::id() % 20_000).to_string();
    let mut comparison = Comparison::new(&["--adapters", "rust", "--peers=waitress,cheroot,granian", "--port", &port]);
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
