//! The admin listener: what it answers, and that nothing keeps it from answering.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Gateway, admin::Watched, files::Signals, wait_until};

#[test]
fn health_and_readiness_are_a_status_each_and_other_methods_and_paths_are_refused() {
    let watched = Watched::start(Gateway::new(["app:hello"]));
    for path in ["/healthz", "/readyz"] {
        watched.get(path).expect(200, "ok\n");
        assert_eq!(watched.ask("HEAD", path).status, 200);
    }
    let refused = watched.ask("DELETE", "/healthz");
    assert_eq!((refused.status, refused.header("allow").as_deref()), (405, Some("GET, HEAD")));
    assert_eq!(watched.get("/nothing").status, 404);
    assert_eq!(watched.get("/metrics").header("content-type").as_deref(), Some(METRICS));
}

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[test]
fn it_answers_while_every_worker_is_stuck() {
    let gateway = Gateway::new(["wsgi:overtime:application"]).option("--workers", "2").option("--worker-timeout", "0");
    let watched = Watched::start(gateway.option("--graceful-timeout", "0"));
    let busy = || watched.metric("gateway_threads_busy").unwrap();
    let mut clients = Vec::new();
    wait_until("both workers are stuck", || {
        // Which worker accepts a connection is for the kernel to say.
        let mut client = watched.server.connect();
        client.send("GET /holds-the-interpreter HTTP/1.1\r\nHost: a\r\n\r\n");
        clients.push(client);
        std::thread::sleep(std::time::Duration::from_millis(300));
        let stuck = |worker: &serde_json::Value| worker["published"]["gil_age"].as_u64() >= Some(2000);
        watched.status()["workers"].as_array().unwrap().iter().all(stuck)
    });
    assert!(busy() >= 2.0);
    for path in ["/healthz", "/readyz", "/metrics", "/status", "/status.json"] {
        assert_eq!(watched.get(path).status, 200, "{path}");
    }
    assert!(watched.metric("gateway_gil_age_seconds").unwrap() >= 2.0);
    assert!(watched.get("/status").text().contains("/holds-the-interpreter"));
}

#[test]
fn with_all_threads_taken_it_answers_and_what_is_too_much_is_refused() {
    let folder = Signals::new();
    let gateway = Gateway::new(["wsgi:held:application"]).option("--threads", "2").option("--queue", "1");
    let watched = Watched::start(gateway);
    let request = |name: &str| {
        let mut client = watched.server.connect();
        client.send(format!("GET /{name} HTTP/1.1\r\nHost: a\r\nX-Folder: {}\r\n\r\n", folder.path()));
        client
    };
    let mut clients = ["1", "2"].map(|name| {
        let client = request(name);
        wait_until("the call", || folder.count(&format!("begun-{name}")) == 1);
        client
    });
    let mut queued = request("3");
    wait_until("503", || request("4").response().status == 503);
    wait_until("the metrics", || watched.metric("gateway_queue_length") == Some(1.0));
    assert_eq!(watched.metric("gateway_threads_busy"), Some(2.0));
    assert_eq!(watched.metric("gateway_requests_in_flight"), Some(3.0));
    assert!(watched.metric("gateway_requests_refused_total") >= Some(1.0));
    watched.get("/healthz").expect(200, "ok\n");
    wait_until("its state", || {
        let requests = watched.status()["workers"][0]["published"]["requests"].clone();
        requests.as_array().unwrap().iter().any(|it| it["path"] == "/3" && it["state"] == "queued")
    });
    folder.give("go");
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    assert_eq!(queued.response().status, 200);
    wait_until("the wait", || watched.metric("gateway_queue_wait_seconds_count") >= Some(1.0));
}

#[test]
fn readiness_goes_at_once_when_the_server_ends_and_health_does_not() {
    let folder = Signals::new();
    let watched = Watched::start(Gateway::new(["wsgi:held:application"]));
    let mut client = watched.server.connect();
    client.send(format!("GET /x HTTP/1.1\r\nHost: a\r\nX-Folder: {}\r\n\r\n", folder.path()));
    wait_until("the call", || folder.count("begun-x") == 1);
    watched.server.signal(Signal::TERM);
    wait_until("503", || watched.get("/readyz").status == 503);
    watched.get("/readyz").expect(503, "ending\n");
    watched.get("/healthz").expect(200, "ok\n");
    folder.give("go");
    client.response().expect(200, "x");
    assert_eq!(watched.server.exit().code(), Some(0));
}

