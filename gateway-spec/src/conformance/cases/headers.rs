//! Sections 3.2 to 3.4: headers, what is withheld, and keys with a dot.

use super::super::{Case, Outcome, Target, ensure, raw::quote, target::Dump};
use super::{must, should};

const VARIABLES: &str = "PEP 3333, environ Variables";
const META: &str = "RFC 3875, 4.1.18";

pub(super) const CASES: &[Case] = &[
    must("G-3.15/1", "X-Probe-Header: value", "HTTP_X_PROBE_HEADER is value", a_header).pep(VARIABLES).cgi(META),
    must("G-3.15/2", "Content-Type and Content-Length", "no HTTP_ keys of them", own_keys_only).cgi_should(META),
    must("G-3.15/3", "a header without a value", "its key is there, and empty", empty_header).pep_should(VARIABLES),
    must("G-3.16/1", "X-Probe: 1 and X-Probe: 2", "`1,2` or `1, 2`, in this order", two_lines).pep(VARIABLES).cgi(META),
    must("G-3.16/2", "two lines of one header with another between them", "joined in their order", lines_apart)
        .pep(VARIABLES)
        .cgi(META),
    must("G-3.16/3", "Cookie: a=1 and Cookie: b=2", "`a=1; b=2`", two_cookies),
    must("G-3.17/1", "a value with the bytes E9 and FF", "the same bytes", raw_bytes)
        .pep("PEP 3333, Unicode Issues")
        .cgi(META),
    must("G-3.17/2", "white space around a value and inside of it", "the one is gone, the other is not", white_space)
        .http("RFC 9112, 5.1"),
    must("G-3.18/1", "a request with known headers", "no HTTP_ key but theirs", nothing_invented).pep_should(VARIABLES),
    must("G-3.19/1", "X_Probe: evil", "no HTTP_X_PROBE", underscore),
    must("G-3.19/2", "X-Probe: good and X_Probe: evil", "HTTP_X_PROBE is good", underscore_twin),
    must("G-3.20/1", "Proxy: http://evil", "no HTTP_PROXY", proxy).cgi_should(META),
    should("G-3.21/1", "Connection, Keep-Alive, TE and Upgrade", "no keys of them", hop_by_hop),
    must("G-3.22/1", "a trailer", "no key of it, even when the body was read", trailer).http("RFC 9110, 6.5.1"),
    must("G-3.23/1", "the server's own environment", "nothing of it is in the environ", no_process_environment),
    must("G-3.24/1", "the names of all keys", "in lower case with a dot, or of capitals", names)
        .pep_should(VARIABLES)
        .wsgi(),
    must("G-3.26/1", "an application that changes its environ", "the next call has a whole one", own_dict)
        .pep(VARIABLES)
        .wsgi(),
    must("G-3.27/1", "plain HTTP", "the scheme is http", scheme).pep(VARIABLES),
];

fn a_header(target: &Target) -> Outcome {
    target.environ("/environ", "X-Probe-Header: value\r\n")?.expect("HTTP_X_PROBE_HEADER", "value")
}

fn own_keys_only(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/environ?read=1", "Content-Type: a/b\r\nContent-Length: 1\r\n")?;
    conn.send("x")?;
    let dump = Dump::of(&conn.response("POST")?)?;
    dump.expect_absent("HTTP_CONTENT_TYPE")?;
    dump.expect_absent("HTTP_CONTENT_LENGTH")
}

fn empty_header(target: &Target) -> Outcome {
    target.environ("/environ", "X-Probe:\r\n")?.expect("HTTP_X_PROBE", "")
}

fn joined(target: &Target, headers: &str, key: &str, allowed: &[&str]) -> Outcome {
    let dump = target.environ("/environ", headers)?;
    let value = dump.text(key);
    ensure(value.as_deref().is_some_and(|value| allowed.contains(&value)), || format!("{key} is {value:?}"))
}

fn two_lines(target: &Target) -> Outcome {
    joined(target, "X-Probe: 1\r\nX-Probe: 2\r\n", "HTTP_X_PROBE", &["1,2", "1, 2"])
}

