//! Sections 4 and 5: Input, and the error log.

use std::time::Duration;

use super::super::{
    Case, Kind, Outcome, Target, ensure,
    raw::{Conn, quote},
    same, skip,
    target::{Dump, url},
    wrong,
};
use super::{must, should};

const STREAMS: &str = "PEP 3333, Input and Error Streams";
const CONTINUE: &str = "PEP 3333, HTTP 1.1 Expect/Continue";
const BODY: &str = "RFC 3875, 4.2";

pub(super) const CASES: &[Case] = &[
    must("G-4.1/1", "read to the end, with a second request behind the body", "the body alone", ends_at_length)
        .pep_should(STREAMS)
        .cgi(BODY),
    must("G-4.1/2", "the same with a body in chunks", "the body alone", ends_at_last_chunk),
    must("G-4.2/1", "a body that ends with a FIN before its length", "no end for the application", fin_in_body),
    must("G-4.2/2", "a body in chunks that ends with a FIN", "no end for the application", fin_in_chunks),
    must("G-4.3/1", "a body in chunks", "it arrives without their framing", no_framing).http("RFC 9112, 7.1"),
    must("G-4.4/1", "a body in chunks", "a length, or an end of its own that is announced", chunked_is_read).cgi(BODY),
    must("G-4.5/1", "Expect: 100-continue, to who reads", "100 before the body is sent, then 200", continues)
        .pep(CONTINUE)
        .http("RFC 9110, 10.1.1"),
    must("G-4.5/2", "the same with a body in chunks", "100 before the body is sent", continues_chunked)
        .pep(CONTINUE)
        .http("RFC 9110, 10.1.1"),
    must("G-4.5/3", "Expect: 100-continue by HTTP/1.0", "no 100", no_continue_to_old).http("RFC 9110, 10.1.1"),
    should("G-4.6/1", "Expect: 100-continue, to who answers at once", "the answer and no 100", no_continue)
        .only(&[Kind::Rust, Kind::Wsgi], "a program's body is received before it begins"),
    must("G-4.7/1", "10 KB that nobody reads, then a request", "it is answered, or the connection ends", unread_small)
        .http("RFC 9112, 9.3"),
    must("G-4.7/2", "1 MB that nobody reads, then a request", "it is answered, or the connection ends", unread_large)
        .http("RFC 9112, 9.3"),
    must(
        "G-4.7/3",
        "chunks that nobody reads, then a request",
        "it is answered, or the connection ends",
        unread_chunks,
    )
    .http("RFC 9112, 9.3"),
    must("G-4.8/1", "a body of 2^63 bytes, declared", "413 (or 400) before the application is called", too_large),
    should("G-4.9/1", "an answer while the client sends 3 MB", "it arrives whole", early_answer)
        .http_should("RFC 9112, 9.6"),
    must("G-4.10/1", "40 uploads that stand still, and a request", "it is answered", slow_uploads),
    must("G-4.12/1", "GET, read to the end", "nothing, at once", no_body).pep_should(STREAMS).cgi(BODY),
    must("G-4.12/2", "POST with Content-Length: 0", "nothing, at once", empty_body).pep_should(STREAMS).cgi(BODY),
    must("G-5.1/1", "any text, to the error log", "it is accepted", any_text).pep_should(STREAMS),
    must("G-5.1/2", "200 KB, to the error log", "they are accepted", much_text).pep(STREAMS),
];

/// A request with this body, and one behind it for `/environ`; gives the first response's body.
fn echoed_before_another(target: &Target, framing: &str, body: &str) -> Outcome<Vec<u8>> {
    let first = target.head("POST", "/echo", framing);
    let mut conn = target.connect()?;
    conn.send(format!("{first}{body}{}", target.head("GET", "/environ?second", "")))?;
    let response = conn.response("POST")?;
    if response.status == 411 {
        return skip("it wants a length (411), as RFC 9112, 6.3, allows");
    }
    same("the status", response.status, 200)?;
    // Servers may end a connection; if they do not, it has to be in step.
    if let Some(head) = conn.next_head()? {
        let mut second = Vec::new();
        conn.body(head.framing("GET")?, &mut second)?;
        let shown = String::from_utf8_lossy(&second).contains("QUERY_STRING str second");
        ensure(shown, || format!("the second request is answered {} {}", head.status, quote(&second)))?;
    }
    Ok(response.body)
}

