//! The life of a process: how it ends the response, and how the end of the request ends it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, future::poll_fn, path::Path, time::Duration};

use common::{Answer, LONG, SHORT, Site, pid_in, until, until_gone, until_stopped};
use gateway_spec::{Input, Kind, Response};
use http::Request;
use http_body::Body as _;

async fn response(site: &Site) -> Response {
    site.response(Request::get("/cgi-bin/p"), Input::empty()).await.unwrap()
}

#[tokio::test]
async fn an_abnormal_exit_after_the_head_shows_as_an_error_behind_all_that_was_written() {
    for (end, reason) in [("exit 3", "exit status: 3"), ("kill -9 $$", "SIGKILL"), ("kill -15 $$", "SIGTERM")] {
        let site = Site::sh(&format!(r"printf 'A: b\n\n'; head -c 100000 /dev/zero; printf half; {end}"));
        let answer = site.get("/cgi-bin/p").await;
        assert_eq!((answer.status, answer.body.len()), (200, 100_004), "{end}");
        assert!(answer.body.ends_with(b"half") && answer.failure().contains(reason), "{}", answer.failure());
    }
}

#[tokio::test]
async fn a_program_is_reaped_after_its_answer() {
    let site = Site::sh(r"printf 'A: b\n\n%s' $$");
    let answer = site.get("/cgi-bin/p").await;
    until_gone(answer.text()).await;
}

#[tokio::test]
async fn a_silent_program_is_stopped_when_the_request_is_given_up() {
    let site = Site::sh("echo $$ > pid; sleep 600");
    let pid = {
        let call = site.response(Request::get("/cgi-bin/p"), Input::empty());
        let pid_file = site.path("pid");
        tokio::select! {
            response = call => panic!("{response:?}"),
            pid = pid_in(&pid_file) => pid,
        }
    };
    until_gone(&pid).await;
}

#[tokio::test]
async fn a_silent_program_and_its_children_are_stopped_when_the_body_is_dropped() {
    let site = Site::sh("sleep 600 & echo $! > child; echo $$ > pid; printf 'A: b\n\n'; wait");
    let response = response(&site).await;
    let (child, pid) = (pid_in(&site.path("child")).await, pid_in(&site.path("pid")).await);
    assert!(Path::new("/proc").join(&child).exists());
    drop(response);
    until_gone(&pid).await;
    until_stopped(&child).await;
}

#[tokio::test]
async fn a_program_has_time_to_clean_up_after_term() {
    let script =
        "trap 'sleep 0.2; echo clean > cleaned; exit 0' TERM; echo $$ > pid; printf 'A: b\n\n'; sleep 600 & wait";
    let site = Site::sh(script);
    drop(response(&site).await);
    until("it cleans up", || site.path("cleaned").exists()).await;
    until_gone(&pid_in(&site.path("pid")).await).await;
}

#[tokio::test]
async fn a_child_has_time_to_clean_up_after_its_parent_has_gone() {
    let child = "trap 'sleep 0.3; echo clean > cleaned; exit 0' TERM; echo $$ > child; while :; do sleep 0.05; done";
    let site =
        Site::sh(&format!("sh -c \"$(printf '%s' '{}')\" & printf 'A: b\n\n'; wait", child.replace('\'', "'\\''")));
    let response = response(&site).await;
    let child = pid_in(&site.path("child")).await;
    drop(response);
    until("the child cleans up", || site.path("cleaned").exists()).await;
    until_stopped(&child).await;
}

#[tokio::test]
async fn who_ignores_term_is_killed() {
    let site = Site::sh(
        "trap '' TERM; (while :; do sleep 0.05; done) & echo $! > child; echo $$ > pid; printf 'A: b\n\n'; wait",
    );
    let response = response(&site).await;
    let (child, pid) = (pid_in(&site.path("child")).await, pid_in(&site.path("pid")).await);
    drop(response);
    until_gone(&pid).await;
    until_stopped(&child).await;
}

#[tokio::test]
async fn a_program_that_writes_for_ever_is_stopped_and_nothing_is_logged() {
    let site = Site::sh("echo $$ > pid; printf 'A: b\n\n'; exec cat /dev/zero");
    let response = response(&site).await;
    let pid = pid_in(&site.path("pid")).await;
    drop(response);
    until_gone(&pid).await;
    assert_eq!(site.log.lines(), [""; 0]);
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_is_a_timeout() {
    let site = Site::sh("printf 'A: b\n'; sleep 600").timeout(Duration::from_millis(300));
    let answer = site.get("/cgi-bin/p").await;
    answer.assert_failed(504);
    site.until_nobody_runs().await;
}

#[tokio::test]
async fn a_head_that_drips_in_does_not_prolong_its_time() {
    let site = Site::sh("while :; do printf 'A: b\n'; sleep 0.02; done").timeout(Duration::from_millis(300));
    assert_eq!(site.get("/cgi-bin/p").await.status, 504);
}

#[tokio::test]
async fn a_body_that_stops_is_a_timeout_and_one_that_goes_on_is_not() {
    let site = Site::sh("echo $$ > pid; printf 'A: b\n\nhalf'; sleep 600").idle_timeout(Duration::from_millis(300));
    let answer = site.get("/cgi-bin/p").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"half"[..]));
    assert_eq!(answer.error.unwrap().kind(), Kind::Timeout);
    until_gone(&pid_in(&site.path("pid")).await).await;
    let steady = Site::sh("printf 'A: b\n\n'; for n in 1 2 3 4 5 6 7 8; do printf $n; sleep 0.3; done");
    assert_eq!(steady.idle_timeout(SHORT).get("/cgi-bin/p").await.text(), "12345678");
}

