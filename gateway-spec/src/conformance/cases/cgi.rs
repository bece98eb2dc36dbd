//! Section 10.2: programs (RFC 3875).

use std::{
    thread,
    time::{Duration, Instant},
};

use super::super::{
    Case, Outcome, Target, ensure,
    raw::{End, PATIENCE, Response, quote},
    same,
    target::{Dump, url},
};
use super::must;

const FIELDS: &str = "RFC 3875, 6.3";

pub(super) const CASES: &[Case] = &[
    must("G-10.23/1", "GATEWAY_INTERFACE", "CGI/1.1", interface).cgi("RFC 3875, 4.1.4").program(),
    must("G-10.23/2", "two requests", "two processes", processes).program(),
    must("G-10.23/3", "the variables", "those of the request, and the few that servers agree on", variables).program(),
    must("G-10.24/1", "a body with a length, and a request behind it", "the body, and then the end", exact_input)
        .cgi_should("RFC 3875, 4.2")
        .program(),
    must("G-10.24/2", "a body of 300 KB in chunks", "CONTENT_LENGTH bytes", chunked_input)
        .cgi("RFC 3875, 4.2")
        .program(),
    must("G-10.25/1", "Status: 299 My Reason", "that status, and no header Status", status).cgi(FIELDS).program(),
    must("G-10.25/2", "names in any case, lines with LF or CR LF", "they are understood", spellings)
        .cgi(FIELDS)
        .program(),
    must("G-10.25/3", "Location: http://..", "302", client_redirect).cgi("RFC 3875, 6.2.3").program(),
    must("G-10.25/4", "Status: 301 and Location, in both orders", "301", redirect_with_status)
        .cgi("RFC 3875, 6.2.4")
        .program(),
    must("G-10.25/5", "Content-Type alone", "200 with that type", document).cgi("RFC 3875, 6.2.1").program(),
    must("G-10.26/1", "no output at all", "502", |target| unusable(target, "")).program(),
    must("G-10.26/2", "text without a header block", "502", |target| unusable(target, "just text\n\nx")).program(),
    must("G-10.26/3", "a header block without its end", "502", |target| unusable(target, "Content-Type: a/b\n"))
        .program(),
    must("G-10.26/4", "statuses abc, 99, 600 and 200OK", "502", bad_statuses).program(),
    must("G-10.26/5", "control characters in the header block", "502", |target| {
        unusable(target, "Content-Type: a/b\nX-Probe: a\0b\n\n")?;
        unusable(target, "\x7fELF\0\0\u{1}\n\n")
    })
    .program(),
    must("G-10.27/1", "a program that dies in the middle of its body", "a truncated response", dies).program(),
    must("G-10.28/1", "a client that leaves", "the program ends, and what it has started", family_ends).program(),
    must("G-10.29/1", "standard error", "it is not in the response", stderr_stays_away).program(),
    must("G-10.29/2", "1 MB to standard error before anything else", "the response", much_stderr).program(),
    must("G-10.30/1", "Authorization", "no variable of it", authorization).cgi_should("RFC 3875, 4.1.18").program(),
];

fn interface(target: &Target) -> Outcome {
    target.environ("/environ", "")?.expect("GATEWAY_INTERFACE", "CGI/1.1")
}

fn processes(target: &Target) -> Outcome {
    let pid = || target.environ("/environ", "").map(|dump| dump.text("probe.pid"));
    let (one, two) = (pid()?, pid()?);
    ensure(one != two, || format!("both are process {one:?}"))
}

/// RFC 3875's, those that servers agree on, and PATH, without which programs find nothing.
const VARIABLES: &[&str] = &[
    "AUTH_TYPE",
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "DOCUMENT_ROOT",
    "GATEWAY_INTERFACE",
    "HTTPS",
    "PATH",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "QUERY_STRING",
    "REDIRECT_STATUS",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REMOTE_IDENT",
    "REMOTE_PORT",
    "REMOTE_USER",
    "REQUEST_METHOD",
    "REQUEST_SCHEME",
    "REQUEST_URI",
    "SCRIPT_FILENAME",
    "SCRIPT_NAME",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "SERVER_ADDR",
    "UNIQUE_ID",
];

fn variables(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "X-Probe: 1\r\n")?;
    let known = |key: &&str| VARIABLES.contains(key) || key.starts_with("HTTP_") || key.contains('.');
    let more: Vec<_> = dump.keys().filter(|key| !known(key)).collect();
    ensure(more.is_empty(), || format!("there are {more:?} as well"))
}

fn exact_input(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/beyond", "Content-Length: 3\r\n")?;
    conn.send(format!("abc{}", target.head("GET", "/environ", "")))?;
    let response = conn.response("POST")?;
    ensure(response.body == b"0", || format!("behind the body, {} bytes were read", quote(&response.body)))
}

