//! Bodies in both directions: exact, unmodified, and never a reason to hang.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{future::poll_fn, pin::pin};

use bytes::Bytes;
use common::{Answer, Site, chunked};
use gateway_spec::{App, Input, StartResponse};
use http::Request;
use http_body::Body as _;

/// Says what CONTENT_LENGTH is, and gives the body back.
const ECHO: &str = r#"printf 'X-Length: %s\n\n' "${CONTENT_LENGTH-unset}"; cat"#;

/// Bytes of every value in no short period.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    next.take(length).collect()
}

fn in_blocks(body: &[u8]) -> Input {
    chunked(body.chunks(10_000).map(Bytes::copy_from_slice).collect())
}

#[tokio::test]
async fn a_chunked_body_arrives_whole_with_its_exact_length() {
    let site = Site::sh(ECHO);
    for length in [1, 65_535, 65_536, 65_537, 70_000, 300_000, 10 << 20] {
        let body = noise(length);
        let request = Request::post("/cgi-bin/p").header("transfer-encoding", "chunked");
        let answer = site.send_body(request, in_blocks(&body)).await;
        assert_eq!(answer.headers["x-length"], length.to_string().as_str());
        assert!(answer.error.is_none() && answer.body == body, "{length} bytes came back as {}", answer.body.len());
    }
}

#[tokio::test]
async fn a_body_in_memory_of_any_size_arrives_whole() {
    let site = Site::sh(ECHO);
    for length in [1, 65_536, 1 << 20] {
        let body = noise(length);
        let request = Request::post("/cgi-bin/p").header("content-length", length);
        let answer = site.send_body(request, Bytes::from(body.clone()).into()).await;
        assert_eq!(answer.headers["x-length"], length.to_string().as_str());
        assert!(answer.body == body, "{length} bytes came back as {}", answer.body.len());
    }
}

#[tokio::test]
async fn content_length_is_there_if_and_only_if_there_is_a_body() {
    let site = Site::sh(ECHO);
    assert_eq!(site.get("/cgi-bin/p").await.headers["x-length"], "unset");
    assert_eq!(site.send(Request::post("/cgi-bin/p")).await.headers["x-length"], "unset");
    assert_eq!(site.send(Request::post("/cgi-bin/p").header("content-length", 0)).await.headers["x-length"], "0");
    let request = Request::post("/cgi-bin/p").header("transfer-encoding", "chunked");
    assert_eq!(site.send_body(request, chunked(Vec::new())).await.headers["x-length"], "0");
}

