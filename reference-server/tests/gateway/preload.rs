//! `--preload`: workers are forked from a process that has imported the applications.

use std::fs;

use rustix::process::Signal;

use crate::{
    support::{
        Gateway, Load, Server,
        load::Connections::{Kept, New},
        server::is_running,
        wait_until,
    },
    workers::kill,
};

fn gateway(version: &std::path::Path) -> Gateway {
    let gateway = Gateway::new(["processes:application"]).env("VERSION_FILE", version).option("--drain-idle", "1");
    gateway.option("--workers", "2").env("GATEWAY_PRELOAD", "true").option("--log-level", "debug")
}

/// A file with the version that the application says.
fn version(folder: &tempfile::TempDir, text: &str) -> std::path::PathBuf {
    let file = folder.path().join("version");
    fs::write(&file, text).unwrap();
    file
}

/// The processes that have imported the application, and that serve it, as long as there are not so many.
fn zygote_and_workers(server: &Server, workers: usize) -> (u32, Vec<u32>) {
    wait_until("all to serve", || server.workers().len() == workers + 1);
    let zygote: u32 = server.get("/importer").text().parse().unwrap();
    let mut others = server.workers();
    others.retain(|pid| *pid != zygote);
    assert_eq!(others.len(), workers, "{others:?} and {zygote}");
    (zygote, others)
}

#[test]
fn applications_are_imported_once_and_everything_is_replaced_by_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let server = gateway(&version(&folder, "one")).start();
    let (zygote, workers) = zygote_and_workers(&server, 2);
    assert_ne!(server.get("/pid").text(), zygote.to_string());
    server.get("/version").expect(200, "one");
    server.get("/multiprocess").expect(200, "True");
    let load = Load::start(server.address(), &[("/sleep?0.01", Kept, 3), ("/sleep?0.01", New, 3)]);
    version(&folder, "two");
    server.signal(Signal::HUP);
    let gone = |pid: &u32| !is_running(&pid.to_string());
    wait_until("all others", || workers.iter().all(gone) && gone(&zygote));
    server.get("/version").expect(200, "two");
    load.stop_after(20).assert_none_failed();
    zygote_and_workers(&server, 2);
}

#[test]
fn a_worker_that_dies_is_forked_again_and_so_is_the_zygote() {
    let folder = tempfile::tempdir().unwrap();
    let server = gateway(&version(&folder, "one")).start();
    let (zygote, workers) = zygote_and_workers(&server, 2);
    kill(workers[0], Signal::KILL);
    server.wait_for_log(&format!("(process {}) was ended by SIGKILL", workers[0]));
    wait_until("another worker", || server.workers().len() == 3 && !server.workers().contains(&workers[0]));
    server.get("/importer").expect(200, &zygote.to_string());
    kill(zygote, Signal::KILL);
    server.wait_for_log(&format!("(process {zygote}) was ended by SIGKILL"));
    wait_until("another zygote", || server.workers().len() == 3);
    assert_eq!(server.get("/pid").status, 200);
}

#[test]
fn a_worker_that_is_forked_too_late_is_not_taken_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let server = gateway(&version(&folder, "one")).start();
    let (zygote, workers) = zygote_and_workers(&server, 2);
    kill(zygote, Signal::STOP);
    let before = server.log().len();
    workers.iter().for_each(|worker| kill(*worker, Signal::KILL));
    server.wait_for_log_after(before, "cannot start worker");
    kill(zygote, Signal::CONT);
    wait_until("two workers", || server.log()[before..].matches("is READY").count() >= 2);
    let (same, workers) = zygote_and_workers(&server, 2);
    assert_eq!(same, zygote);
    let known = |worker: &u32| server.log()[before..].contains(&format!("(process {worker}) is READY"));
    assert!(workers.iter().all(known), "{workers:?}: {}", server.log());
    assert!(!server.log().contains("ended by itself"), "{}", server.log());
}

#[test]
fn what_cannot_be_imported_ends_the_start_and_changes_nothing_later() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = gateway(&folder.path().join("missing")).fail();
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("Traceback") && text.contains("FileNotFoundError"), "{text}");
    let file = version(&folder, "one");
    let server = gateway(&file).start();
    fs::remove_file(&file).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("the reload has failed, and nothing has changed");
    server.wait_for_log("FileNotFoundError");
    server.get("/version").expect(200, "one");
    version(&folder, "two");
    server.signal(Signal::HUP);
    wait_until("the new version", || server.get("/version").text() == "two");
}

#[test]
fn nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = version(&folder, "one");
    for signal in [Signal::TERM, Signal::KILL] {
        let server = gateway(&file).start();
        let (zygote, workers) = zygote_and_workers(&server, 2);
        server.signal(signal);
        for pid in workers.into_iter().chain([zygote]) {
            wait_until("all to end", || !is_running(&pid.to_string()));
        }
    }
}
