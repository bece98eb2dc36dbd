//! Typed values.

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
