//! Section 3.1: the CGI keys.

use super::super::{
    Case, Outcome, Target, ensure,
    raw::{find, quote},
    same,
    target::Dump,
};
use super::must;

const VARIABLES: &str = "PEP 3333, environ Variables";
const RECONSTRUCTION: &str = "PEP 3333, URL Reconstruction";

pub(super) const CASES: &[Case] = &[
    must(
        "G-3.1/1",
        "the keys that are never empty",
        "REQUEST_METHOD, SERVER_NAME, SERVER_PORT, SERVER_PROTOCOL",
        required,
    )
    .pep(VARIABLES)
    .cgi("RFC 3875, 4.1"),
    must("G-3.1/2", "the keys that may be empty", "SCRIPT_NAME, PATH_INFO and QUERY_STRING are there", maybe_empty),
    must("G-3.1/3", "REQUEST_URI, REQUEST_SCHEME and SERVER_SOFTWARE", "they are there", agreed_on),
    must("G-3.1/4", "the client's address", "REMOTE_ADDR and REMOTE_PORT are the connection's", remote),
    must("G-3.1/5", "a body with a type and a length", "CONTENT_TYPE and CONTENT_LENGTH", content)
        .pep(VARIABLES)
        .cgi("RFC 3875, 4.1.2"),
    must("G-3.2/1", "a client that nobody has authenticated", "no REMOTE_USER, no AUTH_TYPE, no HTTPS", absent)
        .pep_should(VARIABLES)
        .cgi("RFC 3875, 4.1.11"),
    must("G-3.2/2", "a request without a body", "no CONTENT_TYPE, no CONTENT_LENGTH", no_body).cgi("RFC 3875, 4.1.2"),
    must("G-3.3/1", "the method PROPFIND", "REQUEST_METHOD is PROPFIND", extension_method)
        .pep(VARIABLES)
        .cgi("RFC 3875, 4.1.12"),
    must("G-3.3/2", "the method `gEt`", "it is handed through as it is, or refused", lower_case).http("RFC 9110, 9.1"),
    must("G-3.4/1", "SCRIPT_NAME and PATH_INFO", "one behind the other they are the decoded path", path_is_split)
        .pep(VARIABLES)
        .cgi("RFC 3875, 3.3"),
    must("G-3.5/1", "SCRIPT_NAME and PATH_INFO", "empty, or beginning with `/`; SCRIPT_NAME is not `/`", borders)
        .pep(RECONSTRUCTION)
        .cgi("RFC 3875, 4.1.5"),
    must("G-3.5/2", "GET *", "no call with a PATH_INFO of `*`", asterisk).http_should("RFC 9112, 3"),
    must("G-3.6/1", "a path that goes on behind the prefix without a `/`", "another application's", prefix_border)
        .pep(VARIABLES),
    must("G-3.6/2", "the prefix itself, and with a `/`", "PATH_INFO is empty, and `/`", prefix_itself).pep(VARIABLES),
    must("G-3.7/1", "a path with %20, %25 and %3F", "decoded once: blank, %, ?", decoded_once)
        .pep(RECONSTRUCTION)
        .cgi("RFC 3875, 4.1.5"),
    must("G-3.7/2", "a path with %2F", "decoded like the others, or refused", slash),
    must("G-3.7/3", "a path with %FF and %C3%A9", "the bytes FF, C3 and A9", bytes)
        .pep("PEP 3333, Unicode Issues")
        .cgi("RFC 3875, 4.1.5"),
    must("G-3.7/4", "a `+` in the path", "it stays a `+`", plus).pep(RECONSTRUCTION).cgi("RFC 3875, 4.1.5"),
    must("G-3.8/1", "a path with `//`", "PATH_INFO has both slashes", double_slash),
    must("G-3.8/2", "a path with `/a/../b`", "PATH_INFO has it, or has it resolved, or it is refused", dots),
    must("G-3.9/1", "a target with escapes", "REQUEST_URI is the target as sent", raw_target),
    must("G-3.10/1", "a query with %26, %20 and `+`", "QUERY_STRING is as sent", raw_query)
        .pep(VARIABLES)
        .cgi("RFC 3875, 4.1.7"),
    must("G-3.10/2", "a query with a second `?`, and an empty query", "`a?b`, and empty", odd_queries)
        .pep(VARIABLES)
        .cgi("RFC 3875, 4.1.7"),
    must("G-3.11/1", "Host: probe.example:81", "SERVER_NAME is probe.example", server_name),
    must("G-3.11/2", "HTTP/1.0 without Host", "SERVER_NAME is not empty, SERVER_PORT a number", without_host)
        .pep(VARIABLES)
        .cgi("RFC 3875, 4.1.14"),
    must("G-3.11/3", "Host: [::1]:81", "SERVER_NAME is [::1]", ipv6).cgi("RFC 3875, 4.1.14"),
    must("G-3.11/4", "Host with another port", "SERVER_PORT is the one that the request came in by", server_port)
        .cgi("RFC 3875, 4.1.15"),
    must("G-3.12/1", "HTTP/1.0 and HTTP/1.1", "SERVER_PROTOCOL is the client's version", protocol).pep(VARIABLES),
    must("G-3.13/1", "an absolute target whose host is not Host's", "Host's is not used", authority)
        .http("RFC 9112, 3.2.2"),
    must("G-3.13/2", "an absolute target", "PATH_INFO is its path alone", absolute_path).http("RFC 9112, 3.2.2"),
    must("G-3.14/1", "a body with a length", "CONTENT_LENGTH is what Input yields", length_is_true)
        .pep(VARIABLES)
        .cgi("RFC 3875, 4.1.2"),
    must("G-3.14/2", "a body in chunks", "CONTENT_LENGTH, if there is one, is what Input yields", chunked_length)
        .pep(VARIABLES)
        .cgi("RFC 3875, 4.1.2"),
];

