//! Section 10.1: how WSGI hosts call Python (G-10.1 to G-10.11).

use super::super::{
    Case, Outcome, Target, ensure,
    raw::{End, PATIENCE, quote},
    same,
    target::url,
};
use super::{body::second_waits, must};

const VARIABLES: &str = "PEP 3333, environ Variables";
const SIDES: &str = "PEP 3333, The Server/Gateway Side";
const WRITE: &str = "PEP 3333, The write() Callable";
const CALLABLE: &str = "PEP 3333, The start_response() Callable";
const ERRORS: &str = "PEP 3333, Error Handling";
const STRINGS: &str = "PEP 3333, A Note On String Types";

pub(super) const CASES: &[Case] = &[
    must("G-10.1/1", "the type of environ", "exactly dict", exactly_dict).pep(VARIABLES).wsgi(),
    must("G-10.1/2", "the types of the CGI keys and values", "exactly str", exactly_str).pep(STRINGS).wsgi(),
    must("G-10.1/3", "environ of two calls", "two dicts", dict_of_its_own).pep(VARIABLES).wsgi(),
    must("G-10.2/1", "the keys wsgi.*", "all seven", seven_keys).pep(VARIABLES).wsgi(),
    must("G-10.2/2", "wsgi.version", "the tuple (1, 0)", version).pep(VARIABLES).wsgi(),
    must("G-10.2/3", "multithread, multiprocess and run_once", "truth values", flags).pep(VARIABLES).wsgi(),
    must("G-10.3/1", "path, query and header with bytes above 7F", "ISO-8859-1 strings of them", latin1_in)
        .pep("PEP 3333, Unicode Issues")
        .wsgi(),
    must("G-10.3/2", "a header with the character E9", "the byte E9", latin1_out)
        .pep("PEP 3333, Unicode Issues")
        .wsgi(),
    must("G-10.3/3", "a header with a euro sign", "an error, not another value", no_latin1).wsgi(),
    must("G-10.4/1", "a generator that calls `start_response` itself", "its status and headers", lazy)
        .pep(SIDES)
        .wsgi(),
    must("G-10.4/2", "the same behind an empty block", "its status and headers", lazy_after_empty).pep(SIDES).wsgi(),
    must("G-10.5/1", "`write`, and a list", "what was written comes first", write_then_list).pep(WRITE).wsgi(),
    must("G-10.5/2", "`write` alone", "all of it", write_alone).pep(WRITE).wsgi(),
    must("G-10.5/3", "`write` beyond Content-Length", "no more than that", write_too_much).http("RFC 9112, 6.3").wsgi(),
    must("G-10.6/1", "a second `write` that waits for an event", "the first is there before", two_writes)
        .pep(WRITE)
        .wsgi(),
    must("G-10.7/1", "an empty block, and then another head", "the other head", empty_fixes_nothing)
        .pep(CALLABLE)
        .wsgi(),
    must("G-10.7/2", "no block at all", "the head, and an empty body", head_at_the_end).pep(CALLABLE).wsgi(),
    must("G-10.7/3", "a `write`, and then another head", "it is too late", write_fixes).pep(ERRORS).wsgi(),
    must("G-10.8/1", "exc_info before the first byte", "status, reason and headers are replaced", exc_info_replaces)
        .pep_should(ERRORS)
        .wsgi(),
    must("G-10.8/2", "exc_info after the first byte", "the exception itself is raised", exc_info_raises)
        .pep_should(ERRORS)
        .wsgi(),
    must("G-10.9/1", "a list with close()", "called once", |target| closes(target, "list")).pep(SIDES).wsgi(),
    must("G-10.9/2", "an iterator with close()", "called once", |target| closes(target, "iter")).pep(SIDES).wsgi(),
    must("G-10.9/3", "an iterable whose iterator is another object", "called on what was returned", |target| {
        closes(target, "split")
    })
    .pep(SIDES)
    .wsgi(),
    must("G-10.9/4", "a client that leaves", "called once", closes_when_left).pep(SIDES).wsgi(),
    must("G-10.10/1", "close() that raises", "the response is whole, and the server goes on", close_raises).wsgi(),
    must("G-10.11/1", "a first block that is str", "500", str_first).wsgi(),
    must("G-10.11/2", "a later block that is str", "an aborted response", str_later).wsgi(),
];

fn exactly_dict(target: &Target) -> Outcome {
    target.environ("/environ", "")?.expect("probe.environ", "dict")
}

fn exactly_str(target: &Target) -> Outcome {
    let dump = target.environ("/environ?q=%C3%A9", "X-Probe: 1\r\nContent-Type: a/b\r\n")?;
    dump.expect("probe.keys", "str")?;
    let wrong: Vec<_> = dump.keys().filter(|key| !key.contains('.') && dump.type_of(key) != Some("str")).collect();
    ensure(wrong.is_empty(), || format!("{wrong:?} are no str"))
}

fn dict_of_its_own(target: &Target) -> Outcome {
    target.environ("/environ?mark=1", "")?;
    target.environ("/environ", "")?.expect_absent("probe.mark")
}

fn seven_keys(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    ["version", "url_scheme", "input", "errors", "multithread", "multiprocess", "run_once"].iter().try_for_each(|key| {
        let key = format!("wsgi.{key}");
        ensure(dump.value(&key).is_some(), || format!("there is no {key}"))
    })
}

fn version(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    same("the type", dump.type_of("wsgi.version"), Some("tuple"))?;
    dump.expect("wsgi.version", "(1, 0)")
}

fn flags(target: &Target) -> Outcome {
    let dump = target.environ("/environ", "")?;
    ["wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"].iter().try_for_each(|key| {
        // PEP 3333 says "should evaluate true".
        ensure(matches!(dump.type_of(key), Some("bool" | "int")), || format!("{key} is {:?}", dump.type_of(key)))
    })
}

