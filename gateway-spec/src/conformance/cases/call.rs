//! Sections 1 and 2: roles, and the call.

use super::super::{
    Case, Outcome, Target, ensure,
    raw::{End, PATIENCE, find},
    same, skip,
    target::url,
};
use super::{may, must};

const ERRORS: &str = "PEP 3333, Error Handling";
const THREADS: &str = "PEP 3333, Thread Support";
const SIDES: &str = "PEP 3333, The Server/Gateway Side";

pub(super) const CASES: &[Case] = &[
    must("G-1.1/1", "the two arguments", "they are positional, and no others", arguments).pep(SIDES).wsgi(),
    must("G-1.2/1", "an application that is an object with `__call__`", "it is called", an_object).pep(SIDES).wsgi(),
    must("G-2.1/1", "a request", "one call", called_once).pep(SIDES),
    must("G-2.1/2", "a request whose call fails", "one call: nothing is tried again", failure_is_not_repeated)
        .pep(SIDES),
    must("G-2.1/3", "a request with two lengths that differ", "no call", refused_is_not_called),
    must("G-2.3/1", "two calls at once", "they overlap only if a flag promises it", overlap_is_promised)
        .pep(THREADS)
        .wsgi(),
    must("G-2.3/2", "two calls, one after the other", "`run_once` is false where one process serves both", run_once)
        .pep("PEP 3333, environ Variables")
        .wsgi(),
    must("G-2.4/1", "a call that fails at once", "500, or a 5xx that says more", fails_at_once),
    must("G-2.4/2", "a call that fails after `start_response`, with a status of 200", "500", fails_after_start)
        .callable("what a program has said is said"),
    must("G-2.4/3", "a call that fails without a text", "500", fails_mute).callable("a program's end has no text"),
    must("G-2.5/1", "the text of a failure", "it is not in the response", text_is_not_shown),
    must(
        "G-2.5/2",
        "the text of a failure in the middle of a body",
        "it is not in the response",
        text_is_not_sent_late,
    ),
    must("G-2.7/1", "a request after one that failed", "it is answered", goes_on_after_failure).pep_should(ERRORS),
    must("G-2.7/2", "SystemExit, a panic, an exit code", "5xx, and the next request is answered", survives_exit),
    must("G-2.7/3", "a failure while another call runs", "the other call is not disturbed", neighbours_live),
    must("G-2.8/1", "a client that leaves in the middle of a body", "the application learns it", leaves_in_body)
        .pep(SIDES),
    must("G-2.10/1", "a request while another call is busy", "it is answered, if a flag promises it", others_go_on),
    may("G-2.14/1", "OPTIONS *", "any answer that is no failure", options_asterisk),
];

fn arguments(target: &Target) -> Outcome {
    target.environ("/environ", "")?.expect("probe.arguments", "2 positional, 0 named")
}

fn an_object(target: &Target) -> Outcome {
    target.environ("/environ", "").map(drop)
}

fn called_once(target: &Target) -> Outcome {
    let key = target.key();
    let response = target.get(&url("respond", &[("key", &key), ("block", "x")]))?;
    same("the status", response.status, 200)?;
    same("the number of calls", calls(target, &key)?, 1)
}

fn failure_is_not_repeated(target: &Target) -> Outcome {
    let key = target.key();
    // How it is answered is for other cases to say.
    let _ = target.get(&url("respond", &[("key", &key), ("fail", "call")]));
    same("the number of calls", calls(target, &key)?, 1)
}

fn refused_is_not_called(target: &Target) -> Outcome {
    let key = target.key();
    let path = url("respond", &[("key", &key), ("block", "x")]);
    let mut conn = target.begin("POST", &path, "Content-Length: 2\r\nContent-Length: 3\r\n")?;
    conn.try_send("abc");
    conn.finish();
    conn.rest()?;
    same("the number of calls", calls(target, &key)?, 0)
}

fn calls(target: &Target, key: &str) -> Outcome<usize> {
    Ok(target.events(key)?.iter().filter(|line| *line == "called").count())
}

fn overlap_is_promised(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    let says = |key| dump.text(key).is_some_and(|value| value != "False" && value != "0");
    let (threads, processes) = (says("wsgi.multithread"), says("wsgi.multiprocess"));
    let key = target.key();
    let path = url("overlap", &[("key", &key), ("wait", "1000")]);
    let (mut one, mut two) = (target.begin("GET", &path, "")?, target.begin("GET", &path, "")?);
    let bodies = [one.response("GET")?, two.response("GET")?].map(|response| response.body);
    let texts = bodies.map(|body| String::from_utf8_lossy(&body).into_owned());
    let process = |text: &str| text.split(' ').nth(1).unwrap_or_default().to_owned();
    if texts.iter().any(|text| !text.starts_with("met")) {
        return Ok(());
    }
    let (flag, truth) = match process(&texts[0]) == process(&texts[1]) {
        true => ("wsgi.multithread", threads),
        false => ("wsgi.multiprocess", processes),
    };
    ensure(truth, || format!("two calls overlapped ({texts:?}), but {flag} is false"))
}

