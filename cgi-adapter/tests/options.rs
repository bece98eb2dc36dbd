//! What a mount can be asked for: streaming, NPH, indexed queries, interpreters, files to be sent, limits and capacity.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, sync::Arc, time::Duration};

use bytes::Bytes;
use cgi_adapter::{Capacity, Cgi, Limits};
use common::{Answer, SHORT, Site, channel, chunked, pid_in, until, until_gone};
use gateway_spec::{App, Input, Kind, StartResponse};
use http::Request;
use http_body::Body as _;

impl Site {
    /// The site with other options.
    fn with(mut self, options: impl FnOnce(Cgi) -> Cgi) -> Self {
        self.cgi = options(self.cgi);
        self
    }
}

/// Says what CONTENT_LENGTH is, and gives the body back.
const ECHO: &str = r#"printf 'X-Length: %s\n\n' "${CONTENT_LENGTH-unset}"; cat"#;

#[tokio::test]
async fn a_streamed_body_arrives_while_it_is_sent_and_its_length_is_what_the_client_said() {
    let site = Site::sh(ECHO).with(|cgi| cgi.stream(true));
    let (mut sender, input) = channel();
    let request = Request::post("/cgi-bin/p").header("transfer-encoding", "chunked");
    let (_, headers, body) = site.response(request, input).await.unwrap().into_parts();
    assert_eq!(headers["x-length"], "unset");
    let mut body = std::pin::pin!(body);
    for block in ["one", "two"] {
        sender.send(block);
        let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), block);
    }
    drop(sender);
    assert!(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await.is_none());
    let request = Request::post("/cgi-bin/p").header("content-length", 3);
    assert_eq!(site.send_body(request, chunked(vec!["abc".into()])).await.headers["x-length"], "3");
    assert_eq!(site.get("/cgi-bin/p").await.headers["x-length"], "unset");
}

#[tokio::test]
async fn a_streamed_body_and_output_before_it_never_block_each_other() {
    let site = Site::sh(r"printf 'A: b\n\n'; head -c 1000000 /dev/zero; cat").with(|cgi| cgi.stream(true));
    let blocks = || (0..100).map(|n| Bytes::from(vec![n; 20_000])).collect::<Vec<_>>();
    let answer = site.send_body(Request::post("/cgi-bin/p"), chunked(blocks())).await;
    assert!(answer.error.is_none() && answer.body[1_000_000..] == blocks().concat());
    let site = Site::sh(r"printf 'A: b\n\nignored'").with(|cgi| cgi.stream(true));
    assert_eq!(site.send_body(Request::post("/cgi-bin/p"), chunked(blocks())).await.text(), "ignored");
}

#[tokio::test]
async fn a_streamed_body_that_breaks_off_never_looks_complete() {
    let script = "echo $$ > pid; cat > received; touch complete; printf 'A: b\n\n'";
    let site = Site::sh(script).with(|cgi| cgi.stream(true));
    let (mut sender, input) = channel();
    sender.send("half");
    let call = site.response(Request::post("/cgi-bin/p"), input);
    let breaking = async {
        let pid = pid_in(&site.path("pid")).await;
        sender.fail(Kind::Disconnected);
        pid
    };
    let (response, pid) = tokio::join!(call, breaking);
    assert_eq!(response.unwrap_err().kind(), Kind::Disconnected);
    until_gone(&pid).await;
    assert!(!site.path("complete").exists(), "the program took half a body for a whole one");
}

#[tokio::test]
async fn an_nph_program_writes_a_whole_response_if_that_is_asked_for() {
    let script = r"printf 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 299 Hi\r\nA: b\r\n\r\nbody'";
    let site = Site::new().with(|cgi| cgi.nph(true));
    site.add_sh("nph-p", script);
    site.add_sh("p", script);
    let answer = site.get("/cgi-bin/nph-p").await;
    assert_eq!((answer.status, &answer.headers["a"], &answer.body[..]), (299, &"b".parse().unwrap(), &b"body"[..]));
    site.get("/cgi-bin/p").await.assert_failed(502);
    site.with(|cgi| cgi.nph(false)).get("/cgi-bin/nph-p").await.assert_failed(502);
}

