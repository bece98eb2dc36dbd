//! Curves. The drawing is stretched to the page's width, and the texts beside it are not.

use maud::{Markup, html};

use super::{
    super::{curves, terminal::duration},
    bars::{anchor, percent},
    scale::Scale,
};

/// The percentiles that are marked on the axis of latencies.
const PERCENTILES: [f64; 5] = [0.0, 90.0, 99.0, 99.9, 99.99];

/// A curve with its name.
type Curve = (String, Vec<(f64, f64)>);

/// Latencies over percentiles; each mark of the axis is one more nine.
pub(super) fn latencies(curves: &[(&str, &[(f64, f64)])]) -> Markup {
    let nines = |percentile: f64| -(1.0 - percentile / 100.0).log10();
    let last = nines(PERCENTILES[PERCENTILES.len() - 1]);
    let place = |percentile: f64| nines(percentile) / last * 100.0;
    let curves: Vec<Curve> = curves
        .iter()
        .map(|(label, points)| {
            let points = points.iter().filter(|(percentile, _)| *percentile <= 99.99);
            ((*label).to_owned(), points.map(|(percentile, latency)| (place(*percentile), *latency)).collect())
        })
        .collect();
    let marks = PERCENTILES.map(|percentile| (place(percentile), format!("{percentile} %")));
    let labels: Vec<_> = curves.iter().map(|(label, _)| label.as_str()).collect();
    html! {
        @if !curves.is_empty() {
            (chart("Latency by percentile (logarithmic scale)", &marks, &curves, duration))
            (legend(&labels))
        }
    }
}

/// A figure of each contender from step to step.
pub(super) fn steps(title: &str, steps: &[String], curves: &[curves::Curve<'_>], format: fn(f64) -> String) -> Markup {
    let place = |at: usize| at as f64 / (steps.len().max(2) - 1) as f64 * 100.0;
    let marks: Vec<_> = steps.iter().enumerate().map(|(at, step)| (place(at), step.clone())).collect();
    let points = |values: &[Option<f64>]| {
        let points = values.iter().enumerate().filter_map(|(at, value)| Some((place(at), (*value)?)));
        points.collect::<Vec<_>>()
    };
    let curves: Vec<_> = curves.iter().map(|curve| (curve.label.to_owned(), points(&curve.values))).collect();
    chart(&format!("{title} (logarithmic scale)"), &marks, &curves, format)
}

/// Which colour is whose.
pub(super) fn legend(labels: &[&str]) -> Markup {
    html! {
        ul.series {
            @for (at, label) in labels.iter().enumerate() {
                li {
                    svg width="26" height="10" aria-hidden="true" {
                        line class=(class(at)) x1="0" x2="26" y1="5" y2="5" {}
                    }
                    (label)
                }
            }
        }
    }
}

/// Curves whose places are percentages along the one axis and values along the other.
fn chart(title: &str, marks: &[(f64, String)], curves: &[Curve], format: fn(f64) -> String) -> Markup {
    let values = curves.iter().flat_map(|(_, points)| points.iter().map(|(_, value)| *value));
    let Some(scale) = Scale::logarithmic(values) else { return html! {} };
    let height = |value: f64| 100.0 - scale.place(value);
    html! {
        figure {
            figcaption { (title) }
            svg.lines width="100%" height="260" role="img" aria-label=(title) {
                svg y="8" width="100%" height="228" viewBox="0 0 100 100" preserveAspectRatio="none" {
                    @for mark in scale.marks() {
                        line.grid x1="0" x2="100" y1=(height(mark)) y2=(height(mark)) {}
                    }
                    @for (at, (_, points)) in curves.iter().enumerate() {
                        @let points: Vec<_> = points.iter().map(|(x, value)| format!("{x:.2},{:.2}", height(*value))).collect();
                        polyline class=(class(at)) points=(points.join(" ")) {}
                    }
                }
                @for mark in scale.marks() {
                    text.mark x="-56" y=(format!("{:.0}", 12.0 + height(mark) * 2.28)) { (format(mark)) }
                }
                @for (place, text) in marks {
                    text.mark x=(percent(*place)) y="254" text-anchor=(anchor(*place)) { (text) }
                }
            }
        }
    }
}

/// Eight colours, and another kind of line each time they have all been used.
fn class(at: usize) -> String {
    format!("series s{} d{}", at % 8, at / 8 % 4)
}