fn latin1_in(target: &Target) -> Outcome {
    let dump = target.environ("/environ/%E2%82%AC?%E2%82%AC", "X-Probe: \u{e9}\r\n")?;
    dump.expect("PATH_INFO", "/environ/\u{20ac}")?;
    dump.expect("QUERY_STRING", "%E2%82%AC")?;
    dump.expect("HTTP_X_PROBE", "\u{e9}")
}

fn latin1_out(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("header", "X-Probe:\u{e9}\u{ff}"), ("block", "x")]))?;
    let values = response.values("x-probe").concat();
    ensure(values == b"\xe9\xff", || quote(&values))
}

fn no_latin1(target: &Target) -> Outcome {
    let response = target.get("/shapes?as=euro")?;
    ensure(response.status >= 500, || quote(&response.head))
}

fn lazy(target: &Target) -> Outcome {
    expect_lazy(target, "/lazy")
}

fn lazy_after_empty(target: &Target) -> Outcome {
    expect_lazy(target, "/lazy?empty=1")
}

fn expect_lazy(target: &Target, path: &str) -> Outcome {
    let response = target.get(path)?;
    same("the status", response.status, 404)?;
    same("X-Lazy", response.header("x-lazy").as_deref(), Some("1"))?;
    ensure(response.body == b"lazy", || response.told())
}

fn write_then_list(target: &Target) -> Outcome {
    let response = target.get(&url("write", &[("write", "a"), ("write", ""), ("write", "b"), ("block", "c")]))?;
    ensure(response.body == b"abc" && response.end != End::Truncated, || response.told())
}

fn write_alone(target: &Target) -> Outcome {
    let response = target.get(&url("write", &[("write", "one,"), ("write", "two")]))?;
    ensure(response.body == b"one,two" && response.end != End::Truncated, || response.told())
}

fn write_too_much(target: &Target) -> Outcome {
    let path = url("write", &[("header", "Content-Length:5"), ("write", "01234"), ("write", "56789")]);
    let mut conn = target.begin("GET", &path, "Connection: close\r\n")?;
    let head = conn.head()?;
    let rest = conn.rest()?;
    ensure(head.status >= 500 || rest == b"01234", || quote(&rest))
}

fn two_writes(target: &Target) -> Outcome {
    second_waits(target, "write", "1.1")
}

fn empty_fixes_nothing(target: &Target) -> Outcome {
    let response = target.get("/restart?when=empty")?;
    same("the status", response.status, 500)?;
    same("X-New", response.header("x-new").as_deref(), Some("1"))
}

fn head_at_the_end(target: &Target) -> Outcome {
    let response = target.get(&url("respond", &[("status", "299 End"), ("header", "X-Probe:1")]))?;
    same("the status", response.status, 299)?;
    same("X-Probe", response.header("x-probe").as_deref(), Some("1"))?;
    ensure(response.body.is_empty() && response.end != End::Truncated, || response.told())
}

fn write_fixes(target: &Target) -> Outcome {
    let key = target.key();
    let response = target.get(&url("restart", &[("when", "write"), ("key", &key)]))?;
    let events = target.events(&key)?;
    let raised = events.iter().any(|line| line.starts_with("raised"));
    ensure(raised && response.status == 200, || {
        format!("the application saw {events:?}, the client {}", response.told())
    })
}

fn exc_info_replaces(target: &Target) -> Outcome {
    let response = target.get("/restart?when=before")?;
    same("the status", response.status, 500)?;
    same("the reason", response.reason.as_str(), "Replaced")?;
    same("X-New", response.header("x-new").as_deref(), Some("1"))?;
    ensure(response.values("x-old").is_empty(), || "X-Old is still there".to_owned())
}

fn exc_info_raises(target: &Target) -> Outcome {
    let key = target.key();
    target.get(&url("restart", &[("when", "after"), ("key", &key)]))?;
    same("the events", target.events(&key)?, vec!["raised Failure probe-secret".to_owned()])
}

/// What the application returned is closed, once, and nothing else is.
fn closes(target: &Target, shape: &str) -> Outcome {
    let key = target.key();
    let response = target.get(&url("respond", &[("key", &key), ("block", "a"), ("block", "b"), ("as", shape)]))?;
    ensure(response.body == b"ab", || response.told())?;
    let events = target.events_until(&key, PATIENCE / 4, |events| events.iter().any(|line| line == "closed"))?;
    same("the events", events, vec!["called".to_owned(), "closed".to_owned()])
}

fn closes_when_left(target: &Target) -> Outcome {
    let key = target.key();
    let mut conn = target.begin("GET", &url("flood", &[("key", &key), ("blocks", "2048")]), "")?;
    conn.head()?;
    drop(conn);
    let is_closed = |events: &[String]| events.iter().any(|line| line == "closed");
    let events = target.events_until(&key, PATIENCE, is_closed)?;
    same("close() was called so often", events.iter().filter(|line| *line == "closed").count(), 1)
}

fn close_raises(target: &Target) -> Outcome {
    for shape in ["list", "iter"] {
        let path = url("respond", &[("block", "a"), ("as", shape), ("fail", "close"), ("key", &target.key())]);
        let response = target.get(&path)?;
        ensure(response.status == 200 && response.body == b"a" && response.end != End::Truncated, || response.told())?;
    }
    Ok(())
}

fn str_first(target: &Target) -> Outcome {
    same("the status", target.get("/yields?when=first")?.status, 500)
}

fn str_later(target: &Target) -> Outcome {
    let response = target.get("/yields?when=later")?;
    ensure(response.end == End::Truncated || response.status >= 500, || response.told())
}
