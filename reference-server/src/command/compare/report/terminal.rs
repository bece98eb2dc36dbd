//! The report for a terminal: for each table what everybody costs, and what that goes to.

use std::fmt::Write as _;

use super::{
    super::statistics::Ratio,
    Change, Changes, LeftOut, Report, Row, Table,
    curves::{curves, sparkline},
};

/// All of it.
pub(in super::super) fn text(report: &Report) -> String {
    let mut text = String::new();
    match &report.sweep {
        Some(sweep) => text.push_str(&sweep_text(sweep, report)),
        None => {
            for table in &report.tables {
                text.push_str(&table_text(table));
                text.push('\n');
            }
            text.push_str(&shares_text(report));
        }
    }
    text.push_str(&left_out_text(&report.left_out));
    if !report.left_out.is_empty() {
        text.push_str("  Everything else was measured.\n\n");
    }
    if let Some(changes) = &report.changes {
        text.push_str(&changes_text(changes));
    }
    for line in report.notes.iter().chain(&report.method.text) {
        wrap(&mut text, line);
    }
    let _ = writeln!(text, "{}; {}", report.machine.line(), report.date);
    text
}

/// A column: its heading, and what a row has in it.
type Column = (&'static str, fn(&Row) -> String);

const COLUMNS: [Column; 9] = [
    ("requests/s", requests_per_second),
    ("CPU/request", |row| optional(row.cpu_microseconds, duration)),
    ("ratio", |row| optional(row.ratio, |it| format!("{} ×", significant(it.value)))),
    ("±", |row| optional(row.ratio, interval)),
    ("p50", |row| optional(row.latency.as_ref().map(|it| it.p50), duration)),
    ("p99", |row| optional(row.latency.as_ref().map(|it| it.p99), duration)),
    ("p99.9", |row| optional(row.latency.as_ref().map(|it| it.p999), duration)),
    ("memory", |row| optional(row.memory_bytes, memory)),
    ("errors", |row| row.errors.to_string()),
];

fn table_text(table: &Table) -> String {
    let rounds = super::count(table.rounds as usize, "round");
    let mut text = format!("{} ({rounds})\n", table.title());
    let cells: Vec<Vec<String>> =
        table.rows.iter().map(|row| COLUMNS.iter().map(|(_, cell)| cell(row)).collect()).collect();
    let width = |at: usize| {
        let widest = cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        widest.max(COLUMNS[at].0.len())
    };
    let widths: Vec<_> = (0..COLUMNS.len()).map(width).collect();
    let labels = table.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0).max(9);
    let _ = write!(text, "  {:labels$}", "");
    for ((heading, _), width) in COLUMNS.iter().zip(&widths) {
        let _ = write!(text, "  {heading:>width$}");
    }
    text.push('\n');
    for (row, cells) in table.rows.iter().zip(&cells) {
        let _ = write!(text, "  {:labels$}", row.label);
        match &row.wrong {
            Some(wrong) => {
                let _ = write!(text, "  WRONG, not ranked: it {wrong}");
            }
            None => cells.iter().zip(&widths).for_each(|(cell, width)| {
                let _ = write!(text, "  {cell:>width$}");
            }),
        }
        text.push('\n');
    }
    remarks(table).iter().for_each(|remark| text.push_str(&format!("  {remark}\n")));
    text.push_str(&left_out_text(&table.left_out));
    text
}

