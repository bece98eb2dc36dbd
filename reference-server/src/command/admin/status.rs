//! `/status`: how things stand, as a page for people and as JSON for everybody else.

use std::{collections::BTreeMap, time::Duration};

use gateway_spec::{Error, Result};
use maud::{DOCTYPE, Markup, html};
use reference_server::scoreboard::{Request, Snapshot, State, Totals};
use serde::Serialize;

use super::super::roster::{Duty, Member, Standing, resident};

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const JSON: &str = "application/json";
pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const JS: &str = "text/javascript; charset=utf-8";
pub(super) const STYLE: &str = include_str!("status.css");
/// Fetches the page again every other second and puts its new content in place of the old.
pub(super) const SCRIPT: &str = include_str!("status.js");

/// The JSON that `page` shows.
///
/// # Errors
/// None that could happen: everything in it can be written as JSON.
pub(super) fn json(standing: &Standing) -> Result<String> {
    serde_json::to_string(&Status::of(standing)).map_err(Error::new)
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    /// What `/healthz` and `/readyz` find wrong.
    unhealthy: Option<&'static str>,
    unready: Option<&'static str>,
    uptime_seconds: u64,
    workers_wanted: u16,
    workers: Vec<Worker>,
    /// Of all workers, those that are gone too.
    totals: Totals,
    restarts: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Worker {
    worker: u16,
    pid: u32,
    state: Duty,
    uptime_seconds: u64,
    resident_bytes: u64,
    /// What it published last; null if it has published nothing yet.
    published: Option<Snapshot>,
}

impl Status {
    fn of(standing: &Standing) -> Self {
        let workers: Vec<_> = standing.members.iter().map(Worker::of).collect();
        let mut totals = standing.past.clone();
        workers.iter().filter_map(|worker| worker.published.as_ref()).for_each(|snapshot| totals += &snapshot.totals);
        Status {
            version: env!("CARGO_PKG_VERSION"),
            unhealthy: standing.unhealthy(),
            unready: standing.unready(),
            uptime_seconds: standing.started.elapsed().as_secs(),
            workers_wanted: standing.wanted,
            workers,
            totals,
            restarts: standing.ends.clone(),
        }
    }

    /// The sum of something over the workers.
    fn sum(&self, of: fn(&Snapshot) -> u64) -> u64 {
        self.workers.iter().filter_map(|worker| worker.published.as_ref()).map(of).sum()
    }

    /// The requests that have been answered for longest, with their worker.
    fn requests(&self) -> Vec<(u16, &Request)> {
        let published = self.workers.iter().filter_map(|worker| Some((worker.worker, worker.published.as_ref()?)));
        let mut all: Vec<_> =
            published.flat_map(|(worker, it)| it.requests.iter().map(move |it| (worker, it))).collect();
        all.sort_by_key(|(_, request)| std::cmp::Reverse(request.age));
        all.truncate(REQUESTS);
        all
    }
}

impl Worker {
    fn of(member: &Member) -> Self {
        Worker {
            worker: member.seat,
            pid: member.pid,
            state: member.duty,
            uptime_seconds: member.started.elapsed().as_secs(),
            resident_bytes: resident(member.pid),
            published: member.snapshot(),
        }
    }
}

/// So many requests are shown.
const REQUESTS: usize = 50;

/// The page.
pub(super) fn page(standing: &Standing) -> String {
    let status = Status::of(standing);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "gateway: " (condition(&status)) }
                link rel="stylesheet" href="/status.css";
                script src="/status.js" defer {}
                // Without scripts the page is loaded anew.
                noscript { meta http-equiv="refresh" content="5"; }
            }
            body {
                main {
                    (summary(&status))
                    (workers(&status))
                    (requests(&status))
                    (totals(&status))
                }
                footer {
                    "gateway " (status.version) ", also as " a href="/status.json" { "JSON" } " and "
                    a href="/metrics" { "metrics" } ". " span id="age" {}
                }
            }
        }
    };
    page.into_string()
}

fn condition(status: &Status) -> &'static str {
    status.unhealthy.or(status.unready).unwrap_or("serving")
}

fn summary(status: &Status) -> Markup {
    let class = if status.unhealthy.is_some() {
        "bad"
    } else if status.unready.is_some() {
        "warn"
    } else {
        "good"
    };
    let ready = status.workers.iter().filter(|worker| worker.state == Duty::Ready).count();
    html! {
        h1 { "gateway " span.state.(class) { (condition(status)) } }
        dl.figures {
            (figure("workers ready", &format!("{ready} of {}", status.workers_wanted)))
            (figure("requests/s", &status.sum(|it| it.rate).to_string()))
            (figure("in flight", &status.sum(|it| it.in_flight).to_string()))
            (figure("waiting", &status.sum(|it| it.queue).to_string()))
            (figure("threads busy", &format!("{} of {}", status.sum(|it| it.busy), status.sum(|it| it.threads))))
            (figure("connections", &status.sum(|it| it.connections).to_string()))
            (figure("CGI programs", &status.sum(|it| it.cgi_processes).to_string()))
            (figure("up", &duration(status.uptime_seconds * 1000)))
        }
    }
}

