//! Section 10.1: wsgi.input, wsgi.errors, files, and what applications get wrong (G-10.12 to G-10.22).

use std::time::Duration;

use super::super::{
    Case, Outcome, Target, ensure,
    raw::{End, PATIENCE, quote},
    same, skip,
    target::{Dump, url},
};
use super::{must, should};

const STREAMS: &str = "PEP 3333, Input and Error Streams";
const SIDES: &str = "PEP 3333, The Server/Gateway Side";
const FILES: &str = "PEP 3333, Optional Platform-Specific File Handling";
const LINES: &str = "l1\nl2\n";

pub(super) const CASES: &[Case] = &[
    must("G-10.12/1", "the methods of wsgi.input", "read, readline, readlines and iteration", input_methods)
        .pep(STREAMS)
        .wsgi(),
    must("G-10.12/2", "read(2), read(0), read(100)", "as a file gives them", |target| {
        reads(target, LINES, &["read:2", "read:0", "read:100", "read:1"], "l1 - %0Al2%0A -")
    })
    .pep(STREAMS)
    .wsgi(),
    must("G-10.12/3", "readline() until the end, and beyond", "two lines, and nothing twice", |target| {
        reads(target, LINES, &["readline", "readline", "readline", "readline"], "l1%0A l2%0A - -")
    })
    .pep(STREAMS)
    .wsgi(),
    must("G-10.12/4", "readline(1), readline(100)", "one byte, and no more than a line", |target| {
        reads(target, LINES, &["readline:1", "readline:100", "readline"], "l 1%0A l2%0A")
    })
    .pep_should(STREAMS)
    .wsgi(),
    must("G-10.12/5", "readlines(), readlines(1)", "lines; the hint stops them", |target| {
        reads(target, LINES, &["readlines"], "list l1%0A l2%0A")?;
        reads(target, LINES, &["readlines:1", "readlines"], "list l1%0A list l2%0A")
    })
    .pep_should(STREAMS)
    .wsgi(),
    must("G-10.12/6", "iteration", "lines", |target| reads(target, LINES, &["list"], "list l1%0A l2%0A"))
        .pep(STREAMS)
        .wsgi(),
    must("G-10.12/7", "read(1), readline(), and iteration", "each begins where the other ended", |target| {
        reads(target, "l1\nl2\nl3", &["read:1", "readline", "list"], "l 1%0A list l2%0A l3")
    })
    .pep(STREAMS)
    .wsgi(),
    must("G-10.13/1", "read()", "all that is left", |target| {
        reads(target, LINES, &["read:1", "read", "read"], "l 1%0Al2%0A -")
    })
    .pep_should(STREAMS)
    .wsgi(),
    must("G-10.13/2", "read(-1) and read(None)", "all that is left", |target| {
        reads(target, LINES, &["read:1", "read:-1"], "l 1%0Al2%0A")?;
        reads(target, LINES, &["read:1", "read:None"], "l 1%0Al2%0A")
    })
    .wsgi(),
    must("G-10.14/1", "lines that end with LF, CR LF and nothing", "as they were sent", |target| {
        reads(target, "a\r\nb\n\nc", &["readlines"], "list a%0D%0A b%0A %0A c")?;
        reads(target, "a\r\nb\n\nc", &["readline", "readline", "readline", "readline"], "a%0D%0A b%0A %0A c")
    })
    .pep(STREAMS)
    .wsgi(),
    must("G-10.15/1", "the methods of wsgi.errors", "write, writelines and flush", error_methods).pep(STREAMS).wsgi(),
    must("G-10.15/2", "a euro sign, a lone surrogate, a NUL", "they are accepted", any_str).pep_should(STREAMS).wsgi(),
    must("G-10.16/1", "wsgi.file_wrapper of a file at offset 100", "what is behind it", file_offset)
        .pep_should(FILES)
        .wsgi(),
    must("G-10.16/2", "the same with Content-Length: 50", "50 bytes", file_length).pep_should(FILES).wsgi(),
    must("G-10.16/3", "wsgi.file_wrapper of an object with read()", "what it reads", file_object).pep(FILES).wsgi(),
    must("G-10.16/4", "wsgi.file_wrapper of either", "its close() is called", file_closed).pep(FILES).wsgi(),
    should("G-10.17/1", "a list of one block", "Content-Length", one_block).wsgi(),
    must("G-10.17/2", "a list of two blocks", "not the first one's length", two_blocks)
        .pep("PEP 3333, Handling the Content-Length Header")
        .wsgi(),
    must("G-10.18/1", "SystemExit", "5xx, and the next request is answered", |target| raises(target, "exit")).wsgi(),
    must("G-10.18/2", "an exception that cannot be told", "5xx, and the next request is answered", |target| {
        raises(target, "mute")
    })
    .wsgi(),
    must("G-10.19/1", "a list of headers that calls share", "nobody writes into it", kept_list).wsgi(),
    must("G-10.19/2", "an iterable with read, fileno and filelike", "they are not used", hostile).pep(SIDES).wsgi(),
    must("G-10.20/1", "headers that are a tuple, or None", "500", |target| refuses_shapes(target, &["tuple", "none"]))
        .wsgi(),
    must("G-10.20/2", "triples, bytes and numbers for headers", "500", |target| {
        refuses_shapes(target, &["triple", "bytes-name", "bytes-value", "int"])
    })
    .wsgi(),
    must("G-10.21/1", "a body that breaks off", "no end: OSError, or no call", broken_body).wsgi(),
    should("G-10.22/1", "a body in chunks", "wsgi.input_terminated, if read() gives it", terminated).wsgi(),
];