#[test]
fn counters_are_of_all_workers_and_outlive_them() {
    let gateway = Gateway::new(["/hello=app:hello", "/py=wsgi:cases:application", "/static=static:static"]);
    let watched = Watched::start(gateway.option("--workers", "2"));
    for _ in 0..20 {
        assert_eq!(watched.server.get("/hello").status, 200);
    }
    assert_eq!(watched.server.get("/py/raises").status, 500);
    assert_eq!(watched.server.get("/static/nothing").status, 404);
    assert_eq!(watched.server.get("/nowhere").status, 404);
    let counted = |mount: &str, class: &str| {
        watched.metric(&format!("gateway_requests_total{{mount=\"{mount}\",class=\"{class}\"}}"))
    };
    let is_all_there = || {
        counted("/hello", "2xx") == Some(20.0)
            && counted("/py", "5xx") == Some(1.0)
            && counted("/static", "4xx") == Some(1.0)
            && counted("", "4xx") == Some(1.0)
            && watched.metric("gateway_request_duration_seconds_count") == Some(23.0)
            && watched.metric("gateway_request_duration_seconds_bucket{le=\"+Inf\"}") == Some(23.0)
            && watched.metric("gateway_connections_accepted_total") == Some(23.0)
    };
    wait_until("all requests are counted", is_all_there);
    assert!(watched.metric("gateway_sent_bytes_total") > watched.metric("gateway_received_bytes_total"));
    assert!(watched.metric("gateway_resident_memory_bytes{process=\"workers\"}") > Some(1e6));
    let first = watched.workers()[0].pid;
    kill_process(Pid::from_raw(first).unwrap(), Signal::KILL).unwrap();
    wait_until("its end is counted", || watched.metric("gateway_worker_restarts_total{cause=\"signal\"}") == Some(1.0));
    watched.wait_for_workers(2, &[first]);
    assert!(is_all_there());
}

#[test]
fn the_page_and_its_json_show_what_runs() {
    let folder = Signals::new();
    let watched = Watched::start(Gateway::new(["/app=wsgi:held:application"]));
    let mut client = watched.server.connect();
    let path = "/app/\"&'/x";
    client.send(format!("GET {path}?secret HTTP/1.1\r\nHost: a\r\nX-Folder: {}\r\n\r\n", folder.path()));
    let worker = watched.worker_of(path);
    assert_eq!(worker.state, "ready");
    let page = watched.get("/status");
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(page.text().contains("/app/&quot;&amp;'/x"), "{}", page.text());
    assert!(!page.text().contains("secret"));
    for (path, kind) in [("/status.js", "text/javascript"), ("/status.css", "text/css")] {
        assert!(watched.get(path).header("content-type").unwrap().starts_with(kind));
    }
    folder.give("go");
    assert_eq!(client.response().status, 200);
    let requests = || watched.status()["workers"][0]["published"]["requests"].as_array().unwrap().len();
    wait_until("it is over", || requests() == 0);
}

#[test]
fn it_listens_on_a_unix_socket_too() {
    let folder = Signals::new();
    let path = folder.file("admin.sock");
    let server = Gateway::new(["app:hello"]).option("--admin", format!("unix:{}", path.display())).start();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let readiness = || {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    wait_until("a worker is READY", || readiness().starts_with("HTTP/1.0 200 OK\r\n"));
    assert!(readiness().ends_with("\r\n\r\nok\n"));
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn a_new_supervisor_takes_the_listener_over() {
    let watched = Watched::start(Gateway::new(["app:hello"]));
    let before = watched.workers();
    watched.server.signal(Signal::USR2);
    watched.server.wait_for_log("is READY");
    wait_until("the new one answers", || {
        let workers = watched.workers();
        !workers.is_empty()
            && workers.iter().all(|worker| !before.contains(worker))
            && watched.get("/readyz").status == 200
    });
    let successor = watched.server.log();
    let pid = successor.split("as the new supervisor, process ").nth(1).unwrap();
    let pid: i32 = pid.split(|it: char| !it.is_ascii_digit()).next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
}

#[test]
fn an_address_that_is_taken_is_told_at_the_start() {
    let watched = Watched::start(Gateway::new(["app:hello"]));
    let taken = watched.server.address().to_string();
    let (code, output) = Gateway::new(["app:hello"]).option("--admin", &taken).fail();
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains(&taken), "{output}");
}
