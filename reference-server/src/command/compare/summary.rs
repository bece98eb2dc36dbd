//! From measurements to a table of the report.

use super::{
    exchange::ExpectedBody,
    launch::Launcher,
    load::Tally,
    report::{Latency, LeftOut, Round, Row, Table, shares},
    rounds::{Asked, Entry, Measured, Task, Verdict, percentile, ratios},
    statistics::{Ratio, geometric_mean, median},
};

/// The load generator has nothing to spare if its core is busier than this while the server's is not.
const BUSY: f64 = 0.95;

/// The quantiles of latency curves: each halves what is left.
const CURVE: [f64; 13] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999, 0.9999, 1.0];

pub(super) fn table(task: &Task, entries: &[Entry], launcher: &Launcher) -> Table {
    let mut rows = Vec::new();
    let mut table = empty(task);
    for (entry, ratio) in entries.iter().zip(ratios(entries)) {
        let name = entry.contender.name.clone();
        match &entry.verdict {
            Verdict::DoesNotStart(reason) => table.left_out.push(LeftOut { name, reason: reason.clone() }),
            _ => rows.push(row(entry, ratio, launcher)),
        }
    }
    table.remarks = remarks(entries);
    shares::set(&mut rows);
    // Those that answer wrongly are last.
    let place = |row: &Row| (row.wrong.is_some(), row.ratio.map_or(f64::MAX, |ratio| ratio.value));
    rows.sort_by(|a, b| place(a).partial_cmp(&place(b)).unwrap_or(std::cmp::Ordering::Equal));
    table.rounds = entries.iter().map(|entry| entry.rounds.len() as u32).max().unwrap_or(0);
    table.rows = rows;
    table
}

pub(super) fn title(task: &Task) -> String {
    empty(task).title()
}

fn empty(task: &Task) -> Table {
    Table {
        work: match &task.asked {
            Asked::Work(work) => work.to_string(),
            Asked::Path(path) => path.clone(),
        },
        connections: task.connections,
        headers: task.headers,
        workers: task.workers,
        rate: task.rate,
        rounds: 0,
        rows: Vec::new(),
        left_out: Vec::new(),
        remarks: Vec::new(),
    }
}

/// What the user's applications make of "the same work".
fn remarks(entries: &[Entry]) -> Vec<String> {
    let learned = |entry| Some((entry, Entry::learned(entry)?));
    let (vary, stay): (Vec<_>, Vec<_>) =
        entries.iter().filter_map(learned).partition(|(_, body)| matches!(body, ExpectedBody::Any));
    let vary = vary.into_iter().map(|(entry, _)| {
        format!("{}: its answers differ from each other: only status and type are checked", entry.contender.label)
    });
    let mut remarks: Vec<_> = vary.collect();
    let bodies: Vec<_> = stay.iter().filter_map(|(_, body)| body.exactly()).collect();
    if bodies.windows(2).any(|pair| pair[0] != pair[1]) {
        let lengths: Vec<_> = bodies.iter().map(|body| body.len().to_string()).collect();
        remarks.push(format!("the applications answer different things, of {} bytes", lengths.join(", ")));
    }
    remarks
}

fn row(entry: &Entry, ratio: Option<Ratio>, launcher: &Launcher) -> Row {
    let measured: Vec<_> = entry.rounds.iter().flatten().collect();
    let mut all = Tally::default();
    for round in &measured {
        // Both have the same bounds.
        let _ = all.latencies.add(&round.tally.latencies);
        all.answers += round.tally.answers;
        all.unanswered += round.tally.unanswered;
    }
    let busy = |time: fn(&Measured) -> f64| {
        median(measured.iter().map(|round| time(round) / round.elapsed.as_secs_f64())).unwrap_or(0.0)
    };
    let load_busy = busy(|round| round.load_cpu.as_secs_f64());
    let server_busy = busy(|round| round.server_cpu.as_secs_f64()) / launcher.cores.server.len() as f64;
    let wrong = match &entry.verdict {
        Verdict::Wrong(wrong) => Some(wrong.clone()),
        _ => entry.errors.example.clone(),
    };
    Row {
        name: entry.contender.name.clone(),
        label: entry.contender.label.clone(),
        kind: entry.contender.kind.name().into(),
        requests: all.answers,
        requests_per_second: median(measured.iter().map(|round| round.requests_per_second())),
        cpu_microseconds: geometric_mean(measured.iter().filter_map(|round| round.cost())),
        ratio,
        latency: latency(&all),
        memory_bytes: median(measured.iter().filter_map(|round| round.memory).map(|bytes| bytes as f64)),
        errors: entry.errors.count(),
        error_kinds: entry.errors.kinds.clone(),
        unanswered: all.unanswered,
        wrong,
        limited_by_load: is_limited_by_load(load_busy, server_busy, launcher.cores.are_shared()),
        load_busy,
        server_busy,
        shares: Vec::new(),
        rounds: rounds(entry),
    }
}

/// Whether the server could have answered more. On one core for both, nobody can tell.
fn is_limited_by_load(load_busy: f64, server_busy: f64, share_a_core: bool) -> bool {
    load_busy > BUSY && server_busy < BUSY && !share_a_core
}

fn rounds(entry: &Entry) -> Vec<Round> {
    let numbered = entry.rounds.iter().zip(1..).filter_map(|(round, number)| Some((number, round.as_ref()?)));
    let round = |(number, round): (u32, &Measured)| Round {
        round: number,
        requests: round.tally.answers,
        errors: round.tally.errors.count(),
        requests_per_second: round.requests_per_second(),
        cpu_microseconds: round.cost(),
        p50_microseconds: round.latency(0.5),
        p99_microseconds: round.latency(0.99),
    };
    numbered.map(round).collect()
}

fn latency(tally: &Tally) -> Option<Latency> {
    let at = |quantile| percentile(&tally.latencies, quantile);
    let curve = CURVE.into_iter().filter_map(|quantile| Some((quantile * 100.0, at(quantile)?))).collect();
    Some(Latency { p50: at(0.5)?, p99: at(0.99)?, p999: at(0.999)?, max: at(1.0)?, curve })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_waits_for_a_busy_load_generator_is_limited_by_it() {
        assert!(is_limited_by_load(0.99, 0.8, false));
        assert!(!is_limited_by_load(0.8, 0.99, false));
        assert!(!is_limited_by_load(0.99, 0.99, false));
        assert!(!is_limited_by_load(0.99, 0.8, true));
    }
}
