//! What an application reads in an environ, key by key.

use std::{collections::BTreeMap, net::SocketAddr};

use block_on::block_on;
use http_body::Body as _;
use proptest::prelude::*;

use super::*;
use crate::{Host, Kind, Scheme};

#[path = "../../tests/support/block_on.rs"]
mod block_on;

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

mod keys {
    use super::*;

    #[test]
    fn every_key_of_the_table_follows_from_the_request() {
        let request = Request::post("/caf%C3%A9/a%2Fb?q=%20x&y")
            .header("host", "example.com:8080")
            .header("content-type", "text/plain")
            .header("content-length", "5");
        let mut environ = environ_of(request, Bytes::from_static(b"hello").into());
        assert!(environ.mount("/café"));
        let software = concat!("gateway/", env!("CARGO_PKG_VERSION"));
        let expected = [
            (CgiKey::RequestMethod, "POST"),
            (CgiKey::ScriptName, "/café"),
            (CgiKey::PathInfo, "/a/b"),
            (CgiKey::QueryString, "q=%20x&y"),
            (CgiKey::RequestUri, "/caf%C3%A9/a%2Fb?q=%20x&y"),
            (CgiKey::ContentType, "text/plain"),
            (CgiKey::ContentLength, "5"),
            (CgiKey::ServerName, "example.com"),
            (CgiKey::ServerPort, "8080"),
            (CgiKey::ServerProtocol, "HTTP/1.1"),
            (CgiKey::ServerSoftware, software),
            (CgiKey::RequestScheme, "http"),
            (CgiKey::RemoteAddr, "198.51.100.7"),
            (CgiKey::RemotePort, "40312"),
        ];
        for (key, value) in expected {
            assert_eq!(text(&environ, key.name()).as_deref(), Some(value), "{}", key.name());
        }
        let absent: Vec<_> = CgiKey::ALL.iter().filter(|key| expected.iter().all(|(named, _)| named != *key)).collect();
        assert_eq!(absent, [&CgiKey::Https], "a key is missing in this test");
        assert_eq!(text(&environ, "HTTPS"), None);
    }

    #[test]
    fn what_the_request_lacks_is_absent_and_not_empty() {
        let connection = Arc::new(Connection::new(Arc::new(Host::default()), Scheme::Http, None, None));
        let parts = Request::get("/").body(()).unwrap().into_parts().0;
        let environ = Environ::new(parts, Input::empty(), connection);
        for key in [
            "CONTENT_TYPE",
            "CONTENT_LENGTH",
            "HTTPS",
            "REMOTE_ADDR",
            "REMOTE_PORT",
            "HTTP_HOST",
            "REMOTE_USER",
            "HTTP_",
            "",
        ] {
            assert_eq!(environ.get(key), None, "{key}");
            assert!(!visited(&environ).contains_key(key), "{key}");
        }
    }

    #[test]
    fn what_pep_3333_requires_is_there_even_if_empty() {
        let environ = get("/");
        for (key, value) in [("SCRIPT_NAME", ""), ("PATH_INFO", "/"), ("QUERY_STRING", ""), ("REQUEST_URI", "/")] {
            assert_eq!(text(&environ, key).as_deref(), Some(value), "{key}");
            assert_eq!(visited(&environ)[key], value.as_bytes(), "{key}");
        }
    }

    #[test]
    fn tls_shows_in_scheme_https_and_default_port() {
        let connection = Arc::new(Connection::new(Arc::new(Host::default()), Scheme::Https, None, None));
        let parts = Request::get("/").body(()).unwrap().into_parts().0;
        let environ = Environ::new(parts, Input::empty(), connection);
        for (key, value) in
            [("HTTPS", "on"), ("REQUEST_SCHEME", "https"), ("SERVER_PORT", "443"), ("SERVER_NAME", "localhost")]
        {
            assert_eq!(text(&environ, key).as_deref(), Some(value), "{key}");
        }
    }