fn run_once(target: &Target) -> Outcome {
    let dumps = [target.environ("/environ", "")?, target.environ("/environ", "")?];
    let once = dumps.iter().all(|dump| dump.text("wsgi.run_once").is_some_and(|value| value == "True"));
    let same_process = dumps[0].value("probe.pid") == dumps[1].value("probe.pid");
    ensure(!(once && same_process), || "one process has served two requests, and both had run_once".to_owned())
}

fn fails_at_once(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("fail", "call")]))?;
    ensure((500..600).contains(&response.status), || response.told())
}

fn fails_after_start(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("fail", "start"), ("block", "x")]))?;
    same("the status", response.status, 500)
}

fn fails_mute(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("fail", "call"), ("kind", "mute")]))?;
    same("the status", response.status, 500)
}

fn text_is_not_shown(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("fail", "call")]))?;
    let shown = find(&response.body, b"probe-secret").or(find(&response.head, b"probe-secret"));
    ensure(shown.is_none(), || response.told())
}

fn text_is_not_sent_late(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("fail", "body"), ("as", "iter"), ("block", "begun")]))?;
    ensure(find(&response.body, b"probe-secret").is_none(), || response.told())
}

fn goes_on_after_failure(target: &Target) -> Outcome {
    for fail in ["call", "start", "body"] {
        // What becomes of this one is for other cases to say.
        let _ = target.get(&url("respond", &[("fail", fail), ("as", "iter"), ("block", "begun")]));
        let response = target.get(&url("respond", &[("block", "fine")]))?;
        ensure(response.status == 200 && response.body == b"fine", || response.told())?;
    }
    Ok(())
}

fn survives_exit(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("fail", "call"), ("kind", "exit")]))?;
    ensure((500..600).contains(&response.status), || response.told())?;
    let response = target.get(&url("respond", &[("block", "fine")]))?;
    ensure(response.status == 200 && response.body == b"fine", || response.told())
}

fn neighbours_live(target: &Target) -> Outcome {
    if !target.is_concurrent()? {
        return skip("the environ says that calls do not overlap");
    }
    let key = target.key();
    let mut held = target.begin("GET", &url("hold", &[("key", &key), ("wait", "3000")]), "")?;
    target.events_until(&key, PATIENCE, |events| !events.is_empty())?;
    let _ = target.get(&url("respond", &[("fail", "call"), ("kind", "exit")]));
    let mut release = target.release(&key)?;
    let response = held.response("GET")?;
    release.response("GET")?;
    ensure(response.status == 200 && response.end != End::Truncated, || response.told())
}

fn leaves_in_body(target: &Target) -> Outcome {
    let key = target.key();
    let mut conn = target.begin("GET", &url("flood", &[("key", &key), ("blocks", "4096")]), "")?;
    conn.head()?;
    drop(conn);
    let events = target.events_until(&key, PATIENCE, |events| events.iter().any(|line| line == "closed"))?;
    let blocks = events.iter().filter(|line| *line == "block").count();
    let closed = events.iter().filter(|line| *line == "closed").count();
    ensure(closed == 1 && blocks < 4096, || format!("after {blocks} blocks of 4096: {closed} times closed"))
}

fn others_go_on(target: &Target) -> Outcome {
    if !target.is_concurrent()? {
        return skip("the environ says that calls do not overlap");
    }
    let key = target.key();
    let mut held = target.begin("GET", &url("hold", &[("key", &key), ("wait", "3000")]), "")?;
    target.events_until(&key, PATIENCE, |events| !events.is_empty())?;
    let response = target.get(&url("respond", &[("block", "fine")]))?;
    same("the status of the other request", response.status, 200)?;
    let mut release = target.release(&key)?;
    release.response("GET")?;
    let held = held.response("GET")?;
    ensure(held.body == b"released", || "the other request was answered only when the busy call had ended".to_owned())
}

fn options_asterisk(target: &Target) -> Outcome {
    let request = format!("OPTIONS * HTTP/1.1\r\nHost: {}\r\n\r\n", target.authority());
    let response = target.raw("OPTIONS", request)?;
    ensure(response.status < 500 || response.status == 501, || response.told())
}
