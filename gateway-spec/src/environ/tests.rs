//! What an application reads in an environ, key by key.

use std::{collections::BTreeMap, net::SocketAddr};

use block_on::block_on;
use http_body::Body as _;
use proptest::prelude::*;

use super::*;
use crate::{Host, Scheme};

#[path = "../../tests/support/block_on.rs"]
mod block_on;

mod content_length;
mod extensions;
mod headers;
mod keys;
mod mount;
mod server_name;
mod set;

fn connection() -> Arc<Connection> {
    let address = |text: &str| text.parse::<SocketAddr>().ok();
    let (local, remote) = (address("192.0.2.1:8080"), address("198.51.100.7:40312"));
    Arc::new(Connection::new(Arc::new(Host::default()), Scheme::Http, local, remote))
}

fn environ_of(request: http::request::Builder, input: Input) -> Environ {
    Environ::new(request.body(()).unwrap().into_parts().0, input, connection())
}

fn get(target: &str) -> Environ {
    environ_of(Request::get(target), Input::empty())
}

/// A GET with these headers, in this order.
fn with_headers(headers: &[(&str, &str)]) -> Environ {
    environ_of(
        headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value)),
        Input::empty(),
    )
}

fn text(environ: &Environ, key: &str) -> Option<String> {
    environ.get(key).map(|value| String::from_utf8(value.into_owned()).unwrap())
}

/// All that the visitor shows; a key that is shown twice fails the test.
fn visited(environ: &Environ) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    environ.visit(|key, value| {
        let name = key.write(&mut String::new()).to_owned();
        assert_eq!(all.insert(name.clone(), value.to_vec()), None, "{name} is visited twice");
    });
    all
}

#[test]
fn into_request_keeps_the_whole_target_the_shown_headers_and_the_body() {
    let request = Request::post("/app/x?q").header("x-user", "ann").header("connection", "close").header("x_evil", "1");
    let mut environ = environ_of(request, Bytes::from_static(b"hello").into());
    assert!(environ.mount("/app"));
    let request = environ.into_request();
    assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::POST, "/app/x?q"));
    assert_eq!(request.headers().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-user"]);
    assert_eq!(request.body().size_hint().exact(), Some(5));
    assert_eq!(block_on(request.into_body().read_all(5)).unwrap(), "hello");
}

#[test]
fn the_input_that_was_taken_leaves_an_empty_one() {
    let mut environ = environ_of(Request::post("/"), Bytes::from_static(b"hello").into());
    assert_eq!(block_on(environ.take_input().read_all(5)).unwrap(), "hello");
    assert!(environ.input().is_empty());
}

/// Names from few letters, so that they often meet: in repetitions, with `_`, in either case, and withheld ones.
fn any_header() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        4 => "[abAB_-]{1,3}",
        1 => proptest::sample::select(vec!["cookie", "proxy", "te", "connection", "content-type", "content-length", "host"])
            .prop_map(String::from),
    ];
    (name, "[ -~]{0,8}")
}

proptest! {
    #[test]
    fn visit_and_get_agree_for_any_headers(
        headers in prop::collection::vec(any_header(), 0..12),
        set in prop::collection::vec(("(HTTP_)?[ABab_.-]{1,3}", "[a-z]{0,3}"), 0..4),
        asked in prop::collection::vec("(HTTP_)?[ABab_.-]{1,3}", 0..20),
    ) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut environ = with_headers(&headers);
        for (key, value) in set {
            if environ.set(key.clone(), value.clone()).is_ok() {
                prop_assert_eq!(text(&environ, &key), Some(value));
            }
        }
        let all = visited(&environ);
        for (key, value) in &all {
            prop_assert_eq!(environ.get(key).map(Cow::into_owned), Some(value.clone()), "{}", key);
        }
        let fixed = CgiKey::ALL.iter().map(|key| key.name().to_owned());
        let mapped = headers.iter().map(|(name, _)| format!("HTTP_{}", name.to_uppercase().replace('-', "_")));
        for key in asked.into_iter().chain(fixed).chain(mapped) {
            prop_assert_eq!(environ.get(&key).map(Cow::into_owned), all.get(&key).cloned(), "{}", key);
        }
    }

    #[test]
    fn script_name_and_path_info_make_up_the_decoded_path(
        path in "(/|/a|/b|/%61|%2F|%2f|/%|%c3%a9|b){0,6}",
        prefix in "(/a|/b|/ab|/é|/){0,3}",
    ) {
        let path = format!("/{path}");
        let mut environ = get(&path);
        let before = environ.path_info().into_owned();
        let matched = environ.mount(&prefix);
        let mut whole = environ.script_name().into_owned().into_bytes();
        whole.extend_from_slice(&environ.path_info());
        prop_assert_eq!(&whole, &before);
        let next = before.strip_prefix(prefix.as_bytes()).map(|rest| rest.first().copied());
        prop_assert_eq!(matched, prefix.is_empty() || matches!(next, Some(None | Some(b'/'))));
    }
}