    #[test]
    fn the_protocol_is_the_clients() {
        for (version, protocol) in
            [(Version::HTTP_10, "HTTP/1.0"), (Version::HTTP_11, "HTTP/1.1"), (Version::HTTP_2, "HTTP/2.0")]
        {
            let environ = environ_of(Request::get("/").version(version), Input::empty());
            assert_eq!(text(&environ, "SERVER_PROTOCOL").as_deref(), Some(protocol));
        }
    }

    #[test]
    fn names_and_keys_are_one_to_one() {
        for key in CgiKey::ALL {
            assert_eq!(CgiKey::from_name(key.name()), Some(*key));
        }
        assert_eq!(CgiKey::from_name("request_method"), None);
    }

    #[test]
    fn targets_without_a_path_of_their_own_are_shown_as_they_are() {
        let asterisk = environ_of(Request::options("*"), Input::empty());
        assert_eq!(text(&asterisk, "PATH_INFO").as_deref(), Some("*"));
        assert_eq!(text(&asterisk, "REQUEST_URI").as_deref(), Some("*"));
        let absolute = get("http://example.com/?q");
        assert_eq!(text(&absolute, "PATH_INFO").as_deref(), Some("/"));
        assert_eq!(text(&absolute, "REQUEST_URI").as_deref(), Some("/?q"));
    }

    #[test]
    fn the_path_is_decoded_once_and_may_be_any_bytes() {
        assert_eq!(get("/%252e%FF%00%zz").path_info().as_ref(), b"/%2e\xff\0%zz");
        assert_eq!(get("/%252e%FF%00%zz").raw_path_info(), "/%252e%FF%00%zz");
    }
}

mod server_name {
    use super::*;

    #[test]
    fn comes_from_the_host_header_without_its_port() {
        for (host, name) in [
            ("example.com", "example.com"),
            ("example.com:8080", "example.com"),
            ("example.com:", "example.com"),
            ("203.0.113.9:80", "203.0.113.9"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:8443", "[2001:db8::1]"),
            ("[::1]:", "[::1]"),
        ] {
            assert_eq!(with_headers(&[("host", host)]).server_name(), name, "{host}");
        }
    }

    #[test]
    fn is_the_servers_own_address_if_no_host_is_named() {
        for headers in [&[][..], &[("host", "")], &[("host", ":8080")]] {
            assert_eq!(with_headers(headers).server_name(), "192.0.2.1", "{headers:?}");
        }
    }

    #[test]
    fn of_an_ipv6_address_is_in_brackets_and_of_a_mapped_one_is_ipv4() {
        let name = |local: &str| {
            let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, local.parse().ok(), None);
            connection.server_name().to_owned()
        };
        assert_eq!(name("[2001:db8::1]:80"), "[2001:db8::1]");
        assert_eq!(name("[::ffff:192.0.2.1]:80"), "192.0.2.1");
    }
}

mod headers {
    use super::*;

    #[test]
    fn names_are_mapped_to_upper_case_with_underscores() {
        let environ = with_headers(&[("User-Agent", "me"), ("x-a.b", "1"), ("X-Empty", "")]);
        assert_eq!(text(&environ, "HTTP_USER_AGENT").as_deref(), Some("me"));
        assert_eq!(text(&environ, "HTTP_X_A.B").as_deref(), Some("1"));
        assert_eq!(text(&environ, "HTTP_X_EMPTY").as_deref(), Some(""));
    }

    #[test]
    fn a_header_has_one_key_only() {
        let environ = with_headers(&[("x-token", "1")]);
        for key in ["HTTP_x_token", "HTTP_X-TOKEN", "HTTP_x-token", "http_x_token", "X_TOKEN", "x-token"] {
            assert_eq!(environ.get(key), None, "{key}");
        }
    }

