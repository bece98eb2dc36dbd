//! What programs are given: variables, the path, folder, descriptors and signals (RFC 3875, sections 4 and 7.2).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{collections::BTreeMap, fs, os::unix::fs::symlink, sync::Arc};

use bytes::Bytes;
use common::{Answer, Site};
use gateway_spec::{App, Input, StartResponse};
use http::Request;

const DUMP: &str = r#"printf 'Content-Type: text/plain\n\n'; env; echo "CWD=$(pwd -P)"; echo "ARGC=$#"; touch ran"#;

fn variables(answer: &Answer) -> BTreeMap<&str, &str> {
    answer.text().lines().filter_map(|line| line.split_once('=')).collect()
}

#[tokio::test]
async fn the_environment_is_the_requests_and_path_alone() {
    let site = Site::new();
    site.add_sh("sub/dump", DUMP);
    let request = Request::get("/cgi-bin/sub/dump/a%20b/c?x=%20&y").header("host", "e.org:9999").header("x-a", "1");
    let request = request.header("x-a", "2").header("authorization", "Basic x").header("proxy", "http://evil/");
    let answer = site.send(request.header("x_b", "evil").header("x-b", "() { :; }; echo pwned")).await;
    let root = site.root();
    let root = root.to_str().unwrap();
    let path = std::env::var("PATH").unwrap();
    let expected: BTreeMap<&str, String> = [
        ("ARGC", "0".into()),
        ("CWD", format!("{root}/sub")),
        ("DOCUMENT_ROOT", root.into()),
        ("GATEWAY_INTERFACE", "CGI/1.1".into()),
        ("HTTP_HOST", "e.org:9999".into()),
        ("HTTP_X_A", "1, 2".into()),
        ("HTTP_X_B", "() { :; }; echo pwned".into()),
        ("PATH", path),
        ("PATH_INFO", "/a b/c".into()),
        ("PATH_TRANSLATED", format!("{root}/a b/c")),
        ("QUERY_STRING", "x=%20&y".into()),
        ("REDIRECT_STATUS", "200".into()),
        ("REMOTE_ADDR", "127.0.0.1".into()),
        ("REMOTE_HOST", "127.0.0.1".into()),
        ("REMOTE_PORT", "50000".into()),
        ("REQUEST_METHOD", "GET".into()),
        ("REQUEST_SCHEME", "http".into()),
        ("REQUEST_URI", "/cgi-bin/sub/dump/a%20b/c?x=%20&y".into()),
        ("SCRIPT_FILENAME", format!("{root}/sub/dump")),
        ("SCRIPT_NAME", "/cgi-bin/sub/dump".into()),
        ("SERVER_NAME", "e.org".into()),
        ("SERVER_PORT", "8080".into()),
        ("SERVER_PROTOCOL", "HTTP/1.1".into()),
        ("SERVER_SOFTWARE", concat!("gateway/", env!("CARGO_PKG_VERSION")).into()),
    ]
    .into();
    let mut found = variables(&answer);
    // The shell's own, and what a shell may pass on or not, since it is no name for a variable of its own.
    for name in ["PWD", "OLDPWD", "SHLVL", "_", "gateway.version"] {
        found.remove(name);
    }
    assert!(found.remove("UNIQUE_ID").is_some_and(|id| !id.is_empty()));
    assert_eq!(found, expected.iter().map(|(name, value)| (*name, value.as_str())).collect());
}

#[tokio::test]
async fn methods_pass_as_they_are_and_a_query_is_no_argument() {
    let site = Site::sh(DUMP);
    for method in ["PROPFIND", "FOO", "options"] {
        let answer = site.send(Request::builder().method(method).uri("/cgi-bin/p?-s+x")).await;
        let variables = variables(&answer);
        assert_eq!((variables["REQUEST_METHOD"], variables["QUERY_STRING"], variables["ARGC"]), (method, "-s+x", "0"));
    }
}

#[tokio::test]
async fn a_client_cannot_authenticate_itself() {
    let site = Site::sh(DUMP);
    let answer =
        site.send(Request::get("/cgi-bin/p").header("authorization", "Basic eDp5").header("remote-user", "x")).await;
    let variables = variables(&answer);
    assert_eq!(variables["HTTP_REMOTE_USER"], "x");
    assert!(["AUTH_TYPE", "REMOTE_USER", "HTTP_AUTHORIZATION"].iter().all(|name| !variables.contains_key(name)));
}

#[tokio::test]
async fn configured_variables_and_document_root_are_passed_on() {
    let mut site = Site::sh(DUMP);
    site.cgi = site.cgi.variable("GIT_PROJECT_ROOT", "/srv/git").unwrap().document_root("/srv/www");
    let answer = site.get("/cgi-bin/p/x").await;
    let variables = variables(&answer);
    assert_eq!(
        (variables["GIT_PROJECT_ROOT"], variables["DOCUMENT_ROOT"], variables["PATH_TRANSLATED"]),
        ("/srv/git", "/srv/www", "/srv/www/x")
    );
    assert!(site.cgi.clone().variable("REQUEST_METHOD", "GET").is_err());
}

#[tokio::test]
async fn what_middleware_sets_is_passed_on_unless_its_name_has_a_dot() {
    let site = Site::sh(DUMP);
    let mut environ = site.environ(Request::get("/cgi-bin/p"), Input::empty());
    environ.set("REMOTE_USER", "eve").unwrap();
    environ.set("AUTH_TYPE", "Basic").unwrap();
    environ.set("acme.id", "7").unwrap();
    let answer = Answer::of(site.cgi.call(environ, StartResponse::new()).await).await;
    assert_eq!((variables(&answer)["REMOTE_USER"], variables(&answer)["AUTH_TYPE"]), ("eve", "Basic"));
    assert!(!answer.text().contains("acme"));
}

