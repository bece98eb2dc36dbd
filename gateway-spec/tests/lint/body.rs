//! Bodies, on both sides.

use std::{
    fs::File,
    io::Write,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use gateway_spec::{Body, Environ, Error, FileRange, Input, Kind, Response, Result, StartResponse, Writer};
use http_body::{Body as _, Frame};

use crate::{
    PLAIN, call, environ, found, get, ids, linted,
    support::{Script, block_on::block_on},
};

const FINE: [&str; 0] = [];

/// What is found in a body that comes with a Content-Length.
fn body_of(length: &'static str, make: impl Fn() -> Body + Send + Sync + 'static, method: &str) -> Vec<&'static str> {
    let app = move |_: Environ, start_response: StartResponse| {
        let body = make();
        async move { Ok(start_response.start(200, [PLAIN[0], ("content-length", length)])?.body(body)) }
    };
    found(app, environ(get().method(method), Input::empty()))
}

fn blocks(blocks: &'static [&'static str]) -> impl Fn() -> Body + Send + Sync + 'static {
    move || Body::new(Script::of(blocks.iter().map(|block| Bytes::from(*block))))
}

#[test]
fn a_body_is_as_long_as_content_length_says() {
    assert_eq!(body_of("4", blocks(&["te", "xt"]), "GET"), FINE);
    assert_eq!(body_of("5", blocks(&["te", "xt"]), "GET"), ["too-few-bytes"]);
    assert_eq!(body_of("3", blocks(&["te", "xt"]), "GET"), ["too-many-bytes"]);
    assert_eq!(body_of("0", blocks(&["te", "xt"]), "GET"), ["too-many-bytes"]);
    // An answer to HEAD may say what a GET would have.
    assert_eq!(body_of("5", blocks(&[]), "HEAD"), FINE);
}

#[test]
fn a_body_in_hand_and_content_length_agree() {
    assert_eq!(body_of("4", || "text".into(), "GET"), FINE);
    assert_eq!(body_of("5", || "text".into(), "GET"), ["content-length-differs"]);
    assert_eq!(body_of("5", Body::empty, "GET"), ["content-length-differs"]);
    assert_eq!(body_of("5", Body::empty, "HEAD"), FINE);
    let file = || {
        let mut file = tempfile();
        file.write_all(b"0123456789").unwrap();
        FileRange::new(file, 0, 10).into()
    };
    assert_eq!(body_of("9", file, "GET"), ["content-length-differs"]);
    assert_eq!(body_of("10", file, "GET"), FINE);
}

