//! The arguments of a program: none, but for the indexed queries of RFC 3875, section 4.4.

use gateway_spec::Environ;
use http::Method;

use crate::resolve::decode;

/// The words of an indexed query: of a GET or HEAD whose query has no `=` that is not encoded. If one of them cannot be
/// an argument there are none, and none begins with `-`, which a program would take for an option.
pub(crate) fn words(environ: &Environ) -> Vec<Vec<u8>> {
    let query = environ.query();
    if !matches!(*environ.method(), Method::GET | Method::HEAD) || query.is_empty() || query.contains('=') {
        return Vec::new();
    }
    let word = |raw| decode(raw).filter(|word| !word.is_empty() && !word.starts_with(b"-") && !word.contains(&b'\0'));
    query.split('+').map(word).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_spec::{Connection, Host, Input, Scheme};

    use super::*;

    fn of(method: &str, query: &str) -> Vec<String> {
        let request = http::Request::builder().method(method).uri(format!("/s?{query}")).body(()).unwrap();
        let connection = Arc::new(Connection::new(Arc::new(Host::default()), Scheme::Http, None, None));
        let environ = Environ::new(request.into_parts().0, Input::empty(), connection);
        words(&environ).into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn words_are_split_and_decoded() {
        assert_eq!(of("GET", "foo+bar%20x"), ["foo", "bar x"]);
        assert_eq!(of("HEAD", "a%2Fb+a%3Db+..+%2B"), ["a/b", "a=b", "..", "+"]);
    }

    #[test]
    fn if_one_word_cannot_be_passed_none_is() {
        for query in ["", "a=b", "a+b=c", "-s", "a+-d", "%2Ds", "a+%00", "a+%zz", "a++b", "+", "a+%4"] {
            assert_eq!(of("GET", query), [""; 0], "{query}");
        }
        assert_eq!(of("POST", "a+b"), [""; 0]);
    }
}
