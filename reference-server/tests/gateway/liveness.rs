//! Workers that hang are replaced; workers that are slow, or stopped, are not taken for such.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Gateway, admin::Watched, wait_until};

fn start(options: &[&str]) -> Watched {
    let mut gateway = Gateway::new(["wsgi:overtime:application"]).option("--graceful-timeout", "1");
    for option in options.chunks(2) {
        gateway = gateway.option(option[0], option[1]);
    }
    Watched::start(gateway)
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn pids(watched: &Watched) -> Vec<i32> {
    watched.workers().iter().map(|worker| worker.pid).collect()
}

#[test]
fn a_worker_whose_interpreter_is_held_is_replaced_after_its_stacks_are_logged() {
    let watched = start(&["--workers", "2", "--worker-timeout", "2"]);
    let mut client = watched.server.connect();
    client.send("GET /holds-the-interpreter HTTP/1.1\r\nHost: a\r\n\r\n");
    let hung = watched.worker_of("/holds-the-interpreter");
    let other = watched.workers().into_iter().find(|worker| worker.pid != hung.pid).unwrap();
    watched
        .server
        .wait_for_log(&format!("worker {} (process {}) is hung: the interpreter is held", hung.seat, hung.pid));
    watched.server.wait_for_log("in holds_the_interpreter");
    let workers = watched.wait_for_workers(2, &[hung.pid]);
    assert!(workers.contains(&other), "{workers:?}");
    wait_until("the hung one is gone", || !pids(&watched).contains(&hung.pid));
    for _ in 0..20 {
        watched.server.get("/quick").expect(200, "quick");
    }
    assert_eq!(watched.metric("gateway_worker_restarts_total{cause=\"hung\"}"), Some(1.0));
    assert!(client.rest().is_empty());
}

#[test]
fn slow_python_is_not_hung() {
    let watched = start(&["--worker-timeout", "2", "--timeout", "4"]);
    let before = pids(&watched);
    let mut spins = watched.server.connect();
    spins.send("GET /spins HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut sleeps = watched.server.connect();
    sleeps.send("GET /sleeps?3.5 HTTP/1.1\r\nHost: a\r\n\r\n");
    sleeps.response().expect(200, "quick");
    assert_eq!(spins.response().status, 504);
    watched.server.wait_for_log("while True:");
    watched.server.get("/quick").expect(200, "quick");
    assert_eq!(pids(&watched), before);
    assert!(!watched.server.log().contains("hung"), "{}", watched.server.log());
}

#[test]
fn an_event_loop_that_stands_still_for_longer_than_calls_may_take_is_hung() {
    let watched = start(&["--threads", "1", "--worker-timeout", "1", "--timeout", "1"]);
    let before = pids(&watched);
    let mut client = watched.server.connect();
    client.send("GET /sleeps?600 HTTP/1.1\r\nHost: a\r\n\r\n");
    watched.server.wait_for_log("is hung: its event loop stands still");
    watched.server.wait_for_log("in sleeps");
    watched.wait_for_workers(1, &before);
    watched.server.get("/quick").expect(200, "quick");
}

#[test]
fn a_worker_whose_threads_are_all_lost_is_replaced() {
    let watched = start(&["--threads", "2", "--timeout", "2"]);
    let before = pids(&watched);
    let clients = [(); 2].map(|()| {
        let mut client = watched.server.connect();
        client.send("GET /sleeps?600 HTTP/1.1\r\nHost: a\r\n\r\n");
        client
    });
    for mut client in clients {
        assert_eq!(client.response().status, 504);
    }
    watched.server.wait_for_log("as many of its calls as there are threads");
    watched.wait_for_workers(1, &before);
    // Until then it accepts connections, too.
    wait_until("the other is gone", || !pids(&watched).contains(&before[0]));
    watched.server.get("/quick").expect(200, "quick");
}

#[test]
fn a_worker_that_is_stopped_has_a_substitute_until_it_goes_on_and_is_not_killed() {
    let watched = start(&["--workers", "2", "--worker-timeout", "1"]);
    let [stopped, other] = [0, 1].map(|at| watched.wait_for_workers(2, &[])[at].pid);
    signal(stopped, Signal::STOP);
    watched.server.wait_for_log(&format!("(process {stopped}) is stopped, by SIGSTOP or a debugger"));
    let workers = watched.wait_for_workers(2, &[stopped]);
    assert!(workers.iter().any(|worker| worker.pid == other));
    assert!(watched.workers().iter().any(|worker| worker.pid == stopped && worker.state == "stopped"));
    for _ in 0..20 {
        watched.server.get("/quick").expect(200, "quick");
    }
    // Longer than a worker that drains is given.
    let begun = Instant::now();
    wait_until("five seconds", || begun.elapsed() > Duration::from_secs(5));
    assert!(pids(&watched).contains(&stopped));
    // It finds that its place is taken.
    signal(stopped, Signal::CONT);
    wait_until("it ends", || !pids(&watched).contains(&stopped));
    watched.server.get("/quick").expect(200, "quick");
    let log = watched.server.log();
    assert!(!log.contains("hung") && !log.contains("killed"), "{log}");
}

#[test]
fn when_everything_was_suspended_nothing_was_hung() {
    let watched = start(&["--workers", "2", "--worker-timeout", "1"]);
    let before: Vec<_> = watched.wait_for_workers(2, &[]).iter().map(|worker| worker.pid).collect();
    // The supervisor first, or it would see workers that are stopped alone.
    watched.server.signal(Signal::STOP);
    before.iter().for_each(|pid| signal(*pid, Signal::STOP));
    let begun = Instant::now();
    wait_until("longer than a hung worker is given", || begun.elapsed() > Duration::from_secs(4));
    watched.server.signal(Signal::CONT);
    before.iter().for_each(|pid| signal(*pid, Signal::CONT));
    let begun = Instant::now();
    wait_until("the supervisor has looked again", || begun.elapsed() > Duration::from_secs(3));
    assert_eq!(pids(&watched), before);
    assert!(!watched.server.log().contains("hung"), "{}", watched.server.log());
    watched.server.get("/quick").expect(200, "quick");
}

#[test]
fn a_worker_that_is_stopped_while_it_starts_has_a_substitute() {
    let watched = start(&["--worker-timeout", "1"]);
    let first = pids(&watched)[0];
    // The next one is stopped as soon as there is one.
    watched.server.signal(Signal::HUP);
    let mut next = None;
    wait_until("the next one starts", || {
        next = pids(&watched).into_iter().find(|pid| *pid != first);
        next.is_some()
    });
    signal(next.unwrap(), Signal::STOP);
    let workers = watched.wait_for_workers(1, &[first, next.unwrap()]);
    watched.server.get("/quick").expect(200, "quick");
    assert_eq!(workers.len(), 1);
}

#[test]
fn a_crash_of_pythons_leaves_its_stacks_in_the_log() {
    let watched = start(&[]);
    let before = pids(&watched);
    let mut client = watched.server.connect();
    client.send("GET /crashes HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.rest().is_empty());
    watched.server.wait_for_log("Segmentation fault");
    watched.server.wait_for_log("in crashes");
    watched.server.wait_for_log("was ended by SIGSEGV");
    watched.wait_for_workers(1, &before);
    watched.server.get("/quick").expect(200, "quick");
}

#[test]
fn a_hung_worker_ends_when_its_supervisor_is_gone() {
    let watched = start(&["--worker-timeout", "0"]);
    let worker = pids(&watched)[0];
    let mut client = watched.server.connect();
    client.send("GET /holds-the-interpreter HTTP/1.1\r\nHost: a\r\n\r\n");
    watched.worker_of("/holds-the-interpreter");
    watched.server.signal(Signal::KILL);
    wait_until("the worker ends", || !crate::support::server::is_running(&worker.to_string()));
}
