//! Tests of the table of variables.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use gateway_spec::{Connection, Host, Input, Scheme};

use super::*;

fn environ(request: http::request::Builder) -> Environ {
    let local: SocketAddr = "127.0.0.1:8080".parse().unwrap();
    let remote: SocketAddr = "[::1]:5000".parse().unwrap();
    let connection = Connection::new(Arc::new(Host::default()), Scheme::Https, Some(local), Some(remote));
    Environ::new(request.body(()).unwrap().into_parts().0, Input::empty(), Arc::new(connection))
}

fn target(path_info: &str) -> Target {
    Target {
        program: "/srv/cgi-bin/env".into(),
        interpreter: None,
        script_name: b"/cgi-bin/env".to_vec(),
        path_info: path_info.into(),
    }
}

fn variables() -> Variables {
    Variables::new("/srv/www".into())
}

/// Names and values; no name may be there twice.
fn block(variables: &Variables, environ: &Environ, target: &Target) -> BTreeMap<String, String> {
    let mut block = BTreeMap::new();
    for string in variables.block(environ, target, "7f").iter() {
        let (name, value) = std::str::from_utf8(string).unwrap().split_once('=').unwrap();
        assert!(block.insert(name.into(), value.into()).is_none(), "{name} is there twice");
    }
    block
}

#[test]
fn the_table() {
    let request = http::Request::get("/cgi-bin/env/a%20b?x=%20y").header("host", "e.org:9999").header("x-a", "1");
    let request =
        request.header("x-a", "2").header("cookie", "a=1").header("cookie", "b=2").header("content-type", "t/s");
    let block = block(&variables(), &environ(request), &target("/a b"));
    let path = std::env::var("PATH").unwrap();
    let expected = [
        ("CONTENT_TYPE", "t/s"),
        ("DOCUMENT_ROOT", "/srv/www"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("HTTPS", "on"),
        ("HTTP_COOKIE", "a=1; b=2"),
        ("HTTP_HOST", "e.org:9999"),
        ("HTTP_X_A", "1, 2"),
        ("PATH", &path),
        ("PATH_INFO", "/a b"),
        ("PATH_TRANSLATED", "/srv/www/a b"),
        ("QUERY_STRING", "x=%20y"),
        ("REDIRECT_STATUS", "200"),
        ("REMOTE_ADDR", "::1"),
        ("REMOTE_HOST", "::1"),
        ("REMOTE_PORT", "5000"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_SCHEME", "https"),
        ("REQUEST_URI", "/cgi-bin/env/a%20b?x=%20y"),
        ("SCRIPT_FILENAME", "/srv/cgi-bin/env"),
        ("SCRIPT_NAME", "/cgi-bin/env"),
        ("SERVER_NAME", "e.org"),
        ("SERVER_PORT", "8080"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", concat!("gateway/", env!("CARGO_PKG_VERSION"))),
        ("UNIQUE_ID", "7f"),
        ("gateway.version", "1.0"),
    ];
    assert_eq!(block, expected.map(|(name, value)| (name.into(), value.into())).into());
}

#[test]
fn what_must_be_set_is_set_and_what_must_not_is_not() {
    let target = Target { script_name: Vec::new(), ..target("") };
    let block = block(&variables(), &environ(http::Request::get("/")), &target);
    assert_eq!((&*block["QUERY_STRING"], &*block["SCRIPT_NAME"]), ("", ""));
    for absent in ["PATH_INFO", "PATH_TRANSLATED", "CONTENT_LENGTH", "CONTENT_TYPE", "AUTH_TYPE", "REMOTE_USER"] {
        assert!(!block.contains_key(absent), "{absent}");
    }
}

#[test]
fn clients_cannot_forge_and_passwords_stay() {
    let request = http::Request::get("/").header("authorization", "Basic x").header("proxy", "http://evil/");
    let request = request.header("x_foo", "evil").header("x-foo", "good").header("remote-user", "root");
    let block = block(&variables(), &environ(request), &target(""));
    assert_eq!((&*block["HTTP_X_FOO"], &*block["HTTP_REMOTE_USER"]), ("good", "root"));
    for absent in ["HTTP_PROXY", "HTTP_AUTHORIZATION", "REMOTE_USER"] {
        assert!(!block.contains_key(absent), "{absent}");
    }
}

#[test]
fn configured_yields_to_set_and_set_to_the_protocol() {
    let mut variables = variables();
    variables.configure("LANG".into(), "C".into()).unwrap();
    variables.configure("PATH".into(), "/opt/bin".into()).unwrap();
    for name in ["HTTP_PROXY", "REQUEST_METHOD", "REMOTE_USER", "GATEWAY_INTERFACE", "HTTPS", "A=B", "", "N\0"] {
        assert!(variables.configure(name.into(), "x".into()).is_err(), "{name:?}");
    }
    assert!(variables.configure("N".into(), "\0".into()).is_err());
    let mut environ = environ(http::Request::get("/"));
    for (name, value) in
        [("LANG", "de"), ("REMOTE_USER", "eve"), ("acme.id", "7"), ("PATH_TRANSLATED", "/etc"), ("Z", "\0")]
    {
        environ.set(name, value).unwrap();
    }
    let block = block(&variables, &environ, &target(""));
    for (name, value) in [
        ("LANG", Some("de")),
        ("PATH", Some("/opt/bin")),
        ("REMOTE_USER", Some("eve")),
        ("acme.id", None),
        ("PATH_TRANSLATED", None),
        ("Z", None),
    ] {
        assert_eq!(block.get(name).map(String::as_str), value, "{name}");
    }
}

#[test]
fn a_password_is_passed_on_where_that_is_asked_for() {
    let variables = Variables { pass_authorization: true, ..variables() };
    let request = http::Request::get("/").header("authorization", "Basic x");
    assert_eq!(block(&variables, &environ(request), &target(""))["HTTP_AUTHORIZATION"], "Basic x");
}

#[test]
fn middleware_may_know_the_name_of_the_client() {
    let mut environ = environ(http::Request::get("/"));
    environ.set("REMOTE_HOST", "client.example").unwrap();
    assert_eq!(block(&variables(), &environ, &target(""))["REMOTE_HOST"], "client.example");
}
