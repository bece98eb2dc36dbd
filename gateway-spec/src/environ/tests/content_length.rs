//! CONTENT_LENGTH, which has to be true whatever becomes of the body.

use super::*;
use crate::{Error, Result};

/// A body of blocks, of unknown length.
struct Blocks(Vec<&'static str>);

impl http_body::Body for Blocks {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>>>> {
        let block = (!self.0.is_empty()).then(|| self.0.remove(0));
        std::task::Poll::Ready(block.map(|block| Ok(http_body::Frame::data(block.into()))))
    }
}

fn chunked(blocks: &[&'static str]) -> Environ {
    environ_of(Request::post("/").header("transfer-encoding", "chunked"), Input::new(Blocks(blocks.to_vec())))
}

#[test]
fn is_absent_without_a_body() {
    let mut environ = get("/");
    assert_eq!(environ.content_length(), None);
    block_on(environ.spool_input(10)).unwrap();
    assert_eq!(environ.content_length(), None);
}

#[test]
fn of_an_empty_body_that_was_declared_is_zero() {
    assert_eq!(with_headers(&[("content-length", "0")]).content_length(), Some(0));
}

#[test]
fn is_what_the_client_declared_while_the_body_arrives() {
    let request = Request::post("/").header("content-length", "7");
    let environ = environ_of(request, Input::new(Blocks(vec!["seven", "77"])));
    assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some("7"));
}

#[test]
fn that_is_no_number_is_absent() {
    let request = Request::post("/").header("content-length", "many");
    assert_eq!(environ_of(request, Input::new(Blocks(vec!["x"]))).content_length(), None);
}

#[test]
fn of_a_chunked_body_is_known_once_it_is_spooled() {
    for memory in [0, 4, 5, 100] {
        let mut environ = chunked(&["he", "", "llo"]);
        assert_eq!(environ.content_length(), None);
        block_on(environ.spool_input(memory)).unwrap();
        assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some("5"), "{memory}");
        assert_eq!(visited(&environ)["CONTENT_LENGTH"], b"5", "{memory}");
        assert_eq!(block_on(environ.input().read_all(5)).unwrap(), "hello", "{memory}");
    }
}

#[test]
fn of_an_empty_chunked_body_is_zero_once_it_is_spooled() {
    let mut environ = chunked(&[]);
    assert_eq!(environ.content_length(), None);
    block_on(environ.spool_input(100)).unwrap();
    assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some("0"));
}

#[test]
fn follows_a_body_that_middleware_has_put_in() {
    let mut environ = environ_of(Request::post("/").header("content-length", "3"), Input::new(Blocks(vec!["gz!"])));
    *environ.input() = Bytes::from_static(b"unpacked").into();
    assert_eq!(text(&environ, "CONTENT_LENGTH").as_deref(), Some("8"));
}
