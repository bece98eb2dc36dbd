//! Sections 8.6 to 8.10: requests that a server must not take for what they seem.

use std::time::Duration;

use super::super::{Case, Outcome, Target, ensure, raw::quote, target::Dump};
use super::must;

const HOST: &str = "RFC 9112, 3.2";
const LENGTH: &str = "RFC 9112, 6.3";
const CODING: &str = "RFC 9112, 6.1";
const FIELDS: &str = "RFC 9112, 5.1";

pub(super) const CASES: &[Case] = &[
    must("G-8.6/1", "HTTP/1.1 without Host", "400", no_host).http(HOST),
    must("G-8.6/2", "two Hosts", "400", two_hosts).http(HOST),
    must("G-8.6/3", "Host: a/b@c d", "400", bad_host).http(HOST),
    must("G-8.6/4", "HTTP/1.0 without Host", "an answer", old_without_host).http("RFC 9110, 7.2"),
    must("G-8.7/1", "two Content-Lengths that differ", "refused, and the connection ends", two_lengths).http(LENGTH),
    must("G-8.7/2", "Content-Length: +2, -2, 0x2, 1_0 and nothing", "refused, and the connection ends", bad_lengths)
        .http(LENGTH),
    must("G-8.7/3", "Content-Length: 2, 3", "refused, and the connection ends", list_of_lengths).http(LENGTH),
    must("G-8.7/4", "Content-Length of 2^64 and more", "they are not taken for smaller ones", huge_length)
        .http("RFC 9110, 8.6"),
    must(
        "G-8.7/5",
        "Transfer-Encoding: xchunked, and others unknown",
        "refused, and the connection ends",
        unknown_coding,
    )
    .http_should(CODING),
    must("G-8.7/6", "Transfer-Encoding: chunked, gzip", "refused, and the connection ends", chunked_not_last)
        .http(LENGTH),
    must("G-8.7/7", "Transfer-Encoding: chunked, chunked", "refused, and the connection ends", chunked_twice)
        .http_should(CODING),
    must("G-8.7/8", "chunk sizes of -1, 0x2, 0_2 and nothing", "they are refused", bad_chunks).http("RFC 9112, 7.1"),
    must("G-8.7/9", "a chunk that is longer than its size", "it is refused", long_chunk).http("RFC 9112, 7.1"),
    must("G-8.8/1", "Transfer-Encoding and Content-Length", "chunks or 400, and the connection ends", both)
        .http(CODING),
    must("G-8.9/1", "a blank before the colon", "400", blank_before_colon).http(FIELDS),
    must("G-8.9/2", "names that are no token", "400", bad_names).http_should("RFC 9112, 2.2"),
    must("G-8.9/3", "a NUL in a value", "400", nul).http_should("RFC 9110, 5.5"),
    must("G-8.9/4", "a lone CR in a value", "400, or a blank", lone_cr).http("RFC 9112, 2.2"),
    must("G-8.9/5", "a folded line", "400, or blanks for the fold", folded).http("RFC 9112, 5.2"),
    must("G-8.9/6", "a line without a colon", "400", no_colon).http_should("RFC 9112, 2.2"),
    must("G-8.10/1", "targets of 10, 60, 70 and 300 KB", "414 from some length on", long_target),
    must("G-8.10/2", "a header of 1 MB", "431", long_header),
    must("G-8.10/3", "2000 headers", "431", many_headers),
];

/// A request that must be refused; the connection may not be used for another after it.
fn refused(target: &Target, request: impl AsRef<[u8]>) -> Outcome {
    let shown = quote(request.as_ref());
    let mut conn = target.connect()?;
    conn.try_send(&request);
    let Some(head) = conn.next_head()? else { return Ok(()) };
    ensure((400..600).contains(&head.status), || format!("{shown} gives {} {}", head.status, head.reason))
}

