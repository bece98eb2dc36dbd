//! `/metrics`: Prometheus' text format (version 0.0.4), of all workers together.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write as _},
    process,
};

use reference_server::scoreboard::{BUCKETS, CLASSES, Snapshot, Totals};

use super::super::roster::{Duty, Standing, proportional, resident};

pub(super) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics. Counters include those of workers that are gone, or they would go back when a worker does.
pub(super) fn render(standing: &Standing) -> String {
    let snapshots: Vec<_> = standing.members.iter().filter_map(|member| member.snapshot()).collect();
    let mut totals = standing.past.clone();
    snapshots.iter().for_each(|snapshot| totals += &snapshot.totals);
    let mut page = Page(String::with_capacity(8 * 1024));
    page.requests(&totals);
    page.gauges(&snapshots);
    page.traffic(&totals);
    page.processes(standing);
    page.0
}

struct Page(String);

impl Page {
    fn requests(&mut self, totals: &Totals) {
        self.head("gateway_requests_total", "counter", "Requests that have ended, by mount and class of status.");
        for (mount, classes) in &totals.requests {
            for (class, count) in CLASSES.iter().zip(classes) {
                // What is mounted counts from the beginning, so that rates have a first value.
                if *count > 0 || (!mount.is_empty() && *class == "2xx") {
                    self.sample("gateway_requests_total", &[("mount", mount), ("class", class)], count);
                }
            }
        }
        self.one(
            "gateway_requests_aborted_total",
            "counter",
            "Responses that did not reach their end.",
            totals.aborted,
        );
        self.durations(totals);
        self.one("gateway_requests_refused_total", "counter", "Requests that found the queue full.", totals.refused);
        self.summary(
            "gateway_queue_wait_seconds",
            "Time that requests had to wait for a thread, of those that had to.",
            totals.queue_waits,
            totals.queue_wait_nanos,
        );
        self.summary(
            "gateway_gil_wait_seconds",
            "Time that it took to enter the Python interpreter, tried once a second in each worker.",
            totals.gil_waits,
            totals.gil_wait_nanos,
        );
    }

    fn durations(&mut self, totals: &Totals) {
        let name = "gateway_request_duration_seconds";
        self.head(name, "histogram", "Time from a request's head to the end of its response; right to within 4 ms.");
        let mut sum = 0;
        for (bound, count) in BUCKETS.iter().zip(totals.durations) {
            sum += count;
            let bound = (*bound as f64 / 1000.0).to_string();
            self.sample(&format!("{name}_bucket"), &[("le", &bound)], sum);
        }
        let all: u64 = totals.durations.iter().sum();
        self.sample(&format!("{name}_bucket"), &[("le", "+Inf")], all);
        self.sample(&format!("{name}_sum"), &[], seconds(totals.duration_nanos));
        self.sample(&format!("{name}_count"), &[], all);
    }

    fn gauges(&mut self, snapshots: &[Snapshot]) {
        let mut gauge = |name, help, of: fn(&Snapshot) -> u64| {
            self.one(name, "gauge", help, snapshots.iter().map(of).sum::<u64>());
        };
        gauge("gateway_requests_in_flight", "Requests that are being answered.", |snapshot| snapshot.in_flight);
        gauge("gateway_queue_length", "Requests that wait for a thread.", |snapshot| snapshot.queue);
        gauge("gateway_threads", "Blocking calls that may run at once.", |snapshot| snapshot.threads);
        gauge("gateway_threads_busy", "Blocking calls that run.", |snapshot| snapshot.busy);
        gauge("gateway_threads_stuck", "Calls that were given up and have not returned.", |snapshot| snapshot.stuck);
        gauge("gateway_connections_open", "Open connections.", |snapshot| snapshot.connections);
        gauge("gateway_cgi_processes", "CGI programs that run.", |snapshot| snapshot.cgi_processes);
        let oldest = |of: fn(&Snapshot) -> u64| snapshots.iter().map(of).max().unwrap_or(0) as f64 / 1000.0;
        let gil = oldest(|snapshot| snapshot.gil_age.unwrap_or(0));
        self.one("gateway_gil_age_seconds", "gauge", "The longest time that a worker could not enter Python.", gil);
        let event_loop = oldest(|snapshot| snapshot.loop_age);
        self.one("gateway_loop_age_seconds", "gauge", "The longest time that an event loop stands still.", event_loop);
    }

    fn traffic(&mut self, totals: &Totals) {
        self.one("gateway_connections_accepted_total", "counter", "Connections accepted.", totals.connections);
        self.one("gateway_received_bytes_total", "counter", "Bytes read from clients.", totals.received_bytes);
        self.one("gateway_sent_bytes_total", "counter", "Bytes written to clients.", totals.sent_bytes);
    }

