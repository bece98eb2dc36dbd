//! Sections 8.11 to 8.17: connections, clients that go, and what is not for applications.

use super::super::{
    Case, Kind, Outcome, Target, ensure,
    raw::{PATIENCE, quote},
    same,
    target::{Dump, url},
};
use super::{must, should};

pub(super) const CASES: &[Case] = &[
    must("G-8.11/1", "a request, and a FIN", "the answer", half_closed),
    must("G-8.11/2", "a request with a body, and a FIN", "the answer", half_closed_with_body),
    should("G-8.12/1", "a client that goes while the application works", "the call ends", gone)
        .only(&[Kind::Rust, Kind::Cgi], "a call into Python cannot be dropped"),
    must("G-8.14/1", "half a head, and a FIN", "no call", half_a_head).http("RFC 9112, 8"),
    must("G-8.15/1", "Connection: close", "the connection ends", close).http("RFC 9112, 9.6"),
    must("G-8.15/2", "HTTP/1.0", "the connection ends", old).http("RFC 9112, 9.3"),
    must("G-8.15/3", "HTTP/1.0 with Connection: keep-alive", "an answer whose end can be told", old_keep_alive)
        .http("RFC 9112, 9.3"),
    must("G-8.16/1", "TRACE", "refused", trace),
    must("G-8.16/2", "CONNECT", "refused", connect),
    must("G-8.16/3", "methods that are no token", "refused", bad_methods).http_should("RFC 9112, 3"),
    must("G-8.17/1", "a program that redirects to itself", "5xx, or a redirect for the client", redirect_loop)
        .program(),
];

fn half_closed(target: &Target) -> Outcome {
    let mut conn = target.begin("GET", "/environ", "")?;
    conn.finish();
    Dump::of(&conn.response("GET")?).map(drop)
}

fn half_closed_with_body(target: &Target) -> Outcome {
    let mut conn = target.begin("POST", "/echo", "Content-Length: 3\r\n")?;
    conn.send("abc")?.finish();
    let response = conn.response("POST")?;
    ensure(response.body == b"abc", || response.told())
}

fn gone(target: &Target) -> Outcome {
    let key = target.key();
    let conn = target.begin("GET", &url("hold", &[("key", &key), ("wait", "8000")]), "")?;
    target.events_until(&key, PATIENCE, |events| !events.is_empty())?;
    drop(conn);
    let is_closed = |events: &[String]| events.iter().any(|line| line == "closed");
    let events = target.events_until(&key, PATIENCE / 2, is_closed)?;
    same("the events", events, vec!["held".to_owned(), "closed".to_owned()])
}

fn half_a_head(target: &Target) -> Outcome {
    let key = target.key();
    let head = target.head("GET", &url("respond", &[("key", &key), ("block", "x")]), "X-Probe: 1\r\n");
    let mut conn = target.connect()?;
    conn.send(&head.as_bytes()[..head.len() - 2])?.finish();
    conn.rest()?;
    let events = target.events(&key)?;
    ensure(events.is_empty(), || format!("the application was called: {events:?}"))
}

fn close(target: &Target) -> Outcome {
    let mut conn = target.begin("GET", "/environ", "Connection: close\r\n")?;
    Dump::of(&conn.response("GET")?)?;
    let rest = conn.rest()?;
    ensure(rest.is_empty(), || quote(&rest))
}

fn old(target: &Target) -> Outcome {
    let mut conn = target.connect()?;
    conn.send(format!("GET {}/environ HTTP/1.0\r\nHost: {}\r\n\r\n", target.prefix(), target.authority()))?;
    Dump::of(&conn.response("GET")?)?;
    let rest = conn.rest()?;
    ensure(rest.is_empty(), || quote(&rest))
}

fn old_keep_alive(target: &Target) -> Outcome {
    let mut conn = target.connect()?;
    let (prefix, host) = (target.prefix(), target.authority());
    conn.send(format!("GET {prefix}/environ HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n"))?;
    Dump::of(&conn.response("GET")?).map(drop)
}

/// Whether the application was called, as its answers show.
fn refused(target: &Target, request: String) -> Outcome {
    let mut conn = target.connect()?;
    conn.try_send(request);
    let Some(head) = conn.next_head()? else { return Ok(()) };
    ensure((400..600).contains(&head.status) && head.values("x-probe-path").is_empty(), || quote(&head.head))
}

fn trace(target: &Target) -> Outcome {
    refused(target, target.head("TRACE", "/environ", "Cookie: secret\r\n"))
}

fn connect(target: &Target) -> Outcome {
    refused(target, "CONNECT probe.example:80 HTTP/1.1\r\nHost: probe.example:80\r\n\r\n".to_owned())
}

fn bad_methods(target: &Target) -> Outcome {
    ["GE(T", "GE\u{e9}T", "\"GET\""].iter().try_for_each(|method| refused(target, target.head(method, "/environ", "")))
}

fn redirect_loop(target: &Target) -> Outcome {
    let response = target.get("/redirect-loop")?;
    ensure((300..400).contains(&response.status) || response.status >= 500, || response.told())
}
