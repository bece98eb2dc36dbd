//! What a run found out, in the form in which it is kept: everything that is shown is computed from it.

mod curves;
pub(super) mod html;
mod machine;
pub(super) mod shares;
pub(super) mod terminal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::statistics::Ratio;

pub(super) use machine::Machine;

/// The number of the form, for whoever reads files of another version.
pub(super) const FORMAT: u32 = 1;

/// A whole run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Report {
    pub(super) format: u32,
    /// RFC 3339, in local time.
    pub(super) date: String,
    /// The command, to repeat it.
    pub(super) command: Vec<String>,
    pub(super) machine: Machine,
    /// The versions of everything that took part.
    pub(super) versions: BTreeMap<String, String>,
    pub(super) method: Method,
    /// What a reader has to know of this run in particular.
    pub(super) notes: Vec<String>,
    /// What was to be measured and could not be, and why.
    pub(super) left_out: Vec<LeftOut>,
    /// What grows from table to table, if that is what was asked for.
    pub(super) sweep: Option<String>,
    pub(super) tables: Vec<Table>,
    pub(super) changes: Option<Changes>,
}

/// How it was measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Method {
    /// In a few sentences.
    pub(super) text: Vec<String>,
    pub(super) server_cores: Vec<usize>,
    pub(super) load_core: usize,
    /// Where CPU time was read.
    pub(super) cpu: String,
    pub(super) warm_up_seconds: f64,
    pub(super) measurement_seconds: f64,
    pub(super) most_rounds: u32,
    pub(super) most_seconds: f64,
    pub(super) wanted_interval: f64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct LeftOut {
    pub(super) name: String,
    pub(super) reason: String,
}

/// The same work, done by all.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Table {
    /// The work, or the path that the user's applications were asked for.
    pub(super) work: String,
    pub(super) connections: usize,
    /// Headers of the request beside Host.
    pub(super) headers: usize,
    pub(super) workers: u16,
    /// Requests that were due in a second; without, the loop was closed.
    pub(super) rate: Option<f64>,
    pub(super) rounds: u32,
    /// In the order of cost; those that answered wrongly come last.
    pub(super) rows: Vec<Row>,
    pub(super) left_out: Vec<LeftOut>,
    /// What has to be known of the rows.
    pub(super) remarks: Vec<String>,
}

/// One contender.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) label: String,
    /// `limit`, `adapter`, `own` or `peer`.
    pub(super) kind: String,
    /// Right answers in all rounds.
    pub(super) requests: u64,
    pub(super) requests_per_second: Option<f64>,
    pub(super) cpu_microseconds: Option<f64>,
    /// CPU per request in relation to the cheapest, with the interval of 95 %.
    pub(super) ratio: Option<Ratio>,
    pub(super) latency: Option<Latency>,
    pub(super) memory_bytes: Option<f64>,
    pub(super) errors: u64,
    pub(super) error_kinds: BTreeMap<String, u64>,
    /// Requests of an open loop that had no answer by the end, and connections that had none during a whole measurement.
    /// How long they had waited is among the latencies.
    pub(super) unanswered: u64,
    /// What was wrong with its answers: it is not ranked.
    pub(super) wrong: Option<String>,
    /// The load had no more to give: the server could have answered more.
    pub(super) limited_by_load: bool,
    /// Of the load's core and of the server's.
    pub(super) load_busy: f64,
    pub(super) server_busy: f64,
    pub(super) shares: Vec<Share>,
    pub(super) rounds: Vec<Round>,
}

/// Latencies of all rounds together, in microseconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
    /// Percentiles with their latencies, for a curve.
    pub(super) curve: Vec<(f64, f64)>,
}

/// A part of the CPU time of one request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Share {
    pub(super) name: String,
    pub(super) microseconds: f64,
    pub(super) fraction: f64,
}

/// One measurement.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Round {
    pub(super) round: u32,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) requests_per_second: f64,
    pub(super) cpu_microseconds: Option<f64>,
    pub(super) p50_microseconds: Option<f64>,
    pub(super) p99_microseconds: Option<f64>,
}

impl Row {
    /// Whether it takes part in the ranking.
    pub(super) fn is_ranked(&self) -> bool {
        self.wrong.is_none() && self.ratio.is_some()
    }
}

impl Table {
    /// How far a sweep has got with this table.
    pub(super) fn step(&self, sweep: &str) -> String {
        match sweep {
            "connections" => self.connections.to_string(),
            "headers" => self.headers.to_string(),
            "workers" => self.workers.to_string(),
            _ => self.work.trim_start_matches("echo-").to_uppercase(),
        }
    }

    /// What tells tables of one run apart.
    pub(super) fn title(&self) -> String {
        let mut title = format!("{}, {}", self.work, count(self.connections, "connection"));
        if self.headers > 0 {
            title.push_str(&format!(", {}", count(self.headers, "more header")));
        }
        if self.workers > 1 {
            title.push_str(&format!(", {} workers", self.workers));
        }
        if let Some(rate) = self.rate {
            title.push_str(&format!(", {rate} requests/s due"));
        }
        title
    }
}

