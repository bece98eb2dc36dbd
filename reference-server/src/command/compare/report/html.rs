//! The report as a web page of one file: nothing is loaded from anywhere, and no script runs.

mod bars;
mod lines;
mod scale;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    Changes, LeftOut, Report, Row, Table,
    curves::curves,
    shares,
    terminal::{duration, interval, memory, percent, signed, significant, thousands},
};
use bars::Bar;

const STYLE: &str = include_str!("html/style.css");

/// All of it.
pub(in super::super) fn page(report: &Report) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "gateway compare, " (day(report)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "What each way of running an application costs" }
                p { (report.machine.line()) ", " (day(report)) }
                p.legend {
                    span.limit { "limit" } " " span.adapter { "adapter of gateway" } " "
                    span.own { "your application" } " " span.peer { "other server" }
                }
                @if let Some(changes) = &report.changes { (changed(changes)) }
                @if let Some(sweep) = &report.sweep { (swept(sweep, report)) }
                @for table in &report.tables { (section(table)) }
                (left_out(&report.left_out))
                (method(report))
            }
        }
    };
    page.into_string()
}

fn day(report: &Report) -> &str {
    report.date.split('T').next().unwrap_or_default()
}

fn section(table: &Table) -> Markup {
    let ranked: Vec<_> = table.rows.iter().filter(|row| row.is_ranked()).collect();
    let bar = |row: &&Row, value: f64, text: String, more: String| {
        let (label, class) = (row.label.clone(), row.kind.clone());
        Bar { label, class, value, text, more }
    };
    let costs = ranked.iter().filter_map(|row| {
        let (cost, ratio) = (row.cpu_microseconds?, row.ratio?);
        Some(bar(row, cost, duration(cost), format!(", {} ×", significant(ratio.value))))
    });
    let rates = ranked.iter().filter_map(|row| {
        let rate = row.requests_per_second?;
        Some(bar(
            row,
            rate,
            format!("{}{}", thousands(rate), if row.limited_by_load { "+" } else { "" }),
            String::new(),
        ))
    });
    let latencies: Vec<_> =
        ranked.iter().filter_map(|row| Some((row.label.as_str(), &row.latency.as_ref()?.curve[..]))).collect();
    html! {
        section {
            h2 { (table.title()) }
            (bars::chart("CPU time of a request", &costs.collect::<Vec<_>>()))
            (bars::chart("Requests in a second", &rates.collect::<Vec<_>>()))
            @if ranked.iter().any(|row| row.shares.len() > 1) { (shares_chart(&ranked)) }
            (lines::latencies(&latencies))
            (figures(table))
            (left_out(&table.left_out))
        }
    }
}

/// The parts of a request's CPU time, in the order in which they are named first.
fn shares_chart(rows: &[&Row]) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    for share in rows.iter().flat_map(|row| &row.shares) {
        if !names.contains(&share.name.as_str()) {
            names.push(&share.name);
        }
    }
    let rows = rows.iter().filter(|row| row.shares.len() > 1);
    html! {
        figure {
            figcaption { "Where the CPU time of a request goes" }
            @for row in rows {
                p.share-of {
                    (row.label) ": "
                    @for (at, share) in row.shares.iter().enumerate() {
                        @if at > 0 { ", " }
                        (share.name) " " (percent(share.fraction))
                    }
                }
                (bars::stack(row.shares.iter().map(|share| {
                    (names.iter().position(|name| *name == share.name).unwrap_or(0), share.fraction)
                })))
            }
            (lines::legend(&names))
            p.note { (shares::EXPLANATION) }
        }
    }
}