fn ends_at_length(target: &Target) -> Outcome {
    let body = echoed_before_another(target, "Content-Length: 3\r\n", "abc")?;
    ensure(body == b"abc", || format!("read: {}", quote(&body)))
}

fn ends_at_last_chunk(target: &Target) -> Outcome {
    let body = echoed_before_another(target, "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")?;
    ensure(body == b"abc", || format!("read: {}", quote(&body)))
}

/// A body that breaks off.
fn breaks_off(target: &Target, framing: &str, begin: &str) -> Outcome {
    let key = target.key();
    let mut conn = target.begin("POST", &url("report", &[("key", &key)]), framing)?;
    conn.send(begin)?;
    conn.finish();
    let answer = conn.next_head()?.map(|head| head.status);
    let events = target.events_until(&key, Duration::from_millis(200), |events| !events.is_empty())?;
    let ended = events.iter().any(|line| line.starts_with("ended"));
    ensure(!ended, || format!("the application saw {events:?}, the client {answer:?}"))
}

fn fin_in_body(target: &Target) -> Outcome {
    breaks_off(target, "Content-Length: 10\r\n", "12345")
}

fn fin_in_chunks(target: &Target) -> Outcome {
    breaks_off(target, "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n")
}

fn no_framing(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/echo", "Transfer-Encoding: chunked\r\n")?;
    conn.send("3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n")?;
    let response = conn.response("POST")?;
    match (response.status, &response.body[..]) {
        (200, b"abcde") => Ok(()),
        (200, b"") => skip("the application reads nothing: see G-4.4/1"),
        (400..500, _) => skip(format!("it refuses: {}", response.told())),
        _ => wrong(response.told()),
    }
}

fn chunked_is_read(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/echo", "Transfer-Encoding: chunked\r\n")?;
    conn.send("3\r\nabc\r\n0\r\n\r\n")?;
    let response = conn.response("POST")?;
    if response.status == 411 {
        return Ok(());
    }
    ensure(response.status == 200 && response.body == b"abc", || response.told())?;
    let mut conn = target.begin("POST", "/environ", "Transfer-Encoding: chunked\r\n")?;
    conn.send("3\r\nabc\r\n0\r\n\r\n")?;
    let dump = Dump::of(&conn.response("POST")?)?;
    let length = dump.text("CONTENT_LENGTH").is_some_and(|length| length == "3");
    let announced = dump.text("wsgi.input_terminated").is_some_and(|value| value == "True");
    ensure(length || announced || target.kind() == Kind::Rust, || {
        "there is neither CONTENT_LENGTH nor wsgi.input_terminated".to_owned()
    })
}

fn expects(target: &Target, version: &str, path: &str, framing: &str) -> Outcome<Conn> {
    let mut conn = target.connect()?;
    let (prefix, host) = (target.prefix(), target.authority());
    conn.send(format!("POST {prefix}{path} HTTP/{version}\r\nHost: {host}\r\nExpect: 100-continue\r\n{framing}\r\n"))?;
    Ok(conn)
}

fn continues_with(target: &Target, framing: &str, body: &str) -> Outcome {
    let mut conn = expects(target, "1.1", "/echo", framing)?;
    let interim = conn.head()?;
    if interim.status == 411 {
        return skip("it wants a length (411), as RFC 9112, 6.3, allows");
    }
    same("the status of the first response", interim.status, 100)?;
    conn.send(body)?;
    let response = conn.response("POST")?;
    // Whether all of a body in chunks is read is another case's question.
    let read = response.body == b"abc" || (framing.contains("chunked") && response.body.is_empty());
    ensure(response.status == 200 && read, || response.told())
}

fn continues(target: &Target) -> Outcome {
    continues_with(target, "Content-Length: 3\r\n", "abc")
}

fn continues_chunked(target: &Target) -> Outcome {
    continues_with(target, "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")
}

