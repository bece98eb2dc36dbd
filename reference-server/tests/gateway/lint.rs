//! `gateway check`, and `gateway serve --lint`: what breaks the contract is found, and nothing else.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::{Gateway, apps, programs, python};

/// What each application of `breaches.py` is found to break.
const BREACHES: [(&str, &str); 35] = [
    ("none", "wsgi-result"),
    ("text", "wsgi-result"),
    ("one_bytes", "wsgi-result"),
    ("str_block", "wsgi-block"),
    ("str_yielded", "wsgi-block"),
    ("no_start", "wsgi-no-start"),
    ("no_start_lazy", "wsgi-no-start"),
    ("starts_twice", "second-start"),
    ("keywords", "wsgi-start-response"),
    ("int_status", "wsgi-start-response"),
    ("bare_status", "status"),
    ("tuple_headers", "wsgi-start-response"),
    ("list_pair", "wsgi-start-response"),
    ("bytes_header", "wsgi-start-response"),
    ("newline", "header"),
    ("tab", "header"),
    ("hop", "hop-by-hop"),
    ("status_header", "status-header"),
    ("exc_info", "wsgi-start-response"),
    ("write_str", "wsgi-write"),
    ("write_late", "wsgi-write"),
    ("closes_input", "wsgi-input-closed"),
    ("closes_errors", "wsgi-errors-closed"),
    ("reads_oddly", "wsgi-stream"),
    ("logs_bytes", "wsgi-stream"),
    ("close_raises", "wsgi-close"),
    ("deletes_key", "wsgi-environ-changed"),
    ("changes_type", "wsgi-environ-changed"),
    ("too_few", "too-few-bytes"),
    ("too_many", "too-many-bytes"),
    ("differs", "content-length-differs"),
    ("untyped", "content-type-missing"),
    ("typed_204", "content-type-unwanted"),
    ("raises", "fails"),
    ("raises_later", "fails"),
];

fn check(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(["check", "--chdir"]).arg(apps()).args(arguments);
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("GATEWAY_")) {
        command.env_remove(name);
    }
    command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").env("PYTHONDONTWRITEBYTECODE", "1");
    command.env_remove("LD_LIBRARY_PATH");
    command.output().unwrap()
}