fn figures(table: &Table) -> Markup {
    let optional = |value: Option<String>| value.unwrap_or_else(|| "–".into());
    let latency = |row: &Row, of: fn(&super::Latency) -> f64| optional(row.latency.as_ref().map(|it| duration(of(it))));
    html! {
        div.wide {
            table {
                thead {
                    tr {
                        th { (super::count(table.rounds as usize, "round")) }
                        @for heading in ["requests/s", "CPU/request", "ratio", "± 95 %", "p50", "p99", "p99.9", "memory", "errors"] {
                            th { (heading) }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            th { (row.label) }
                            @if let Some(wrong) = &row.wrong {
                                td.wrong colspan="9" { "wrong, not ranked: it " (wrong) }
                            } @else {
                                td {
                                    (optional(row.requests_per_second.map(thousands)))
                                    @if row.limited_by_load { "+" }
                                }
                                td { (optional(row.cpu_microseconds.map(duration))) }
                                td { (optional(row.ratio.map(|ratio| significant(ratio.value)))) }
                                td { (optional(row.ratio.map(interval))) }
                                td { (latency(row, |it| it.p50)) }
                                td { (latency(row, |it| it.p99)) }
                                td { (latency(row, |it| it.p999)) }
                                td { (optional(row.memory_bytes.map(memory))) }
                                td { (row.errors) }
                            }
                        }
                    }
                }
            }
        }
        @for remark in super::terminal::remarks(table) { p.note { (remark) } }
    }
}

/// How the cost of each contender grows from table to table.
fn swept(sweep: &str, report: &Report) -> Markup {
    let steps: Vec<_> = report.tables.iter().map(|table| table.step(sweep)).collect();
    let costs = curves(report, |row| row.cpu_microseconds);
    let labels: Vec<_> = costs.iter().map(|curve| curve.label).collect();
    html! {
        section {
            h2 { "As " (sweep) @if sweep == "body" { " grows" } @else { " grow" } }
            (lines::steps("CPU time of a request", &steps, &costs, duration))
            (lines::steps("Requests in a second", &steps, &curves(report, |row| row.requests_per_second), thousands))
            (lines::steps("Latency, p99", &steps, &curves(report, |row| row.latency.as_ref().map(|it| it.p99)), duration))
            (lines::steps("Memory", &steps, &curves(report, |row| row.memory_bytes.map(mebibytes)), |count| format!("{count:.0} MiB")))
            (lines::legend(&labels))
        }
    }
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

fn changed(changes: &Changes) -> Markup {
    html! {
        section {
            h2 { "Since " (changes.name) }
            p { "Changes beyond noise since " (changes.date) "; a regression from " (percent(changes.threshold)) " on." }
            ul {
                @for row in changes.rows.iter().filter(|row| row.is_beyond_noise) {
                    li.wrong[row.is_regression] {
                        (row.label) ", " (row.table) ": " (row.metric) " "
                        @match row.ratio {
                            Some(it) => { (signed(it.value)) " (" (signed(it.low)) " to " (signed(it.high)) ")" }
                            None => "lost"
                        }
                        @if row.is_regression { ": a regression" }
                    }
                }
                @if changes.rows.iter().all(|row| !row.is_beyond_noise) { li { "none" } }
            }
            @for note in &changes.notes { p.note { (note) } }
        }
    }
}

fn left_out(left_out: &[LeftOut]) -> Markup {
    html! {
        @for it in left_out {
            p.note { "Not measured: " (it.name) }
            pre { (it.reason) }
        }
    }
}

fn method(report: &Report) -> Markup {
    html! {
        section {
            h2 { "How it was measured" }
            @for text in report.notes.iter().chain(&report.method.text) { p { (text) } }
            h2 { "To repeat it" }
            pre { (report.command_line()) }
            h2 { "Versions" }
            dl {
                @for (name, version) in &report.versions { dt { (name) } dd { (version) } }
                dt { "machine" } dd { (report.machine.line()) }
                dt { "date" } dd { (report.date) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::report, *};

    #[test]
    fn a_page_loads_nothing_and_shows_everybody() {
        let page = page(&report(&[("hyper", [4.0; 4]), ("<own>", [400.0; 4])]));
        for foreign in ["http://", "https://", "<script", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(page.contains("&lt;own&gt;") && !page.contains("<own>"));
        assert!(page.contains("prefers-color-scheme: dark"));
        assert!(page.contains("logarithmic"), "4 µs and 400 µs share a chart");
    }

    #[test]
    fn what_is_wrong_is_in_the_table_and_in_no_chart() {
        let mut report = report(&[("hyper", [4.0; 4]), ("own", [8.0; 4])]);
        report.tables[0].rows[1].wrong = Some("answers 500".into());
        let page = page(&report);
        assert_eq!(page.matches("answers 500").count(), 1);
        assert_eq!(page.matches(">own<").count(), 1, "{page}");
    }
}
