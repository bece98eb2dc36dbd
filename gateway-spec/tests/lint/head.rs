//! The application's side: status and headers.

use bytes::Bytes;
use gateway_spec::{Environ, Input, Response, Result, StartResponse};
use http::{HeaderName, HeaderValue};

use crate::{PLAIN, environ, found, get, support::Script};

const FINE: [&str; 0] = [];

/// What is found in a response of this status with these headers, and a text for a body.
fn head(status: u16, headers: &'static [(&'static str, &'static str)]) -> Vec<&'static str> {
    found(
        move |_, start_response: StartResponse| async move { Ok(start_response.start(status, headers)?.body("text")) },
        environ(get(), Input::empty()),
    )
}

fn typed(name: &'static str, value: &'static str) -> Vec<&'static str> {
    let app = move |_, start_response: StartResponse| async move {
        Ok(start_response.start(200, [PLAIN[0], (name, value)])?.body("text"))
    };
    found(app, environ(get(), Input::empty()))
}

/// What middleware may do that start_response would have refused.
fn edited(name: &'static str, value: &'static str) -> Vec<&'static str> {
    let app = move |_: Environ, start_response: StartResponse| async move {
        let mut response = start_response.start(200, PLAIN)?.body("text");
        response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
        Ok(response)
    };
    found(app, environ(get(), Input::empty()))
}

#[test]
fn statuses_are_final_ones() {
    for bad in [99, 100, 101, 199, 600, 999, 1000] {
        assert_eq!(head(bad, &PLAIN), ["status"], "{bad}");
    }
    for good in [200, 299, 404, 418, 599] {
        assert_eq!(head(good, &PLAIN), FINE, "{good}");
    }
}

#[test]
fn headers_that_are_refused_are_found_even_if_the_app_gets_over_it() {
    async fn second_try(_: Environ, start_response: StartResponse) -> Result<Response> {
        match start_response.clone().start(200, [("x y", "1")]) {
            Ok(started) => Ok(started.body(())),
            Err(_) => Ok(start_response.start(200, PLAIN)?.body("text")),
        }
    }
    assert_eq!(found(second_try, environ(get(), Input::empty())), ["header"]);
    assert_eq!(typed("x", "a\nb"), ["header"]);
    assert_eq!(typed("x", "a\tb"), ["header"]);
    assert_eq!(typed("x", "caf\u{e9}"), FINE);
}

#[test]
fn hop_by_hop_headers_are_the_servers() {
    assert_eq!(typed("connection", "close"), ["hop-by-hop"]);
    assert_eq!(edited("transfer-encoding", "chunked"), ["hop-by-hop"]);
    assert_eq!(edited("via", "1.1 x"), FINE);
}

#[test]
fn there_is_no_header_status() {
    assert_eq!(typed("Status", "200 OK"), ["status-header"]);
    assert_eq!(typed("X-Status", "200 OK"), FINE);
}

#[test]
fn names_do_not_end_in_a_dash() {
    assert_eq!(typed("x-", "1"), ["header-end"]);
    assert_eq!(typed("x_", "1"), ["header-end"]);
    assert_eq!(typed("-x", "1"), FINE);
}

#[test]
fn bodies_are_typed_and_what_has_none_is_not() {
    assert_eq!(head(200, &[]), ["content-type-missing"]);
    assert_eq!(head(204, &PLAIN), ["content-type-unwanted"]);
    assert_eq!(head(304, &PLAIN), ["content-type-unwanted"]);
    assert_eq!(head(204, &[]), FINE);
    assert_eq!(head(304, &[("etag", "\"1\"")]), FINE);
    let empty = |blocks: &'static [&'static str]| {
        let app = move |_: Environ, start_response: StartResponse| async move {
            let body = gateway_spec::Body::new(Script::of(blocks.iter().map(|block| Bytes::from(*block))));
            Ok(start_response.start(200, ())?.body(body))
        };
        found(app, environ(get(), Input::empty()))
    };
    assert_eq!(empty(&["", "a"]), ["content-type-missing"]);
    assert_eq!(empty(&[]), FINE);
    assert_eq!(empty(&[""]), FINE);
}

#[test]
fn no_content_has_no_length() {
    assert_eq!(head(204, &[("content-length", "0")]), ["content-length-unwanted"]);
    assert_eq!(head(304, &[("content-length", "4711")]), FINE);
}

#[test]
fn a_content_length_is_one_number() {
    assert_eq!(typed("content-length", "x"), ["content-length"]);
    assert_eq!(typed("content-length", "-4"), ["content-length"]);
    assert_eq!(typed("content-length", "4"), FINE);
    let twice = |_: Environ, start_response: StartResponse| async move {
        let headers = [PLAIN[0], ("content-length", "4"), ("content-length", "4")];
        Ok(start_response.start(200, headers)?.body("text"))
    };
    assert_eq!(found(twice, environ(get(), Input::empty())), ["content-length"]);
}

#[test]
fn a_clone_replaces_what_was_not_returned() {
    use std::sync::{Arc, Mutex};
    let kept: Arc<Mutex<Option<StartResponse>>> = Arc::default();
    let keeps = {
        let kept = kept.clone();
        move |_: Environ, start_response: StartResponse| {
            let first = kept.lock().unwrap().replace(start_response.clone());
            assert!(first.is_none());
            async move { Ok(start_response.start(200, PLAIN)?.body("first")) }
        }
    };
    let (app, findings) = crate::linted(keeps);
    let response = crate::support::block_on::block_on(crate::call(&app, environ(get(), Input::empty()))).unwrap();
    assert_eq!(crate::ids(&findings), FINE);
    drop(kept.lock().unwrap().take().unwrap().start(200, PLAIN));
    assert_eq!(crate::ids(&findings), ["second-start"]);
    drop(response);

    async fn replaces(_: Environ, start_response: StartResponse) -> Result<Response> {
        let first = start_response.clone().start(200, PLAIN)?.body("first");
        drop(first);
        Ok(start_response.start(500, PLAIN)?.body("second"))
    }
    assert_eq!(found(replaces, environ(get(), Input::empty())), FINE);
}
