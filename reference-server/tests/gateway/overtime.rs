//! `--timeout`: a call of Python that takes too long costs its own request, and nothing else.

use std::fs;

use crate::support::{End, Gateway, Server, files::Signals, wait_until};

/// For calls that do not end; those that are quick need less on a busy machine too.
const TIMEOUT: &str = "2";

fn server() -> Server {
    Gateway::new(["wsgi:overtime:application"]).option("--timeout", TIMEOUT).option("--threads", "2").start()
}

#[test]
fn a_call_that_takes_too_long_is_answered_with_504_and_its_stack_is_logged() {
    let server = server();
    for (path, line) in
        [("/spins", "while True:"), ("/swallows", "time.sleep(0.01)"), ("/sleeps-in-c", "time.sleep(60)")]
    {
        let logged = server.log().len();
        assert_eq!(server.get(path).status, 504, "{path}");
        server.wait_for_log_after(logged, &format!("GET \"{path}\" takes too long"));
        server.wait_for_log_after(logged, line);
    }
    server.get("/quick").expect(200, "quick");
}

#[test]
fn threads_that_cannot_be_interrupted_are_replaced() {
    let server = server();
    // There are two threads, and each of these keeps one for a minute.
    for _ in 0..3 {
        assert_eq!(server.get("/sleeps-in-c").status, 504);
        server.get("/quick").expect(200, "quick");
    }
}

/// Such a call has left its place to others before.
#[test]
fn a_call_that_waits_for_its_client_is_given_up_like_any_other() {
    let folder = Signals::new();
    fs::write(folder.file("gateway.toml"), "mount.\"/\" = { target = \"wsgi:overtime:application\", stream = true }\n")
        .unwrap();
    let server = Gateway::bare().option("--config", folder.file("gateway.toml"));
    let server = server.option("--timeout", TIMEOUT).option("--threads", "2").start();
    // What waits in write() is woken when it is given up, and may be gone before its stack is looked at. That the response
    // breaks off is not told before its client goes on reading.
    for (path, told) in [("/reads", "takes too long"), ("/writes", "writes no more")] {
        let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
        let logged = server.log().len();
        for client in &mut clients {
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"));
        }
        wait_until("that all are given up", || server.log()[logged..].matches(told).count() == 3);
        // They are still connected, and still wait.
        for _ in 0..4 {
            server.get("/sleeps?0.01").expect(200, "quick");
        }
    }
    assert!(!server.log().contains("panicked"));
}

#[test]
fn calls_that_all_compute_are_interrupted_and_the_worker_stays() {
    let server = server();
    let worker = server.worker();
    for _ in 0..2 {
        let mut clients = [(); 2].map(|()| server.connect());
        for client in &mut clients {
            client.send("GET /spins HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        for client in &mut clients {
            assert_eq!(client.response().status, 504);
        }
    }
    server.get("/quick").expect(200, "quick");
    assert_eq!(server.worker(), worker);
}

#[test]
fn inside_the_event_loop_the_answer_is_504_once_the_call_has_ended() {
    let server =
        Gateway::new(["wsgi:overtime:application"]).option("--timeout", TIMEOUT).option("--threads", "1").start();
    // One is interrupted, and one ends by itself before it can be.
    for path in ["/spins", "/sleeps?4"] {
        assert_eq!(server.get(path).status, 504, "{path}");
        server.wait_for_log(&format!("GET \"{path}\" takes too long"));
        server.get("/quick").expect(200, "quick");
    }
}

#[test]
fn close_has_no_more_time_than_other_calls() {
    let server = server();
    // Nobody takes what there is, so that nothing but close() is called.
    for path in ["/closes-slowly", "/closes-a-file-slowly"] {
        assert_eq!(server.request("HEAD", path, "", b"").status, 200);
        server.wait_for_log(&format!("HEAD \"{path}\" takes too long"));
        server.get("/quick").expect(200, "quick");
    }
}

#[test]
fn a_response_that_has_begun_is_cut_off() {
    let server = server();
    let response = server.get("/begins");
    assert_eq!((response.status, response.text().as_str(), response.end), (200, "begun", End::Truncated));
    server.get("/quick").expect(200, "quick");
}

#[test]
fn what_ended_in_time_is_not_interrupted_later() {
    let server = server();
    let mut client = server.connect();
    for _ in 0..2000 {
        client.send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
        client.response().expect(200, "quick");
    }
    assert!(!server.log().contains("takes too long"));
}
