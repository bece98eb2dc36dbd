//! WSGI: what the application is told of the request and of the server.

use crate::support::{EVERYTHING, Gateway, Server};

/// What the application sees of a request: a line `KEY=VALUE` for each, Python's `ascii()` of the value.
fn dump(server: &Server, request: impl AsRef<[u8]>) -> String {
    let response = server.connect().send(request).response();
    assert_eq!(response.status, 200, "{response:?}");
    response.text()
}

fn dump_with(server: &Server, headers: &str) -> String {
    dump(server, format!("GET /py/dump HTTP/1.1\r\nHost: a:99\r\n{headers}\r\n"))
}

#[track_caller]
fn has(dump: &str, line: &str) {
    assert!(dump.lines().any(|other| other == line), "{line} is not in\n{dump}");
}

#[track_caller]
fn lacks(dump: &str, key: &str) {
    assert!(!dump.lines().any(|line| line.starts_with(&format!("{key}="))), "{key} is in\n{dump}");
}

#[test]
fn the_environ_is_a_new_dict_of_str() {
    let server = EVERYTHING.server();
    for _ in 0..2 {
        // The application clears it each time.
        let dump = dump_with(&server, "");
        has(&dump, "type(environ)=dict");
        has(&dump, "keys=['str']");
        has(&dump, "REQUEST_METHOD='GET'");
        for line in dump.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase())) {
            let (_, value) = line.split_once('=').unwrap();
            assert!(value.starts_with(['\'', '"']), "{line} is no str");
        }
    }
}

#[test]
fn everything_that_pep_3333_requires_is_there() {
    let server = EVERYTHING.server();
    let dump = dump(&server, "GET /py/dump?a=b HTTP/1.1\r\nHost: a:99\r\nAccept: */*\r\n\r\n");
    let port = server.address().port();
    for line in [
        "REQUEST_METHOD='GET'",
        "SCRIPT_NAME='/py'",
        "PATH_INFO='/dump'",
        "QUERY_STRING='a=b'",
        "SERVER_PROTOCOL='HTTP/1.1'",
        "SERVER_NAME='a'",
        &format!("SERVER_PORT='{port}'"),
        "REMOTE_ADDR='127.0.0.1'",
        "HTTP_HOST='a:99'",
        "HTTP_ACCEPT='*/*'",
        "wsgi.version=(1, 0)",
        "wsgi.url_scheme='http'",
        match std::env::var("TEST_THREADS").as_deref() {
            Ok("1") => "wsgi.multithread=False",
            _ => "wsgi.multithread=True",
        },
        "wsgi.multiprocess=False",
        "wsgi.run_once=False",
        "wsgi.input_terminated=True",
    ] {
        has(&dump, line);
    }
    for key in ["wsgi.input", "wsgi.errors", "wsgi.file_wrapper", "gateway.disconnected"] {
        assert!(dump.contains(&format!("{key}=<")), "{key}: {dump}");
    }
    for key in [
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "HTTP_CONTENT_TYPE",
        "HTTP_CONTENT_LENGTH",
        "REMOTE_USER",
        "AUTH_TYPE",
        "HTTPS",
        // hyper cannot send 103.
        "wsgi.early_hints",
    ] {
        let absent = !dump.lines().any(|line| line.starts_with(&format!("{key}=")) && line != format!("{key}=''"));
        assert!(absent, "{key}: {dump}");
    }
}

#[test]
fn the_bodys_type_and_length_are_not_headers() {
    let server = EVERYTHING.server();
    let request = "POST /py/dump HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc";
    let dump = dump(&server, request);
    has(&dump, "CONTENT_TYPE='a/b'");
    has(&dump, "CONTENT_LENGTH='3'");
    lacks(&dump, "HTTP_CONTENT_TYPE");
    lacks(&dump, "HTTP_CONTENT_LENGTH");
}

#[test]
fn a_single_thread_is_declared() {
    let server = Gateway::new(["wsgi:cases:application"]).option("--threads", "1").start();
    has(&server.get("/dump").text(), "wsgi.multithread=False");
}

