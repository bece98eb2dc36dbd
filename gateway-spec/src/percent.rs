//! Percent-decoding (RFC 3986, section 2.1), done exactly once, on demand.

use std::borrow::Cow;

/// Decodes every `%XX`; what is no valid escape stays as it is. Borrows unless there is a `%`.
pub(crate) fn decode(raw: &str) -> Cow<'_, [u8]> {
    if !raw.as_bytes().contains(&b'%') {
        return Cow::Borrowed(raw.as_bytes());
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((byte, after)) = next(rest) {
        decoded.push(byte);
        rest = after;
    }
    Cow::Owned(decoded)
}

/// The same for what is known to be text once it is decoded.
pub(crate) fn decode_text(raw: &str) -> Cow<'_, str> {
    match decode(raw) {
        Cow::Owned(text) => Cow::Owned(String::from_utf8_lossy(&text).into_owned()),
        Cow::Borrowed(_) => Cow::Borrowed(raw),
    }
}

/// How many bytes of `raw` decode to exactly `prefix`, if it begins with that.
pub(crate) fn strip(raw: &str, prefix: &str) -> Option<usize> {
    let mut rest = raw.as_bytes();
    for wanted in prefix.bytes() {
        let (byte, after) = next(rest)?;
        if byte != wanted {
            return None;
        }
        rest = after;
    }
    Some(raw.len() - rest.len())
}

/// The first decoded byte and what follows it.
pub(crate) fn next(rest: &[u8]) -> Option<(u8, &[u8])> {
    match rest {
        [b'%', high, low, after @ ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => Some((high << 4 | low, after)),
            _ => Some((b'%', &rest[1..])),
        },
        [byte, after @ ..] => Some((*byte, after)),
        [] => None,
    }
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once_and_leaves_broken_escapes_alone() {
        assert_eq!(decode("/a%2Fb%C3%A9").as_ref(), b"/a/b\xc3\xa9");
        assert_eq!(decode("/%252e").as_ref(), b"/%2e");
        assert_eq!(decode("/%zz%4").as_ref(), b"/%zz%4");
        assert!(matches!(decode("/plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn strips_what_decodes_to_the_prefix() {
        assert_eq!(strip("/%61pp/x", "/app"), Some(6));
        assert_eq!(strip("/ap", "/app"), None);
        assert_eq!(strip("/x", ""), Some(0));
    }
}
