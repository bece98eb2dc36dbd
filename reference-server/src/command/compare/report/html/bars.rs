//! Bars. They are as wide as the page is, and their texts as large as any: only the widths are relative.

use maud::{Markup, html};

use super::{super::terminal::thousands, scale::Scale};

/// A bar with its texts.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) class: String,
    pub(super) value: f64,
    pub(super) text: String,
    /// What is left out where there is little room.
    pub(super) more: String,
}

/// The height of a bar with the line of text above it, and that of the axis.
const ROW: usize = 38;
const AXIS: usize = 20;

/// A chart of bars below each other.
pub(super) fn chart(title: &str, bars: &[Bar]) -> Markup {
    let Some(scale) = Scale::of(bars.iter().map(|bar| bar.value)) else { return html! {} };
    let height = bars.len() * ROW + AXIS;
    html! {
        figure {
            figcaption { (title) @if scale.is_logarithmic { " (logarithmic scale)" } }
            svg.bars width="100%" height=(height) role="img" aria-label=(title) {
                @for mark in scale.marks() {
                    @let place = percent(scale.place(mark));
                    line.grid x1=(place) x2=(place) y1="0" y2=(height - AXIS) {}
                    @if scale.is_logarithmic {
                        text.mark x=(place) y=(height - 4) text-anchor=(anchor(scale.place(mark))) { (thousands_short(mark)) }
                    }
                }
                @for (at, bar) in bars.iter().enumerate() {
                    @let top = at * ROW;
                    text x="0" y=(top + 15) { (bar.label) }
                    text.value x="100%" y=(top + 15) text-anchor="end" { (bar.text) tspan.more { (bar.more) } }
                    rect class=(bar.class) x="0" y=(top + 20) width=(percent(scale.place(bar.value))) height="11" rx="2" {}
                }
            }
        }
    }
}

/// One bar in several colours, of fractions of a whole.
pub(super) fn stack(parts: impl Iterator<Item = (usize, f64)>) -> Markup {
    let mut begin = 0.0;
    html! {
        svg.bars width="100%" height="14" aria-hidden="true" {
            @for (series, fraction) in parts {
                rect class=(format!("series s{}", series % 8)) x=(percent(begin * 100.0)) y="0" width=(percent(fraction * 100.0)) height="14" {}
                ({ begin += fraction; "" })
            }
        }
    }
}

pub(super) fn percent(place: f64) -> String {
    format!("{place:.2}%")
}

/// Texts at the ends of an axis stay inside.
pub(super) fn anchor(place: f64) -> &'static str {
    match place {
        it if it < 5.0 => "start",
        it if it > 95.0 => "end",
        _ => "middle",
    }
}

fn thousands_short(value: f64) -> String {
    match value {
        it if it >= 1e6 => format!("{:.0}M", it / 1e6),
        it if it >= 1e3 => format!("{:.0}k", it / 1e3),
        it if it >= 1.0 => format!("{it:.0}"),
        it => thousands(it),
    }
}