#[test]
fn http_1_0_may_have_no_host() {
    let server = EVERYTHING.server();
    let dump = dump(&server, "GET /py/dump HTTP/1.0\r\n\r\n");
    has(&dump, "SERVER_PROTOCOL='HTTP/1.0'");
    lacks(&dump, "HTTP_HOST");
    assert!(!dump.contains("SERVER_NAME=''"), "{dump}");
}

#[test]
fn the_servers_own_environment_stays_its_own() {
    let server = Gateway::new(["wsgi:cases:application"]).env("HTTP_X_ADMIN", "1").env("SECRET", "1").start();
    let text = server.get("/dump").text();
    lacks(&text, "HTTP_X_ADMIN");
    lacks(&text, "SECRET");
}

#[test]
fn header_values_are_latin_1() {
    let server = EVERYTHING.server();
    let request = b"GET /py/dump HTTP/1.1\r\nHost: a\r\nX-N: \xe9\r\nX-Utf8: \xc3\xa9\r\n\r\n";
    let dump = dump(&server, request);
    has(&dump, r"HTTP_X_N='\xe9'");
    has(&dump, r"HTTP_X_UTF8='\xc3\xa9'");
}

#[test]
fn names_with_an_underscore_cannot_pass_for_others() {
    let server = EVERYTHING.server();
    let dump = dump_with(
        &server,
        "X-Role: a\r\nX_Role: b\r\nX_Forwarded_For: 1.2.3.4\r\nTransfer_Encoding: chunked\r\nContent_Length: 5\r\n",
    );
    has(&dump, "HTTP_X_ROLE='a'");
    lacks(&dump, "HTTP_X_FORWARDED_FOR");
    lacks(&dump, "HTTP_TRANSFER_ENCODING");
    lacks(&dump, "HTTP_CONTENT_LENGTH");
}

#[test]
fn headers_cannot_set_what_the_server_says() {
    let server = EVERYTHING.server();
    let dump =
        dump_with(&server, "Proxy: http://evil\r\nScript-Name: /x\r\nRemote-User: root\r\nRemote-Addr: 1.2.3.4\r\n");
    lacks(&dump, "HTTP_PROXY");
    lacks(&dump, "REMOTE_USER");
    has(&dump, "HTTP_REMOTE_USER='root'");
    has(&dump, "SCRIPT_NAME='/py'");
    has(&dump, "REMOTE_ADDR='127.0.0.1'");
}

#[test]
fn repeated_headers_are_joined() {
    let server = EVERYTHING.server();
    let dump = dump_with(&server, "Cookie: a=1\r\nX-A: 1\r\nCookie: b=2\r\nX-A: 2\r\n");
    has(&dump, "HTTP_COOKIE='a=1; b=2'");
    assert!(dump.contains("HTTP_X_A='1, 2'") || dump.contains("HTTP_X_A='1,2'"), "{dump}");
}