fn refused_and_closed(target: &Target, request: impl AsRef<[u8]>) -> Outcome {
    let shown = quote(request.as_ref());
    let mut conn = target.connect()?;
    conn.try_send(&request);
    let Some(head) = conn.next_head()? else { return Ok(()) };
    ensure((400..600).contains(&head.status), || format!("{shown} gives {} {}", head.status, head.reason))?;
    // The rest of its response, and then the end; what remains of the request must not be taken for another.
    let rest = conn.rest()?;
    let more = rest.windows(9).filter(|window| window.starts_with(b"HTTP/1.") && window[8] == b' ').count();
    ensure(more == 0, || format!("{shown} gives two responses"))
}

fn post(target: &Target, headers: &str, body: &str) -> String {
    format!("{}{body}", target.head("POST", "/echo", headers))
}

fn no_host(target: &Target) -> Outcome {
    refused(target, format!("GET {}/environ HTTP/1.1\r\n\r\n", target.prefix()))
}

fn two_hosts(target: &Target) -> Outcome {
    refused(target, format!("GET {}/environ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", target.prefix()))
}

fn bad_host(target: &Target) -> Outcome {
    refused(target, format!("GET {}/environ HTTP/1.1\r\nHost: a/b@c d\r\n\r\n", target.prefix()))
}

fn old_without_host(target: &Target) -> Outcome {
    Dump::of(&target.raw("GET", format!("GET {}/environ HTTP/1.0\r\n\r\n", target.prefix()))?).map(drop)
}

fn two_lengths(target: &Target) -> Outcome {
    refused_and_closed(target, post(target, "Content-Length: 2\r\nContent-Length: 3\r\n", "abc"))
}

fn bad_lengths(target: &Target) -> Outcome {
    ["+2", "-2", "0x2", "1_0", "", "2 2", "two"].iter().try_for_each(|length| {
        refused_and_closed(target, post(target, &format!("Content-Length: {length}\r\n"), "abcdefghij"))
    })
}

fn list_of_lengths(target: &Target) -> Outcome {
    refused_and_closed(target, post(target, "Content-Length: 2, 3\r\n", "abc"))
}

fn huge_length(target: &Target) -> Outcome {
    for length in ["18446744073709551616", "18446744073709551618", "99999999999999999999999999"] {
        let mut conn = target.connect()?;
        conn.try_send(post(target, &format!("Content-Length: {length}\r\n"), "ab"));
        // A server may wait for as much as that; what it must not do is to take it for less.
        let answered = conn.sees(b"HTTP/1.1 2", Duration::from_secs(1));
        ensure(!answered, || format!("a body of {length} bytes is taken for {}", quote(b"ab")))?;
    }
    Ok(())
}

const CHUNKS: &str = "2\r\nab\r\n0\r\n\r\n";

fn unknown_coding(target: &Target) -> Outcome {
    ["xchunked", "\"chunked\"", "gzip, xyz"].iter().try_for_each(|coding| {
        refused_and_closed(target, post(target, &format!("Transfer-Encoding: {coding}\r\n"), CHUNKS))
    })
}

fn chunked_not_last(target: &Target) -> Outcome {
    refused_and_closed(target, post(target, "Transfer-Encoding: chunked, gzip\r\n", CHUNKS))
}

fn chunked_twice(target: &Target) -> Outcome {
    refused_and_closed(target, post(target, "Transfer-Encoding: chunked, chunked\r\n", CHUNKS))?;
    refused_and_closed(target, post(target, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKS))
}

/// A body in chunks that cannot be read: the application must not get it for a whole one. A server may wait for more of
/// it, until there is the FIN.
fn broken_chunks(target: &Target, body: &str) -> Outcome {
    let mut conn = target.connect()?;
    conn.try_send(post(target, "Transfer-Encoding: chunked\r\n", body));
    conn.finish();
    let Some(head) = conn.next_head()? else { return Ok(()) };
    let refused = (400..600).contains(&head.status);
    ensure(refused, || format!("{} gives {} {}", quote(body.as_bytes()), head.status, head.reason))
}

fn bad_chunks(target: &Target) -> Outcome {
    [
        "-1\r\nab\r\n0\r\n\r\n",
        "0x2\r\nab\r\n0\r\n\r\n",
        "0_2\r\nab\r\n0\r\n\r\n",
        "\r\nab\r\n0\r\n\r\n",
        "fffffffffffffffff2\r\nab\r\n0\r\n\r\n",
    ]
    .iter()
    .try_for_each(|body| broken_chunks(target, body))
}

