//! Header blocks, whole and in pieces.

use proptest::prelude::*;

use super::*;

/// What a block comes to: what decides equality between two ways to feed it.
#[derive(Debug, PartialEq)]
enum Outcome {
    Head { status: u16, headers: HeaderMap, body: Vec<u8>, dropped: Vec<String> },
    Failed(HeadError),
}

fn read(pieces: &[&[u8]]) -> Outcome {
    read_with(Parser::default(), pieces)
}

fn read_with(mut parser: Parser, pieces: &[&[u8]]) -> Outcome {
    for (index, piece) in pieces.iter().enumerate() {
        match parser.feed(piece) {
            Ok(Some(head)) => {
                let body = [&head.rest, pieces[index + 1..].concat().as_slice()].concat();
                let status = head.status.code().as_u16();
                return Outcome::Head { status, headers: head.headers, body, dropped: head.dropped };
            }
            Ok(None) => {}
            Err(error) => return Outcome::Failed(error),
        }
    }
    Outcome::Failed(parser.ended())
}

fn status(block: &str) -> u16 {
    match read(&[block.as_bytes()]) {
        Outcome::Head { status, .. } => status,
        Outcome::Failed(error) => panic!("{block:?}: {error}"),
    }
}

fn failure(block: &[u8]) -> HeadError {
    match read(&[block]) {
        Outcome::Failed(error) => error,
        head => panic!("{}: {head:?}", block.escape_ascii()),
    }
}

#[test]
fn lf_and_crlf_may_be_mixed() {
    let Outcome::Head { headers, body, .. } = read(&[b"A: 1\r\nB:2\nLocation: /x \t\r\n\n\nbody\n"]) else { panic!() };
    assert_eq!(
        (&headers["a"], &headers["b"], &headers["location"]),
        (&"1".parse().unwrap(), &"2".parse().unwrap(), &"/x".parse().unwrap())
    );
    assert_eq!(body, b"\nbody\n");
}

#[test]
fn the_status_is_the_programs_or_200_or_302_with_a_location() {
    assert_eq!(status("Content-Type: a/b\n\n"), 200);
    assert_eq!(status("Status: 204\n\n"), 204);
    assert_eq!(status("sTaTuS:404 Not Found\n\n"), 404);
    assert_eq!(status("Location: http://e/x\n\n"), 302);
    assert_eq!(status("Location: http://e/x\nStatus: 301 Moved\n\n"), 301);
    assert_eq!(status("Status: 301 Moved\nLocation: http://e/x\n\n"), 301);
    assert_eq!(status("Status: 201\nLocation: http://e/x\n\n"), 201);
}

#[test]
fn a_bad_status_is_refused() {
    for bad in [
        "abc",
        "0",
        "99",
        "100",
        "103 Early Hints",
        "199",
        "600",
        "999",
        "200OK",
        "404: Not Found",
        "",
        "2000",
        "+20",
        "2 0",
    ] {
        assert!(matches!(failure(format!("Status: {bad}\n\n").as_bytes()), HeadError::Status(_)), "{bad:?}");
    }
}

#[test]
fn what_is_dangerous_is_refused() {
    assert!(matches!(failure(b"hello\n\n"), HeadError::NoColon(_)));
    assert!(matches!(failure(b"HTTP/1.1 200 OK\n\n"), HeadError::NoColon(_)));
    assert!(matches!(failure(b"A: x\0y\n\n"), HeadError::Control(_)));
    assert!(matches!(failure(b"A: x\ry\n\n"), HeadError::Control(_)));
    assert!(matches!(failure(b"A: x\x01y\n\n"), HeadError::Control(_)));
    assert!(matches!(failure(b"A: x\r\r\n\n"), HeadError::Control(_)));
    assert!(matches!(failure(b"A: x\n B: y\n\n"), HeadError::Folded(_)));
    assert!(matches!(failure(b"A: x\n\tB: y\n\n"), HeadError::Folded(_)));
    assert_eq!(failure(b"A: x\nTransfer-Encoding: identity\n\n"), HeadError::TransferEncoding);
}

