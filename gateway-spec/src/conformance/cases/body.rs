//! Section 7: the body.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::super::{
    Case, Outcome, Target, ensure,
    raw::{End, Framing, PATIENCE, quote},
    same, skip,
    target::url,
    wrong,
};
use super::{may, must, should};

const SIDES: &str = "PEP 3333, The Server/Gateway Side";
const STREAMING: &str = "PEP 3333, Buffering and Streaming";
const LENGTH: &str = "PEP 3333, Handling the Content-Length Header";
const NO_CLOSE: &str = "a program has no close()";

pub(super) const CASES: &[Case] = &[
    must("G-7.1/1", "64 MB for a client that reads nothing", "the application is held up", pulled),
    must("G-7.2/1", "all bytes, and every mixture of CR and LF", "the same bytes", every_byte).pep(SIDES),
    must("G-7.2/2", "3 MB in one block", "the same bytes", large_block).pep(SIDES),
    must("G-7.3/1", "a second block that waits for an event", "the first block arrives before", two_blocks)
        .pep(STREAMING),
    must("G-7.3/2", "the same by HTTP/1.0", "the first block arrives before", two_blocks_to_old).pep(STREAMING),
    must("G-7.4/1", "empty blocks among others", "the others, whole", empty_blocks).pep(STREAMING),
    must("G-7.4/2", "nothing but empty blocks", "an empty body", only_empty_blocks).pep(STREAMING),
    may("G-7.5/1", "a body whose first block takes a while", "the head at once, or with the block", early_head),
    must("G-7.7/1", "10 bytes with Content-Length: 5", "5 bytes", too_many_bytes).http("RFC 9112, 6.3"),
    must("G-7.7/2", "a request behind such a response", "it is answered, or the connection ends", in_step_after_more)
        .http("RFC 9112, 6.3"),
    must("G-7.8/1", "5 bytes with Content-Length: 10", "the connection ends", too_few_bytes).pep_should(LENGTH),
    must("G-7.9/1", "a failure in the middle of a body", "no clean end", failure_shows),
    must("G-7.9/2", "the same by HTTP/1.0", "no clean end", failure_shows_to_old),
    must("G-7.10/1", "a list, an iterable", "closed once", closed).pep(SIDES).callable(NO_CLOSE),
    must("G-7.10/2", "a failure in the middle", "closed once", closed_after_failure).pep(SIDES).callable(NO_CLOSE),
    must("G-7.10/3", "HEAD", "closed once", closed_after_head).pep(SIDES).callable(NO_CLOSE),
    must("G-7.10/4", "204 and 304", "closed once", closed_without_body).pep(SIDES).callable(NO_CLOSE),
    must("G-7.10/5", "more bytes than Content-Length says", "closed once", closed_early).pep(SIDES).callable(NO_CLOSE),
    must("G-7.10/6", "a client that goes while the body waits", "closed once", closed_when_alone)
        .pep(SIDES)
        .callable(NO_CLOSE),
    must("G-7.11/1", "HEAD, 304, failures, Content-Length reached", "no block is asked for after close", not_pulled)
        .callable(NO_CLOSE),
    must("G-7.13/1", "a body of unknown length, by HTTP/1.1", "chunks, or the connection's end", unknown_length)
        .http("RFC 9112, 6.3"),
    must("G-7.13/2", "a body of unknown length, by HTTP/1.0", "no chunks", unknown_length_to_old).http("RFC 9112, 6.1"),
    should("G-7.13/3", "a body of unknown length, by HTTP/1.1", "the connection lives on", kept_alive),
    may("G-7.14/1", "a body of one block", "its length, or none", whole_body),
    must("G-7.15/1", "40 clients that read nothing of 8 MB, and a request", "it is answered", slow_readers),
];

fn pulled(target: &Target) -> Outcome {
    let key = target.key();
    let mut conn = target.begin("GET", &url("flood", &[("key", &key), ("blocks", "1024")]), "")?;
    conn.head()?;
    let count = || target.events(&key).map(|events| events.len());
    let (mut last, mut still) = (0, 0);
    while still < 10 {
        // A server that serves nobody else meanwhile does wait for its reader.
        let Ok(now) = count() else { return Ok(()) };
        ensure(now < 1024, || "the whole of it was produced".to_owned())?;
        still = if now == last { still + 1 } else { 0 };
        last = now;
        thread::sleep(Duration::from_millis(30));
    }
    Ok(())
}

fn every_byte(target: &Target) -> Outcome {
    let path = url("respond", &[("block", "a\r\nb\nc\rd\n\re\0\x1a"), ("size", "256"), ("as", "iter")]);
    let response = target.get(&path)?;
    let expected = [b"a\r\nb\nc\rd\n\re\0\x1a".to_vec(), (0..=255).collect()].concat();
    ensure(response.body == expected, || response.told())
}