fn required(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    for key in ["REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"] {
        ensure(dump.value(key).is_some_and(|value| !value.is_empty()), || format!("{key} is {:?}", dump.text(key)))?;
    }
    dump.expect("REQUEST_METHOD", "GET")
}

fn maybe_empty(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    dump.expect("QUERY_STRING", "")?;
    dump.expect("SCRIPT_NAME", target.prefix())?;
    dump.expect("PATH_INFO", "/environ")
}

fn agreed_on(target: &Target) -> Outcome {
    let dump = target.environ("/environ?a=b", "")?;
    dump.expect("REQUEST_URI", format!("{}/environ?a=b", target.prefix()))?;
    dump.expect("REQUEST_SCHEME", "http")?;
    ensure(dump.value("SERVER_SOFTWARE").is_some(), || "there is no SERVER_SOFTWARE".to_owned())
}

fn remote(target: &Target) -> Outcome {
    let mut conn = target.begin("GET", "/environ", "")?;
    let us = conn.local_addr()?;
    let dump = Dump::of(&conn.response("GET")?)?;
    dump.expect("REMOTE_ADDR", us.ip().to_string())?;
    dump.expect("REMOTE_PORT", us.port().to_string())
}

fn content(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/environ?read=1", "Content-Type: probe/type; a=b\r\nContent-Length: 3\r\n")?;
    conn.send("abc")?;
    let dump = Dump::of(&conn.response("POST")?)?;
    dump.expect("CONTENT_TYPE", "probe/type; a=b")?;
    dump.expect("CONTENT_LENGTH", "3")
}

fn absent(target: &Target) -> Outcome {
    // The header is nothing that a server may believe.
    let dump = target.environ("/environ", "Remote-User: eve\r\n")?;
    ["REMOTE_USER", "AUTH_TYPE", "HTTPS"].iter().try_for_each(|key| dump.expect_absent(key))
}

fn no_body(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    ["CONTENT_TYPE", "CONTENT_LENGTH"].iter().try_for_each(|key| dump.expect_absent(key))
}

fn extension_method(target: &Target) -> Outcome {
    Dump::of(&target.request("PROPFIND", "/environ", "")?)?.expect("REQUEST_METHOD", "PROPFIND")
}