fn figure(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn workers(status: &Status) -> Markup {
    html! {
        h2 { "Workers" }
        div.wide { table {
            thead { tr {
                @for name in ["worker", "process", "state", "up", "memory", "requests/s", "in flight", "busy", "waiting",
                    "connections", "event loop", "Python"] { th { (name) } }
            } }
            tbody { @for worker in &status.workers { (row(worker)) } }
        } }
    }
}

fn row(worker: &Worker) -> Markup {
    let class = match worker.state {
        Duty::Ready => "good",
        Duty::Starting | Duty::Draining => "warn",
        Duty::Stopped | Duty::Hung => "bad",
    };
    html! { tr {
        td { (worker.worker) }
        td { (worker.pid) }
        td { span.state.(class) { (worker.state.name()) } }
        td { (duration(worker.uptime_seconds * 1000)) }
        td { (bytes(worker.resident_bytes)) }
        @match &worker.published {
            Some(it) => {
                td { (it.rate) }
                td { (it.in_flight) }
                td { (it.busy) "/" (it.threads) @if it.stuck > 0 { ", " (it.stuck) " stuck" } }
                td { (it.queue) }
                td { (it.connections) }
                td { (age(Some(it.loop_age))) }
                td { (age(it.gil_age)) }
            }
            None => td colspan="7" { "nothing published yet" },
        }
    } }
}

/// For how long something stands still.
fn age(milliseconds: Option<u64>) -> Markup {
    match milliseconds {
        None => html! { "–" },
        // Python is tried once a second.
        Some(..=2000) => html! { "ok" },
        Some(age) => html! { span.bad { "stuck for " (duration(age)) } },
    }
}

fn requests(status: &Status) -> Markup {
    let requests = status.requests();
    html! {
        h2 { "Requests in flight" }
        @if requests.is_empty() { p { "none" } } @else {
            div.wide { table {
                thead { tr { @for name in ["since", "request", "state", "worker", "mount"] { th { (name) } } } }
                tbody { @for (worker, request) in requests { tr {
                    td { (duration(request.age)) }
                    td.path {
                        @if request.method.is_empty() { i { "not known" } } @else { (request.method) " " (request.path) }
                    }
                    td { (doing(request.state)) }
                    td { (worker) }
                    td.path { (request.mount) }
                } } }
            } }
        }
    }
}

fn doing(state: State) -> &'static str {
    match state {
        State::Receiving => "receiving",
        State::Queued => "queued",
        State::Running => "running",
        State::Sending => "sending",
        _ => "",
    }
}

fn totals(status: &Status) -> Markup {
    let totals = &status.totals;
    html! {
        h2 { "Since the start" }
        div.wide { table {
            thead { tr { th { "mount" } @for class in reference_server::scoreboard::CLASSES { th { (class) } } } }
            tbody { @for (mount, classes) in &totals.requests { tr {
                td.path { @if mount.is_empty() { i { "no mount" } } @else { (mount) } }
                @for count in classes { td { (count) } }
            } } }
        } }
        dl.figures {
            (figure("connections", &totals.connections.to_string()))
            (figure("received", &bytes(totals.received_bytes)))
            (figure("sent", &bytes(totals.sent_bytes)))
            (figure("aborted", &totals.aborted.to_string()))
            (figure("refused", &totals.refused.to_string()))
            @for (cause, count) in &status.restarts { (figure(&format!("workers ended: {cause}"), &count.to_string())) }
        }
    }
}

/// As people say it, in the largest unit of which there is more than one.
fn duration(milliseconds: u64) -> String {
    let duration = Duration::from_millis(milliseconds);
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1000),
        10_000_000..10_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{} GB", count / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use super::*;
    use crate::command::roster::Roster;

    fn standing(mount: &str) -> Standing {
        let roster = Roster::new();
        let scoreboard = Arc::new(tempfile::tempfile().unwrap());
        let member = Member { seat: 1, pid: 1, duty: Duty::Ready, started: Instant::now(), scoreboard };
        roster.turn(vec![member], 1, false);
        let mut standing = roster.standing();
        standing.past.requests.insert(mount.to_owned(), [0, 3, 0, 0, 0]);
        standing
    }

    #[test]
    fn nothing_in_the_page_is_markup_but_the_pages_own() {
        let page = page(&standing("/<script>alert(1)</script>"));
        assert!(page.contains("/&lt;script&gt;") && !page.contains("<script>"), "{page}");
    }

    #[test]
    fn the_json_says_what_the_page_says() {
        let json: serde_json::Value = serde_json::from_str(&json(&standing("/a")).unwrap()).unwrap();
        assert_eq!(json["workers"][0]["state"], "ready");
        assert_eq!(json["totals"]["requests"]["/a"][1], 3);
        assert_eq!(json["unready"], serde_json::Value::Null);
    }

    #[test]
    fn durations_and_sizes_are_readable() {
        let durations = [0, 1500, 65_000, 600_000, 8_000_000, 200_000_000].map(duration);
        assert_eq!(durations, ["0.0 s", "1.5 s", "65 s", "10 min", "2 h", "2 d"]);
        assert_eq!([5, 20_000, 30_000_000, 40_000_000_000].map(bytes), ["5 B", "20 kB", "30 MB", "40 GB"]);
    }
}
