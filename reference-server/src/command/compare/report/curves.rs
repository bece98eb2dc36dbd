//! A sweep as curves: a figure of each contender from table to table.

use super::{Report, Row};

/// One contender's.
#[derive(Debug, PartialEq)]
pub(super) struct Curve<'a> {
    pub(super) label: &'a str,
    /// In the order of the tables; nothing where it was not measured, or answered wrongly.
    pub(super) values: Vec<Option<f64>>,
}

/// The curves of all contenders, in the order in which they are met first.
pub(super) fn curves(report: &Report, figure: fn(&Row) -> Option<f64>) -> Vec<Curve<'_>> {
    let mut labels: Vec<&str> = Vec::new();
    for row in report.tables.iter().flat_map(|table| &table.rows) {
        if !labels.contains(&row.label.as_str()) {
            labels.push(&row.label);
        }
    }
    let value = |label: &str, rows: &[Row]| {
        let row = rows.iter().find(|row| row.label == label && row.is_ranked());
        row.and_then(figure)
    };
    let curve = |label| Curve { label, values: report.tables.iter().map(|table| value(label, &table.rows)).collect() };
    labels.into_iter().map(curve).collect()
}

/// A curve in one line of text, on a logarithmic scale that it shares with nobody.
pub(super) fn sparkline(values: &[Option<f64>]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let logs: Vec<_> = values.iter().map(|value| value.filter(|value| *value > 0.0).map(f64::ln)).collect();
    let (low, high) =
        logs.iter().flatten().fold((f64::MAX, f64::MIN), |(low, high), log| (low.min(*log), high.max(*log)));
    // What changes by less than a factor of two is flat.
    let range = (high - low).max(std::f64::consts::LN_2);
    let level = |log: &f64| LEVELS[(((log - low) / range * 7.0).round() as usize).min(LEVELS.len() - 1)];
    logs.iter().map(|log| log.as_ref().map_or(' ', level)).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::report, *};

    #[test]
    fn a_curve_has_a_value_for_each_table_or_a_gap() {
        let mut report = report(&[("hyper", [4.0; 4]), ("own", [8.0; 4])]);
        report.tables.push(report.tables[0].clone());
        report.tables[1].rows[1].wrong = Some("answers 500".into());
        let curves = curves(&report, |row| row.cpu_microseconds);
        assert_eq!(curves[0], Curve { label: "hyper", values: vec![Some(4.0), Some(4.0)] });
        assert_eq!(curves[1], Curve { label: "own", values: vec![Some(8.0), None] });
    }

    #[test]
    fn curves_are_drawn_in_text() {
        assert_eq!(sparkline(&[Some(1.0), Some(10.0), None, Some(100.0)]), "▁▅ █");
        assert_eq!(sparkline(&[Some(5.0), Some(5.1)]), "▁▁");
        assert_eq!(sparkline(&[]), "");
    }
}
