//! What has changed between two runs, beyond noise.
//!
//! A machine is faster on one day than on another. So everything is held against bare hyper in the same round, if both
//! runs have measured that: what has become slower than before *in relation to it* has really become slower.

use super::{
    report::{Change, Changes, Report, Row, Table},
    statistics::Ratio,
};

/// The row that everything is held against.
const YARDSTICK: &str = "hyper";

/// A figure of a round that is better when it is smaller.
type Metric = (&'static str, fn(&Table, &super::report::Round) -> Option<f64>);

const METRICS: [Metric; 2] = [
    ("CPU/request", |_, round| round.cpu_microseconds),
    ("time/request", |table, round| match table.rate {
        None => Some(1e6 / round.requests_per_second).filter(|time| time.is_finite()),
        // At a given rate the number of requests says nothing.
        Some(_) => round.p50_microseconds,
    }),
];

/// Compares what both runs have measured. What has surely become worse by more than `threshold`, a fraction, is a
/// regression: even the better end of the interval is beyond it.
pub(super) fn between(before: &Report, after: &Report, name: &str, threshold: f64) -> Changes {
    let mut changes =
        Changes { name: name.to_owned(), date: before.date.clone(), threshold, rows: Vec::new(), notes: Vec::new() };
    if before.machine.processor != after.machine.processor || before.machine.cores != after.machine.cores {
        changes.notes.push(format!("{name} was measured on another machine: {}", before.machine.line()));
    }
    for table in &after.tables {
        let Some(old) = before.tables.iter().find(|old| old.title() == table.title()) else {
            changes.notes.push(format!("{name} has no measurement of {}", table.title()));
            continue;
        };
        let mut unknown = Vec::new();
        for row in table.rows.iter().filter(|row| row.name != YARDSTICK) {
            match old.rows.iter().find(|old| old.name == row.name) {
                Some(old_row) => {
                    let change = |metric| change((old, old_row), (table, row), metric, threshold);
                    changes.rows.extend(METRICS.iter().filter_map(change));
                }
                None => unknown.push(row.label.as_str()),
            }
        }
        if !unknown.is_empty() {
            changes.notes.push(format!("{name} has no measurement of {} ({})", unknown.join("; "), table.title()));
        }
        changes.rows.extend(newly_wrong(old, table));
    }
    changes
}

fn change(before: (&Table, &Row), after: (&Table, &Row), metric: &Metric, threshold: f64) -> Option<Change> {
    let (table, row) = after;
    let has_yardstick = [before.0, table].iter().all(|table| table.rows.iter().any(|row| row.name == YARDSTICK));
    let figures = |(table, row)| figures(table, row, metric, has_yardstick);
    let ratio = Ratio::of_change(&figures(before), &figures(after))?;
    Some(Change {
        table: table.title(),
        label: row.label.clone(),
        metric: metric.0.to_owned(),
        ratio: Some(ratio),
        is_beyond_noise: ratio.is_beyond_noise(),
        // A limit is nothing of ours that could become worse.
        is_regression: row.kind != "limit" && ratio.low > 1.0 + threshold,
    })
}

/// The figure in each round, in relation to the yardstick's in the same round.
fn figures(table: &Table, row: &Row, (_, figure): &Metric, has_yardstick: bool) -> Vec<f64> {
    let yardstick = table.rows.iter().find(|row| row.name == YARDSTICK && has_yardstick);
    let relative = |round| {
        let value = figure(table, round)?;
        let Some(yardstick) = yardstick else { return Some(value) };
        let same = yardstick.rounds.iter().find(|other| other.round == round.round)?;
        Some(value / figure(table, same)?)
    };
    row.rounds.iter().filter_map(relative).collect()
}

/// What answered rightly before and does not any more.
fn newly_wrong<'a>(before: &'a Table, after: &'a Table) -> impl Iterator<Item = Change> + 'a {
    let was_right =
        |name: &str| before.rows.iter().any(|row| row.name == name && row.wrong.is_none() && row.requests > 0);
    let is_right =
        |name: &str| after.rows.iter().any(|row| row.name == name && row.wrong.is_none() && row.requests > 0);
    let lost = before.rows.iter().filter(move |row| was_right(&row.name) && !is_right(&row.name));
    // Whoever is not asked for this time is not missing.
    let lost = lost.filter(|row| {
        after.rows.iter().any(|it| it.name == row.name) || after.left_out.iter().any(|it| it.name == row.name)
    });
    lost.map(|row| Change {
        table: after.title(),
        label: row.label.clone(),
        metric: "right answers".to_owned(),
        ratio: None,
        is_beyond_noise: true,
        is_regression: true,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::report::tests::report, *};

    const NOISE: [f64; 4] = [1.0, 1.02, 0.99, 1.01];

    fn changed(before: &[(&str, f64)], after: &[(&str, f64)]) -> Changes {
        let run = |rows: &[(&str, f64)], noise: [f64; 4]| {
            let rows: Vec<_> = rows.iter().map(|(name, cost)| (*name, noise.map(|noise| noise * cost))).collect();
            report(&rows)
        };
        between(&run(before, NOISE), &run(after, [1.01, 0.99, 1.0, 1.02]), "before", 0.1)
    }

    fn regressions(changes: &Changes) -> Vec<&str> {
        changes.rows.iter().filter(|row| row.is_regression).map(|row| row.label.as_str()).collect()
    }

    #[test]
    fn the_same_again_is_no_change() {
        let changes = changed(&[("hyper", 4.0), ("own", 10.0)], &[("hyper", 4.0), ("own", 10.0)]);
        assert_eq!(changes.rows.len(), 2);
        assert!(changes.rows.iter().all(|row| !row.is_beyond_noise && !row.is_regression), "{changes:?}");
    }

    #[test]
    fn what_is_slower_is_a_regression_and_what_is_faster_is_none() {
        assert_eq!(regressions(&changed(&[("own", 10.0)], &[("own", 12.0)])), ["own", "own"]);
        let faster = changed(&[("own", 12.0)], &[("own", 10.0)]);
        assert!(regressions(&faster).is_empty() && faster.rows[0].is_beyond_noise);
        let little = changed(&[("own", 10.0)], &[("own", 10.6)]);
        assert!(regressions(&little).is_empty() && little.rows[0].is_beyond_noise);
    }

    #[test]
    fn a_slower_machine_is_no_slower_application() {
        let before = [("hyper", 4.0), ("a", 10.0), ("b", 20.0)];
        let after = [("hyper", 6.0), ("a", 15.0), ("b", 36.0)];
        assert_eq!(regressions(&changed(&before, &after)), ["b", "b"]);
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let changes = changed(&[("a", 10.0)], &[("b", 10.0)]);
        assert!(changes.rows.is_empty() && changes.notes.len() == 1, "{changes:?}");
    }

    #[test]
    fn an_application_that_answers_wrongly_now_is_a_regression() {
        let right = report(&[("own", [1.0; 4])]);
        let mut wrong = right.clone();
        wrong.tables[0].rows[0].wrong = Some("answers 500".into());
        wrong.tables[0].rows[0].rounds.clear();
        assert_eq!(regressions(&between(&right, &wrong, "before", 0.1)), ["own"]);
    }
}