fn input_methods(target: &Target) -> Outcome {
    target.environ("/environ", "")?.expect("probe.input", "read readline readlines __iter__")
}

/// What these calls give for a body.
fn reads(target: &Target, body: &str, operations: &[&str], expected: &str) -> Outcome {
    let parameters: Vec<_> = operations.iter().map(|operation| ("op", *operation)).collect();
    let response = target.post(&url("reads", &parameters), body.as_bytes())?;
    let seen = String::from_utf8_lossy(&response.body).replace('\n', " ");
    ensure(seen == expected, || format!("{} gives {seen:?}", operations.join(", ")))
}

fn error_methods(target: &Target) -> Outcome {
    target.environ("/environ", "")?.expect("probe.errors", "write writelines flush")
}

fn any_str(target: &Target) -> Outcome {
    let response = target.get("/log")?;
    ensure(response.body == b"logged", || response.told())
}

/// A response of `wsgi.file_wrapper`.
fn file(target: &Target, parameters: &[(&str, &str)]) -> Outcome<Vec<u8>> {
    let response = target.get(&url("file", parameters))?;
    if response.status == 501 {
        return skip("there is no wsgi.file_wrapper");
    }
    ensure(response.status == 200 && response.end != End::Truncated, || response.told())?;
    Ok(response.body)
}

fn pattern(begin: usize, count: usize) -> Vec<u8> {
    (0..=255).cycle().skip(begin % 256).take(count).collect()
}

fn file_offset(target: &Target) -> Outcome {
    let body = file(target, &[("key", &target.key()), ("offset", "100")])?;
    ensure(body == pattern(100, 900), || quote(&body))
}

fn file_length(target: &Target) -> Outcome {
    let body = file(target, &[("key", &target.key()), ("offset", "10"), ("header", "Content-Length:50")])?;
    ensure(body == pattern(10, 50), || quote(&body))
}

fn file_object(target: &Target) -> Outcome {
    let body = file(target, &[("key", &target.key()), ("as", "object")])?;
    ensure(body == b"one,two", || quote(&body))
}

fn file_closed(target: &Target) -> Outcome {
    for shape in ["file", "object"] {
        let key = target.key();
        file(target, &[("key", &key), ("as", shape)])?;
        let events = target.events_until(&key, PATIENCE / 4, |events| !events.is_empty())?;
        ensure(events.first().is_some_and(|line| line == "closed"), || format!("the {shape} was left open"))?;
    }
    Ok(())
}

fn one_block(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("block", "12345")]))?;
    ensure(response.header("content-length").as_deref() == Some("5"), || quote(&response.head))
}

fn two_blocks(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("block", "12345"), ("block", "67")]))?;
    ensure(response.body == b"1234567" && response.end != End::Truncated, || response.told())
}

fn raises(target: &Target, kind: &str) -> Outcome {
    let response = target.get(&url("respond", &[("fail", "call"), ("kind", kind)]))?;
    ensure(response.status >= 500, || response.told())?;
    let response = target.get(&url("respond", &[("block", "fine")]))?;
    ensure(response.body == b"fine", || response.told())
}

fn kept_list(target: &Target) -> Outcome {
    for _ in 0..3 {
        let response = target.get("/kept-list")?;
        let expected = b"[('Content-Type', 'text/plain'), ('X-Kept', '1')]";
        ensure(response.body == expected, || response.told())?;
    }
    Ok(())
}

fn hostile(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("block", "a"), ("block", "b"), ("as", "hostile")]))?;
    ensure(response.body == b"ab" && response.end != End::Truncated, || response.told())
}

fn refuses_shapes(target: &Target, shapes: &[&str]) -> Outcome {
    shapes.iter().try_for_each(|shape| {
        let response = target.get(&url("shapes", &[("as", shape)]))?;
        ensure(response.status >= 500, || format!("{shape}: {}", response.told()))
    })
}

fn broken_body(target: &Target) -> Outcome {
    let key = target.key();
    let mut conn = target.begin("POST", &url("report", &[("key", &key)]), "Content-Length: 10\r\n")?;
    conn.send("12345")?.finish();
    conn.next_head()?;
    let events = target.events_until(&key, Duration::from_millis(200), |events| !events.is_empty())?;
    let told = events.iter().all(|line| line.starts_with("failed") && line.contains("OSError"));
    ensure(told, || format!("the application saw {events:?}"))
}

fn terminated(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/environ?read=1", "Transfer-Encoding: chunked\r\n")?;
    conn.send("3\r\nabc\r\n0\r\n\r\n")?;
    let dump = Dump::of(&conn.response("POST")?)?;
    if dump.text("probe.read").as_deref() != Some("3") {
        return skip("read() does not give it: see G-4.4/1");
    }
    same("wsgi.input_terminated", dump.text("wsgi.input_terminated").as_deref(), Some("True"))
}
