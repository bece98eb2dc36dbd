//! Workers that are replaced in time: after requests, after a lifetime, at a size.

use crate::support::{
    Gateway, Load,
    load::Connections::{Kept, New},
    wait_until,
};

fn gateway() -> Gateway {
    Gateway::new(["processes:application"]).option("--drain-idle", "1")
}

#[test]
fn a_worker_is_replaced_after_its_requests_and_none_is_lost() {
    let server = gateway().option("--workers", "2").option("--max-requests", "100").start();
    let load =
        Load::start(server.address(), &[("/sleep?0.01", Kept, 4), ("/sleep?0.01", New, 4), ("/sleep?2", New, 3)]);
    wait_until("six workers to be replaced", || server.log().matches("it has answered 100 requests").count() >= 6);
    load.stop_after(500).assert_none_failed();
}

#[test]
fn jitter_makes_the_number_another_for_each() {
    let options = ["--max-requests", "1", "--max-requests-jitter", "1000"];
    let server =
        gateway().option(options[0], options[1]).option(options[2], options[3]).option("--workers", "2").start();
    let _load = Load::start(server.address(), &[("/pid", Kept, 4), ("/pid", New, 4)]);
    wait_until("four workers to be replaced", || server.log().matches("it has answered").count() >= 4);
    let log = server.log();
    let counts: Vec<_> = log.split("it has answered ").skip(1).filter_map(|rest| rest.split(' ').next()).collect();
    assert!(counts.iter().any(|count| *count != counts[0]), "{counts:?}");
}

#[test]
fn a_worker_is_replaced_at_the_end_of_its_lifetime() {
    let server = gateway().option("--max-worker-lifetime", "1").start();
    let first = server.get("/pid").text();
    server.wait_for_log("it has lived for");
    wait_until("another worker to serve", || server.get("/pid").text() != first);
}

#[test]
fn a_worker_that_has_grown_is_replaced() {
    let server = gateway().option("--max-worker-rss", "200M").start();
    let first = server.get("/grow?300").text();
    server.wait_for_log("of memory, and 200 are allowed");
    wait_until("another worker to serve", || server.get("/pid").text() != first);
}