fn lines_apart(target: &Target) -> Outcome {
    joined(target, "X-Probe: 1\r\nX-Other: o\r\nx-probe: 2\r\n", "HTTP_X_PROBE", &["1,2", "1, 2"])
}

fn two_cookies(target: &Target) -> Outcome {
    joined(target, "Cookie: a=1\r\nCookie: b=2\r\n", "HTTP_COOKIE", &["a=1; b=2"])
}

fn raw_bytes(target: &Target) -> Outcome {
    let mut request = target.head("GET", "/environ", "X-Probe: caf#!\r\n").into_bytes();
    request.iter_mut().for_each(|byte| match *byte {
        b'#' => *byte = 0xe9,
        b'!' => *byte = 0xff,
        _ => {}
    });
    Dump::of(&target.raw("GET", request)?)?.expect("HTTP_X_PROBE", b"caf\xe9\xff")
}

fn white_space(target: &Target) -> Outcome {
    target.environ("/environ", "X-Probe:  \t a \t b \t \r\n")?.expect("HTTP_X_PROBE", "a \t b")
}

fn nothing_invented(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "X-Probe: 1\r\n")?;
    let invented: Vec<_> =
        dump.keys().filter(|key| key.starts_with("HTTP_") && !["HTTP_HOST", "HTTP_X_PROBE"].contains(key)).collect();
    ensure(invented.is_empty(), || format!("nobody has sent {invented:?}"))
}

/// The environ of a request with such headers, which may also be refused.
fn unless_refused(target: &Target, headers: &str, check: impl FnOnce(Dump) -> Outcome) -> Outcome {
    let response = target.request("GET", "/environ", headers)?;
    if (400..500).contains(&response.status) { Ok(()) } else { check(Dump::of(&response)?) }
}

fn underscore(target: &Target) -> Outcome {
    unless_refused(target, "X_Probe: evil\r\n", |dump| dump.expect_absent("HTTP_X_PROBE"))
}

fn underscore_twin(target: &Target) -> Outcome {
    unless_refused(target, "X-Probe: good\r\nX_Probe: evil\r\n", |dump| dump.expect("HTTP_X_PROBE", "good"))
}

fn proxy(target: &Target) -> Outcome {
    unless_refused(target, "Proxy: http://evil\r\n", |dump| dump.expect_absent("HTTP_PROXY"))
}

fn hop_by_hop(target: &Target) -> Outcome {
    let headers = "Connection: keep-alive, TE\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n";
    let dump = target.environ("/environ", headers)?;
    ["HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_TE"].iter().try_for_each(|key| dump.expect_absent(key))
}

fn trailer(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/environ?read=1", "Transfer-Encoding: chunked\r\nTrailer: X-Probe\r\n")?;
    conn.send("3\r\nabc\r\n0\r\nX-Probe: evil\r\n\r\n")?;
    let response = conn.response("POST")?;
    if (400..500).contains(&response.status) {
        return Ok(());
    }
    Dump::of(&response)?.expect_absent("HTTP_X_PROBE")
}

/// Variables that nearly every process has. A program may be given some that its operator chose, PATH among them.
fn no_process_environment(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    ["HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "SHLVL", "VIRTUAL_ENV", "PROBE_SECRET"]
        .iter()
        .try_for_each(|key| dump.expect_absent(key))
}

fn names(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    let is_own = |key: &str| {
        let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
        key.contains('.') && key.bytes().all(small)
    };
    let is_cgi = |key: &str| key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let odd: Vec<_> = dump.keys().filter(|key| !is_own(key) && !is_cgi(key)).collect();
    ensure(odd.is_empty(), || format!("there are {}", quote(odd.join(" ").as_bytes())))
}

fn own_dict(target: &Target) -> Outcome {
    for _ in 0..3 {
        let dump = target.environ("/environ?mark=1", "")?;
        dump.expect_absent("probe.mark")?;
        dump.expect("REQUEST_METHOD", "GET")?;
    }
    Ok(())
}

fn scheme(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    match dump.value("wsgi.url_scheme") {
        Some(_) => dump.expect("wsgi.url_scheme", "http"),
        None => dump.expect("REQUEST_SCHEME", "http"),
    }
}
