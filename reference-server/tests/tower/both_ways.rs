//! An App as a service as an App: nothing is lost on the way there and back.

use std::{
    borrow::Cow,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::Router;
use bytes::Bytes;
use gateway_spec::{
    App, Connection, Environ, Extension, FileRange, Host, Input, Response, Result, Scheme, Source, StartResponse,
    tower::{FromTower, IntoTower},
};
use http::Request;
use reference_server::Mounts;
use tower::ServiceBuilder;

use crate::support::{Running, body, environ, status};

#[derive(Clone)]
struct RequestId(u32);

impl Extension for RequestId {
    const KEY: &'static str = "acme.request_id";

    fn text(&self) -> Option<Cow<'_, str>> {
        Some(self.0.to_string().into())
    }
}

fn there_and_back<A: App>(app: A) -> FromTower<IntoTower<A>> {
    FromTower::new(IntoTower::new(app))
}

/// An environ with some of everything.
fn full(input: Input) -> Environ {
    let request =
        Request::post("/app/a%2Fb?q=1").header("host", "example.com:81").header("x-a", "1").header("x_b", "2");
    let (parts, ()) = request.header("cookie", "a=b").header("content-length", "5").body(()).unwrap().into_parts();
    let (local, remote) = ("192.0.2.1:82".parse().ok(), "192.0.2.7:5000".parse().ok());
    let host = Arc::new(Host { software: "test/1".into(), ..Host::default() });
    let mut environ = Environ::new(parts, input, Arc::new(Connection::new(host, Scheme::Https, local, remote)));
    assert!(environ.mount("/app"));
    environ.set("REMOTE_USER", "ann").unwrap();
    environ.insert(RequestId(7));
    environ
}

fn all_keys(environ: &Environ) -> Vec<(String, Vec<u8>)> {
    let (mut keys, mut scratch) = (Vec::new(), String::new());
    environ.visit(|key, value| keys.push((key.write(&mut scratch).to_owned(), value.to_owned())));
    keys
}

async fn call(app: impl App, environ: Environ) -> Response {
    app.call(environ, StartResponse::new()).await.unwrap()
}

#[tokio::test]
async fn an_environ_comes_back_as_it_was() {
    let before = full(Bytes::from("hello").into());
    let expected = all_keys(&before);
    let connection = before.connection().clone();
    let seen = Arc::new(AtomicBool::default());
    let looked = seen.clone();
    let app = move |mut environ: Environ, start_response: StartResponse| {
        assert_eq!(all_keys(&environ), expected);
        assert!(Arc::ptr_eq(environ.connection(), &connection));
        assert_eq!(environ.extension::<RequestId>().map(|id| id.0), Some(7));
        assert!(matches!(environ.take_input().into_source(), Source::Bytes(bytes) if bytes == "hello"));
        looked.store(true, Ordering::Release);
        async move { Ok(start_response.start(204, ())?.body(())) }
    };
    assert_eq!(call(there_and_back(there_and_back(app)), before).await.status().code(), 204);
    assert!(seen.load(Ordering::Acquire));
}

#[tokio::test]
async fn a_response_comes_back_as_it_was() {
    async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        let mut file = tempfile::tempfile()?;
        file.write_all(b"hello")?;
        let started = start_response.start("299 Very Well", [("x-a", "1"), ("x-a", "2")])?;
        environ.take_input();
        Ok(started.body(FileRange::new(file, 1, 3)).instead(environ.redirected(b"/elsewhere")?))
    }
    let mut response = call(there_and_back(app), full(Input::empty())).await;
    assert_eq!(response.take_instead().unwrap().raw_path(), "/elsewhere");
    assert_eq!(response.headers().get_all("x-a").iter().count(), 2);
    let (status, _, body) = response.into_parts();
    assert_eq!((status.code().as_u16(), status.reason().unwrap().as_bytes()), (299, &b"Very Well"[..]));
    let file = body.into_file().unwrap();
    assert_eq!((file.offset, file.len), (1, 3), "a host may send it as a file");
}

#[test]
fn redirects_inside_the_server_work_through_layers() {
    async fn elsewhere(environ: Environ, start_response: StartResponse) -> Result<Response> {
        let started = start_response.start(302, [("location", "/there/x?y")])?;
        Ok(started.body(()).instead(environ.redirected(b"/there/x?y")?))
    }
    let mounts = Mounts::new().mount("/here", there_and_back(elsewhere)).mount("/there", there_and_back(environ));
    let server = Running::app(mounts);
    assert!(body(&server.get("/here")).contains("REQUEST_URI=/there/x?y\n"));
    // A server that knows nothing of it sends the client there.
    let axum = Running::axum(Router::new().fallback_service(IntoTower::new(elsewhere)));
    assert_eq!(status(&axum.get("/here")), "HTTP/1.1 302 Found");
}

#[test]
fn a_layer_may_change_the_path_behind_the_mount() {
    let shorten = |mut request: Request<Input>| {
        *request.uri_mut() = "/short?r".parse().unwrap();
        request
    };
    let service = ServiceBuilder::new().map_request(shorten).service(IntoTower::new(environ));
    let server = Running::app(Mounts::new().mount("/app", FromTower::new(service)));
    let response = server.get("/app/long/path?q");
    for line in ["SCRIPT_NAME=/app\n", "PATH_INFO=/short\n", "QUERY_STRING=r\n"] {
        assert!(response.contains(line), "{line} {response}");
    }
}

#[test]
fn a_router_between_two_apps_adds_what_it_has_matched_to_script_name() {
    let router = Router::new().nest_service("/api", IntoTower::new(environ));
    let server = Running::app(Mounts::new().mount("/app", FromTower::new(router)));
    for (target, path_info) in [("/app/api/x", "/x"), ("/app/api/", "/"), ("/app/api", "")] {
        let response = server.get(target);
        for line in ["SCRIPT_NAME=/app/api\n".to_owned(), format!("PATH_INFO={path_info}\n")] {
            assert!(response.contains(&line), "{target} {line} {response}");
        }
        assert!(response.contains("REMOTE_ADDR=127.0.0.1\n"), "{response}");
    }
}
