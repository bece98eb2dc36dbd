//! Section 6: start_response, statuses and headers.

use std::time::Duration;

use super::super::{
    Case, Outcome, Target, ensure,
    raw::{End, Response, find, quote},
    same,
    target::url,
};
use super::{must, should};

const CALLABLE: &str = "PEP 3333, The start_response() Callable";
const ERRORS: &str = "PEP 3333, Error Handling";
const SAID: &str = "what a program has said is said";

pub(super) const CASES: &[Case] = &[
    must("G-6.1/1", "a call that waits behind `start_response`", "no byte of a response meanwhile", sends_nothing)
        .pep(CALLABLE)
        .callable(SAID),
    must("G-6.1/2", "a call that fails behind `start_response`", "not the status that was given", can_still_fail)
        .pep_should(CALLABLE)
        .callable(SAID),
    must("G-6.3/1", "no `start_response`, and a block", "500", never_started).wsgi(),
    must("G-6.3/2", "no `start_response`, and no block", "500", never_started_empty).wsgi(),
    must("G-6.5/1", "the statuses 99 and 1000", "refused", bad_numbers),
    must("G-6.5/2", "the statuses OK, 2xx and nothing", "refused", no_numbers),
    must("G-6.5/3", "the final statuses 100 and 199", "refused", interim),
    must("G-6.6/1", "statuses of every class, known or not", "they are sent", all_statuses)
        .pep("PEP 3333, Other HTTP Features"),
    should("G-6.6/2", "299 My Reason", "the reason is sent", reason).pep_should(CALLABLE),
    must("G-6.8/1", "a value with CR LF and another header", "nothing is injected", crlf_in_value)
        .http("RFC 9110, 5.5")
        .callable("a line feed ends a program's header"),
    must("G-6.8/2", "values with a lone CR and a NUL", "neither is sent", control_in_value).http("RFC 9110, 5.5"),
    must("G-6.8/3", "a value with a lone LF", "nothing is injected", lf_in_value)
        .http("RFC 9110, 5.5")
        .callable("a line feed ends a program's header"),
    must("G-6.8/4", "names with a blank, a colon or nothing", "they are not sent", bad_names).http("RFC 9110, 5.1"),
    must("G-6.8/5", "a reason with CR LF and a header", "nothing is injected", crlf_in_reason)
        .http("RFC 9112, 4")
        .callable("a line feed ends a program's header"),
    must("G-6.10/1", "Connection, Keep-Alive and Upgrade of an application", "they are not sent", hop_by_hop),
    must("G-6.10/2", "Transfer-Encoding of an application", "the framing stays right", transfer_encoding),
    should("G-6.11/1", "Connection: close", "`start_response` refuses it", refuses_hop_by_hop)
        .pep_should("PEP 3333, Other HTTP Features")
        .callable("a program is not told"),
    must("G-6.12/1", "two Set-Cookie", "both, in their order", two_cookies).pep("PEP 3333, Other HTTP Features"),
    must("G-6.12/2", "a value with the byte E9", "the same byte", raw_byte).pep("PEP 3333, Unicode Issues"),
    must("G-6.12/3", "100 headers", "all of them", many_headers).pep_should("PEP 3333, Other HTTP Features"),
    must("G-6.15/1", "status and headers replaced before the first byte", "the new ones alone", replaced)
        .pep_should(ERRORS)
        .callable(SAID),
    must("G-6.16/1", "a second `start_response`", "it raises", second_start).pep_should(CALLABLE).wsgi(),
    must("G-6.17/1", "a replacement after the first block", "it raises", too_late_raises).pep(ERRORS).wsgi(),
    must("G-6.17/2", "a replacement after the first block", "the response is aborted", too_late_aborts).wsgi(),
];

fn sends_nothing(target: &Target) -> Outcome {
    let mut conn =
        target.begin("GET", &url("hold", &[("key", &target.key()), ("at", "start"), ("wait", "500")]), "")?;
    ensure(conn.is_silent(Duration::from_millis(300)), || "something came before the first block existed".to_owned())?;
    let response = conn.response("GET")?;
    same("the status", response.status, 200)
}

fn can_still_fail(target: &Target) -> Outcome {
    let path = url("hold", &[("key", &target.key()), ("at", "start"), ("wait", "50"), ("fail", "start")]);
    let response = target.get(&path)?;
    ensure(response.status >= 500, || response.told())
}

fn never_started(target: &Target) -> Outcome {
    same("the status", target.get("/never-start?block=x")?.status, 500)
}

fn never_started_empty(target: &Target) -> Outcome {
    same("the status", target.get("/never-start")?.status, 500)
}

/// An answer to a bad status: 5xx, or an end of the connection, and a server that goes on.
fn refuses_status(target: &Target, status: &str) -> Outcome {
    let response = target.get(&url("respond", &[("status", status), ("block", "x")]))?;
    ensure((500..600).contains(&response.status), || format!("{status:?} gives {}", response.told()))?;
    let response = target.get(&url("respond", &[("block", "fine")]))?;
    ensure(response.body == b"fine", || format!("after {status:?}: {}", response.told()))
}

fn bad_numbers(target: &Target) -> Outcome {
    ["99 Low", "1000 High"].iter().try_for_each(|status| refuses_status(target, status))
}

fn no_numbers(target: &Target) -> Outcome {
    ["OK", "2xx Many", "+20 Plus"].iter().try_for_each(|status| refuses_status(target, status))
}

fn interim(target: &Target) -> Outcome {
    ["100 Continue", "199 Interim"].iter().try_for_each(|status| refuses_status(target, status))
}