    #[test]
    fn type_and_length_of_the_body_have_no_http_key() {
        let environ = with_headers(&[("content-type", "text/plain"), ("content-length", "0")]);
        for key in ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"] {
            assert_eq!(environ.get(key), None, "{key}");
            assert!(!visited(&environ).contains_key(key), "{key}");
        }
        assert!(environ.header("content-type").is_some());
    }

    /// Names that could pass for others, httpoxy's, and those of the connection.
    const WITHHELD: [&str; 12] = [
        "X_Foo",
        "Remote_User",
        "Proxy",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Proxy-Authorization",
        "Proxy-Authenticate",
        "Proxy-Connection",
    ];

    #[test]
    fn withheld_ones_are_found_by_no_way() {
        for name in WITHHELD {
            let environ = with_headers(&[(name, "secret"), ("x-shown", "1")]);
            let key = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
            assert_eq!(environ.get(&key), None, "{name}");
            assert!(!visited(&environ).contains_key(&key), "{name}");
            for spelling in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(environ.header(spelling.as_str()), None, "{spelling}");
            }
            assert_eq!(environ.headers().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-shown"], "{name}");
            assert_eq!(environ.raw_headers().len(), 2, "hosts see all");
            assert_eq!(environ.into_request().headers().len(), 1, "{name}");
        }
    }

    #[test]
    fn a_name_with_an_underscore_cannot_stand_in_for_another() {
        let environ = with_headers(&[("x_user", "evil"), ("x-user", "good")]);
        assert_eq!(text(&environ, "HTTP_X_USER").as_deref(), Some("good"));
        assert_eq!(visited(&environ)["HTTP_X_USER"], b"good");
    }

    #[test]
    fn repeated_ones_are_joined_and_cookies_by_semicolons() {
        let environ = with_headers(&[
            ("accept", "text/html"),
            ("cookie", "a=1"),
            ("x-single", "1"),
            ("accept", "image/png"),
            ("cookie", "b=2"),
            ("accept", "*/*"),
        ]);
        for (key, value) in
            [("HTTP_ACCEPT", "text/html, image/png, */*"), ("HTTP_COOKIE", "a=1; b=2"), ("HTTP_X_SINGLE", "1")]
        {
            assert_eq!(text(&environ, key).as_deref(), Some(value), "{key}");
            assert_eq!(visited(&environ)[key], value.as_bytes(), "{key}");
        }
        assert_eq!(environ.header("accept").unwrap(), "text/html");
    }

    #[test]
    fn values_may_be_any_bytes_that_http_allows() {
        let value = HeaderValue::from_bytes(b"caf\xe9").unwrap();
        let environ = environ_of(Request::get("/").header("x-latin", value), Input::empty());
        assert_eq!(environ.get("HTTP_X_LATIN").unwrap().as_ref(), b"caf\xe9");
    }
}

mod content_length {
    use super::*;

    /// A body of blocks, of unknown length.
    struct Blocks(Vec<&'static str>);

    impl http_body::Body for Blocks {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>>>> {
            let block = (!self.0.is_empty()).then(|| self.0.remove(0));
            std::task::Poll::Ready(block.map(|block| Ok(http_body::Frame::data(block.into()))))
        }
    }

    fn chunked(blocks: &[&'static str]) -> Environ {
        environ_of(Request::post("/").header("transfer-encoding", "chunked"), Input::new(Blocks(blocks.to_vec())))
    }

    #[test]
    fn is_absent_without_a_body() {
        let mut environ = get("/");
        assert_eq!(environ.content_length(), None);
        block_on(environ.spool_input(10)).unwrap();
        assert_eq!(environ.content_length(), None);
    }

    #[test]
    fn of_an_empty_body_that_was_declared_is_zero() {
        assert_eq!(with_headers(&[("content-length", "0")]).content_length(), Some(0));
    }

    #[test]
    fn is_what_the_client_declared_while_the_body_arrives() {
        let request = Request::post("/").header("content-length", "7");
        let environ = environ_of(request, Input::new(Blocks(vec!["seven", "77"])));
        assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some("7"));
    }

    #[test]
    fn that_is_no_number_is_absent() {
        let request = Request::post("/").header("content-length", "many");
        assert_eq!(environ_of(request, Input::new(Blocks(vec!["x"]))).content_length(), None);
    }

    #[test]
    fn of_a_chunked_body_is_known_once_it_is_spooled() {
        for memory in [0, 4, 5, 100] {
            let mut environ = chunked(&["he", "", "llo"]);
            assert_eq!(environ.content_length(), None);
            block_on(environ.spool_input(memory)).unwrap();
            assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some("5"), "{memory}");
            assert_eq!(visited(&environ)["CONTENT_LENGTH"], b"5", "{memory}");
            assert_eq!(block_on(environ.input().read_all(5)).unwrap(), "hello", "{memory}");
        }
    }

