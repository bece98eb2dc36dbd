//! A server that serves: what it prints, and what its targets answer.

use std::{fs, net::TcpStream};

use rustix::process::Signal;

use crate::support::{Gateway, folder, gateway, write};

#[test]
fn it_says_what_is_where_and_serves_that_until_it_is_told_to_end() {
    let folder = folder();
    write(&folder, "files/a.txt", "A file\n");
    let args = ["serve", "/hello=app:hello", "/=app:environ", "/files=static:files", "--listing"];
    let mut gateway = Gateway::start(gateway(&args).current_dir(folder.path()));
    assert!(gateway.banner.starts_with("gateway "), "{}", gateway.banner);
    assert!(gateway.get("/hello/x").ends_with("\r\n\r\nHello from /hello\n"));
    assert!(gateway.get("/files/a.txt").ends_with("A file\n"));
    assert!(gateway.get("/files/").contains("a.txt"));
    let environ = gateway.get("/some%0Apath?a=b");
    let lines: Vec<_> = environ.split_once("\r\n\r\n").unwrap().1.lines().collect();
    assert!(environ.contains("PATH_INFO: /some\\npath\n") && environ.contains("QUERY_STRING: a=b\n"), "{environ}");
    assert!(environ.contains("HTTP_HOST: localhost\n") && lines.is_sorted(), "{environ}");
    gateway.signal(Signal::INT);
    assert_eq!(gateway.exit_code(), Some(0));
    let table = gateway.rest_of_stdout();
    let address = &gateway.address;
    for (prefix, url, kind, what) in
        [("/hello", "/hello", "app", "hello"), ("/", "/", "app", "environ"), ("/files", "/files/", "static", "files")]
    {
        let url = format!("http://{address}{url}");
        let row = table.lines().find(|row| row.split_whitespace().eq([prefix, &url, kind, what]));
        assert!(row.is_some(), "no {prefix} in\n{table}");
    }
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn echo_sends_back_what_it_gets_up_to_the_largest_body() {
    let gateway = Gateway::start(&mut gateway(&["serve", "app:echo", "--max-body", "1K"]));
    let answer = gateway.exchange(b"POST / HTTP/1.1\r\nContent-Type: text/x-test\r\nContent-Length: 5", b"a\0b\nc");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\na\0b\nc"), "{answer}");
    assert!(answer.contains("content-type: text/x-test\r\n") && answer.contains("content-length: 5\r\n"), "{answer}");
    let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked";
    let answer = gateway.exchange(chunked, b"3\r\nabc\r\n0\r\n\r\n");
    assert!(answer.contains("content-length: 3\r\n") && answer.ends_with("\r\n\r\nabc"), "{answer}");
    assert!(gateway.exchange(b"POST / HTTP/1.1\r\nContent-Length: 1025", b"").starts_with("HTTP/1.1 413 "));
}

#[test]
fn the_access_log_has_one_escaped_line_for_each_request() {
    let folder = folder();
    let file = write(&folder, "gateway.toml", "access-log = 'access.log'\n[mount]\n'/' = 'app:hello'");
    let mut server = Gateway::start(&mut gateway(&["serve", "-c", &file]));
    server.get("/plain?q=1");
    server.exchange(b"GET /a\"b\\c\xc3\xa9 HTTP/1.1", b"");
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    let log = fs::read_to_string(folder.path().join("access.log")).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert_common_log_format(lines[0], "\"GET /plain?q=1 HTTP/1.1\" 200 12");
    assert_common_log_format(lines[1], r#""GET /a\"b\\c\xc3\xa9 HTTP/1.1" 200 12"#);

    let mut server = Gateway::start(&mut gateway(&["serve", "app:hello", "--access-log", "-"]));
    server.get("/");
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    assert!(server.rest_of_stdout().contains("\"GET / HTTP/1.1\" 200 12\n"));
}

/// `127.0.0.1 - - [21/Nov/2026:11:40:57 +0000] "GET / HTTP/1.1" 200 12`
#[track_caller]
fn assert_common_log_format(line: &str, end: &str) {
    let time = line
        .strip_prefix("127.0.0.1 - - [")
        .and_then(|rest| rest.strip_suffix(end))
        .and_then(|rest| rest.strip_suffix("] "));
    let shape: Option<String> = time.map(|time| {
        let class = |character: char| match character {
            '0'..='9' => '9',
            'a'..='z' | 'A'..='Z' => 'a',
            '+' | '-' => '+',
            other => other,
        };
        time.chars().map(class).collect()
    });
    assert_eq!(shape.as_deref(), Some("99/aaa/9999:99:99:99 +9999"), "{line}");
}

#[test]
#[cfg(feature = "cgi")]
fn programs_run_where_the_file_says() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let program =
        write(&folder, "bin/where", "#!/bin/sh\necho 'Content-Type: text/plain'\necho\necho \"$SCRIPT_NAME\"\n");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let file = write(&folder, "gateway.toml", "[mount]\n'/cgi-bin' = { target = 'cgi:bin', timeout = 20 }");
    let gateway = Gateway::start(&mut gateway(&["serve", "-c", &file]));
    assert!(gateway.get("/cgi-bin/where").contains("\r\n/cgi-bin/where\n"));
}

#[test]
#[cfg(feature = "python")]
fn python_is_served_and_ends_as_python_does() {
    const APP: &str = "
import atexit
atexit.register(print, 'good bye', end='')
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'Python at ' + environ['SCRIPT_NAME'].encode()]
";
    let folder = folder();
    write(&folder, "good.py", APP);
    let file =
        write(&folder, "gateway.toml", "chdir = '.'\n[mount]\n'/module' = 'good:app'\n'/file' = 'wsgi:good.py:app'");
    let mut gateway = Gateway::start(&mut gateway(&["serve", "-c", &file]));
    assert!(gateway.get("/module").ends_with("Python at /module"));
    assert!(gateway.get("/file/x").ends_with("Python at /file"));
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.exit_code(), Some(0));
    assert!(gateway.rest_of_stdout().contains("good bye"));
}
