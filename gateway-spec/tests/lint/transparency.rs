//! Lint changes nothing.

use std::{fs::File, pin::Pin, task::Context};

use bytes::Bytes;
use gateway_spec::{App, Body, Environ, FileRange, Input, Response, Result, Source, StartResponse};
use http_body::Body as _;

use crate::{
    PLAIN, call, drain, environ, get, linted,
    support::{CountingBody, Script, block_on::block_on},
};

fn answered(app: impl App, request: Environ) -> Response {
    let (app, _) = linted(app);
    block_on(call(&app, request)).unwrap()
}

#[test]
fn blocks_are_the_same_and_come_when_they_are_asked_for() {
    let (body, polls) = CountingBody::of(["a", "b", "c"]);
    let body = std::sync::Mutex::new(Some(body));
    let app = move |_: Environ, start_response: StartResponse| {
        let body = body.lock().unwrap().take().unwrap();
        async move { Ok(start_response.start(200, PLAIN)?.body(Body::new(body))) }
    };
    let mut response = answered(app, environ(get(), Input::empty())).into_parts().2;
    assert_eq!(polls.count(), 0);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    for (n, block) in ["a", "b", "c"].into_iter().enumerate() {
        let std::task::Poll::Ready(Some(Ok(frame))) = Pin::new(&mut response).poll_frame(&mut cx) else { panic!() };
        assert_eq!(frame.into_data().unwrap(), block);
        assert_eq!(polls.count(), n + 1);
    }
    drop(response);
    assert_eq!(polls.dropped(), 1);
}

#[test]
fn sizes_and_files_are_what_they_were() {
    let make: [fn() -> Body; 5] = [
        Body::empty,
        || "text".into(),
        || Body::new(Script::of(["te", "xt"])),
        || Body::new(Script::of(["te", "xt"]).with_length(4)),
        || FileRange::new(File::open("/dev/null").unwrap(), 0, 10).into(),
    ];
    for make in make {
        let app = move |_: Environ, start_response: StartResponse| async move {
            Ok(start_response.start(200, PLAIN)?.body(make()))
        };
        let body = answered(app, environ(get(), Input::empty())).into_parts().2;
        assert_eq!(body.len(), make().len());
        assert_eq!(body.is_end_stream(), make().is_end_stream());
        assert_eq!(body.into_file().is_ok(), make().into_file().is_ok());
    }
}

#[test]
fn what_a_file_keeps_is_dropped_with_it() {
    let kept = std::sync::Arc::new(());
    let keep = kept.clone();
    let app = move |_: Environ, start_response: StartResponse| {
        let range = FileRange::new(File::open("/dev/null").unwrap(), 0, 0).keeping(keep.clone());
        async move { Ok(start_response.start(200, PLAIN)?.body(range)) }
    };
    let (app, _) = linted(app);
    let response = block_on(call(&app, environ(get(), Input::empty()))).unwrap();
    assert_eq!(std::sync::Arc::strong_count(&kept), 3);
    drop(response);
    assert_eq!(std::sync::Arc::strong_count(&kept), 2);
}

#[test]
fn an_answer_that_is_elsewhere_stays_there() {
    async fn elsewhere(environ: Environ, start_response: StartResponse) -> Result<Response> {
        let response = start_response.start(302, [("location", "/other")])?.body(());
        Ok(response.instead(environ.redirected(b"/other")?))
    }
    let mut response = answered(elsewhere, environ(get(), Input::empty()));
    assert_eq!(response.take_instead().unwrap().raw_path(), "/other");
}

#[test]
fn the_request_is_what_it_was() {
    async fn tells(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        let mut keys = Vec::new();
        environ.visit(|key, _| keys.push(key.write(&mut String::new()).to_owned()));
        let (len, is_received) = (environ.input().len(), environ.input().is_received());
        let kind = match environ.take_input().into_source() {
            Source::Empty => "empty",
            Source::Bytes(_) => "bytes",
            Source::File { .. } => "file",
            Source::Stream(_) => "stream",
        };
        Ok(start_response.start(200, PLAIN)?.body(format!("{keys:?} {len:?} {is_received} {kind}")))
    }
    let make: [fn() -> Input; 4] = [
        Input::empty,
        || Bytes::from_static(b"text").into(),
        || Input::new(Script::of(["te", "xt"])),
        || Source::File { file: File::open("/dev/null").unwrap(), position: 0, len: 0 }.into(),
    ];
    for make in make {
        let plain = block_on(async { drain(call(&tells, environ(get(), make())).await?).await }).unwrap();
        assert_eq!(block_on(drain(answered(tells, environ(get(), make())))).unwrap(), plain);
    }
}