/// What `--format json` says.
fn found(arguments: &[&str]) -> Value {
    let output = check(&[&["--format", "json"], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    let code = if object["findings"].as_array().unwrap().is_empty() { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(code), "{object:#}\n{errors}");
    assert_eq!(object["unanswered"].as_array().unwrap().len(), 0, "{object:#}\n{errors}");
    object
}

fn rules(object: &Value) -> Vec<&str> {
    object["findings"].as_array().unwrap().iter().map(|finding| finding["rule"].as_str().unwrap()).collect()
}

#[test]
fn every_breach_of_a_callable_is_found_once_and_where_it_is() {
    let paths: Vec<_> = BREACHES.iter().map(|(case, _)| format!("--path=/{case}")).collect();
    for threads in ["4", "1"] {
        let mut arguments = vec!["--threads", threads, "breaches:application"];
        arguments.extend(paths.iter().map(String::as_str));
        let object = found(&arguments);
        let mut by_path: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for finding in object["findings"].as_array().unwrap() {
            let path = finding["request"].as_str().unwrap().split(' ').nth(1).unwrap();
            by_path.entry(&path[1..]).or_default().push(finding["rule"].as_str().unwrap());
            assert_eq!(finding["side"], "application");
            assert!(finding["clause"].as_str().unwrap().starts_with("G-"), "{finding:#}");
            assert!(finding["sentence"].as_str().unwrap().ends_with('.'), "{finding:#}");
            let traceback = finding["traceback"].as_str().unwrap_or_else(|| panic!("{finding:#}"));
            assert!(traceback.contains("breaches.py"), "{finding:#}");
        }
        let expected: BTreeMap<_, _> = BREACHES.iter().map(|(case, rule)| (*case, vec![*rule])).collect();
        assert_eq!(by_path, expected);
    }
}

#[test]
fn every_rule_about_callables_has_a_case() {
    let mut shown: Vec<_> = BREACHES.iter().map(|(_, rule)| *rule).collect();
    shown.push("wsgi-callable");
    assert_eq!(rules(&found(&["breaches:one_argument"])), ["wsgi-callable"]);
    // These two are the adapter's own, and it does neither.
    shown.extend(["wsgi-environ", "wsgi-after-close"]);
    for rule in gateway_spec::lint::RULES.iter().filter(|rule| rule.id.starts_with("wsgi-")) {
        assert!(shown.contains(&rule.id), "{rule:?}");
    }
}

#[test]
fn applications_that_are_fine_are_fine() {
    let cgi = format!("/cgi-bin=cgi:{}", programs::folder().display());
    for arguments in [
        &["app:hello"][..],
        &["/a/b=app:echo"],
        &["app:environ"],
        &["static:static", "--path", "/hello.txt", "--path", "/folder"],
        &[&cgi, "--path", "/echo.py"],
        &["wsgiref.simple_server:demo_app"],
        &["cases:validated"],
        &["/py=cases:validated", "--threads", "1"],
    ] {
        assert_eq!(rules(&found(arguments)), [""; 0], "{arguments:?}");
    }
}

#[test]
fn frameworks_are_fine() {
    let packages = python::packages();
    let packages = packages.to_str().unwrap();
    for arguments in [
        &["flask_app:app", "--path", "/download", "--path", "/count"][..],
        &["django_app:application", "--path", "/form", "--path", "/download"],
        &["bottle_app:app"],
        &["cherrypy_app:tree"],
        &["pyramid_app:app"],
        &["lint_app:flask_linted"],
        &["lint_app:flask_validated"],
    ] {
        let object = found(&[&["--venv", packages], arguments].concat());
        assert_eq!(rules(&object), [""; 0], "{object:#}");
    }
}

#[test]
fn people_read_what_was_sent_seen_and_expected() {
    let output = check(&["breaches:application", "--path", "/too_few"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "1 finding\n",
        "1. G-7.6 [too-few-bytes], by the application, at GET /too_few\n",
        "   sent      GET /too_few: a plain request\n",
        "   seen      the body ended after 4 bytes, and Content-Length is 10\n",
        "   expected  the body has as many bytes as Content-Length says\n",
        "   clause    An application MUST yield as many bytes as its Content-Length says.\n",
        "   |     start_response(\"200 OK\", PLAIN + [(\"Content-Length\", \"10\")])\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let text = String::from_utf8(check(&["app:hello"]).stdout).unwrap();
    assert!(text.starts_with("app:hello: ") && text.ends_with(" requests, nothing found\n"), "{text}");
}

fn program(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn programs_are_checked_as_well() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    program(folder.path(), "fine", "printf 'Content-Type: text/plain\\n\\ntext'");
    program(folder.path(), "short", "printf 'Content-Type: text/plain\\nContent-Length: 10\\n\\ntext'");
    program(folder.path(), "tab", "printf 'Content-Type: text/plain\\nX-A: a\\tb\\n\\ntext'");
    let target = format!("cgi:{}", folder.path().display());
    assert_eq!(rules(&found(&[&target, "--path", "/fine"])), [""; 0]);
    assert_eq!(rules(&found(&[&target, "--path", "/short"])), ["content-length-differs"]);
    assert_eq!(rules(&found(&[&target, "--path", "/tab"])), ["header"]);
}

#[test]
fn what_an_application_prints_is_not_among_the_findings() {
    let folder = tempfile::tempdir().unwrap();
    let text = "print('at import')\ndef app(environ, start_response):\n    print('in a call')\n    \
        start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [b'text']\n";
    fs::write(folder.path().join("chatty.py"), text).unwrap();
    let target = format!("wsgi:{}:app", folder.path().join("chatty.py").display());
    assert_eq!(rules(&found(&[&target])), [""; 0]);
    let output = check(&[&target]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("in a call"));
}

#[test]
fn exit_codes_tell_apart_what_went_wrong() {
    for (arguments, code) in [
        (&["no_such_module:app"][..], 3),
        (&["broken_syntax:application"], 3),
        (&["static:no/such/folder"], 3),
        (&["cgi:no/such/folder"], 3),
        (&[], 2),
        (&["static:"], 2),
        (&["app:hello", "--path", "no-slash"], 2),
        (&["app:hello", "--format", "xml"], 2),
        (&["app:hello", "--chdir", "/no/such/folder"], 2),
    ] {
        let output = check(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_server_that_watches_logs_each_finding_once_with_its_stack() {
    let server = Gateway::new(["breaches:application"]).option("--log-level", "info").env("GATEWAY_LINT", "1").start();
    for _ in 0..3 {
        assert_eq!(server.get("/tab").status, 200);
    }
    server.wait_for_log("lint: application [header]: GET /tab");
    server.wait_for_log("breaches.py");
    assert_eq!(server.get("/status_header").status, 200);
    server.wait_for_log("[status-header]");
    let log = server.log();
    assert_eq!(log.matches("GET /tab").count(), 1, "{log}");
    assert!(log.contains("G-6.7: An application MUST give header names"), "{log}");
    assert!(!log.contains("lint: server"), "{log}");
}

#[test]
fn mounts_are_watched_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.toml");
    let module = apps().join("breaches.py");
    let mounts = format!(
        "lint = true\n[mount]\n\"/a\" = \"wsgi:{0}:application\"\n\"/b\" = {{ target = \"wsgi:{0}:application\", lint = false }}\n",
        module.display()
    );
    fs::write(&config, mounts).unwrap();
    let server = Gateway::bare().option("--config", &config).start();
    for mount in ["/b", "/a"] {
        assert_eq!(server.get(&format!("{mount}/tab")).status, 200);
    }
    server.wait_for_log("GET /a/tab");
    assert!(!server.log().contains("GET /b/tab"), "{}", server.log());
}

/// Real requests through all kinds of Apps, watched: the server breaks nothing, and the answers are what they were.
#[test]
fn the_server_itself_is_fine() {
    let cgi = format!("/cgi=cgi:{}", programs::folder().display());
    let targets = ["/rust=app:echo", "/py=wsgi:cases:application", &cgi, "/static=static:static"];
    let server = Gateway::new(targets).option("--access-log", "-").env("GATEWAY_LINT", "true").start();
    for path in ["/rust", "/py/echo", "/cgi/echo"] {
        let mut client = server.connect();
        for body in ["text", "", "more\r\n\0text"] {
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
            assert_eq!(client.response_to("POST").text(), body, "{path}");
        }
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntext\r\n0\r\n\r\n"
        ));
        assert_eq!(client.response_to("POST").text(), "text", "{path}");
    }
    let mut client = server.connect();
    for (request, status) in
        [("GET /static/hello.txt", 200), ("HEAD /static/hello.txt", 200), ("GET /static/none", 404)]
    {
        client.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response_to(request.split(' ').next().unwrap()).status, status, "{request}");
    }
    assert!(!server.log().contains("lint: server"), "{}", server.log());
}