fn large_block(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("size", "3000000")]))?;
    let right = response.body.len() == 3_000_000 && response.body.iter().zip((0..=255).cycle()).all(|(a, b)| *a == b);
    ensure(right && response.end != End::Truncated, || response.told())
}

/// The first block must be seen while the second is not there: either the second waits until we have told it that we
/// have seen the first, or, on a server that serves one request at a time, for as long as it can.
pub(super) fn second_waits(target: &Target, at: &str, version: &str) -> Outcome {
    let key = target.key();
    // Others are released, and then the machine may be a busy one.
    let wait = if target.is_concurrent()? { "5000" } else { "2000" };
    let path = url("hold", &[("key", &key), ("at", at), ("wait", wait)]);
    let mut conn = target.connect()?;
    let (prefix, host) = (target.prefix(), target.authority());
    conn.send(format!("GET {prefix}{path} HTTP/{version}\r\nHost: {host}\r\n\r\n"))?;
    ensure(conn.sees(b"first", PATIENCE), || "the first block does not arrive".to_owned())?;
    let seen = Instant::now();
    let mut release = target.release(&key)?;
    let response = conn.response("GET")?;
    // One call at a time: the second block was made after its wait, and must have come by as much later.
    let apart = seen.elapsed() > Duration::from_secs(1);
    release.response("GET")?;
    match &response.body[..] {
        b"firstreleased" => Ok(()),
        b"firsttimeout" => ensure(apart, || "the first block came only with the second".to_owned()),
        _ => wrong(response.told()),
    }
}

fn two_blocks(target: &Target) -> Outcome {
    second_waits(target, "block", "1.1")
}

fn two_blocks_to_old(target: &Target) -> Outcome {
    second_waits(target, "block", "1.0")
}

fn empty_blocks(target: &Target) -> Outcome {
    let path = url("respond", &[("block", ""), ("block", "a"), ("block", ""), ("block", "b"), ("as", "iter")]);
    let response = target.get(&path)?;
    ensure(response.body == b"ab" && response.end != End::Truncated, || response.told())
}

fn only_empty_blocks(target: &Target) -> Outcome {
    let path = url("respond", &[("status", "202 Empty"), ("block", ""), ("block", ""), ("as", "iter")]);
    let response = target.get(&path)?;
    ensure(response.status == 202 && response.body.is_empty() && response.end != End::Truncated, || response.told())
}

fn early_head(target: &Target) -> Outcome {
    let response = target.get(&url("hold", &[("key", &target.key()), ("at", "block"), ("wait", "100")]))?;
    ensure(response.status == 200 && response.body == b"firsttimeout", || response.told())
}

fn with_length(length: &str) -> String {
    let length = format!("Content-Length:{length}");
    url("respond", &[("header", &length), ("block", "01234"), ("block", "56789"), ("as", "iter")])
}

fn too_many_bytes(target: &Target) -> Outcome {
    let mut conn = target.begin("GET", &with_length("5"), "Connection: close\r\n")?;
    let head = conn.head()?;
    let rest = conn.rest()?;
    ensure(head.status >= 500 || rest == b"01234", || quote(&rest))
}

fn in_step_after_more(target: &Target) -> Outcome {
    let mut conn = target.begin("GET", &with_length("5"), "")?;
    conn.response("GET")?;
    conn.try_send(target.head("GET", &url("respond", &[("status", "298 Second")]), ""));
    match conn.next_head()? {
        Some(second) => same("the second response's status", second.status, 298),
        None => Ok(()),
    }
}

fn too_few_bytes(target: &Target) -> Outcome {
    let mut conn = target.begin("GET", &with_length("15"), "")?;
    let head = conn.head()?;
    let framing = head.framing("GET")?;
    if head.status >= 500 || framing != Framing::Length(15) {
        return Ok(());
    }
    let rest = conn.rest()?;
    ensure(rest == b"0123456789", || quote(&rest))
}

fn failure_shows(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("block", "begun"), ("fail", "body"), ("as", "iter")]))?;
    ensure(response.status >= 500 || response.end == End::Truncated, || response.told())
}

fn failure_shows_to_old(target: &Target) -> Outcome {
    let path = url("respond", &[("block", "begun"), ("fail", "body"), ("as", "iter")]);
    let (prefix, host) = (target.prefix(), target.authority());
    let response = target.raw("GET", format!("GET {prefix}{path} HTTP/1.0\r\nHost: {host}\r\n\r\n"))?;
    ensure(response.status >= 500 || response.end == End::Truncated, || response.told())
}