fn no_continue_to_old(target: &Target) -> Outcome {
    let mut conn = expects(target, "1.0", "/echo", "Content-Length: 3\r\n")?;
    conn.send("abc")?;
    let response = conn.response("POST")?;
    ensure(response.status != 100, || response.told())
}

fn no_continue(target: &Target) -> Outcome {
    let path = url("respond", &[("status", "401 Who"), ("block", "who")]);
    let mut conn = expects(target, "1.1", &path, "Content-Length: 100000\r\n")?;
    let response = conn.response("POST")?;
    same("the first status", response.status, 401)
}

/// A body that is not read, full of requests that must not be taken for any, and a request behind it.
fn unread(target: &Target, framing: impl Fn(&str) -> (String, String)) -> Outcome {
    let decoy = target.head("GET", &url("respond", &[("status", "299 Decoy")]), "");
    let (header, body) = framing(&decoy);
    let mut conn = target.begin("POST", &url("respond", &[("block", "unread")]), &header)?;
    conn.try_send(body);
    conn.try_send(target.head("GET", &url("respond", &[("status", "298 Second")]), ""));
    let Some(head) = conn.next_head()? else { return Ok(()) };
    conn.body(head.framing("POST")?, &mut Vec::new())?;
    same("the status of the first response", head.status, 200)?;
    match conn.next_head()? {
        Some(second) => same("the status of the second response", second.status, 298),
        None => Ok(()),
    }
}

fn unread_length(target: &Target, length: usize) -> Outcome {
    unread(target, |decoy| {
        let body = decoy.repeat(length / decoy.len());
        (format!("Content-Length: {}\r\n", body.len()), body)
    })
}

fn unread_small(target: &Target) -> Outcome {
    unread_length(target, 10_000)
}

fn unread_large(target: &Target) -> Outcome {
    unread_length(target, 1_000_000)
}

fn unread_chunks(target: &Target) -> Outcome {
    unread(target, |decoy| {
        let chunk = format!("{:x}\r\n{decoy}\r\n", decoy.len());
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("{}0\r\n\r\n", chunk.repeat(100)))
    })
}

fn too_large(target: &Target) -> Outcome {
    let key = target.key();
    let path = url("respond", &[("key", &key), ("block", "x")]);
    let mut conn = target.begin("POST", &path, "Content-Length: 9223372036854775807\r\n")?;
    let response = conn.response("POST")?;
    ensure(matches!(response.status, 400 | 413), || response.told())?;
    ensure(target.events(&key)?.is_empty(), || "the application was called".to_owned())
}

fn early_answer(target: &Target) -> Outcome {
    let path = url("respond", &[("status", "401 Who"), ("block", "who")]);
    let mut conn = target.begin("POST", &path, "Content-Length: 3000000\r\n")?;
    for _ in 0..30 {
        if !conn.try_send([b'x'; 100_000]) {
            break;
        }
    }
    let response = conn.response("POST")?;
    ensure(response.status == 401 && response.body == b"who", || response.told())
}

fn slow_uploads(target: &Target) -> Outcome {
    let mut uploads = Vec::new();
    for _ in 0..40 {
        let mut conn = target.begin("POST", "/echo", "Content-Length: 6\r\n")?;
        conn.send("abc")?;
        uploads.push(conn);
    }
    let response = target.get(&url("respond", &[("block", "fine")]))?;
    ensure(response.body == b"fine", || response.told())?;
    for mut conn in uploads {
        conn.send("def")?;
        let response = conn.response("POST")?;
        ensure(response.body == b"abcdef", || response.told())?;
    }
    Ok(())
}

fn no_body(target: &Target) -> Outcome {
    let response = target.get("/echo")?;
    ensure(response.status == 200 && response.body.is_empty(), || response.told())
}

fn empty_body(target: &Target) -> Outcome {
    let response = target.post("/echo", b"")?;
    ensure(response.status == 200 && response.body.is_empty(), || response.told())
}

fn any_text(target: &Target) -> Outcome {
    let response = target.get("/log")?;
    ensure(response.status == 200 && response.body == b"logged", || response.told())
}

fn much_text(target: &Target) -> Outcome {
    let response = target.get("/log?size=200000")?;
    ensure(response.status == 200 && response.body == b"logged", || response.told())
}
