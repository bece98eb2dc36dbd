//! A request, and the answer that must come: its status, its headers, its body, byte for byte.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// What is asked over and over.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    pub(super) expected: Expected,
}

/// What must be answered.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) status: StatusCode,
    /// Headers that must be there with these values and no others. Servers may add headers of their own.
    pub(super) headers: Vec<(HeaderName, Vec<HeaderValue>)>,
    pub(super) body: ExpectedBody,
}

#[derive(Clone, Debug)]
pub(super) enum ExpectedBody {
    Exactly(Bytes),
    /// These are among its lines.
    Lines(Vec<Bytes>),
    /// It is another one each time.
    Any,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Headers that are the connection's and not the application's, or change by themselves.
const IGNORED: [HeaderName; 4] =
    [header::CONNECTION, header::DATE, header::TRANSFER_ENCODING, HeaderName::from_static("keep-alive")];

impl ExpectedBody {
    /// The body itself, if it is always the same.
    pub(super) fn exactly(&self) -> Option<&Bytes> {
        match self {
            ExpectedBody::Exactly(body) => Some(body),
            ExpectedBody::Lines(_) | ExpectedBody::Any => None,
        }
    }
}

impl Expected {
    /// Makes what an application has answered twice the measure for all further answers. What was different between the
    /// two is left out.
    pub(super) fn learn(first: &Answer, second: &Answer) -> Self {
        let values =
            |answer: &Answer, name: &HeaderName| answer.headers.get_all(name).iter().cloned().collect::<Vec<_>>();
        let is_same = first.body == second.body;
        // Of a body that changes only the type can be expected to stay.
        let counts = |name: &HeaderName| if is_same { !IGNORED.contains(name) } else { *name == header::CONTENT_TYPE };
        let same = |name: &&HeaderName| counts(name) && values(first, name) == values(second, name);
        let headers = first.headers.keys().filter(same).map(|name| (name.clone(), values(first, name))).collect();
        let body = if is_same { ExpectedBody::Exactly(first.body.clone()) } else { ExpectedBody::Any };
        Expected { status: first.status, headers, body }
    }

    /// # Errors
    /// What is wrong with the answer's head.
    pub(super) fn check_head(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), String> {
        if status != self.status {
            return Err(format!("answers {status} where {} is right", self.status));
        }
        for (name, values) in &self.headers {
            let given = headers.get_all(name);
            // A server may send a body in chunks in spite of a length; the body is checked all the same.
            let chunked = name == header::CONTENT_LENGTH && headers.contains_key(header::TRANSFER_ENCODING);
            if !given.iter().eq(values) && !chunked {
                let given: Vec<_> = given.iter().collect();
                return Err(format!("answers {name}: {given:?} where {values:?} is right"));
            }
        }
        Ok(())
    }

    /// # Errors
    /// What is wrong with the answer's body.
    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), String> {
        match &self.body {
            ExpectedBody::Exactly(right) if right == body => Ok(()),
            ExpectedBody::Exactly(right) => Err(difference(body, right)),
            ExpectedBody::Lines(right) => {
                let lines: std::collections::HashSet<_> = body.split(|&byte| byte == b'\n').collect();
                match right.iter().find(|line| !lines.contains(&line[..])) {
                    None => Ok(()),
                    Some(missing) => Err(format!("answers without the line {:?}", String::from_utf8_lossy(missing))),
                }
            }
            ExpectedBody::Any => Ok(()),
        }
    }
}

fn difference(given: &[u8], right: &[u8]) -> String {
    if given.len() != right.len() {
        return format!("answers {} bytes where {} are right", given.len(), right.len());
    }
    let at = given.iter().zip(right).take_while(|(given, right)| given == right).count();
    format!("answers another body: byte {at} of {} is wrong", right.len())
}

#[cfg(test)]
mod tests {
    use super::{super::work::Work, *};

    fn answer(headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
        let pair = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        Answer { status: StatusCode::OK, headers: headers.iter().map(pair).collect(), body: body.into() }
    }

    fn check(expected: &Expected, answer: &Answer) -> Result<(), String> {
        expected.check_head(answer.status, &answer.headers)?;
        expected.check_body(&answer.body)
    }

    #[test]
    fn status_headers_and_every_byte_count() {
        let expected = Work::Hello.exchange(0).expected;
        let right = [("content-type", "text/plain"), ("content-length", "13"), ("server", "any")];
        assert_eq!(check(&expected, &answer(&right, "Hello, World!")), Ok(()));
        let wrong = check(&expected, &answer(&right, "Hello, world!")).unwrap_err();
        assert!(wrong.contains("byte 7"), "{wrong}");
        assert!(check(&expected, &answer(&right, "Hello")).unwrap_err().contains("5 bytes where 13"));
        assert!(check(&expected, &answer(&right[1..], "Hello, World!")).unwrap_err().contains("content-type"));
        let twice = [right[0], right[0], right[1]];
        assert!(check(&expected, &answer(&twice, "Hello, World!")).is_err());
        let lost = Answer { status: StatusCode::NOT_FOUND, ..answer(&right, "Hello, World!") };
        assert!(check(&expected, &lost).unwrap_err().contains("404"));
    }

    #[test]
    fn a_length_may_be_replaced_by_chunks_and_not_left_out() {
        let expected = Work::Hello.exchange(0).expected;
        let chunked = [("content-type", "text/plain"), ("transfer-encoding", "chunked")];
        assert_eq!(check(&expected, &answer(&chunked, "Hello, World!")), Ok(()));
        assert!(check(&expected, &answer(&chunked[..1], "Hello, World!")).is_err());
    }

    #[test]
    fn lines_may_come_in_any_order_among_others() {
        let expected = Work::Environ.exchange(0).expected;
        let head = [("content-type", "text/plain")];
        let body = "X=1\nSERVER_PROTOCOL=HTTP/1.1\nPATH_INFO=/environ\nQUERY_STRING=a=1&b=two\nREQUEST_METHOD=GET\n";
        assert_eq!(check(&expected, &answer(&head, body)), Ok(()));
        assert!(check(&expected, &answer(&head, "REQUEST_METHOD=GET\n")).unwrap_err().contains("PATH_INFO"));
    }

    #[test]
    fn what_two_answers_have_in_common_is_what_is_expected() {
        let first = answer(&[("date", "a"), ("etag", "1"), ("x-id", "1")], "same");
        let second = answer(&[("date", "b"), ("etag", "1"), ("x-id", "2")], "same");
        let learned = Expected::learn(&first, &second);
        assert_eq!(check(&learned, &answer(&[("etag", "1")], "same")), Ok(()));
        assert!(check(&learned, &answer(&[("etag", "2")], "same")).is_err());
        assert!(check(&learned, &answer(&[("etag", "1")], "other")).is_err());
        let changing = Expected::learn(&first, &Answer { body: "time".into(), ..second });
        assert_eq!(check(&changing, &answer(&[("etag", "2"), ("content-length", "8")], "anything")), Ok(()));
    }
}