fn all_statuses(target: &Target) -> Outcome {
    for status in [200, 201, 203, 207, 226, 299, 300, 302, 399, 400, 402, 418, 451, 499, 500, 507, 511, 599] {
        let text = format!("{status} Probe");
        let path = url("respond", &[("status", &text), ("header", "Location:http://probe.example/"), ("block", "x")]);
        let response = target.get(&path)?;
        same("the status", response.status, status)?;
    }
    Ok(())
}

fn reason(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("status", "299 My Reason"), ("block", "x")]))?;
    same("the reason", response.reason.as_str(), "My Reason")
}

fn with_header(target: &Target, header: &str) -> Outcome<Response> {
    target.get(&url("respond", &[("header", "Content-Type:text/plain"), ("header", header), ("block", "body")]))
}

fn nothing_injected(target: &Target, header: &str) -> Outcome {
    let response = with_header(target, header)?;
    ensure(response.values("x-evil").is_empty(), || quote(&response.head))?;
    ensure(find(&response.body, b"X-Evil").is_none(), || quote(&response.body))
}

fn crlf_in_value(target: &Target) -> Outcome {
    nothing_injected(target, "X-Probe:a\r\nX-Evil: 1")?;
    nothing_injected(target, "X-Probe:a\r\n\r\nX-Evil: 1")
}

fn lf_in_value(target: &Target) -> Outcome {
    nothing_injected(target, "X-Probe:a\nX-Evil: 1")
}

fn control_in_value(target: &Target) -> Outcome {
    for header in ["X-Probe:a\rb", "X-Probe:a\0b"] {
        let response = with_header(target, header)?;
        let lone_cr = response.head.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n');
        ensure(!lone_cr && !response.head.contains(&0), || quote(&response.head))?;
    }
    Ok(())
}

fn bad_names(target: &Target) -> Outcome {
    for (header, name) in [("X Probe:1", &b"X Probe"[..]), (":1", b"\r\n:"), ("X(Probe):1", b"X(Probe)")] {
        let response = with_header(target, header)?;
        ensure(find(&response.head, name).is_none(), || quote(&response.head))?;
    }
    Ok(())
}

fn crlf_in_reason(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("status", "200 OK\r\nX-Evil: 1"), ("block", "body")]))?;
    ensure(response.values("x-evil").is_empty(), || quote(&response.head))
}

fn hop_by_hop(target: &Target) -> Outcome {
    for (header, name, value) in [
        ("Connection:x-probe", "connection", &b"x-probe"[..]),
        ("Keep-Alive:timeout=99", "keep-alive", b"timeout=99"),
        ("Upgrade:probe", "upgrade", b"probe"),
    ] {
        let response = with_header(target, header)?;
        ensure(!response.values(name).contains(&value), || quote(&response.head))?;
    }
    Ok(())
}

fn transfer_encoding(target: &Target) -> Outcome {
    let response = with_header(target, "Transfer-Encoding:chunked")?;
    ensure(response.status >= 500 || (response.body == b"body" && response.end != End::Truncated), || response.told())
}

fn refuses_hop_by_hop(target: &Target) -> Outcome {
    let response = target.get(&url("refused", &[("header", "Connection:close")]))?;
    ensure(response.body == b"refused", || response.told())
}

fn two_cookies(target: &Target) -> Outcome {
    let path = url("respond", &[("header", "Set-Cookie:a=1"), ("header", "Set-Cookie:b=2"), ("block", "x")]);
    let response = target.get(&path)?;
    let cookies: Vec<_> = response.values("set-cookie").into_iter().map(quote).collect();
    same("Set-Cookie", cookies, vec![quote(b"a=1"), quote(b"b=2")])
}

fn raw_byte(target: &Target) -> Outcome {
    let response = with_header(target, "X-Probe:caf\u{e9}")?;
    let values = response.values("x-probe");
    ensure(values == [b"caf\xe9"], || quote(&values.concat()))
}

fn many_headers(target: &Target) -> Outcome {
    let names: Vec<String> = (0..100).map(|number| format!("X-Probe-{number}:{number}")).collect();
    let mut parameters: Vec<_> = names.iter().map(|header| ("header", header.as_str())).collect();
    parameters.push(("block", "x"));
    let response = target.get(&url("respond", &parameters))?;
    let lost = (0..100).find(|number| response.header(&format!("x-probe-{number}")) != Some(number.to_string()));
    ensure(lost.is_none(), || format!("X-Probe-{lost:?} is lost: {}", response.told()))
}

fn replaced(target: &Target) -> Outcome {
    let response = target.get("/restart?when=before")?;
    same("the status", response.status, 500)?;
    same("the new header", response.header("x-new").as_deref(), Some("1"))?;
    ensure(response.values("x-old").is_empty(), || "a header of the first start_response is still there".to_owned())
}

fn second_start(target: &Target) -> Outcome {
    let response = target.get("/start-twice")?;
    ensure(response.status >= 500 || response.body.starts_with(b"raised"), || response.told())
}

fn too_late_raises(target: &Target) -> Outcome {
    let key = target.key();
    target.get(&url("restart", &[("when", "after"), ("key", &key)]))?;
    let events = target.events(&key)?;
    ensure(events.iter().any(|line| line.starts_with("raised")), || format!("the application saw {events:?}"))
}

fn too_late_aborts(target: &Target) -> Outcome {
    let response = target.get(&url("restart", &[("when", "after"), ("key", &target.key())]))?;
    ensure(response.end == End::Truncated, || response.told())
}