/// What grows in the columns, a curve behind each line; the whole tables are in the other forms of the report.
fn sweep_text(sweep: &str, report: &Report) -> String {
    type Figure = (&'static str, fn(&Row) -> Option<f64>, fn(f64) -> String);
    let figures: [Figure; 3] = [
        ("CPU/request", |row| row.cpu_microseconds, duration),
        ("requests/s", |row| row.requests_per_second, thousands),
        ("p99", |row| row.latency.as_ref().map(|it| it.p99), duration),
    ];
    let mut text = String::new();
    for (name, figure, format) in figures {
        let curves = curves(report, figure);
        let labels = curves.iter().map(|curve| curve.label.chars().count()).max().unwrap_or(0);
        let _ = write!(text, "{:labels$}", format!("{name} by {sweep}"), labels = labels + 2);
        report.tables.iter().for_each(|table| text.push_str(&format!("  {:>9}", table.step(sweep))));
        text.push('\n');
        for curve in curves {
            let _ = write!(text, "  {:labels$}", curve.label);
            curve.values.iter().for_each(|value| text.push_str(&format!("  {:>9}", optional(*value, format))));
            let _ = writeln!(text, "  {}", sparkline(&curve.values));
        }
        text.push('\n');
    }
    for table in &report.tables {
        let wrong =
            table.rows.iter().filter_map(|row| Some(format!("{}: WRONG: it {}", row.label, row.wrong.as_ref()?)));
        for remark in wrong.chain(remarks(table)) {
            let _ = writeln!(text, "  {}: {remark}", table.title());
        }
        text.push_str(&left_out_text(&table.left_out));
    }
    text
}

/// What has to be said about the rows.
pub(super) fn remarks(table: &Table) -> Vec<String> {
    let mut remarks = table.remarks.clone();
    if table.rows.iter().any(|row| row.limited_by_load) {
        remarks.push("+ limited by the load generator: the server could answer more; CPU/request is right".to_owned());
    }
    for row in &table.rows {
        let label = &row.label;
        if row.errors > 0 {
            let kinds: Vec<_> = row.error_kinds.iter().map(|(what, count)| format!("{count} × {what}")).collect();
            remarks.push(format!("{label}: {}: {}", super::count(row.errors as usize, "error"), kinds.join("; ")));
        }
        // A few are always on their way.
        if row.unanswered > row.requests / 100 && row.wrong.is_none() {
            let unanswered = super::count(row.unanswered as usize, "request");
            remarks.push(format!("{label}: {unanswered} had no answer by the end"));
        }
        if row.requests == 0 && row.wrong.is_none() {
            remarks.push(format!("{label}: no answer within a measurement: give it more time with --duration"));
        }
    }
    remarks
}

fn left_out_text(left_out: &[LeftOut]) -> String {
    let mut text = String::new();
    for LeftOut { name, reason } in left_out {
        let mut lines = reason.lines();
        let _ = writeln!(text, "  not measured: {name}: {}", lines.next().unwrap_or_default());
        lines.for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    text
}

/// What the CPU time goes to, for the first table that tells.
fn shares_text(report: &Report) -> String {
    let Some(table) = report.tables.iter().find(|table| table.rows.iter().any(|row| row.shares.len() > 1)) else {
        return String::new();
    };
    let mut text = format!("Where the CPU time of a request goes ({}):\n", table.title());
    let width = table.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
    for row in table.rows.iter().filter(|row| row.shares.len() > 1) {
        let shares: Vec<_> = row.shares.iter().map(|it| format!("{} {}", it.name, percent(it.fraction))).collect();
        let _ = writeln!(text, "  {:width$}  {}", row.label, shares.join(", "));
    }
    text.push('\n');
    text
}

/// What has changed; what is within noise is only counted.
fn changes_text(changes: &Changes) -> String {
    let (beyond, within): (Vec<_>, Vec<_>) = changes.rows.iter().partition(|row| row.is_beyond_noise);
    let threshold = percent(changes.threshold);
    let mut text = format!("Since {} ({}), a regression from {threshold} on:\n", changes.name, changes.date);
    for row in beyond {
        let Change { table, label, metric, ratio, is_regression, .. } = row;
        let by = match ratio {
            Some(it) => format!("{metric} {} ({} to {})", signed(it.value), signed(it.low), signed(it.high)),
            None => format!("no {metric} any more"),
        };
        let verdict = if *is_regression { "  REGRESSION" } else { "" };
        let _ = writeln!(text, "  {label}, {table}: {by}{verdict}");
    }
    if !within.is_empty() {
        let _ = writeln!(text, "  {} within noise", super::count(within.len(), "figure"));
    }
    for note in &changes.notes {
        let _ = writeln!(text, "  {note}");
    }
    text.push('\n');
    text
}

/// `+5.0 %` for a ratio of 1.05.
pub(super) fn signed(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    format!("{}{:.1} %", if percent < 0.0 { "−" } else { "+" }, percent.abs())
}

fn requests_per_second(row: &Row) -> String {
    let more = if row.limited_by_load { "+" } else { "" };
    optional(row.requests_per_second, |rate| format!("{}{more}", thousands(rate)))
}

/// Half the width of the interval, in relation to the value.
pub(super) fn interval(ratio: Ratio) -> String {
    match ratio.width() / 2.0 {
        0.0 => String::new(),
        reach if reach < 1.0 => percent(reach),
        _ => "?".to_owned(),
    }
}

/// With three digits.
pub(super) fn significant(value: f64) -> String {
    match value {
        it if it < 10.0 => format!("{it:.2}"),
        it if it < 100.0 => format!("{it:.1}"),
        it => thousands(it),
    }
}

fn optional<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), format)
}