fn chunked_input(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/environ?read=1", "Transfer-Encoding: chunked\r\n")?;
    for _ in 0..3 {
        conn.send("186a0\r\n")?.send([b'x'; 100_000])?.send("\r\n")?;
    }
    conn.send("0\r\n\r\n")?;
    let dump = Dump::of(&conn.response("POST")?)?;
    dump.expect("CONTENT_LENGTH", "300000")?;
    dump.expect("probe.read", "300000")
}

fn says(target: &Target, output: &str) -> Outcome<Response> {
    target.get(&url("raw", &[("out", output)]))
}

fn status(target: &Target) -> Outcome {
    let response = says(target, "Status: 299 My Reason\nContent-Type: a/b\n\nx")?;
    same("the status", response.status, 299)?;
    ensure(response.values("status").is_empty() && response.body == b"x", || quote(&response.head))
}

fn spellings(target: &Target) -> Outcome {
    for output in [
        "CONTENT-TYPE:a/b\nstatus: 299\n\nx",
        "Content-Type: a/b\r\nSTATUS: 299 Probe\r\n\r\nx",
        "Status: 299\r\ncontent-type: a/b\n\nx",
    ] {
        let response = says(target, output)?;
        let kind = response.header("content-type");
        let right = response.status == 299 && kind.as_deref() == Some("a/b") && response.body == b"x";
        ensure(right, || format!("{output:?} gives {} of type {kind:?}", response.told()))?;
    }
    Ok(())
}

fn client_redirect(target: &Target) -> Outcome {
    let response = says(target, "Location: http://probe.example/x\n\n")?;
    same("the status", response.status, 302)?;
    same("Location", response.header("location").as_deref(), Some("http://probe.example/x"))
}

fn redirect_with_status(target: &Target) -> Outcome {
    for output in [
        "Status: 301 Moved\nLocation: http://probe.example/x\nContent-Type: a/b\n\nx",
        "Location: http://probe.example/x\nStatus: 301 Moved\nContent-Type: a/b\n\nx",
    ] {
        same("the status", says(target, output)?.status, 301)?;
    }
    Ok(())
}

fn document(target: &Target) -> Outcome {
    let response = says(target, "Content-Type: probe/type\n\n\nx\n")?;
    same("the type", response.header("content-type").as_deref(), Some("probe/type"))?;
    ensure(response.status == 200 && response.body == b"\nx\n", || response.told())
}

/// Output that is no response. That the fault is behind the gateway is what 502 says.
fn unusable(target: &Target, output: &str) -> Outcome {
    let response = says(target, output)?;
    ensure(response.status == 502, || format!("{output:?} gives {}", response.told()))
}

fn bad_statuses(target: &Target) -> Outcome {
    ["abc", "99", "600", "200OK", "100 Continue"]
        .iter()
        .try_for_each(|status| unusable(target, &format!("Status: {status}\nContent-Type: a/b\n\nx")))
}

fn dies(target: &Target) -> Outcome {
    let path = url("respond", &[("header", "Content-Type:a/b"), ("block", "begun"), ("fail", "body")]);
    let response = target.get(&path)?;
    ensure(response.end == End::Truncated, || response.told())
}

fn family_ends(target: &Target) -> Outcome {
    let mut conn = target.begin("GET", "/family", "")?;
    let head = conn.head()?;
    same("the status", head.status, 200)?;
    ensure(conn.sees(b" end", PATIENCE), || "the program does not tell who it is".to_owned())?;
    let told = String::from_utf8_lossy(&conn.take()).into_owned();
    let words = told.split_whitespace().skip_while(|word| *word != "family");
    let pids: Vec<_> = words.skip(1).take(2).map(str::to_owned).collect();
    drop(conn);
    let end = Instant::now() + PATIENCE;
    loop {
        let alive = target.get(&format!("/alive?pid={}", pids.join("&pid=")))?.body;
        if alive.is_empty() {
            return Ok(());
        }
        ensure(Instant::now() < end, || format!("of {pids:?}, {} still run", quote(&alive)))?;
        thread::sleep(Duration::from_millis(50));
    }
}

fn stderr_stays_away(target: &Target) -> Outcome {
    let response = target.get("/log?size=10")?;
    ensure(response.status == 200 && response.body == b"logged", || response.told())
}

fn much_stderr(target: &Target) -> Outcome {
    let response = target.get("/log?size=1000000")?;
    ensure(response.status == 200 && response.body == b"logged", || response.told())
}

fn authorization(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "Authorization: Basic ZXZlOnNlY3JldA==\r\n")?;
    dump.expect_absent("HTTP_AUTHORIZATION")?;
    dump.expect_absent("REMOTE_USER")
}
