//! The server's side: what an environ must be like.

use gateway_spec::{App, Environ, Input, Lint, Response, Result, StartResponse, lint::Side};
use http::{Request, Uri, Version, request::Builder};

use crate::{
    call, environ, found, get, hello, linted,
    support::{Script, block_on::block_on},
};

/// What is found in an environ.
fn seen(environ: Environ) -> Vec<&'static str> {
    found(hello, environ)
}

fn request(request: Builder) -> Environ {
    environ(request, Input::empty())
}

fn mounted(path: &str, prefix: &str) -> Environ {
    let mut environ = request(get().uri(path));
    assert!(environ.mount(prefix));
    environ
}

const FINE: [&str; 0] = [];

#[test]
fn script_name_is_never_a_lone_slash() {
    assert_eq!(seen(mounted("/", "/")), ["script-name"]);
    assert_eq!(seen(mounted("/app", "/app")), FINE);
    assert_eq!(seen(mounted("/app/x", "/app")), FINE);
    assert_eq!(seen(mounted("/x", "")), FINE);
}

#[test]
fn odd_paths_are_paths() {
    for path in ["/a//b/../%2F", "//", "/%ff"] {
        assert_eq!(seen(request(get().uri(path))), FINE, "{path}");
    }
}

#[test]
fn an_asterisk_is_for_options() {
    assert_eq!(seen(request(get().uri("*"))), ["asterisk"]);
    assert_eq!(seen(request(get().method("OPTIONS").uri("*"))), FINE);
}

#[test]
fn there_is_a_path() {
    let authority = Uri::from_static("example.org:443");
    assert_eq!(
        seen(request(Request::builder().method("CONNECT").header("host", "example.org:443").uri(authority))),
        ["path"]
    );
}

#[test]
fn the_target_names_the_host() {
    assert_eq!(seen(request(get().uri("http://other.org/"))), ["target-host"]);
    assert_eq!(seen(request(get().uri("http://example.org/"))), FINE);
}

#[test]
fn there_is_one_host() {
    assert_eq!(seen(request(get().header("host", "other.org"))), ["host"]);
    assert_eq!(seen(request(Request::get("/"))), ["host"]);
    assert_eq!(seen(request(Request::get("/").version(Version::HTTP_10))), FINE);
    assert_eq!(seen(request(Request::get("https://example.org/").version(Version::HTTP_2))), FINE);
}

#[test]
fn the_host_is_a_name_or_an_address() {
    for bad in ["a b", "eve@example.org", "[::1", "x:y", "", ":80"] {
        assert_eq!(seen(request(Request::get("/").header("host", bad))), ["server-name"], "{bad}");
    }
    for good in ["example.org", "example.org:8000", "127.0.0.1", "[::1]:8000"] {
        assert_eq!(seen(request(Request::get("/").header("host", good))), FINE, "{good}");
    }
}

#[test]
fn keys_that_are_set_have_the_form_of_their_kind() {
    let with = |key: &'static str, value: &'static str| {
        let mut environ = request(get());
        environ.set(key, value).unwrap();
        seen(environ)
    };
    assert_eq!(with("REMOTE_USER", ""), ["empty-key"]);
    assert_eq!(with("REMOTE_USER", "eve"), FINE);
    assert_eq!(with("SSL_PROTOCOL", "TLSv1.3"), FINE);
    for bad in ["Acme.Id", "acme..id", ".id", "acme.id ", "secret"] {
        assert_eq!(with(bad, "1"), ["key-name"], "{bad}");
    }
    assert_eq!(with("acme.request_id", ""), FINE);
    assert_eq!(with("PATH", "/usr/bin"), ["unknown-key"]);
    assert_eq!(with("HTTP_X_REAL_IP", ""), FINE);
}

#[test]
fn a_content_length_is_one_number() {
    let lengths = |values: &[&'static str]| {
        let request = values.iter().fold(get(), |request, value| request.header("content-length", *value));
        seen(environ(request, Input::empty()))
    };
    assert_eq!(lengths(&["x"]), ["framing"]);
    assert_eq!(lengths(&["+1"]), ["framing"]);
    assert_eq!(lengths(&["1", "2"]), ["framing"]);
    assert_eq!(lengths(&["0"]), FINE);
}

async fn reads(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    environ.input().read_all(1000).await?;
    hello(environ, start_response).await
}

#[test]
fn input_is_as_long_as_is_said() {
    let body = |length: &'static str, blocks: [&'static str; 2]| {
        let request = get().method("POST").header("content-length", length);
        found(reads, environ(request, Input::new(Script::of(blocks))))
    };
    assert_eq!(body("4", ["12", "34"]), FINE);
    assert_eq!(body("5", ["12", "34"]), ["input-length"]);
    assert_eq!(body("3", ["12", "34"]), ["input-length"]);
    let hinted = Script::of(["1234"]).with_length(4);
    let request = get().method("POST").header("content-length", "5");
    assert_eq!(found(hello, environ(request, Input::new(hinted))), ["input-length"]);
}

#[test]
fn a_fault_of_the_servers_is_shown_once_wherever_it_happens() {
    let (app, findings) = linted(hello);
    for path in ["/a", "/b"] {
        let mut environ = request(get().uri(path));
        environ.set("PATH", "/bin").unwrap();
        drop(block_on(call(&app, environ)));
    }
    let findings = findings.lock().unwrap();
    assert_eq!(
        findings.iter().map(|finding| (finding.side, finding.clause)).collect::<Vec<_>>(),
        [(Side::Server, "G-3.24")]
    );
}

/// Middleware is the server to what it wraps: a Lint inside of it sees its faults.
#[test]
fn middleware_is_checked_from_within() {
    struct Breaks<A>(A);
    impl<A: App> App for Breaks<A> {
        async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
            environ.set("REMOTE_USER", "")?;
            self.0.call(environ, start_response).await
        }
    }
    let (inner, within): (Lint<_>, _) = linted(hello);
    let (outer, without) = linted(Breaks(inner));
    drop(block_on(call(&outer, request(get()))));
    assert_eq!(crate::ids(&within), ["empty-key"]);
    assert_eq!(crate::ids(&without), FINE);
}
