//! A request's body for code that blocks.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    io::{BufRead, ErrorKind, Read},
    pin::pin,
    sync::{Arc, Mutex, mpsc::channel},
    task::{Context, Poll, Waker},
    thread,
};

use bytes::Bytes;
use gateway_spec::{Error, Input, Kind, Result, StartResponse, Writer, blocking::Threads};
use support::{
    Script,
    block_on::{BOUND, block_on},
    pattern,
};

/// A body that arrives when the writer is given its blocks, and ends never.
fn arriving() -> (Input, Writer) {
    let place = Arc::new(Mutex::new(None));
    let given = place.clone();
    let response = StartResponse::new().start(200, ()).unwrap().write(async move |out| {
        *given.lock().unwrap() = Some(out);
        std::future::pending().await
    });
    let mut input = Input::new(response.into_parts().2);
    // The block runs, and gives the writer away, once it is polled.
    let poll = pin!(input.chunk()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Pending));
    let writer = place.lock().unwrap().take().unwrap();
    (input, writer)
}

#[test]
fn reads_every_byte_of_any_source() {
    let content = pattern(200_000);
    let streamed = || Input::new(Script::of(content.chunks(777).map(Bytes::copy_from_slice)));
    let file = block_on(streamed().spool(0, &(Arc::new(Threads::new(1, 1)) as _))).unwrap();
    for input in [streamed(), Bytes::from(content.clone()).into(), file] {
        let text = format!("{input:?}");
        let mut all = Vec::new();
        let mut reader = input.reader();
        reader.read_to_end(&mut all).unwrap();
        assert!(all == content, "{text}");
        assert_eq!(reader.read(&mut [0; 9]).unwrap(), 0, "{text}: stays at its end");
    }
}

#[test]
fn reads_lines_across_blocks() {
    let reader = Input::new(Script::of(["one\nt", "wo\r\n", "\nend"])).reader();
    assert_eq!(reader.lines().map(std::result::Result::unwrap).collect::<Vec<_>>(), ["one", "two", "", "end"]);
}

#[test]
fn knows_how_much_is_left() {
    let mut reader = Input::from(Bytes::from("hello")).reader();
    assert_eq!((reader.len(), reader.is_empty()), (Some(5), false));
    reader.read_exact(&mut [0; 3]).unwrap();
    assert_eq!(reader.len(), Some(2));
    reader.read_exact(&mut [0; 2]).unwrap();
    assert!(reader.is_empty());
    assert_eq!(Input::new(Script::of(["x"])).reader().len(), None);
}

#[test]
fn waits_for_what_has_not_arrived() {
    let (input, mut writer) = arriving();
    let (tell, told) = channel();
    let reading = thread::spawn(move || {
        let mut buffer = [0; 4];
        let mut reader = input.reader();
        tell.send(()).unwrap();
        reader.read_exact(&mut buffer).unwrap();
        buffer
    });
    told.recv_timeout(BOUND).unwrap();
    block_on(async {
        writer.write("ab").await?;
        writer.write("cd").await
    })
    .unwrap();
    assert_eq!(&reading.join().unwrap(), b"abcd");
}

#[test]
fn reports_a_body_that_breaks_off_as_an_error_for_ever() {
    for (kind, expected) in [
        (Kind::Disconnected, ErrorKind::ConnectionAborted),
        (Kind::RequestTimeout, ErrorKind::TimedOut),
        (Kind::TooLarge, ErrorKind::InvalidData),
    ] {
        let broken: Result<_> = Err(Error::from(kind));
        let mut reader = Input::new(Script::of(["begun"]).then(broken)).reader();
        reader.read_exact(&mut [0; 5]).unwrap();
        for _ in 0..3 {
            assert_eq!(reader.read(&mut [0; 5]).unwrap_err().kind(), expected);
        }
    }
}
