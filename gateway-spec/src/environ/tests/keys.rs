//! The table of fixed keys.

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