fn lower_case(target: &Target) -> Outcome {
    let response = target.request("gEt", "/environ", "")?;
    if response.status >= 400 {
        return Ok(());
    }
    Dump::of(&response)?.expect("REQUEST_METHOD", "gEt")
}

/// What PATH_INFO is behind `/environ`, for this path behind it.
fn expect_path(target: &Target, sent: &str, decoded: &[u8]) -> Outcome {
    let dump = target.environ(&format!("/environ{sent}"), "")?;
    dump.expect("PATH_INFO", [b"/environ", decoded].concat())
}

fn path_is_split(target: &Target) -> Outcome {
    let dump = target.environ("/environ/x%20y", "")?;
    let whole = [dump.value("SCRIPT_NAME").unwrap_or_default(), dump.value("PATH_INFO").unwrap_or_default()].concat();
    let expected = format!("{}/environ/x y", target.prefix());
    ensure(whole == expected.as_bytes(), || format!("together they are {}", quote(&whole)))
}

fn borders(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    for key in ["SCRIPT_NAME", "PATH_INFO"] {
        let value = dump.text(key).unwrap_or_default();
        ensure(value.is_empty() || value.starts_with('/'), || format!("{key} is {value:?}"))?;
    }
    ensure(dump.value("SCRIPT_NAME") != Some(b"/"), || "SCRIPT_NAME is /".to_owned())
}

fn asterisk(target: &Target) -> Outcome {
    let response = target.raw("GET", format!("GET * HTTP/1.1\r\nHost: {}\r\n\r\n", target.authority()))?;
    ensure(response.header("x-probe-path").as_deref() != Some("%2A"), || "the application was called".to_owned())
}

fn prefix_border(target: &Target) -> Outcome {
    target.needs_prefix()?;
    let request = format!("GET {}other HTTP/1.1\r\nHost: {}\r\n\r\n", target.prefix(), target.authority());
    let response = target.raw("GET", request)?;
    let path = response.header("x-probe-path");
    ensure(path.is_none(), || format!("{}other has reached the probe as {path:?}", target.prefix()))
}

fn prefix_itself(target: &Target) -> Outcome {
    target.needs_prefix()?;
    for (path, expected) in [("", ""), ("/", "/")] {
        let response = target.get(path)?;
        let seen = response.header("x-probe-path");
        ensure(seen.as_deref() == Some(expected), || format!("{}{path}: PATH_INFO is {seen:?}", target.prefix()))?;
    }
    Ok(())
}

fn decoded_once(target: &Target) -> Outcome {
    expect_path(target, "/a%20b/%2541/%3Fq", b"/a b/%41/?q")
}

fn slash(target: &Target) -> Outcome {
    let response = target.get("/environ/a%2Fb")?;
    // RFC 3875, section 4.1.5, lets a server refuse what would change the path's segments.
    if (400..500).contains(&response.status) {
        return Ok(());
    }
    Dump::of(&response)?.expect("PATH_INFO", "/environ/a/b")
}

fn bytes(target: &Target) -> Outcome {
    expect_path(target, "/%FF/%C3%A9", b"/\xff/\xc3\xa9")
}

fn plus(target: &Target) -> Outcome {
    expect_path(target, "/a+b", b"/a+b")
}

fn double_slash(target: &Target) -> Outcome {
    expect_path(target, "//a//b/", b"//a//b/")
}

fn dots(target: &Target) -> Outcome {
    let response = target.get("/environ/a/../b/./c")?;
    if (400..500).contains(&response.status) {
        return Ok(());
    }
    let dump = Dump::of(&response)?;
    let path = dump.value("PATH_INFO").unwrap_or_default();
    let known = [&b"/environ/a/../b/./c"[..], b"/environ/b/c"].contains(&path);
    ensure(known, || format!("PATH_INFO is {}", quote(path)))
}

fn raw_target(target: &Target) -> Outcome {
    let path = "/environ/%41%20c?d=%20&e";
    target.environ(path, "")?.expect("REQUEST_URI", format!("{}{path}", target.prefix()))
}