#[tokio::test]
async fn the_words_of_an_indexed_query_are_arguments_if_that_is_asked_for() {
    let script = r#"printf 'A: b\n\n%s' "$#"; for word; do printf '<%s>' "$word"; done"#;
    let site = Site::sh(script).with(|cgi| cgi.indexed(true));
    assert_eq!(site.get("/cgi-bin/p?foo+bar%20x;$(id)").await.text(), "2<foo><bar x;$(id)>");
    for query in ["", "?a=b", "?-s", "?a+%2Ds", "?a+%00"] {
        assert_eq!(site.get(&format!("/cgi-bin/p{query}")).await.text(), "0", "{query}");
    }
    assert_eq!(site.send(Request::post("/cgi-bin/p?foo")).await.text(), "0");
    assert_eq!(site.with(|cgi| cgi.indexed(false)).get("/cgi-bin/p?foo").await.text(), "0");
}

#[tokio::test]
async fn a_password_reaches_the_program_only_if_that_is_asked_for() {
    let site = Site::sh(r#"printf 'A: b\n\n%s %s' "$HTTP_AUTHORIZATION" "${REMOTE_USER-nobody}""#);
    let request = || Request::get("/cgi-bin/p").header("authorization", "Basic eDp5");
    assert_eq!(site.send(request()).await.text(), " nobody");
    let site = site.with(|cgi| cgi.pass_authorization(true));
    assert_eq!(site.send(request()).await.text(), "Basic eDp5 nobody");
}

#[tokio::test]
async fn interpreters_run_files_of_their_suffix_and_no_others_are_there() {
    let site = Site::sh("printf 'A: b\n\nself'").with(|cgi| cgi.interpreter(".txt", "/bin/sh").unwrap());
    let dump = r#"printf 'A: b\n\n%s %s %s %s' "$0" "$SCRIPT_FILENAME" "$PATH_INFO" "$(pwd -P)""#;
    site.add("sub/script.txt", dump, 0o644);
    site.add("secret.html", "secret", 0o644);
    let script = site.path("sub/script.txt");
    let expected = format!("{0} {0} /x {1}", script.display(), script.parent().unwrap().display());
    assert_eq!(site.get("/cgi-bin/sub/script.txt/x").await.text(), expected);
    for other in ["/p", "/secret.html", "/sub/script.txt%20", "/sub/script.TXT", "/sub/script.txt.", "/sub"] {
        let answer = site.get(&format!("/cgi-bin{other}")).await;
        assert_eq!((answer.status, &answer.body[..]), (404, &b"Not found\n"[..]), "{other}");
    }
    assert!(Cgi::new(site.root()).unwrap().interpreter(".x", "/no/such").is_err());
}

#[tokio::test]
async fn a_program_that_others_could_have_written_is_refused_unless_that_is_allowed() {
    let site = Site::new();
    site.add("p", "#!/bin/sh\ntouch ran; printf 'A: b\n\nrun'", 0o775);
    let answer = site.get("/cgi-bin/p").await;
    assert_eq!((answer.status, site.path("ran").exists()), (403, false));
    assert!(site.log.lines()[0].contains("chmod go-w"), "{:?}", site.log.lines());
    assert_eq!(site.with(|cgi| cgi.allow_writable(true)).get("/cgi-bin/p").await.text(), "run");
}

#[tokio::test]
async fn files_of_listed_folders_are_sent_in_a_programs_place() {
    let site = Site::sh(
        r#"printf 'Content-Type: x/y\nContent-Length: 3\nStatus: 203\nX-Sendfile: %s\n\nabc' "$QUERY_STRING""#,
    );
    let files = tempfile::tempdir().unwrap();
    fs::write(files.path().join("file"), "the file").unwrap();
    fs::create_dir(files.path().join("folder")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", files.path().join("link")).unwrap();
    let url = |name: &str| format!("/cgi-bin/p?{}/{name}", files.path().display());
    let answer = site.get(&url("file")).await;
    assert_eq!((&answer.body[..], answer.headers.contains_key("x-sendfile")), (&b"abc"[..], true));
    let site = site.with(|cgi| cgi.sendfile(files.path()).unwrap());
    let answer = site.get(&url("file")).await;
    assert_eq!((answer.status, &answer.body[..]), (203, &b"the file"[..]));
    assert_eq!((&answer.headers["content-type"], answer.headers.len()), (&"x/y".parse().unwrap(), 1));
    for other in ["missing", "folder", "link", "../file", "..//etc/passwd"] {
        site.get(&url(other)).await.assert_failed(502);
    }
    site.get("/cgi-bin/p?/etc/passwd").await.assert_failed(502);
    site.get("/cgi-bin/p?file").await.assert_failed(502);
}

#[tokio::test]
async fn limits_hold_from_the_first_instruction_on() {
    let mut limits = Limits::default();
    (limits.cpu, limits.memory) = (Some(7), Some(1 << 30));
    (limits.processes, limits.file_size) = (Some(4000), Some(2 << 20));
    let site = Site::sh(r"printf 'A: b\n\n'; cat /proc/self/limits").with(|cgi| cgi.limits(limits));
    let answer = site.get("/cgi-bin/p").await;
    let limit = |name: &str| {
        let line = answer.text().lines().find(|line| line.starts_with(name)).unwrap();
        line.trim_start_matches(name).split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(limit("Max cpu time"), "7 8");
    assert_eq!(limit("Max address space"), "1073741824 1073741824");
    assert_eq!(limit("Max processes"), "4000 4000");
    assert_eq!(limit("Max file size"), "2097152 2097152");
}

#[tokio::test]
async fn who_exceeds_a_limit_fails_alone() {
    let mut limits = Limits::default();
    (limits.cpu, limits.file_size) = (Some(1), Some(100_000));
    let site = Site::new().with(|cgi| cgi.limits(limits));
    site.add_sh("spins", "while :; do :; done");
    site.add_sh("writes", "head -c 200000 /dev/zero > big; ls -l big | (printf 'A: b\n\n'; cut -d' ' -f5)");
    site.get("/cgi-bin/spins").await.assert_failed(502);
    assert_eq!(site.get("/cgi-bin/writes").await.text(), "100000\n");
}

#[tokio::test]
async fn more_requests_than_places_wait_and_more_than_may_wait_are_sent_away() {
    let site = Site::sh(r"echo x >> started; until test -e go; do sleep 0.01; done; printf 'A: b\n\n'");
    let site = Arc::new(site.with(|cgi| cgi.capacity(Capacity::new(2, 3))));
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let site = site.clone();
        requests.spawn(async move { site.get("/cgi-bin/p").await });
    }
    for _ in 0..3 {
        let busy = requests.join_next().await.unwrap().unwrap();
        assert_eq!((busy.status, &busy.headers["retry-after"]), (503, &"1".parse().unwrap()));
    }
    until("two run", || fs::read_to_string(site.path("started")).is_ok_and(|lines| lines == "x\nx\n")).await;
    fs::write(site.path("go"), "").unwrap();
    assert_eq!(site.log.plain(), ["p: as many programs run, and as many requests wait, as may"; 3]);
    let rest = requests.join_all().await;
    assert_eq!(rest.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200; 5]);
    assert_eq!(site.get("/cgi-bin/p").await.status, 200);
}

#[tokio::test]
async fn mounts_share_a_capacity_and_a_place_is_free_when_the_program_is_gone() {
    let shared = Capacity::new(1, 0);
    let slow = Site::sh("printf 'A: b\n\n'; exec sleep 600").with(|cgi| cgi.shared_capacity(shared.clone()));
    let quick = Site::sh("printf 'A: b\n\n'").with(|cgi| cgi.shared_capacity(shared));
    let running = slow.response(Request::get("/cgi-bin/p"), Input::empty()).await.unwrap();
    assert_eq!(quick.get("/cgi-bin/p").await.status, 503);
    drop(running);
    let is_free = async {
        while quick.get("/cgi-bin/p").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(common::BOUND, is_free).await.expect("a place that is free again");
}

#[tokio::test]
async fn a_request_waits_for_a_place_no_longer_than_for_an_answer() {
    let shared = Capacity::new(1, 5);
    let running = Site::sh("printf 'A: b\n\n'; exec sleep 600").with(|cgi| cgi.shared_capacity(shared.clone()));
    let _running = running.response(Request::get("/cgi-bin/p"), Input::empty()).await.unwrap();
    let site = Site::sh("printf 'A: b\n\n'").with(|cgi| cgi.shared_capacity(shared));
    let site = site.with(|cgi| cgi.head_timeout(Duration::from_millis(200)));
    assert_eq!(site.get("/cgi-bin/p").await.status, 503);
}

#[tokio::test]
async fn a_head_that_comes_too_late_and_a_run_that_takes_too_long_are_504() {
    let slow = "echo thinking >&2; exec sleep 600";
    let site = Site::sh(slow).with(|cgi| cgi.head_timeout(SHORT));
    let answer = site.get("/cgi-bin/p").await;
    answer.assert_failed(504);
    let failure = answer.failure();
    assert!(failure.contains("2s for its header block (running after "), "{failure}");
    assert!(failure.ends_with(" ms; it said: thinking)"), "{failure}");
    site.until_nobody_runs().await;
    let site = Site::sh(slow).with(|cgi| cgi.total_timeout(Duration::from_millis(300)));
    let answer = site.get("/cgi-bin/p").await;
    answer.assert_failed(504);
    assert!(answer.failure().contains("300ms in all"), "{}", answer.failure());
}

#[tokio::test]
async fn the_total_time_ends_a_program_that_goes_on_writing() {
    let site = Site::sh("printf 'A: b\n\n'; while :; do printf x; sleep 0.02; done");
    let site = site.with(|cgi| cgi.total_timeout(SHORT));
    // Nobody reads this one: the time is over all the same.
    let response = site.response(Request::get("/cgi-bin/p"), Input::empty()).await.unwrap();
    let answer = site.get("/cgi-bin/p").await;
    assert_eq!((answer.status, answer.error.as_ref().unwrap().kind()), (200, Kind::Timeout));
    site.until_nobody_runs().await;
    drop(response);
}

#[tokio::test]
async fn a_local_redirect_is_left_to_the_server_with_a_fresh_get() {
    let site = Site::sh(r#"printf 'Content-Type: text/plain\nSet-Cookie: a\nLocation: %s\n\nbody' "$QUERY_STRING""#);
    let environ = site.environ(
        Request::post("/cgi-bin/p?/other/%41?q").header("content-length", "1"),
        Bytes::from_static(b"x").into(),
    );
    let mut response = site.cgi.call(environ, StartResponse::new()).await.unwrap();
    let elsewhere = response.take_instead().unwrap();
    assert_eq!((elsewhere.method().as_str(), elsewhere.raw_target()), ("GET", "/other/%41?q"));
    assert_eq!((elsewhere.content_length(), &*elsewhere.script_name()), (None, ""));
    // What a server sends that cannot.
    let answer = Answer::of(Ok(response)).await;
    assert_eq!((answer.status, &answer.headers["location"]), (302, &"/other/%41?q".parse().unwrap()));
    assert_eq!((answer.headers.len(), answer.body.len()), (1, 0));
    let environ = site.environ(Request::get("/cgi-bin/p?/x%23#"), Input::empty());
    let _ = site.cgi.call(environ, StartResponse::new()).await.unwrap();
}

#[tokio::test]
async fn many_programs_that_take_their_time_are_all_answered_and_gone() {
    let site =
        Arc::new(Site::sh(r"sleep 0.2; printf 'A: b\n\n%s' $$").with(|cgi| cgi.capacity(Capacity::new(16, 200))));
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let site = site.clone();
        requests.spawn(async move { site.get("/cgi-bin/p").await.text().to_owned() });
    }
    for pid in requests.join_all().await {
        until_gone(&pid).await;
    }
}