fn long_chunk(target: &Target) -> Outcome {
    broken_chunks(target, "2\r\nabcd\r\n0\r\n\r\n")
}

fn both(target: &Target) -> Outcome {
    let request = post(target, "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", CHUNKS);
    let mut conn = target.connect()?;
    conn.try_send(request);
    let response = conn.response("POST")?;
    ensure(response.status >= 400 || matches!(&response.body[..], b"ab" | b""), || response.told())?;
    let rest = conn.rest()?;
    ensure(rest.is_empty(), || format!("behind the response comes {}", quote(&rest)))
}

fn with_line(target: &Target, line: &[u8]) -> Vec<u8> {
    let begin = format!("GET {}/environ HTTP/1.1\r\nHost: {}\r\n", target.prefix(), target.authority());
    [begin.as_bytes(), line, b"\r\n\r\n"].concat()
}

fn blank_before_colon(target: &Target) -> Outcome {
    refused(target, with_line(target, b"X-Probe : 1"))
}

fn bad_names(target: &Target) -> Outcome {
    [&b"X(Probe): 1"[..], b": 1", b"X Probe: 1", b"X\xe9: 1"]
        .iter()
        .try_for_each(|line| refused(target, with_line(target, line)))
}

fn nul(target: &Target) -> Outcome {
    refused(target, with_line(target, b"X-Probe: a\0b"))
}

fn no_colon(target: &Target) -> Outcome {
    refused(target, with_line(target, b"X-Probe"))
}

/// HTTP_X_PROBE of a request with such a line, which may be refused; otherwise it must be one of these.
fn replaced(target: &Target, line: &[u8], allowed: fn(&[u8]) -> bool) -> Outcome {
    let mut conn = target.connect()?;
    conn.try_send(with_line(target, line));
    let Some(head) = conn.next_head()? else { return Ok(()) };
    if head.status >= 400 {
        return Ok(());
    }
    let framing = head.framing("GET")?;
    let mut response = head;
    conn.body(framing, &mut response.body)?;
    let dump = Dump::of(&response)?;
    let value = dump.value("HTTP_X_PROBE").unwrap_or_default();
    ensure(allowed(value), || format!("HTTP_X_PROBE is {}", quote(value)))
}

fn lone_cr(target: &Target) -> Outcome {
    replaced(target, b"X-Probe: a\rb", |value| !value.contains(&b'\r'))
}

fn folded(target: &Target) -> Outcome {
    replaced(target, b"X-Probe: a\r\n b", |value| {
        value.starts_with(b"a ") && value.ends_with(b"b") && !value.contains(&b'\n') && !value.contains(&b'\r')
    })
}

/// A request that is larger than any bound, and the one status for it.
fn bounded(target: &Target, request: String, status: u16) -> Outcome {
    let mut conn = target.connect()?;
    conn.try_send(request);
    let head = conn.head()?;
    ensure(head.status == status, || format!("{} {}", head.status, head.reason))
}

fn long_target(target: &Target) -> Outcome {
    let mut seen = Vec::new();
    for length in [10_000, 60_000, 70_000, 300_000] {
        let mut conn = target.connect()?;
        conn.try_send(target.head("GET", &format!("/environ?{}", "x".repeat(length)), ""));
        seen.push(conn.head()?.status);
    }
    // What is larger than a whole head may be is 431 as well.
    let bounded = seen.contains(&414) && seen.iter().all(|status| matches!(status, 200 | 414 | 431));
    ensure(bounded && seen.last() != Some(&200), || format!("their statuses are {seen:?}"))
}

fn long_header(target: &Target) -> Outcome {
    bounded(target, target.head("GET", "/environ", &format!("X-Probe: {}\r\n", "x".repeat(1_000_000))), 431)
}

fn many_headers(target: &Target) -> Outcome {
    let headers: String = (0..2000).map(|number| format!("X-Probe-{number}: 1\r\n")).collect();
    bounded(target, target.head("GET", "/environ", &headers), 431)
}