    #[test]
    fn of_an_empty_chunked_body_is_zero_once_it_is_spooled() {
        let mut environ = chunked(&[]);
        assert_eq!(environ.content_length(), None);
        block_on(environ.spool_input(100)).unwrap();
        assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some("0"));
    }

    #[test]
    fn follows_a_body_that_middleware_has_put_in() {
        let mut environ = environ_of(Request::post("/").header("content-length", "3"), Input::new(Blocks(vec!["gz!"])));
        *environ.input() = Bytes::from_static(b"unpacked").into();
        assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some("8"));
    }
}

mod mount {
    use super::*;

    /// SCRIPT_NAME and PATH_INFO of `target` behind `prefixes`, or None if one of them does not match.
    fn split(target: &str, prefixes: &[&str]) -> Option<(String, String)> {
        let mut environ = get(target);
        let whole = environ.raw_target().to_owned();
        let matched = prefixes.iter().all(|prefix| environ.mount(prefix));
        assert_eq!(environ.raw_target(), whole, "mounting changes no REQUEST_URI");
        matched.then(|| (text(&environ, "SCRIPT_NAME").unwrap(), text(&environ, "PATH_INFO").unwrap()))
    }

    fn pair(script_name: &str, path_info: &str) -> Option<(String, String)> {
        Some((script_name.into(), path_info.into()))
    }

    #[test]
    fn takes_whole_segments_only() {
        assert_eq!(split("/app", &["/app"]), pair("/app", ""));
        assert_eq!(split("/app/", &["/app"]), pair("/app", "/"));
        assert_eq!(split("/app/x?q", &["/app"]), pair("/app", "/x"));
        assert_eq!(split("/app//x", &["/app"]), pair("/app", "//x"));
        for target in ["/appother", "/ap", "/", "/APP", "/x/app", "*"] {
            assert_eq!(split(target, &["/app"]), None, "{target}");
        }
    }

    #[test]
    fn compares_what_the_path_means_and_not_how_it_is_spelt() {
        assert_eq!(split("/%61pp/x", &["/app"]), pair("/app", "/x"));
        assert_eq!(split("/%61%70%70", &["/app"]), pair("/app", ""));
        assert_eq!(split("/app%2Fx", &["/app"]), pair("/app", "/x"));
        assert_eq!(split("/caf%c3%A9/x", &["/café"]), pair("/café", "/x"));
        assert_eq!(split("/app%6fther", &["/app"]), None);
        assert_eq!(split("/%2561pp", &["/app"]), None, "decoded once only");
    }

    #[test]
    fn nests() {
        assert_eq!(split("/a/b/c", &["/a", "/b"]), pair("/a/b", "/c"));
        assert_eq!(split("/%61/b", &["/a", "/b"]), pair("/a/b", ""));
        assert_eq!(split("/a/b", &["/a", "/a"]), None);
        assert_eq!(split("/a/b", &["/b"]), None);
    }