#[test]
fn cgi_fields_and_the_length_come_once_and_others_repeat() {
    for name in ["Status: 200", "Location: /x", "Content-Type: a/b", "Content-Length: 1"] {
        assert!(matches!(failure(format!("{name}\n{name}\n\n").as_bytes()), HeadError::Twice(_)), "{name}");
    }
    let Outcome::Head { headers, .. } = read(&[b"Set-Cookie: a\nSet-Cookie: b\n\n"]) else { panic!() };
    assert_eq!(headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_name_that_is_no_token_and_a_hop_by_hop_field_are_dropped_and_reported() {
    let block =
        b"<!--: spam\nA : 1\nConnection: close\nUpgrade: x\nKeep-Alive: 1\nTrailer: x\nContent-Type: text/html\n\n";
    let Outcome::Head { headers, dropped, .. } = read(&[block]) else { panic!() };
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["content-type"]);
    assert_eq!(dropped.len(), 6);
    assert_eq!(dropped[0], "the field \"<!--\" was dropped: it is no field name");
    assert!(dropped[2].contains("connection"), "{dropped:?}");
}

#[test]
fn a_block_without_a_field_or_an_end_is_refused() {
    assert_eq!(failure(b""), HeadError::Empty);
    assert_eq!(failure(b"\nbody"), HeadError::NoField);
    assert_eq!(failure(b"<!--: spam\n\n"), HeadError::NoField);
    assert_eq!(failure(b"A: b\n"), HeadError::Truncated);
    assert_eq!(failure(b"A: b"), HeadError::Truncated);
}

#[test]
fn sizes_are_capped_before_the_block_is_complete() {
    let line = format!("A: {}\n\n", "x".repeat(LINE - 3));
    assert_eq!(status(&line), 200);
    assert_eq!(failure(format!("A: {}", "x".repeat(LINE)).as_bytes()), HeadError::TooLarge);
    assert_eq!(failure("A: b\n".repeat(BLOCK / 5 + 1).as_bytes()), HeadError::TooLarge);
    assert_eq!(failure("a:\n".repeat(100_000).as_bytes()), HeadError::TooLarge);
    assert_eq!(failure(&vec![b'x'; 1 << 20]), HeadError::TooLarge);
}

#[test]
fn a_status_may_come_in_two_writes() {
    let Outcome::Head { status, .. } = read(&[b"Status", b": 203\r", b"\n\r", b"\nrest"]) else { panic!() };
    assert_eq!(status, 203);
}

#[test]
fn a_whole_response_has_a_status_line_and_interim_ones_are_skipped() {
    let nph = |block: &[u8]| read_with(Parser::nph(), &[block]);
    let early =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.0 299 Hi There\r\nA: b\n\nbody";
    let Outcome::Head { status, headers, body, .. } = nph(early) else { panic!() };
    assert_eq!((status, headers.len(), &body[..]), (299, 1, &b"body"[..]));
    let Outcome::Head { status, dropped, .. } = nph(b"HTTP/1.1 200 OK\nStatus: 404\n\n") else { panic!() };
    assert_eq!((status, dropped.len()), (200, 1));
    for bad in ["HTTP/2 200 OK", "HTTP/1.1 200OK", "HTTP/1.1  200 OK", "HTTP/1.x 200 OK", "A: b", "", "HTTP/1.1 199x Y"]
    {
        let outcome = nph(format!("{bad}\n\n").as_bytes());
        assert!(matches!(outcome, Outcome::Failed(HeadError::Status(_))), "{bad:?}: {outcome:?}");
    }
    let chunked = nph(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n");
    assert_eq!(chunked, Outcome::Failed(HeadError::TransferEncoding));
}

#[test]
fn a_redirect_is_local_with_a_path_and_without_a_status() {
    let local = |block: &str| Parser::default().feed(block.as_bytes()).unwrap().unwrap().is_local_redirect;
    assert!(local("Location: /x?y\n\n") && local("A: b\nLocation: /\n\n"));
    for client in
        ["Location: http://e/x", "Location: x", "Location: /x\nStatus: 302 Found", "Status: 301\nLocation: /x"]
    {
        assert!(!local(&format!("{client}\n\n")), "{client}");
    }
}

/// Lines of which blocks are made: good, bad and borderline.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[A-Za-z-]{1,6}: ?[ -~]{0,12}".prop_map(String::into_bytes),
        1 => "(Status|Location|Content-Type|Connection): ?[0-9]{0,3}( [A-Z]{0,4})?".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => (LINE - 8..LINE + 8).prop_map(|length| [b"L: ".to_vec(), vec![b'x'; length]].concat()),
    ]
}

fn block() -> impl Strategy<Value = Vec<u8>> {
    let ending = prop_oneof![Just(&b"\n"[..]), Just(&b"\r\n"[..])];
    let body = prop::collection::vec(any::<u8>(), 0..40);
    (prop::collection::vec((line(), ending), 0..10), any::<bool>(), body).prop_map(|(lines, ended, body)| {
        let mut block: Vec<u8> = lines.into_iter().flat_map(|(line, ending)| [&line, ending].concat()).collect();
        if ended {
            block.push(b'\n');
        }
        block.extend(body);
        block
    })
}

proptest! {
    #[test]
    fn every_split_gives_what_the_whole_gives(block in block()) {
        let whole = read(&[&block]);
        // Every point of a small block, and a sample of a large one's.
        for split in (0..=block.len()).step_by(1 + block.len() / 256) {
            prop_assert_eq!(&read(&[&block[..split], &block[split..]]), &whole, "split at {}", split);
        }
        prop_assert_eq!(&read(&block.chunks(1).collect::<Vec<_>>()), &whole);
    }

    #[test]
    fn every_split_of_a_whole_response_gives_what_the_whole_gives(
        interim in 0..3usize,
        status in 95..605u16,
        block in block(),
    ) {
        let line = format!("{}HTTP/1.1 {status} X\r\n", "HTTP/1.1 102 P\nA: b\n\n".repeat(interim));
        let block = [line.as_bytes(), &block].concat();
        let whole = read_with(Parser::nph(), &[&block]);
        for split in (0..=block.len()).step_by(1 + block.len() / 256) {
            let parts = read_with(Parser::nph(), &[&block[..split], &block[split..]]);
            prop_assert_eq!(&parts, &whole, "split at {}", split);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        read(&[&bytes]);
    }
}
