//! Headers and their `HTTP_*` keys.

use http::HeaderValue;

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