    fn processes(&mut self, standing: &Standing) {
        self.head("gateway_workers", "gauge", "Worker processes by state.");
        for duty in Duty::ALL {
            let count = standing.members.iter().filter(|member| member.duty == duty).count();
            self.sample("gateway_workers", &[("state", duty.name())], count);
        }
        self.one("gateway_workers_wanted", "gauge", "Worker processes that there should be.", standing.wanted);
        self.head("gateway_worker_restarts_total", "counter", "Workers that have ended and had a successor, by cause.");
        for (cause, count) in &standing.ends {
            self.sample("gateway_worker_restarts_total", &[("cause", cause)], count);
        }
        let pids: BTreeMap<_, Vec<_>> = [
            ("supervisor", vec![process::id()]),
            ("workers", standing.members.iter().map(|member| member.pid).collect()),
        ]
        .into();
        self.head("gateway_resident_memory_bytes", "gauge", "Resident memory.");
        for (kind, pids) in &pids {
            let sum = pids.iter().map(|pid| resident(*pid)).sum::<u64>();
            self.sample("gateway_resident_memory_bytes", &[("process", kind)], sum);
        }
        self.head(
            "gateway_proportional_memory_bytes",
            "gauge",
            "Memory, what is shared divided by those who share it.",
        );
        for (kind, pids) in &pids {
            let sum = pids.iter().map(|pid| proportional(*pid)).sum::<u64>();
            self.sample("gateway_proportional_memory_bytes", &[("process", kind)], sum);
        }
        let uptime = standing.started.elapsed().as_secs_f64();
        self.one("gateway_uptime_seconds", "gauge", "Time since the supervisor began.", uptime);
        self.head("gateway_info", "gauge", "The version.");
        self.sample("gateway_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    }

    fn summary(&mut self, name: &str, help: &str, count: u64, nanos: u64) {
        self.head(name, "summary", help);
        self.sample(&format!("{name}_sum"), &[], seconds(nanos));
        self.sample(&format!("{name}_count"), &[], count);
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.sample(name, &[], value);
    }

    /// Help texts are ours and need no escaping.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{}\"", if index == 0 { '{' } else { ',' }, escaped(value));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// A label's value between its quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::{fs::File, sync::Arc, time::Instant};

    use super::*;
    use crate::command::roster::{Member, Roster};

    fn standing() -> Standing {
        let roster = Roster::new();
        let file = tempfile::tempfile().unwrap();
        let member = |seat, duty| Member {
            seat,
            pid: process::id(),
            duty,
            started: Instant::now(),
            scoreboard: Arc::new(File::try_clone(&file).unwrap()),
        };
        roster.ended("hung", &file);
        roster.turn(vec![member(1, Duty::Ready), member(2, Duty::Hung)], 2, false);
        let mut standing = roster.standing();
        standing.past.requests = [("/a\"b\\".to_owned(), [0, 5, 0, 0, 1]), (String::new(), [0; 5])].into();
        standing.past.durations[0] = 4;
        standing.past.durations[2] = 2;
        standing.past.duration_nanos = 1_500_000_000;
        standing
    }

    #[test]
    fn counters_have_labels_that_are_escaped() {
        let page = render(&standing());
        assert!(page.contains("gateway_requests_total{mount=\"/a\\\"b\\\\\",class=\"2xx\"} 5\n"), "{page}");
        assert!(page.contains("gateway_requests_total{mount=\"/a\\\"b\\\\\",class=\"5xx\"} 1\n"), "{page}");
        assert!(page.contains("gateway_worker_restarts_total{cause=\"hung\"} 1\n"), "{page}");
        assert!(page.contains("gateway_workers{state=\"ready\"} 1\n"), "{page}");
    }

    #[test]
    fn buckets_add_up() {
        let page = render(&standing());
        let name = "gateway_request_duration_seconds";
        for (line, value) in [
            ("_bucket{le=\"0.005\"}", "4"),
            ("_bucket{le=\"0.01\"}", "4"),
            ("_bucket{le=\"0.025\"}", "6"),
            ("_bucket{le=\"300\"}", "6"),
            ("_bucket{le=\"+Inf\"}", "6"),
            ("_sum", "1.5"),
            ("_count", "6"),
        ] {
            assert!(page.contains(&format!("{name}{line} {value}\n")), "{line}: {page}");
        }
    }

    #[test]
    fn every_sample_has_a_type_and_a_number() {
        let mut types = Vec::new();
        for line in render(&standing()).lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let words: Vec<_> = comment.split(' ').collect();
                assert!(matches!(words[0], "HELP" | "TYPE") && words.len() > 2, "{line}");
                types.extend((words[0] == "TYPE").then(|| words[1].to_owned()));
                continue;
            }
            let (name, value) = line.rsplit_once(' ').unwrap();
            let name = name.split('{').next().unwrap();
            assert!(name.starts_with(types.last().unwrap().as_str()), "{line}");
            value.parse::<f64>().unwrap();
        }
        let count = types.len();
        types.sort();
        types.dedup();
        assert_eq!(types.len(), count, "a metric stands twice");
    }
}
