//! What applications do to their processes: it is seen by its cause, and service goes on.

use std::{fs, path::PathBuf, process};

use rustix::process::Signal;

use crate::support::{Gateway, Server, installed, wait_until};

fn server(workers: &str) -> Server {
    Gateway::new(["processes:application"]).option("--workers", workers).start()
}

/// Sends a request that ends the process that runs it.
fn ask_the_fatal(server: &Server, path: &str) {
    let mut client = server.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(client.try_head().is_none(), "{path} was answered");
}

#[test]
fn each_end_is_logged_by_its_cause_and_service_is_restored() {
    for (path, cause) in [
        ("/leave?0", "ended by itself with exit code 0"),
        ("/leave?7", "ended by itself with exit code 7"),
        ("/crash", "was ended by SIGSEGV"),
        ("/abort", "was ended by SIGABRT"),
    ] {
        let server = server("1");
        let pid = server.worker();
        ask_the_fatal(&server, path);
        server.wait_for_log(&format!("worker 1 (process {pid}) {cause}"));
        // Who comes meanwhile waits in the backlog.
        assert_ne!(server.get("/pid").text(), pid.to_string(), "{path}");
    }
}

/// Such a copy has the server's sockets, and would take requests from it.
#[test]
fn a_process_that_an_application_forks_does_not_become_another_server() {
    for threads in ["4", "1"] {
        let server = Gateway::new(["processes:application"]).option("--threads", threads).start();
        let pid = server.get("/pid").text();
        for (how, status) in [("return", "0"), ("0", "0"), ("7", "7"), ("raise", "1")] {
            server.get(&format!("/forks?{how}")).expect(200, status);
            server.get(&format!("/forks-later?{how}")).expect(200, &format!("began {status}"));
        }
        server.wait_for_log("ValueError: raised in the copy");
        for _ in 0..20 {
            server.get("/pid").expect(200, &pid);
        }
    }
}

#[test]
fn the_other_worker_serves_on() {
    let server = server("2");
    server.wait_for_workers(2);
    let mut kept = server.connect();
    kept.send("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
    let pid = kept.response().text();
    // As often as it takes to hit the other one: a connection is its worker's for life.
    while server.workers().iter().any(|worker| worker.to_string() == pid) && server.workers().len() == 2 {
        let mut client = server.connect();
        client.send("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
        if client.response().text() != pid {
            client.send("GET /crash HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(client.try_head().is_none());
            break;
        }
    }
    kept.send("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
    kept.response().expect(200, &pid);
    server.wait_for_log("SIGSEGV");
    server.wait_for_workers(2);
}

#[test]
fn an_exit_that_is_an_exception_is_one() {
    let server = server("1");
    let pid = server.worker();
    assert_eq!(server.get("/exit?3").status, 500);
    server.get("/pid").expect(200, &pid.to_string());
}

#[test]
fn want_of_memory_is_named() {
    let Some(group) = MemoryGroup::new(256 << 20) else {
        assert!(installed(&[]));
        eprintln!("skipped: no control group of memory can be made here");
        return;
    };
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.0.display());
    let server = Gateway::new(["processes:application"]).inside(&["sh", "-c", &enter, "sh"]).start();
    let pid = server.worker();
    ask_the_fatal(&server, "/eat");
    server.wait_for_log(&format!("worker 1 (process {pid}) was ended by SIGKILL, likely out of memory"));
    assert_ne!(server.get("/pid").text(), pid.to_string());
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
}

/// A control group with little memory. It is removed when it is dropped.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn new(limit: u64) -> Option<Self> {
        for (root, file) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let group = PathBuf::from(root).join(format!("gateway-test-{}", process::id()));
            if fs::create_dir(&group).is_ok() {
                let group = MemoryGroup(group);
                // Swap would only make it last longer.
                let _ = fs::write(group.0.join("memory.swap.max"), "0");
                if fs::write(group.0.join(file), limit.to_string()).is_ok() {
                    return Some(group);
                }
            }
        }
        None
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let group = self.0.clone();
        wait_until("the control group to be empty", || fs::remove_dir(&group).is_ok() || !group.exists());
    }
}