#[tokio::test]
async fn the_url_put_together_again_leads_to_the_same_program() {
    let site = Site::sh(DUMP);
    let first = site.get("/cgi-bin/p/a%3bb/%c3%a9%20/?q=%20").await;
    let found = variables(&first);
    let encode = |path: &str| path.bytes().map(|byte| format!("%{byte:02x}").replace("%2f", "/")).collect::<String>();
    let rebuilt = format!("{}{}?{}", encode(found["SCRIPT_NAME"]), encode(found["PATH_INFO"]), found["QUERY_STRING"]);
    let second = site.get(&rebuilt).await;
    for name in ["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SCRIPT_FILENAME", "PATH_TRANSLATED"] {
        assert_eq!(variables(&second)[name], found[name]);
    }
}

#[tokio::test]
async fn one_program_is_the_whole_mount() {
    let mut site = Site::sh(DUMP);
    site.cgi = cgi_adapter::Cgi::new(site.path("p")).unwrap();
    let answer = site.get("/cgi-bin/repo/info").await;
    let found = variables(&answer);
    assert_eq!((found["SCRIPT_NAME"], found["PATH_INFO"]), ("/cgi-bin", "/repo/info"));
    let answer = site.send(Request::options("*")).await;
    let found = variables(&answer);
    assert_eq!((found["SCRIPT_NAME"], found["REQUEST_URI"], found.get("PATH_INFO")), ("", "*", None));
    fs::remove_file(site.path("p")).unwrap();
    assert_eq!(site.get("/cgi-bin").await.status, 404);
}

#[tokio::test]
async fn what_is_not_a_program_is_not_found_and_nothing_is_disclosed() {
    let site = Site::sh(DUMP);
    site.add("source", "#!/bin/sh\nsecret", 0o644);
    site.add(".hidden", "#!/bin/sh\nsecret", 0o755);
    site.add("p~", "#!/bin/sh\nsecret", 0o755);
    site.add("../outside", "#!/bin/sh\nsecret", 0o755);
    symlink("../outside", site.path("link")).unwrap();
    fs::create_dir(site.path("folder")).unwrap();
    for path in [
        "",
        "/",
        "/folder",
        "/folder/",
        "/missing",
        "/p%20",
        "/p.",
        "/p%00",
        "/.hidden",
        "/%2ehidden",
        "/p~",
        "/link",
        "/../outside",
        "/%2e%2e/outside",
        "/.%2e/outside",
        "/..%2foutside",
        "/%%32%65%%32%65/outside",
        "/%252e%252e/outside",
        "/p/../../outside",
        "/p/%2e%2e",
        "/./p",
        "//p",
        "/p/a%2fb",
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "POST"] {
            let answer = site.send(Request::builder().method(method).uri(format!("/cgi-bin{path}"))).await;
            assert_eq!((answer.status, &answer.body[..]), (404, &b"Not found\n"[..]), "{method} {path}");
        }
    }
    for path in ["/source", "/source/", "/source/x", "/%73ource"] {
        let answer = site.get(&format!("/cgi-bin{path}")).await;
        assert_eq!((answer.status, &answer.body[..]), (403, &b"Forbidden\n"[..]), "{path}");
    }
    assert_eq!(site.log.lines()[0], "/cgi-bin/source: the program is not executable");
    assert_eq!(site.send(Request::options("*")).await.status, 404);
    assert!(!site.path("ran").exists(), "a refused request ran a program");
}

#[tokio::test]
async fn a_program_has_descriptors_0_1_2_and_an_empty_signal_mask() {
    let script = r"printf 'A: b\n\n'; ls -l /proc/self/fd | grep -v total; grep -E 'SigBlk|SigIgn' /proc/self/status";
    let site = Site::sh(script);
    for input in [Input::empty(), Input::from(Bytes::from("body")), common::chunked(vec![vec![0; 200_000].into()])] {
        let answer = site.send_body(Request::post("/cgi-bin/p"), input).await;
        let (descriptors, signals): (Vec<_>, Vec<_>) = answer.text().lines().partition(|line| line.contains(" -> "));
        let numbers = descriptors.iter().filter_map(|line| line.split_once(" -> ")?.0.split(' ').next_back());
        let numbers: Vec<_> = numbers.collect();
        // 3 is the folder that ls reads.
        assert_eq!(numbers, ["0", "1", "2", "3"], "{descriptors:#?}");
        let sets = signals.iter().map(|line| u64::from_str_radix(line.split_once(":\t").unwrap().1, 16).unwrap());
        let (sets, sigpipe): (Vec<u64>, u64) = (sets.collect(), 1 << (13 - 1));
        assert_eq!((sets[0], sets[1] & sigpipe), (0, 0), "{signals:?}");
    }
}

#[tokio::test]
async fn many_requests_at_once_do_not_mix() {
    let site = Arc::new(Site::sh(r"printf 'A: b\n\n%s' $QUERY_STRING"));
    let mut requests = tokio::task::JoinSet::new();
    for n in 0..20 {
        let site = site.clone();
        requests.spawn(async move { (n, site.get(&format!("/cgi-bin/p?{n}")).await) });
    }
    for (n, answer) in requests.join_all().await {
        assert_eq!(answer.text(), n.to_string());
    }
}
