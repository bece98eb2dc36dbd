//! What middleware sets.

use super::*;
use crate::Kind;

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
    for key in ["", "A=B", "A\0", "HTTP_", "HTTP_A B", "HTTP_x_user", "HTTP_X-USER", "HTTP_PROXY", "HTTP_CONNECTION"] {
        assert_eq!(environ.set(key, "1").unwrap_err().kind(), Kind::Head, "{key:?}");
    }
    assert_eq!(environ.set("HTTP_X_USER", "a\r\nb: c").unwrap_err().kind(), Kind::Head);
    assert_eq!(visited(&environ), visited(&get("/")));
}
