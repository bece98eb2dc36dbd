//! What programs say and what becomes of it (RFC 3875, section 6), and what they fail to say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Site, has_python};
use http::Request;

#[tokio::test]
async fn status_and_location_may_come_in_either_order() {
    let site = Site::new();
    for (name, block, status) in [
        ("document", "Content-Type: text/plain", 200),
        ("status", "Status: 404 Not Here", 404),
        ("lower", "status: 201", 201),
        ("redirect", "Location: http://e.org/x", 302),
        ("before", "Status: 301 Moved\\nLocation: http://e.org/x", 301),
        ("after", "Location: http://e.org/x\\nStatus: 301 Moved", 301),
        ("crlf", "Location: http://e.org/x\\r\\nStatus: 303 See\\r", 303),
    ] {
        site.add_sh(name, &format!("printf '{block}\\n\\nbody'"));
        let answer = site.get(&format!("/cgi-bin/{name}")).await;
        assert_eq!((answer.status, &answer.body[..]), (status, &b"body"[..]), "{name}");
        assert!(!answer.headers.contains_key("status"), "{name}");
    }
    let response = site.response(Request::get("/cgi-bin/status"), gateway_spec::Input::empty()).await.unwrap();
    assert_eq!(response.status().reason().unwrap().as_bytes(), b"Not Here");
}

#[tokio::test]
async fn headers_are_passed_on_and_those_of_the_connection_dropped() {
    let site = Site::sh(
        r"printf 'Set-Cookie: a\nSet-Cookie: b\r\nContent-Length: 4\n<!--: spam\nConnection: close\nX-CGI-A: 1\n\nbody'",
    );
    let answer = site.get("/cgi-bin/p").await;
    assert_eq!(answer.text(), "body");
    assert_eq!(answer.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((&answer.headers["content-length"], answer.headers.len()), (&"4".parse().unwrap(), 4));
    let log = site.log.lines();
    assert!(log[0].starts_with("p [") && log[0].ends_with("]: the field \"<!--\" was dropped: it is no field name"));
    assert!(log[1].contains("connection") && log.len() == 2, "{log:?}");
}

#[tokio::test]
async fn output_that_cannot_be_used_is_a_502_with_the_reason_in_the_log_only() {
    let site = Site::new();
    for (name, script, reason) in [
        ("empty", "", "there is no output"),
        ("cut", r"printf 'A: b\n'", "ends before the empty line"),
        ("text", "echo hello", "has no colon"),
        ("none", r"printf '\nbody'", "no valid field"),
        ("nul", r"printf 'A: x\0y\n\n'", "control character"),
        ("cr", r"printf 'A: x\ry\n\n'", "control character"),
        ("folded", r"printf 'A: x\n y\n\n'", "begins with a space"),
        ("chunked", r"printf 'Transfer-Encoding: chunked\n\n'", "Transfer-Encoding"),
        ("status", r"printf 'Status: 200OK\n\n'", "200OK"),
        ("interim", r"printf 'Status: 100 Continue\n\n'", "100"),
        ("twice", r"printf 'Status: 200\nStatus: 404\n\n'", "twice"),
        ("line", "head -c 1000000 /dev/zero | tr '\\0' x", "larger than"),
        ("many", "yes 'A: b' | head -n 100000", "larger than"),
        ("garbage", "head -c 5000 /dev/zero", "no output|control|no colon|ends before"),
        ("exit", "exit 3", "exit status: 3"),
        ("killed", "kill -9 $$", "SIGKILL"),
        ("late", r"printf 'A: b\n'; exit 3", "exit status: 3"),
    ] {
        site.add_sh(name, script);
        let answer = site.get(&format!("/cgi-bin/{name}")).await;
        answer.assert_failed(502);
        let (failure, mut reasons) = (answer.failure(), reason.split('|'));
        assert!(
            failure.starts_with(&format!("{name} [")) && reasons.any(|reason| failure.contains(reason)),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_executed_has_an_answer_of_its_own() {
    let site = Site::new();
    site.add("interpreter", "#!/nonexistent\n", 0o755);
    site.add("format", "no program", 0o755);
    site.add("folder", "#!/etc\n", 0o755);
    let answer = site.get("/cgi-bin/interpreter").await;
    answer.assert_failed(500);
    assert!(answer.failure().contains("]: its interpreter is missing"), "{}", answer.failure());
    assert_eq!(site.get("/cgi-bin/format").await.status, 500);
    let answer = site.get("/cgi-bin/folder").await;
    assert_eq!((answer.status, &answer.body[..]), (403, &b"Forbidden\n"[..]));
    assert!(site.log.plain()[2].starts_with("folder: it cannot be started"), "{:?}", site.log.lines());
}

#[tokio::test]
async fn headers_that_fit_no_environment_are_a_431() {
    let site = Site::sh(r"printf 'A: b\n\n'");
    // Linux takes no string of more than 128 KiB.
    let answer = site.send(Request::get("/cgi-bin/p").header("x-large", "x".repeat(140_000))).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_tried_again() {
    let site = Site::sh(r"printf 'A: b\n\ndone'");
    let writer = std::fs::File::options().append(true).open(site.path("p")).unwrap();
    let (answer, ()) = tokio::join!(site.get("/cgi-bin/p"), async {
        tokio::task::yield_now().await;
        drop(writer);
    });
    assert_eq!(answer.text(), "done");
    let _writer = std::fs::File::options().append(true).open(site.path("p")).unwrap();
    let answer = site.get("/cgi-bin/p").await;
    assert_eq!(answer.status, 500);
    assert!(answer.failure().contains("busy"), "{}", answer.failure());
}

#[tokio::test]
async fn python_and_c_programs_answer() {
    let site = Site::new();
    if has_python() {
        site.add_python("python", "import os; print('Content-Type: text/plain\\n\\nHello', os.environ['SCRIPT_NAME'])");
        assert_eq!(site.get("/cgi-bin/python").await.text(), "Hello /cgi-bin/python\n");
    }
    if site.add_c("c", "#include <stdio.h>\nint main(void) { puts(\"A: b\\n\\nHello\"); return 0; }") {
        assert_eq!(site.get("/cgi-bin/c").await.text(), "Hello\n");
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_put_together() {
    let parts = r"Sta 'tus' ': 20' '1' '\r' '\n' 'A' ': b\n' '\r' '\n' body";
    let site = Site::sh(&format!("for part in {parts}; do printf \"$part\"; sleep 0.01; done"));
    let answer = site.get("/cgi-bin/p").await;
    assert_eq!((answer.status, &answer.body[..]), (201, &b"body"[..]));
}
