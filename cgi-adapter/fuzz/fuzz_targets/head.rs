//! Header blocks of hostile programs: whatever they write, and in whatever pieces, the parser comes to one result, within
//! its bounds, and what it lets through can be sent.

#![no_main]

// The parser itself, which is not public.
#[allow(dead_code, unreachable_pub)]
#[path = "../../src/head.rs"]
mod head;

use gateway_spec::StartResponse;
use head::{Head, HeadError, Parser};
use libfuzzer_sys::fuzz_target;

/// The largest block there is.
const BLOCK: usize = 64 * 1024;

fn parser(nph: bool) -> Parser {
    if nph { Parser::nph() } else { Parser::default() }
}

/// What comes of the pieces, and how many bytes were taken.
fn feed<'a>(nph: bool, pieces: impl Iterator<Item = &'a [u8]>) -> (Result<Option<Head>, HeadError>, usize) {
    let (mut parser, mut taken) = (parser(nph), 0);
    for piece in pieces {
        taken += piece.len();
        match parser.feed(piece) {
            Ok(None) => {}
            result => return (result, taken),
        }
    }
    (Ok(None), taken)
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (nph, size, bytes) = input;
    let (whole, _) = feed(nph, std::iter::once(bytes));
    let (parts, taken) = feed(nph, bytes.chunks(usize::from(size) + 1));
    match (whole, parts) {
        (Ok(None), Ok(None)) => assert!(bytes.len() <= BLOCK),
        (Err(whole), Err(parts)) => assert_eq!(whole, parts),
        (Ok(Some(whole)), Ok(Some(parts))) => {
            assert_eq!((&whole.status, &whole.headers, &whole.dropped), (&parts.status, &parts.headers, &parts.dropped));
            let rest = bytes.len() - whole.rest.len();
            assert!(rest <= BLOCK && taken - parts.rest.len() == rest);
            // A Transfer-Encoding, an interim status or a field of the connection would be refused here.
            assert!((200..600).contains(&whole.status.code().as_u16()));
            drop(StartResponse::new().start(whole.status, whole.headers).expect("a head that can be sent"));
        }
        (whole, parts) => panic!("in one piece {whole:?}, in parts {parts:?}"),
    }
});