/// One request; its body must have been closed once, and left alone after it.
fn closes(target: &Target, method: &str, parameters: &[(&str, &str)]) -> Outcome {
    let key = target.key();
    let mut conn = target.begin(method, &url("respond", &[&[("key", key.as_str())], parameters].concat()), "")?;
    let head = conn.head()?;
    let _ = conn.body(head.framing(method)?, &mut Vec::new());
    let is_closed = |events: &[String]| events.iter().any(|line| line == "closed");
    let events = target.events_until(&key, PATIENCE / 4, is_closed)?;
    same("the events", events, vec!["called".to_owned(), "closed".to_owned()])
}

fn closed(target: &Target) -> Outcome {
    closes(target, "GET", &[("block", "a"), ("block", "b")])?;
    closes(target, "GET", &[("block", "a"), ("block", "b"), ("as", "iter")])
}

fn closed_after_failure(target: &Target) -> Outcome {
    closes(target, "GET", &[("block", "a"), ("fail", "body"), ("as", "iter")])
}

fn closed_after_head(target: &Target) -> Outcome {
    closes(target, "HEAD", &[("block", "a"), ("block", "b"), ("as", "iter")])
}

fn closed_without_body(target: &Target) -> Outcome {
    closes(target, "GET", &[("status", "204 None"), ("block", "a"), ("as", "iter")])?;
    closes(target, "GET", &[("status", "304 Same"), ("block", "a"), ("as", "iter")])
}

fn closed_early(target: &Target) -> Outcome {
    let header = ("header", "Content-Length:1");
    closes(target, "GET", &[header, ("block", "a"), ("block", "b"), ("block", "c"), ("as", "iter")])
}

fn closed_when_alone(target: &Target) -> Outcome {
    if !target.is_concurrent()? {
        return skip("the environ says that calls do not overlap");
    }
    let key = target.key();
    let mut conn = target.begin("GET", &url("hold", &[("key", &key), ("at", "block"), ("wait", "5000")]), "")?;
    conn.head()?;
    target.events_until(&key, PATIENCE, |events| events.iter().any(|line| line == "held"))?;
    drop(conn);
    target.release(&key)?.response("GET")?;
    let is_closed = |events: &[String]| events.iter().any(|line| line == "closed");
    let events = target.events_until(&key, PATIENCE, is_closed)?;
    same("the events", events, vec!["held".to_owned(), "closed".to_owned()])
}

fn not_pulled(target: &Target) -> Outcome {
    let key = target.key();
    let with_key = |parameters: &[(&str, &str)]| {
        url("respond", &[&[("key", key.as_str()), ("as", "iter"), ("block", "a"), ("block", "b")], parameters].concat())
    };
    for (method, parameters) in [
        ("HEAD", &[][..]),
        ("GET", &[("status", "304 Same")]),
        ("GET", &[("fail", "body")]),
        ("GET", &[("header", "Content-Length:1")]),
    ] {
        // How such responses end is for other cases to say.
        let _ = target.request(method, &with_key(parameters), "");
    }
    let enough = |events: &[String]| events.iter().filter(|line| *line == "closed").count() == 4;
    let events = target.events_until(&key, PATIENCE / 4, enough)?;
    ensure(!events.iter().any(|line| line == "pulled after close"), || format!("{events:?}"))
}

fn unknown_length(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("block", "a"), ("block", "b"), ("as", "iter")]))?;
    ensure(response.body == b"ab" && response.end != End::Truncated, || response.told())
}

fn unknown_length_to_old(target: &Target) -> Outcome {
    let path = url("respond", &[("block", "a"), ("block", "b"), ("as", "iter")]);
    let response = target.raw("GET", format!("GET {}{path} HTTP/1.0\r\n\r\n", target.prefix()))?;
    ensure(response.values("transfer-encoding").is_empty() && response.body == b"ab", || {
        format!("{} and {}", quote(&response.head), quote(&response.body))
    })
}

fn kept_alive(target: &Target) -> Outcome {
    let mut conn = target.begin("GET", &url("respond", &[("block", "a"), ("block", "b"), ("as", "iter")]), "")?;
    let first = conn.response("GET")?;
    same("the end of the response", first.end, End::Complete)?;
    conn.try_send(target.head("GET", &url("respond", &[("status", "298 Second")]), ""));
    same("the second status", conn.response("GET")?.status, 298)
}

fn whole_body(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("block", "a"), ("size", "1000")]))?;
    ensure(response.body.len() == 1001 && response.end != End::Truncated, || response.told())
}

fn slow_readers(target: &Target) -> Outcome {
    let mut readers = Vec::new();
    for _ in 0..40 {
        readers.push(target.begin("GET", &url("respond", &[("size", "8000000"), ("as", "iter")]), "")?);
    }
    let response = target.get(&url("respond", &[("block", "fine")]))?;
    ensure(response.body == b"fine", || response.told())
}
