//! Sections 8.1 to 8.5: what a server adds to responses, and takes from them.

use super::super::{
    Case, Outcome, Target, ensure,
    raw::{End, quote},
    same,
    target::url,
};
use super::{must, should};

pub(super) const CASES: &[Case] = &[
    must("G-8.1/1", "HEAD", "a call, its head, no body, and a connection in step", head_calls).http("RFC 9110, 9.3.2"),
    must("G-8.1/2", "HEAD of a body of unknown length", "no body, and a connection in step", head_of_iter)
        .http("RFC 9110, 9.3.2"),
    must("G-8.2/1", "HEAD of a body of unknown length", "no Content-Length that GET does not have", head_length)
        .http("RFC 9110, 8.6"),
    must("G-8.2/2", "HEAD of a body with a length", "that length, or none", head_known_length).http("RFC 9110, 8.6"),
    must("G-8.3/1", "204 with a body and a Content-Length", "neither is sent", no_content)
        .http("RFC 9110, 8.6 and 15.3.5"),
    must("G-8.3/2", "304 with a body", "it is not sent", not_modified).http("RFC 9110, 15.4.5"),
    must("G-8.4/1", "any response", "one Date", date).http("RFC 9110, 6.6.1"),
    must("G-8.4/2", "a Date of the application's", "that one alone", own_date).http("RFC 9110, 5.3"),
    should("G-8.4/3", "any response", "one Server", server),
    must("G-8.5/1", "three requests at once on one connection", "three answers, in their order", pipelined)
        .http("RFC 9112, 9.3.2"),
    must("G-8.5/2", "two requests with bodies at once", "two answers, in their order", pipelined_bodies)
        .http("RFC 9112, 9.3.2"),
];

/// HEAD on a connection that must be in step after it.
fn head_of(target: &Target, path: &str) -> Outcome {
    let mut conn = target.begin("HEAD", path, "")?;
    let head = conn.response("HEAD")?;
    same("the status", head.status, 299)?;
    same("the header", head.header("x-probe").as_deref(), Some("1"))?;
    conn.try_send(target.head("GET", &url("respond", &[("status", "298 Second")]), ""));
    match conn.next_head()? {
        Some(second) => same("the second status", second.status, 298),
        None => Ok(()),
    }
}

fn head_calls(target: &Target) -> Outcome {
    let key = target.key();
    let path = url("respond", &[("status", "299 Probe"), ("header", "X-Probe:1"), ("key", &key), ("block", "body")]);
    head_of(target, &path)?;
    ensure(target.events(&key)?.iter().any(|line| line == "called"), || "the application was not called".to_owned())
}

fn head_of_iter(target: &Target) -> Outcome {
    let path = url("respond", &[("status", "299 Probe"), ("header", "X-Probe:1"), ("block", "body"), ("as", "iter")]);
    head_of(target, &path)
}

fn head_length(target: &Target) -> Outcome {
    let path = url("respond", &[("block", "a"), ("block", "b"), ("as", "iter")]);
    let (get, head) = (target.get(&path)?, target.request("HEAD", &path, "")?);
    let (get, head) = (get.header("content-length"), head.header("content-length"));
    ensure(head.is_none() || head == get, || format!("HEAD has {head:?}, GET has {get:?}"))
}

fn head_known_length(target: &Target) -> Outcome {
    let path = url("respond", &[("header", "Content-Length:4"), ("block", "body")]);
    let length = target.request("HEAD", &path, "")?.header("content-length");
    ensure(length.as_deref().is_none_or(|length| length == "4"), || format!("Content-Length is {length:?}"))
}

/// A status without a body, given one; what follows it must be the next response.
fn without_body(target: &Target, status: &str, code: u16) -> Outcome {
    let path = url("respond", &[("status", status), ("header", "Content-Length:4"), ("block", "body")]);
    let mut conn = target.begin("GET", &path, "")?;
    let response = conn.response("GET")?;
    same("the status", response.status, code)?;
    let length = response.header("content-length");
    ensure(code != 204 || length.is_none(), || format!("Content-Length is {length:?}"))?;
    ensure(response.values("transfer-encoding").is_empty(), || quote(&response.head))?;
    conn.try_send(target.head("GET", &url("respond", &[("status", "298 Second")]), ""));
    match conn.next_head()? {
        Some(second) => same("the second status", second.status, 298),
        None => {
            let rest = conn.rest()?;
            ensure(rest.is_empty(), || format!("behind the head: {}", quote(&rest)))
        }
    }
}

fn no_content(target: &Target) -> Outcome {
    without_body(target, "204 No Content", 204)
}

fn not_modified(target: &Target) -> Outcome {
    without_body(target, "304 Not Modified", 304)
}

fn date(target: &Target) -> Outcome {
    for path in ["/environ", "/nowhere"] {
        let response = target.get(path)?;
        let date = response.header("date");
        ensure(date.as_ref().is_some_and(|date| date.ends_with(" GMT")), || quote(&response.head))?;
    }
    Ok(())
}

fn own_date(target: &Target) -> Outcome {
    let date = "Thu, 01 Jan 1970 00:00:00 GMT";
    let response = target.get(&url("respond", &[("header", &format!("Date:{date}")), ("block", "x")]))?;
    ensure(response.header("date").as_deref() == Some(date), || quote(&response.head))
}

fn server(target: &Target) -> Outcome {
    let response = target.get("/environ")?;
    ensure(response.header("server").is_some(), || quote(&response.head))
}

fn pipelined(target: &Target) -> Outcome {
    let paths =
        ["297", "298", "299"].map(|status| url("respond", &[("status", &format!("{status} P")), ("block", status)]));
    let mut conn = target.connect()?;
    conn.send(paths.map(|path| target.head("GET", &path, "")).concat())?;
    for status in [297, 298, 299] {
        let response = conn.response("GET")?;
        same("the status", response.status, status)?;
        ensure(response.body == status.to_string().as_bytes() && response.end != End::Truncated, || response.told())?;
        if closes(&response) {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether a server has said, or shown, that it answers nothing else on this connection.
fn closes(response: &super::super::raw::Response) -> bool {
    response.end == End::Closed
        || response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

fn pipelined_bodies(target: &Target) -> Outcome {
    let requests = ["one", "three"]
        .map(|body| format!("{}{body}", target.head("POST", "/echo", &format!("Content-Length: {}\r\n", body.len()))));
    let mut conn = target.connect()?;
    conn.send(requests.concat())?;
    for body in ["one", "three"] {
        let response = conn.response("POST")?;
        ensure(response.body == body.as_bytes(), || response.told())?;
        if closes(&response) {
            return Ok(());
        }
    }
    Ok(())
}