fn tempfile() -> File {
    let path =
        std::env::temp_dir().join(format!("gateway-lint-{}-{:?}", std::process::id(), std::thread::current().id()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

#[test]
fn a_size_hint_is_the_truth() {
    let hinted = |length| {
        let app = move |_: Environ, start_response: StartResponse| async move {
            let body = Body::new(Script::of(["te", "xt"]).with_length(length));
            Ok(start_response.start(200, PLAIN)?.body(body))
        };
        found(app, environ(get(), Input::empty()))
    };
    assert_eq!(hinted(4), FINE);
    assert_eq!(hinted(3), ["size-hint"]);
    assert_eq!(hinted(5), ["size-hint"]);
}

fn poll(body: &mut Body) -> Poll<Option<Result<Frame<Bytes>>>> {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

async fn streams(_: Environ, start_response: StartResponse) -> Result<Response> {
    Ok(start_response.start(200, PLAIN)?.body(Body::new(Script::of(["te", "xt"]))))
}

async fn breaks(_: Environ, start_response: StartResponse) -> Result<Response> {
    let body = Script::of(["te"]).then(Err(Kind::Disconnected.into()));
    Ok(start_response.start(200, PLAIN)?.body(Body::new(body)))
}

#[test]
fn a_body_that_is_over_is_not_asked_again() {
    let (app, findings) = linted(streams);
    let mut body = block_on(call(&app, environ(get(), Input::empty()))).unwrap().into_parts().2;
    while let Poll::Ready(Some(_)) = poll(&mut body) {}
    assert_eq!(ids(&findings), FINE);
    assert!(matches!(poll(&mut body), Poll::Ready(None)));
    assert_eq!(ids(&findings), ["pulled-on"]);

    let (app, findings) = linted(breaks);
    let mut body = block_on(call(&app, environ(get(), Input::empty()))).unwrap().into_parts().2;
    while let Poll::Ready(Some(Ok(_))) = poll(&mut body) {}
    assert_eq!(ids(&findings), FINE);
    let _ = poll(&mut body);
    assert_eq!(ids(&findings), ["pulled-on"]);
}

#[test]
fn a_body_that_is_wanted_is_asked_for() {
    let dropped = |method: &str, stays: bool| {
        let (app, findings) = linted(streams);
        let app = if stays { app.client_stays() } else { app };
        drop(block_on(call(&app, environ(get().method(method), Input::empty()))).unwrap());
        ids(&findings)
    };
    assert_eq!(dropped("GET", true), ["body-left"]);
    assert_eq!(dropped("HEAD", true), FINE);
    assert_eq!(dropped("GET", false), FINE);
}

#[test]
fn a_write_is_awaited() {
    async fn forgets(_: Environ, start_response: StartResponse) -> Result<Response> {
        Ok(start_response.start(200, PLAIN)?.write(async |mut out| {
            drop(out.write("lost"));
            out.write("sent").await
        }))
    }
    async fn awaits(_: Environ, start_response: StartResponse) -> Result<Response> {
        Ok(start_response.start(200, PLAIN)?.write(async |mut out| {
            out.write("").await?;
            out.write("sent").await
        }))
    }
    assert_eq!(found(forgets, environ(get(), Input::empty())), ["write"]);
    assert_eq!(found(awaits, environ(get(), Input::empty())), FINE);
}

/// An App whose Writer ends up elsewhere, as that of a spawned task would.
type Elsewhere = Arc<Mutex<Option<Writer>>>;

fn escapes(to: &Elsewhere) -> impl Fn(Environ, StartResponse) -> std::future::Ready<Result<Response>> + use<> {
    let to = to.clone();
    move |_, start_response| {
        let to = to.clone();
        std::future::ready(start_response.start(200, PLAIN).map(|started| {
            started.write(|out| async move {
                to.lock().unwrap().replace(out);
                std::future::pending().await
            })
        }))
    }
}

#[test]
fn who_was_told_that_the_client_has_gone_stops_writing() {
    let elsewhere = Elsewhere::default();
    let (app, findings) = linted(escapes(&elsewhere));
    let mut body = block_on(call(&app, environ(get(), Input::empty()))).unwrap().into_parts().2;
    assert!(poll(&mut body).is_pending());
    drop(body);
    let mut out = elsewhere.lock().unwrap().take().unwrap();
    assert_eq!(block_on(out.write("1")).unwrap_err().kind(), Kind::Disconnected);
    assert_eq!(ids(&findings), FINE);
    assert!(block_on(out.write("2")).is_err());
    assert_eq!(ids(&findings), ["goes-on"]);
}

#[test]
fn what_belongs_to_a_request_is_let_go_of() {
    let elsewhere = Elsewhere::default();
    let (app, findings) = linted(escapes(&elsewhere));
    let app = app.grace(Duration::ZERO);
    let once = || {
        let mut body = block_on(call(&app, environ(get(), Input::empty()))).unwrap().into_parts().2;
        assert!(poll(&mut body).is_pending());
    };
    once();
    assert_eq!(ids(&findings), FINE);
    once();
    assert_eq!(ids(&findings), ["kept"]);

    let (app, findings) = linted(streams);
    let app = app.grace(Duration::ZERO);
    for _ in 0..2 {
        drop(block_on(call(&app, environ(get(), Input::new(Script::of(["1"]))))).unwrap());
    }
    assert_eq!(ids(&findings), FINE);
}

#[test]
fn who_reads_on_when_the_response_is_over_is_found() {
    let kept: Arc<Mutex<Option<Input>>> = Arc::default();
    let keeps = {
        let kept = kept.clone();
        move |mut environ: Environ, start_response: StartResponse| {
            kept.lock().unwrap().replace(environ.take_input());
            async move { Ok(start_response.start(202, PLAIN)?.body("later")) }
        }
    };
    let (app, findings) = linted(keeps);
    let response = block_on(call(&app, environ(get(), Input::new(Script::of(["1", "2", "3"])))));
    block_on(crate::drain(response.unwrap())).unwrap();
    let mut input = kept.lock().unwrap().take().unwrap();
    block_on(input.chunk());
    assert_eq!(ids(&findings), FINE);
    block_on(input.chunk());
    assert_eq!(ids(&findings), ["goes-on"]);
}

#[test]
fn a_body_that_fails_says_so_once_and_a_client_that_leaves_is_nobodys_fault() {
    async fn fails(_: Environ, start_response: StartResponse) -> Result<Response> {
        let body = Script::of(["te"]).then(Err(Error::new("the disk is gone")));
        Ok(start_response.start(200, [PLAIN[0], ("content-length", "10")])?.body(Body::new(body)))
    }
    assert_eq!(found(fails, environ(get(), Input::empty())), ["fails"]);
    assert_eq!(found(breaks, environ(get(), Input::empty())), FINE);
}

#[test]
fn a_body_that_is_dropped_in_the_middle_has_not_ended() {
    let (app, findings) = linted(|_: Environ, start_response: StartResponse| async move {
        let body = Body::new(Script::of(["te", "xt"]).with_length(4));
        Ok(start_response.start(200, [PLAIN[0], ("content-length", "4")])?.body(body))
    });
    let mut body = block_on(call(&app, environ(get(), Input::empty()))).unwrap().into_parts().2;
    assert!(poll(&mut body).is_ready());
    drop(body);
    assert_eq!(ids(&findings), FINE);
}