impl Report {
    /// The command, as a shell takes it.
    pub(super) fn command_line(&self) -> String {
        let is_plain = |word: &str| {
            !word.is_empty() && word.chars().all(|it| it.is_ascii_alphanumeric() || "-_=./:,@%+".contains(it))
        };
        let quote =
            |word: &String| if is_plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) };
        self.command.iter().map(quote).collect::<Vec<_>>().join(" ")
    }
}

pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// What has changed since a run that was saved.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Changes {
    /// Of the other run.
    pub(super) name: String,
    pub(super) date: String,
    /// From which fraction on something that has become worse is a regression.
    pub(super) threshold: f64,
    pub(super) rows: Vec<Change>,
    /// What could not be compared.
    pub(super) notes: Vec<String>,
}

/// A figure of a row, now in relation to then; more than 1 is worse.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Change {
    pub(super) table: String,
    pub(super) label: String,
    pub(super) metric: String,
    /// Without a value there is nothing that could be measured any more.
    pub(super) ratio: Option<Ratio>,
    pub(super) is_beyond_noise: bool,
    pub(super) is_regression: bool,
}

impl Changes {
    pub(super) fn has_regressions(&self) -> bool {
        self.rows.iter().any(|row| row.is_regression)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A report with one table: rows by name, with the CPU time of a request in each round. All else follows from that.
    pub(in super::super) fn report(rows: &[(&str, [f64; 4])]) -> Report {
        let machine = Machine {
            processor: "Test".into(),
            cores: 2,
            memory_bytes: 1 << 30,
            kernel: "Linux".into(),
            architecture: "x86_64".into(),
            load_average: 0.0,
        };
        let method = Method {
            text: vec!["As ever.".into()],
            server_cores: vec![0],
            load_core: 1,
            cpu: "a control group".into(),
            warm_up_seconds: 0.25,
            measurement_seconds: 1.0,
            most_rounds: 4,
            most_seconds: 150.0,
            wanted_interval: 0.05,
        };
        let table = Table {
            work: "hello".into(),
            connections: 32,
            headers: 0,
            workers: 1,
            rate: None,
            rounds: 4,
            rows: rows.iter().map(|(name, costs)| row(name, costs)).collect(),
            left_out: Vec::new(),
            remarks: Vec::new(),
        };
        Report {
            format: FORMAT,
            date: "2026-01-02T03:04:05+00:00".into(),
            command: vec!["gateway".into(), "compare".into()],
            machine,
            versions: BTreeMap::new(),
            method,
            notes: Vec::new(),
            left_out: Vec::new(),
            sweep: None,
            tables: vec![table],
            changes: None,
        }
    }

    fn row(name: &str, costs: &[f64; 4]) -> Row {
        let round = |(at, cost): (usize, &f64)| Round {
            round: at as u32 + 1,
            requests: 1000,
            errors: 0,
            requests_per_second: 1e6 / cost,
            cpu_microseconds: Some(*cost),
            p50_microseconds: Some(cost * 32.0),
            p99_microseconds: Some(cost * 64.0),
        };
        let curve = vec![(0.0, costs[0]), (50.0, costs[0] * 32.0), (99.0, costs[0] * 64.0), (100.0, costs[0] * 99.0)];
        Row {
            name: name.into(),
            label: name.into(),
            kind: if name == "hyper" { "limit" } else { "own" }.into(),
            requests: 4000,
            requests_per_second: Some(1e6 / costs[0]),
            cpu_microseconds: Some(costs[0]),
            ratio: Some(Ratio { value: costs[0], low: costs[0] * 0.99, high: costs[0] * 1.01 }),
            latency: Some(Latency { p50: curve[1].1, p99: curve[2].1, p999: curve[2].1, max: curve[3].1, curve }),
            memory_bytes: Some(1e7),
            errors: 0,
            error_kinds: BTreeMap::new(),
            unanswered: 0,
            wrong: None,
            limited_by_load: false,
            load_busy: 0.5,
            server_busy: 1.0,
            shares: Vec::new(),
            rounds: costs.iter().enumerate().map(round).collect(),
        }
    }

    #[test]
    fn a_report_survives_being_saved() {
        let report = report(&[("hyper", [1.0, 2.0, 0.5, 1.0]), ("own", [2.0; 4])]);
        let text = serde_json::to_string(&report).unwrap();
        let again: Report = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }

    #[test]
    fn commands_can_be_pasted() {
        let mut report = report(&[]);
        report.command = ["gateway", "compare", "--path", "/a b", "it's"].map(str::to_owned).to_vec();
        assert_eq!(report.command_line(), r"gateway compare --path '/a b' 'it'\''s'");
    }

    #[test]
    fn titles_tell_tables_apart() {
        let mut table = report(&[]).tables.remove(0);
        assert_eq!(table.title(), "hello, 32 connections");
        (table.connections, table.headers, table.workers, table.rate) = (1, 4, 2, Some(500.0));
        assert_eq!(table.title(), "hello, 1 connection, 4 more headers, 2 workers, 500 requests/s due");
    }
}
