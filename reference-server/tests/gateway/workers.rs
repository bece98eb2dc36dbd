//! Several processes behind one address.

use std::{collections::BTreeMap, net::TcpStream};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Client, Gateway, Load, Server,
    load::{
        Connections::{Kept, New},
        Failure,
    },
    server::is_running,
    wait_until,
};

fn gateway(workers: &str) -> Gateway {
    Gateway::new(["processes:application"]).option("--workers", workers)
}

/// Waits until all of so many workers have said who they are.
pub(crate) fn serving(server: &Server, workers: usize) -> Vec<u32> {
    wait_until("all workers to serve", || {
        let log = server.log();
        log.matches("is READY").count() >= workers
    });
    server.wait_for_workers(workers)
}

pub(crate) fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

#[test]
fn applications_are_told_whether_there_are_other_processes() {
    for (workers, told) in [("1", "False"), ("2", "True")] {
        gateway(workers).start().get("/multiprocess").expect(200, told);
    }
}

#[test]
fn one_process_that_becomes_two_is_replaced_to_be_told() {
    let server = gateway("1").start();
    let first = server.worker();
    server.signal(Signal::TTIN);
    wait_until("two other workers", || server.workers().len() == 2 && !is_running(&first.to_string()));
    server.get("/multiprocess").expect(200, "True");
}

#[test]
fn the_variables_of_the_supervisor_are_not_those_of_applications() {
    let variables =
        [("LISTEN_PID", "1"), ("LISTEN_FDS", "1"), ("NOTIFY_SOCKET", "/none"), ("WATCHDOG_USEC", "9999999")];
    let gateway = variables.iter().fold(gateway("1"), |gateway, (name, value)| gateway.env(name, value));
    let seen = gateway.start().get("/variables").text();
    for (name, _) in variables {
        assert!(!seen.split(' ').any(|variable| variable == name), "{seen}");
    }
}

#[test]
fn connections_that_are_kept_spread_over_the_workers() {
    let server = gateway("4").option("--log-level", "debug").start();
    let workers = serving(&server, 4);
    // Without sharing the quickest takes nearly all, each time. One that a busy machine keeps from its turn has another.
    wait_until("equal shares", || {
        let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
        let mut served: BTreeMap<u32, usize> = workers.iter().map(|pid| (*pid, 0)).collect();
        for client in &mut clients {
            client.send("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n");
            *served.get_mut(&client.response().text().parse().unwrap()).unwrap() += 1;
        }
        eprintln!("{served:?}");
        served.values().all(|count| (20..=30).contains(count))
    });
}

#[test]
fn a_worker_that_is_killed_takes_only_its_own_requests_with_it() {
    let server = gateway("2").option("--log-level", "debug").start();
    let workers = serving(&server, 2);
    let load =
        Load::start(server.address(), &[("/sleep?0.01", Kept, 4), ("/sleep?0.01", New, 4), ("/sleep?1", New, 4)]);
    wait_until("requests to run", || server.get("/pid").status == 200);
    kill(workers[0], Signal::KILL);
    server.wait_for_log("was ended by SIGKILL: somebody has killed it");
    wait_until("another one", || server.workers().len() == 2 && !server.workers().contains(&workers[0]));
    serving(&server, 2);
    let tally = load.stop_after(20);
    // What waits in the kernel's backlog, and what others run, is not lost.
    assert!(tally.failed.len() <= 12 && tally.failed.iter().all(|failure| *failure == Failure::Reset), "{tally:?}");
}

#[test]
fn workers_whose_supervisor_is_killed_finish_and_go() {
    let server = gateway("2").option("--drain-idle", "0").option("--log-level", "debug").start();
    let workers = serving(&server, 2);
    let mut client = server.connect();
    client.send("GET /sleep?1 HTTP/1.1\r\nHost: a\r\n\r\n");
    // The request is the worker's as soon as another one, sent later, was answered by each.
    for _ in 0..10 {
        assert_eq!(server.get("/pid").status, 200);
    }
    server.signal(Signal::KILL);
    let response = client.response();
    assert_eq!((response.status, response.header("connection").as_deref()), (200, Some("close")));
    for worker in workers {
        wait_until("the workers to end", || !is_running(&worker.to_string()));
    }
    assert!(TcpStream::connect(server.address()).is_err());
}
