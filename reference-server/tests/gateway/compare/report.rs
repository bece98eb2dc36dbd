//! What is measured, and what the report says of it.

use std::{fs, process::Command};

use serde_json::Value;

use super::{Comparison, left_out, ranked, rows};
use crate::support::installed;

const ADAPTERS: [&str; 11] = [
    "hyper",
    "rust",
    "wsgi-inline",
    "wsgi-pool",
    "spawn-static",
    "spawn-dynamic",
    "cgi-static",
    "cgi-dynamic",
    "cgi-sh",
    "cgi-perl",
    "cgi-python",
];

#[test]
fn every_adapter_does_every_piece_of_work_rightly() {
    if !installed(&["cc", "perl", "python3"]) {
        return;
    }
    let (report, code) = Comparison::new(&["--work", "all", "--rounds", "1"]).report();
    assert_eq!(code, 0);
    let tables = report["tables"].as_array().unwrap();
    let works: Vec<_> = tables.iter().map(|table| table["work"].as_str().unwrap()).collect();
    assert_eq!(works, ["hello", "page", "echo-1k", "echo-1m", "stream", "environ", "sleep"]);
    for table in tables {
        let rows = rows(table);
        // Without a static libc there is no static program.
        let absent = left_out(&report["left_out"]);
        for name in ADAPTERS.iter().filter(|name| !absent.contains_key(*name)) {
            let row = rows.get(name).unwrap_or_else(|| panic!("no {name}: {table}"));
            assert!(ranked(row), "{}: {row}", table["work"]);
            assert!(row["cpu_microseconds"].as_f64().unwrap_or(0.0) >= 0.0);
        }
    }
}

#[test]
fn the_report_says_what_was_measured_and_how() {
    let arguments = ["--adapters", "hyper,rust,wsgi,cgi-sh", "--html", "report.html", "--rounds", "3"];
    let mut comparison = Comparison::new(&arguments);
    let (report, code) = comparison.report();
    assert_eq!(code, 0);
    let table = &report["tables"][0];
    assert!(table["rounds"] == 3 && table["connections"] == 2 && table["work"] == "hello", "{table}");
    let rows = rows(table);
    let best = rows.values().filter(|row| row["ratio"]["value"] == 1.0).count();
    assert!(best >= 1, "{table}");
    for row in rows.values() {
        let ratio = &row["ratio"];
        assert!(ratio["low"].as_f64() <= ratio["value"].as_f64() && ratio["value"].as_f64() <= ratio["high"].as_f64());
        let latency = &row["latency"];
        assert!(
            latency["p50"].as_f64() <= latency["p99"].as_f64() && latency["p99"].as_f64() <= latency["p999"].as_f64()
        );
        assert_eq!(row["rounds"].as_array().unwrap().len(), 3);
        assert!(row["memory_bytes"].as_f64().unwrap() > 100_000.0);
    }
    let shares: Vec<_> = rows["wsgi-pool"]["shares"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(shares, ["HTTP", "gateway", "Python call", "hand-over to a thread"]);
    assert!(report["versions"]["gateway"].as_str().unwrap().starts_with(env!("CARGO_PKG_VERSION")));
    assert_ne!(report["method"]["cpu"], "");
    let page = fs::read_to_string(comparison.folder.file("report.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("WSGI, pool of threads") && page.contains("<svg"));
    assert!(!page.contains("://") && !page.contains("<script"));
}

#[test]
fn the_table_for_people_has_every_contender_and_what_its_time_goes_to() {
    let output = Comparison::new(&["--adapters", "hyper,rust,wsgi-inline"]).run();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for expected in [
        "hello, 2 connections (2 rounds)",
        "bare hyper (limit)",
        "Rust App",
        "WSGI, inline",
        "CPU/request",
        "p99.9",
        "Python call",
    ] {
        assert!(text.contains(expected), "no {expected:?} in\n{text}");
    }
}

#[test]
fn an_open_loop_asks_at_its_rate() {
    let arguments = ["--adapters", "rust,hyper", "--rate", "200", "--duration", "0.5", "--rounds", "1"];
    let (report, code) = Comparison::new(&arguments).report();
    assert_eq!(code, 0);
    assert_eq!(report["tables"][0]["rate"], 200.0);
    for row in rows(&report["tables"][0]).values() {
        // However slow the machine is, no more requests are sent than were due.
        let requests = row["requests"].as_u64().unwrap();
        assert!((1..=250).contains(&requests), "{row}");
    }
}

#[test]
fn a_sweep_has_a_table_for_each_step() {
    let arguments = ["--adapters", "rust", "--sweep", "headers", "--rounds", "1", "--html", "curve.html"];
    let mut comparison = Comparison::new(&arguments);
    let (report, code) = comparison.report();
    assert_eq!(code, 0);
    let steps: Vec<_> = report["tables"].as_array().unwrap().iter().map(|table| &table["headers"]).collect();
    assert_eq!(steps, [0, 4, 16, 64]);
    assert!(report["tables"].as_array().unwrap().iter().all(|table| ranked(rows(table)["rust"])));
    assert!(fs::read_to_string(comparison.folder.file("curve.html")).unwrap().contains("As headers grow"));
}

#[test]
fn one_core_is_enough_and_is_said_to_be_little() {
    if !installed(&["taskset"]) {
        return;
    }
    let mut comparison = Comparison::new(&["--adapters", "hyper,rust"]);
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", "0"]).arg(comparison.command.get_program()).args(comparison.command.get_args());
    pinned.current_dir(comparison.folder.path()).env("TMPDIR", comparison.folder.file("tmp"));
    comparison.command = pinned;
    let (report, code) = comparison.report();
    assert_eq!(code, 0);
    assert!(report["notes"].to_string().contains("only one core"), "{report}");
    assert!(rows(&report["tables"][0]).values().all(|row| ranked(row)));
}

/// The same application under the same name, first as it is and then with a delay in it.
#[test]
fn what_became_slower_is_a_regression_and_the_same_again_is_none() {
    const QUICK: &str =
        "def app(environ, start_response):\n    delay()\n    start_response('200 OK', [])\n    return [b'done']\n";
    let mut comparison = Comparison::new(&["wsgi:slow:app", "--rounds", "4"]);
    let write = |comparison: &Comparison, delay: &str| {
        let text = format!("{QUICK}\ndef delay():\n    {delay}\n");
        fs::write(comparison.folder.file("slow.py"), text).unwrap();
    };
    write(&comparison, "pass");
    comparison.command.env("PYTHONDONTWRITEBYTECODE", "1").args(["--save", "before"]);
    assert_eq!(comparison.report().1, 0);
    // A busy machine must not fail this: a call costs many times as much with the delay, and the limit lies between.
    let against = |comparison: &mut Comparison| {
        comparison.command.args(["--against", "before", "--threshold", "400"]);
        comparison.report()
    };
    let mut again = comparison.again();
    let (report, code) = against(&mut again);
    assert_eq!(code, 0, "{}", report["changes"]);
    assert_eq!(report["changes"]["rows"].as_array().unwrap().len(), 2);
    write(&comparison, "for _ in range(1_000_000): pass");
    let mut slowed = comparison.again();
    let (report, code) = against(&mut slowed);
    assert_eq!(code, 1, "{}", report["changes"]);
    let regression = |row: &&Value| row["is_regression"] == true && row["label"] == "wsgi:slow:app";
    assert!(report["changes"]["rows"].as_array().unwrap().iter().filter(regression).count() >= 1);
}