#[test]
fn paths_are_decoded_once_and_queries_never() {
    let server = Gateway::new(["wsgi:cases:application"]).start();
    for (target, path_info, query) in [
        ("/a%2Fb%C3%A9?x=%20", r"/a/b\xc3\xa9", "x=%20"),
        ("//a//b", "//a//b", ""),
        ("http://h/p", "/p", ""),
        ("/%252e", "/%2e", ""),
        ("/a?b?c=d", "/a", "b?c=d"),
        ("/a;b=c", "/a;b=c", ""),
        ("/", "/", ""),
        ("/+", "/+", ""),
    ] {
        let dump = dump(&server, format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        has(&dump, &format!("PATH_INFO='{path_info}'"));
        has(&dump, &format!("QUERY_STRING='{query}'"));
        has(&dump, "SCRIPT_NAME=''");
    }
}

#[test]
fn options_of_the_whole_server_is_answered() {
    let server = Gateway::new(["wsgi:cases:application"]).start();
    let response = server.connect().send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").response();
    assert_eq!(response.status, 200);
    let text = response.text();
    // By the server, or by an application that is mounted at the root.
    assert!(text.is_empty() || text.contains("PATH_INFO='*'"), "{text}");
}

#[test]
fn a_prefix_moves_to_script_name() {
    let server = Gateway::new(["/app=wsgi:cases:application"]).start();
    for (target, path_info) in [("/app", ""), ("/app/", "/"), ("/app/x", "/x"), ("/%61pp/x", "/x")] {
        let text = server.get(target).text();
        has(&text, "SCRIPT_NAME='/app'");
        has(&text, &format!("PATH_INFO='{path_info}'"));
    }
    for target in ["/appother", "/x", "/", "/app%2Fother/../../x"] {
        let status = server.get(target).status;
        assert!(status == 404 || target.contains("%2F"), "{target}: {status}");
    }
}

#[test]
fn methods_arrive_as_they_are() {
    let server = EVERYTHING.server();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "FOO"] {
        has(
            &dump(&server, format!("{method} /py/dump HTTP/1.1\r\nHost: a\r\n\r\n")),
            &format!("REQUEST_METHOD='{method}'"),
        );
    }
}

#[test]
fn an_environ_has_nothing_of_the_requests_before() {
    let server = EVERYTHING.server();
    // More compositions of headers than are remembered, some of them alike but for one thing.
    let requests = [
        ("GET", "", ""),
        ("GET", "A: 1\r\n", ""),
        ("GET", "A: 2\r\n", ""),
        ("GET", "A:\r\n", ""),
        ("GET", "A: 1\r\nA: 2\r\n", ""),
        ("GET", "A: 2\r\nA: 2\r\n", ""),
        ("GET", "A: 1\r\nB: 2\r\n", ""),
        ("GET", "B: 2\r\nA: 1\r\n", ""),
        ("GET", "A_B: 1\r\n", ""),
        ("GET", "A-B: 1\r\n", ""),
        ("GET", "Te: trailers\r\n", ""),
        ("POST", "Content-Type: a/b\r\n", ""),
        ("POST", "Content-Length: 0\r\n", ""),
        ("POST", "Content-Length: 3\r\n", "abc"),
        ("POST", "Content-Length: 4\r\n", "abcd"),
        ("POST", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("POST", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ];
    let seen = |(method, headers, body): (&str, &str, &str), path: &str| -> Vec<String> {
        let dump = dump(&server, format!("{method} {path} HTTP/1.1\r\nHost: a:99\r\n{headers}\r\n{body}"));
        let differs = |line: &&str| line.starts_with("REMOTE_PORT=") || line.contains("<");
        dump.lines().filter(|line| !differs(line)).map(str::to_owned).collect()
    };
    let alone: Vec<_> = requests.iter().map(|request| seen(*request, "/py/dump")).collect();
    for (request, expected) in requests.iter().zip(&alone).rev() {
        assert_eq!(&seen(*request, "/py/dump"), expected, "{request:?}");
        let elsewhere = seen(*request, "/py/dump/%61?q");
        for line in
            ["PATH_INFO='/dump/a'", "RAW_URI='/py/dump/%61?q'", "REQUEST_URI='/py/dump/%61?q'", "QUERY_STRING='q'"]
        {
            has(&elsewhere.join("\n"), line);
        }
        assert_eq!(&seen(*request, "/py/dump"), expected, "{request:?}");
    }
    for (place, key, value) in
        [(3, "HTTP_A", ""), (4, "HTTP_A", "1, 2"), (13, "CONTENT_LENGTH", "3"), (15, "CONTENT_LENGTH", "3")]
    {
        has(&alone[place].join("\n"), &format!("{key}='{value}'"));
    }
    for (place, key) in [(0, "HTTP_A"), (8, "HTTP_A_B"), (10, "HTTP_TE"), (11, "CONTENT_LENGTH"), (0, "CONTENT_TYPE")] {
        lacks(&alone[place].join("\n"), key);
    }
}