#[tokio::test]
async fn a_slow_reader_does_not_use_up_the_programs_time() {
    let site = Site::sh("printf 'A: b\n\n'; head -c 300000 /dev/zero").idle_timeout(SHORT);
    let response = response(&site).await;
    // Another one, that is silent for so long, has used up its own.
    let silent = Site::sh("printf 'A: b\n\nhalf'; sleep 600").idle_timeout(SHORT);
    assert_eq!(silent.get("/cgi-bin/p").await.error.unwrap().kind(), Kind::Timeout);
    let answer = Answer::of(Ok(response)).await;
    assert_eq!(answer.text().len(), 300_000);
}

#[tokio::test]
async fn a_program_that_closes_its_output_and_goes_on_ends_the_response_and_is_left_alone() {
    let site =
        Site::sh("echo $$ > pid; printf 'A: b\n\nanswer'; exec >&-; until test -e go; do sleep 0.02; done; touch done");
    let site = site.timeout(LONG);
    // Which has not ended, and waits.
    assert_eq!(site.get("/cgi-bin/p").await.text(), "answer");
    fs::write(site.path("go"), "").unwrap();
    until("it goes on to its end", || site.path("done").exists()).await;
    until_gone(&pid_in(&site.path("pid")).await).await;
}

#[tokio::test]
async fn a_program_whose_announced_length_has_come_is_not_stopped_when_the_body_is_dropped() {
    let site = Site::sh("printf 'Content-Length: 6\n\nanswer'; until test -e go; do sleep 0.02; done; touch done");
    let (_, _, body) = response(&site).await.into_parts();
    let mut body = Box::pin(body);
    let frame = poll_fn(|cx| body.as_mut().poll_frame(cx)).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "answer");
    drop(body);
    fs::write(site.path("go"), "").unwrap();
    until("it goes on to its end", || site.path("done").exists()).await;
}

#[tokio::test]
async fn an_abnormal_exit_shows_even_if_all_that_was_announced_has_come() {
    let site = Site::sh("printf 'Content-Length: 6\n\nanswer'; sleep 0.1; exit 3");
    let answer = site.get("/cgi-bin/p").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"answer"[..]));
    assert!(answer.failure().contains("exit status: 3"), "{}", answer.failure());
}

#[tokio::test]
async fn a_program_that_goes_on_too_long_after_its_answer_is_stopped() {
    let site = Site::sh("echo $$ > pid; printf 'A: b\n\nanswer'; exec >&- 2>&-; sleep 600");
    let site = site.idle_timeout(Duration::from_millis(300));
    assert_eq!(site.get("/cgi-bin/p").await.text(), "answer");
    until_gone(&pid_in(&site.path("pid")).await).await;
}

#[tokio::test]
async fn a_daemon_that_holds_the_output_does_not_hold_the_response_and_lives_on() {
    let site =
        Site::sh("printf 'A: b\n\nanswer'; sh -c 'echo $$ > pid; until test -e go; do sleep 0.02; done; touch done' &");
    let site = site.timeout(LONG);
    assert_eq!(site.get("/cgi-bin/p").await.text(), "answer");
    let daemon = pid_in(&site.path("pid")).await;
    fs::write(site.path("go"), "").unwrap();
    until("the daemon goes on to its end", || site.path("done").exists()).await;
    until_stopped(&daemon).await;
}

#[test]
fn the_end_of_the_runtime_is_the_end_of_its_programs() {
    let site = Site::sh("trap '' TERM; echo $$ > pid; printf 'A: b\n\n'; while :; do sleep 0.05; done");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let response = first.block_on(response(&site));
    let pid = first.block_on(pid_in(&site.path("pid")));
    drop(first);
    runtime().block_on(until_gone(&pid));
    drop(response);
}

#[tokio::test]
async fn a_body_may_be_dropped_outside_of_the_runtime() {
    let site = Site::sh("echo $$ > pid; printf 'A: b\n\n'; sleep 600");
    let response = response(&site).await;
    std::thread::spawn(move || drop(response)).join().unwrap();
    until_gone(&pid_in(&site.path("pid")).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_multi_thread_runtime_does_as_well() {
    let site = Site::sh(r"printf 'A: b\n\n'; head -c 1000000 /dev/zero; exit 1");
    for _ in 0..20 {
        let answer = site.get("/cgi-bin/p").await;
        assert_eq!(answer.body.len(), 1_000_000);
        assert!(answer.error.is_some());
    }
}
