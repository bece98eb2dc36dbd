//! The call itself: panics, failures, polls that block.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use gateway_spec::{Body, Environ, Error, Input, Kind, Lint, Response, Result, StartResponse, lint::Finding};

use crate::{
    Findings, PLAIN, call, drain, environ, found, get, hello, ids, linted,
    support::{Script, block_on::block_on},
};

const FINE: [&str; 0] = [];

#[test]
fn a_panic_is_reported_and_goes_on() {
    async fn panics(_: Environ, _: StartResponse) -> Result<Response> {
        panic!("by intention")
    }
    let (app, findings) = linted(panics);
    let caught = catch_unwind(AssertUnwindSafe(|| block_on(call(&app, environ(get(), Input::empty())))));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"by intention"));
    assert_eq!(ids(&findings), ["panic"]);
    assert!(findings.lock().unwrap()[0].seen.contains("by intention"));

    async fn later(_: Environ, start_response: StartResponse) -> Result<Response> {
        Ok(start_response.start(200, PLAIN)?.write(async |_| panic!("in the body")))
    }
    let (app, findings) = linted(later);
    let response = block_on(call(&app, environ(get(), Input::empty()))).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(drain(response)))).is_err());
    assert_eq!(ids(&findings), ["panic"]);
}

#[test]
fn a_failure_is_found_unless_it_is_somebody_elses() {
    let fails = |kind: Kind| move |_: Environ, _: StartResponse| async move { Err(Error::with_kind(kind, "why")) };
    assert_eq!(found(fails(Kind::App), environ(get(), Input::empty())), ["fails"]);
    for kind in [Kind::Overloaded, Kind::Disconnected, Kind::TooLarge, Kind::RequestTimeout] {
        assert_eq!(found(fails(kind), environ(get(), Input::empty())), FINE, "{kind:?}");
    }
}

#[test]
fn who_fails_because_the_request_broke_off_has_no_choice() {
    async fn reads(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        environ.input().read_all(100).await.map_err(Error::new)?;
        hello(environ, start_response).await
    }
    let broken = Input::new(Script::of(["1"]).then(Err(Kind::Disconnected.into())));
    assert_eq!(found(reads, environ(get(), broken)), FINE);
}

#[test]
fn a_poll_that_takes_long_blocks() {
    async fn sleeps(_: Environ, start_response: StartResponse) -> Result<Response> {
        thread::sleep(Duration::from_millis(2));
        hello_again(start_response)
    }
    fn hello_again(start_response: StartResponse) -> Result<Response> {
        Ok(start_response.start(200, PLAIN)?.body(Body::new(Script::of(["Hello!\n"]))))
    }
    let seen = |patience| {
        let (app, findings) = linted(sleeps);
        drop(block_on(call(&app.patience(patience), environ(get(), Input::empty()))));
        ids(&findings)
    };
    assert_eq!(seen(Duration::from_millis(1)), ["blocks"]);
    assert_eq!(seen(crate::PATIENT), FINE);
}

#[test]
fn the_same_is_shown_once_and_other_places_are_others() {
    async fn untyped(_: Environ, start_response: StartResponse) -> Result<Response> {
        Ok(start_response.start(200, ())?.body("text"))
    }
    let (app, findings) = linted(untyped);
    for path in ["/a", "/a?query", "/b", "/a"] {
        drop(block_on(call(&app, environ(get().uri(path), Input::empty()))));
    }
    let places: Vec<_> = findings.lock().unwrap().iter().map(|finding| finding.request.clone()).collect();
    assert_eq!(places, ["GET /a", "GET /b"]);
    for n in 0..1000 {
        drop(block_on(call(&app, environ(get().uri(format!("/{n}")), Input::empty()))));
    }
    assert_eq!(findings.lock().unwrap().len(), 256);
}

#[test]
fn without_a_sink_findings_are_in_the_requests_error_log() {
    use std::sync::{Arc, Mutex};

    use gateway_spec::{Connection, ErrorLog, Host, LogSink, Scheme};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);
    impl LogSink for Lines {
        fn line(&self, line: &str) {
            self.0.lock().unwrap().push(line.into());
        }
    }
    let lines = Lines::default();
    let host = Host { error_log: ErrorLog::new(lines.clone()), ..Host::default() };
    let connection = Connection::new(Arc::new(host), Scheme::Http, None, None);
    let parts = get().body(()).unwrap().into_parts().0;
    let app = Lint::new(|_: Environ, start_response: StartResponse| async move {
        Ok(start_response.start(200, ())?.body("text"))
    });
    drop(block_on(call(&app, Environ::new(parts, Input::empty(), Arc::new(connection)))));
    let lines = lines.0.lock().unwrap();
    assert_eq!(lines[0], "lint: application [content-type-missing]: GET /path: there is a body, and no Content-Type");
    assert_eq!(lines[1], "  expected: a body comes with a Content-Type");
    assert!(lines[2].starts_with("  G-6.14: An application SHOULD send Content-Type with a body"), "{lines:?}");
}

#[test]
fn a_finding_is_a_value() {
    let findings = Findings::default();
    let sink = findings.clone();
    let app = Lint::new(|_: Environ, _: StartResponse| async move { Err::<Response, _>(Error::new("why")) })
        .report_to(move |finding: &Finding| sink.lock().unwrap().push(finding.clone()));
    assert!(block_on(call(&app, environ(get(), Input::empty()))).is_err());
    let finding = findings.lock().unwrap().remove(0);
    assert_eq!((finding.clause, finding.rule, finding.side.as_str()), ("G-2.15", "fails", "application"));
    assert_eq!((finding.request.as_str(), finding.traceback.as_deref()), ("GET /path", None));
    assert!(finding.sentence().contains("An application"));
}