    #[test]
    fn at_the_empty_prefix_matches_everything_and_moves_nothing() {
        for target in ["/", "/app", "//", "*"] {
            assert_eq!(split(target, &[""]), pair("", target), "{target}");
        }
        assert_eq!(split("/app", &["/app", ""]), pair("/app", ""));
    }

    #[test]
    fn that_does_not_match_changes_nothing() {
        let mut environ = get("/app/x");
        assert!(!environ.mount("/apple"));
        assert_eq!((environ.script_name().as_ref(), environ.raw_path_info()), ("", "/app/x"));
        assert!(environ.mount("/app"));
        assert_eq!((environ.script_name().as_ref(), environ.raw_path_info()), ("/app", "/x"));
    }
}

mod set {
    use super::*;

    #[test]
    fn is_seen_by_get_and_visit() {
        let mut environ = with_headers(&[("x-user", "1"), ("x-user", "2")]);
        for (key, value) in [("REMOTE_USER", "ann"), ("acme.id", "7"), ("HTTP_X_USER", "3"), ("HTTP_X_NEW", "4")] {
            environ.set(key, value).unwrap();
            assert_eq!(text(&environ, key).as_deref(), Some(value), "{key}");
            assert_eq!(visited(&environ)[key], value.as_bytes(), "{key}");
        }
        assert_eq!(environ.header("x-user").unwrap(), "3");
        environ.set("REMOTE_USER", "bob").unwrap();
        assert_eq!(visited(&environ)["REMOTE_USER"], b"bob");
    }

    #[test]
    fn refuses_keys_that_follow_from_the_request() {
        let mut environ = get("/");
        for key in CgiKey::ALL {
            assert_eq!(environ.set(key.name(), "1").unwrap_err().kind(), Kind::Head, "{}", key.name());
        }
        for key in ["HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"] {
            assert_eq!(environ.set(key, "1").unwrap_err().kind(), Kind::Head, "{key}");
        }
        assert_eq!(environ.content_length(), None);
    }

    #[test]
    fn refuses_what_could_not_be_seen_again() {
        let mut environ = get("/");
        for key in
            ["", "A=B", "A\0", "HTTP_", "HTTP_A B", "HTTP_x_user", "HTTP_X-USER", "HTTP_PROXY", "HTTP_CONNECTION"]
        {
            assert_eq!(environ.set(key, "1").unwrap_err().kind(), Kind::Head, "{key:?}");
        }
        assert_eq!(environ.set("HTTP_X_USER", "a\r\nb: c").unwrap_err().kind(), Kind::Head);
        assert_eq!(visited(&environ), visited(&get("/")));
    }
}

mod extensions {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct RequestId(u32);

    impl Extension for RequestId {
        const KEY: &'static str = "acme.request_id";

        fn text(&self) -> Option<Cow<'_, str>> {
            (self.0 > 0).then(|| self.0.to_string().into())
        }
    }

    #[test]
    fn are_found_by_their_type_and_their_text_by_key() {
        let mut environ = get("/");
        assert_eq!(environ.extension::<RequestId>(), None);
        environ.insert(RequestId(7));
        assert_eq!(environ.extension(), Some(&RequestId(7)));
        assert_eq!(text(&environ, RequestId::KEY).as_deref(), Some("7"));
        environ.insert(RequestId(8));
        assert_eq!(visited(&environ)[RequestId::KEY], b"8");
    }

    #[test]
    fn without_text_have_no_key() {
        let mut environ = get("/");
        environ.insert(RequestId(7));
        environ.insert(RequestId(0));
        assert_eq!(environ.extension(), Some(&RequestId(0)));
        assert_eq!(environ.get(RequestId::KEY), None);
    }

    #[test]
    fn of_the_http_request_do_not_show() {
        let mut request = Request::get("/").body(()).unwrap();
        request.extensions_mut().insert(RequestId(7));
        let environ = Environ::new(request.into_parts().0, Input::empty(), connection());
        assert_eq!(environ.extension::<RequestId>(), None);
    }
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