#[tokio::test]
async fn what_middleware_has_read_is_not_read_again() {
    let site = Site::sh(ECHO);
    for body in [b"first\nsecond\nthird".to_vec(), [b"first\n".to_vec(), noise(200_000)].concat()] {
        let mut environ = site.environ(Request::post("/cgi-bin/p"), in_blocks(&body));
        assert_eq!(environ.input().line(100).await.unwrap().unwrap(), "first\n");
        let answer = Answer::of(site.cgi.call(environ, StartResponse::new()).await).await;
        assert_eq!(answer.headers["x-length"], (body.len() - 6).to_string().as_str());
        assert!(answer.body == body[6..]);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_starts_no_program() {
    let site = Site::sh("touch ran; printf 'A: b\n\n'");
    struct Broken;
    impl http_body::Body for Broken {
        type Data = Bytes;
        type Error = gateway_spec::Error;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<gateway_spec::Result<http_body::Frame<Bytes>>>> {
            std::task::Poll::Ready(Some(Err(gateway_spec::Kind::BadRequest.into())))
        }
    }
    let answer = site.send_body(Request::post("/cgi-bin/p"), Input::new(Broken)).await;
    assert_eq!(answer.status, 400);
    assert!(!site.path("ran").exists());
}

#[tokio::test]
async fn a_program_need_not_read_its_input() {
    let site = Site::sh(r"printf 'A: b\n\nignored'");
    let answer = site.send_body(Request::post("/cgi-bin/p"), in_blocks(&noise(10 << 20))).await;
    assert_eq!(answer.text(), "ignored");
}

#[tokio::test]
async fn a_program_may_write_much_before_it_reads() {
    let site = Site::sh(r"printf 'A: b\n\n'; head -c 1000000 /dev/zero; cat");
    let body = noise(1 << 20);
    let answer = site.send_body(Request::post("/cgi-bin/p"), in_blocks(&body)).await;
    assert!(answer.error.is_none() && answer.body[1_000_000..] == body);
}

#[tokio::test]
async fn standard_error_is_drained_before_the_head_logged_by_lines_and_bounded() {
    let site =
        Site::sh(r"echo first >&2; printf 'a\033[2J\r\n' >&2; yes flood | head -c 2000000 >&2; printf 'A: b\n\ndone'");
    assert_eq!(site.get("/cgi-bin/p").await.text(), "done");
    let log = site.log.plain();
    assert_eq!(log[..3], ["p: first", "p: a\u{fffd}[2J", "p: flood"]);
    let size: usize = log.iter().map(String::len).sum();
    assert!((60_000..200_000).contains(&size), "{size} bytes were logged");
    let said = log.iter().filter(|line| line.contains("the rest is not logged")).count();
    assert_eq!((said, log.last().unwrap().contains("the rest")), (1, true));
}

#[tokio::test]
async fn standard_error_is_drained_while_the_body_is_sent_and_half_a_line_is_a_line() {
    let site = Site::sh(r"printf 'A: b\n\n'; head -c 200000 /dev/zero >&2; head -c 200000 /dev/zero; printf end >&2");
    let answer = site.get("/cgi-bin/p").await;
    assert!(answer.error.is_none() && answer.body.len() == 200_000);
    let site = Site::sh(r"printf 'A: b\n\n'; printf end >&2");
    site.get("/cgi-bin/p").await.text();
    common::until("the last line is logged", || site.log.plain() == ["p: end"]).await;
}

#[tokio::test]
async fn what_a_program_says_before_it_fails_is_logged_before_the_failure_is_known() {
    let site = Site::sh("echo reason >&2; exit 1");
    assert_eq!(site.get("/cgi-bin/p").await.status, 502);
    let log = site.log.plain();
    assert_eq!(log[0], "p: reason");
    assert!(
        log[1].starts_with("p: it ended badly (exit status: 1 after ") && log[1].ends_with(" ms; it said: reason)")
    );
    assert_eq!(log.len(), 2);
}

#[tokio::test]
async fn blocks_arrive_while_the_program_runs() {
    let site = Site::sh(r"printf 'A: b\n\none'; until test -e go; do sleep 0.01; done; printf two");
    let (_, _, body) = site.response(Request::get("/cgi-bin/p"), Input::empty()).await.unwrap().into_parts();
    let mut body = pin!(body);
    let mut frame =
        async || poll_fn(|cx| body.as_mut().poll_frame(cx)).await.map(|frame| frame.unwrap().into_data().unwrap());
    assert_eq!(frame().await.unwrap(), "one");
    std::fs::write(site.path("go"), "").unwrap();
    assert_eq!(frame().await.unwrap(), "two");
    assert_eq!((frame().await, frame().await), (None, None));
}

#[tokio::test]
async fn the_last_line_and_an_empty_body_are_left_as_they_are() {
    assert_eq!(Site::sh(r"printf 'A: b\n\nno newline'").get("/cgi-bin/p").await.text(), "no newline");
    assert_eq!(Site::sh(r"printf 'A: b\n\n\r\n\n'").get("/cgi-bin/p").await.text(), "\r\n\n");
    assert_eq!(Site::sh(r"printf 'A: b\n\n'").get("/cgi-bin/p").await.text(), "");
}