/// `12 345`, with a space that does not break.
pub(super) fn thousands(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// A time that is given in microseconds.
pub(super) fn duration(microseconds: f64) -> String {
    match microseconds {
        it if it < 100.0 => format!("{it:.1} µs"),
        it if it < 1e3 => format!("{it:.0} µs"),
        it if it < 1e4 => format!("{:.2} ms", it / 1e3),
        it if it < 1e5 => format!("{:.1} ms", it / 1e3),
        it if it < 1e6 => format!("{:.0} ms", it / 1e3),
        it => format!("{:.2} s ", it / 1e6),
    }
}

pub(super) fn memory(bytes: f64) -> String {
    let mebibytes = bytes / f64::from(1 << 20);
    if mebibytes < 100.0 { format!("{mebibytes:.1} MiB") } else { format!("{mebibytes:.0} MiB") }
}

pub(super) fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        it if it < 0.1 => "<0.1 %".to_owned(),
        it if it < 10.0 => format!("{it:.1} %"),
        it => format!("{it:.0} %"),
    }
}

/// A paragraph in lines of 100 characters.
fn wrap(text: &mut String, paragraph: &str) {
    let mut length = 0;
    for word in paragraph.split(' ') {
        let more = word.chars().count() + 1;
        if length > 0 && length + more > 101 {
            text.push('\n');
            length = 0;
        }
        if length > 0 {
            text.push(' ');
        }
        text.push_str(word);
        length += more;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{super::tests::report, *};

    #[test]
    fn rows_that_the_load_generator_has_limited_are_marked() {
        let mut report = report(&[("hyper", [1.0; 4]), ("own", [2.0; 4])]);
        assert!(!text(&report).contains("limited by the load generator"));
        report.tables[0].rows[0].limited_by_load = true;
        let text = text(&report);
        assert!(text.contains("1\u{a0}000\u{a0}000+"), "{text}");
        assert!(text.contains("+ limited by the load generator"), "{text}");
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(thousands(1_234_567.0), "1\u{a0}234\u{a0}567");
        assert_eq!([thousands(999.0), thousands(12.34)], ["999", "12.3"]);
        let times = [4.26, 345.6, 1234.0, 12_345.0, 123_456.0, 2_345_678.0].map(duration);
        assert_eq!(times, ["4.3 µs", "346 µs", "1.23 ms", "12.3 ms", "123 ms", "2.35 s "]);
        assert_eq!(memory(12.5 * 1024.0 * 1024.0), "12.5 MiB");
        assert_eq!([percent(0.0), percent(0.0001), percent(0.034), percent(0.5)], ["0 %", "<0.1 %", "3.4 %", "50 %"]);
    }

    #[test]
    fn paragraphs_are_wrapped_between_words() {
        let mut text = String::new();
        wrap(&mut text, &"word ".repeat(30));
        assert!(text.lines().all(|line| line.len() <= 100));
        assert_eq!(text.split_whitespace().count(), 30);
    }
}