fn raw_query(target: &Target) -> Outcome {
    target.environ("/environ?a=%26&b=%20+%C3%A9", "")?.expect("QUERY_STRING", "a=%26&b=%20+%C3%A9")
}

fn odd_queries(target: &Target) -> Outcome {
    target.environ("/environ?a?b", "")?.expect("QUERY_STRING", "a?b")?;
    let dump = target.environ("/environ?", "")?;
    ensure(dump.value("QUERY_STRING").unwrap_or_default().is_empty(), || format!("{:?}", dump.text("QUERY_STRING")))
}

/// The environ of a request with this Host.
fn with_host(target: &Target, host: &str) -> Outcome<Dump> {
    let request = format!("GET {}/environ HTTP/1.1\r\nHost: {host}\r\n\r\n", target.prefix());
    Dump::of(&target.raw("GET", request)?)
}

fn server_name(target: &Target) -> Outcome {
    with_host(target, "probe.example:81")?.expect("SERVER_NAME", "probe.example")
}

fn without_host(target: &Target) -> Outcome {
    let dump = Dump::of(&target.raw("GET", format!("GET {}/environ HTTP/1.0\r\n\r\n", target.prefix()))?)?;
    let (name, port) = (dump.text("SERVER_NAME"), dump.text("SERVER_PORT").unwrap_or_default());
    ensure(name.as_ref().is_some_and(|name| !name.is_empty()), || format!("SERVER_NAME is {name:?}"))?;
    ensure(port.parse::<u16>().is_ok(), || format!("SERVER_PORT is {port:?}"))
}

fn ipv6(target: &Target) -> Outcome {
    with_host(target, "[::1]:81")?.expect("SERVER_NAME", "[::1]")
}

fn server_port(target: &Target) -> Outcome {
    let port = target.authority().rsplit(':').next().filter(|port| port.parse::<u16>().is_ok()).unwrap_or("80");
    with_host(target, "probe.example:81")?.expect("SERVER_PORT", port)
}

fn protocol(target: &Target) -> Outcome {
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let request = format!("GET {}/environ {version}\r\nHost: {}\r\n\r\n", target.prefix(), target.authority());
        Dump::of(&target.raw("GET", request)?)?.expect("SERVER_PROTOCOL", version)?;
    }
    Ok(())
}

fn authority(target: &Target) -> Outcome {
    let path = target.prefix();
    let request = format!("GET http://right.example{path}/environ HTTP/1.1\r\nHost: wrong.example\r\n\r\n");
    let response = target.raw("GET", request)?;
    // A request that is in disagreement with itself may be refused.
    if (400..500).contains(&response.status) {
        return Ok(());
    }
    let dump = Dump::of(&response)?;
    for key in ["HTTP_HOST", "SERVER_NAME"] {
        let value = dump.value(key).unwrap_or_default();
        ensure(find(value, b"wrong.example").is_none(), || format!("{key} is {}", quote(value)))?;
    }
    Ok(())
}

fn absolute_path(target: &Target) -> Outcome {
    let host = target.authority();
    let request = format!("GET http://{host}{}/environ?a HTTP/1.1\r\nHost: {host}\r\n\r\n", target.prefix());
    let dump = Dump::of(&target.raw("GET", request)?)?;
    dump.expect("PATH_INFO", "/environ")?;
    dump.expect("QUERY_STRING", "a")
}

fn length_is_true(target: &Target) -> Outcome {
    let body = [b'x'; 70_000];
    let dump = Dump::of(&target.post("/environ?read=1", &body)?)?;
    dump.expect("CONTENT_LENGTH", "70000")?;
    dump.expect("probe.read", "70000")
}

fn chunked_length(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/environ?read=1", "Transfer-Encoding: chunked\r\n")?;
    conn.send("3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")?;
    let response = conn.response("POST")?;
    if response.status == 411 {
        return Ok(());
    }
    let dump = Dump::of(&response)?;
    match dump.text("CONTENT_LENGTH").filter(|length| !length.is_empty()) {
        Some(length) => same("CONTENT_LENGTH", Some(length), dump.text("probe.read")),
        None => Ok(()),
    }
}
