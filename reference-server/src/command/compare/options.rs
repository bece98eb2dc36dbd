//! The options of `gateway compare`.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, ValueEnum};

use super::{super::target::Mount, contenders::Adapter, peers::Peer, work::Work};

pub(in super::super) const ABOUT: &str = "\
Measure what each way of running an application costs on this machine.

Without a TARGET, the same work is done by every adapter: a Rust App, a Python callable in process, and CGI programs in C,
sh, Perl and Python; and by the limits at both ends, bare hyper and a bare spawn loop. With TARGETs, as `gateway serve`
takes them, those applications are compared.

Servers run on one core and the load on another, one after the other, round after round in rotated order, until the
ratios are known to 5 % or the time is over. Compare ratios within one run; times depend on the machine and the day.";

pub(in super::super) const EXAMPLES: &str = "\
Examples:
  gateway compare
  gateway compare --work page,echo --connections 1,32,256
  gateway compare wsgi:shop:app cgi:./program app:hello --path /x
  gateway compare --peers --html report.html
  gateway compare --adapters rust,wsgi --rate 5000
  gateway compare --sweep connections --html curve.html
  gateway compare --save before;  gateway compare --against before

Saved runs are JSON files in $XDG_DATA_HOME/gateway/compare, or else in ~/.local/share/gateway/compare.

Exit codes: 0 measured; 1 nothing could be measured, or something became slower than --threshold allows;
2 usage; 3 a TARGET cannot be loaded (the others are measured).";

#[derive(Args, Debug)]
pub(in super::super) struct CompareOptions {
    /// Applications to compare: [PREFIX=]KIND:WHAT with the kinds wsgi, cgi, static and app
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<Own>,

    /// Path, and query, that the TARGETs are asked for
    #[arg(long, value_name = "PATH", default_value = "/", requires = "targets", value_parser = path)]
    pub(super) path: String,

    /// Work to be done: hello, page (10 KiB), echo (echo-1k, echo-1m), stream (100 blocks), environ (all of it), sleep
    /// (10 ms), or all
    #[arg(long, value_name = "LIST", default_value = "hello", conflicts_with = "targets")]
    pub(super) work: List<Work>,

    /// How many connections ask at the same time; a table for each number
    #[arg(long, value_name = "LIST", default_value = "32")]
    pub(super) connections: List<Connections>,

    /// Adapters to measure: hyper, rust, wsgi-inline, wsgi-pool, cgi-static, cgi-dynamic, cgi-sh, cgi-perl, cgi-python,
    /// spawn-static, spawn-dynamic; or wsgi, cgi, spawn for all of a kind. Default: all, and hyper beside TARGETs
    #[arg(long, value_name = "LIST")]
    pub(super) adapters: Option<List<Adapter>>,

    /// Measure the other servers that are installed as well: granian, gunicorn, uwsgi, bjoern, waitress, cheroot, lighttpd,
    /// apache2, nginx (with fcgiwrap); or only those in LIST
    #[arg(long, value_name = "LIST", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    #[arg(conflicts_with = "targets")]
    pub(super) peers: Option<List<Peer>>,

    /// How long one measurement takes; the warm-up before it takes a quarter of that
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(super) duration: Duration,

    /// The most rounds for a table
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) rounds: u32,

    /// The most time for a table, or for all points of a sweep; each contender is measured once in any case
    #[arg(long, value_name = "SECONDS", default_value = "150", value_parser = seconds)]
    pub(super) limit: Duration,

    /// Open loop: so many requests are due in each second, whatever the servers do, and latencies begin when they are due
    #[arg(long, value_name = "REQUESTS", value_parser = rate)]
    pub(super) rate: Option<f64>,

    /// Port on 127.0.0.1 for each server in its turn; else free ones
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) port: Option<u16>,

    /// Let one thing grow, and show how the cost of each adapter grows with it
    #[arg(long, value_name = "WHAT")]
    pub(super) sweep: Option<Sweep>,

    /// Print the report as JSON in place of the tables
    #[arg(long)]
    pub(super) json: bool,

    /// Write the report to a web page of one file
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Keep the report under a name
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(super) save: Option<String>,

    /// Show what has changed since a report that was saved
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(super) against: Option<String>,

    /// By how much something may become slower before --against ends with exit code 1
    #[arg(long, value_name = "PERCENT", default_value = "10", value_parser = percent, requires = "against")]
    pub(super) threshold: f64,
}

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Sweep {
    /// Connections, from 1 to 256
    Connections,
    /// The body that is sent and comes back, from 1 KiB to 4 MiB
    Body,
    /// Headers of the request beside Host, from 0 to 64
    Headers,
    /// Worker processes, from 1 to 8, on all cores but the load's
    Workers,
}

/// A target, and how it was written.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) text: String,
    pub(super) mount: Mount,
}

/// A list with commas, in which each thing is at most once.
#[derive(Clone, Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

/// What lists are made of: a word may name several.
pub(super) trait Named: PartialEq + Sized {
    /// # Errors
    /// What to tell the person who wrote `word`.
    fn named(word: &str) -> Result<Vec<Self>, String>;
}

/// A number of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connections(pub(super) usize);

impl Named for Connections {
    fn named(word: &str) -> Result<Vec<Self>, String> {
        match word.parse() {
            Ok(count @ 1..=10_000) => Ok(vec![Connections(count)]),
            _ => Err(format!("{word:?} is not a number from 1 to 10000")),
        }
    }
}

impl Named for Work {
    fn named(word: &str) -> Result<Vec<Self>, String> {
        Work::named(word)
    }
}

impl Named for Adapter {
    fn named(word: &str) -> Result<Vec<Self>, String> {
        Adapter::named(word)
    }
}

impl Named for Peer {
    fn named(word: &str) -> Result<Vec<Self>, String> {
        Peer::named(word)
    }
}

impl<T: Named> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut list = Vec::new();
        for word in text.split(',').map(str::trim) {
            for thing in T::named(word)? {
                if !list.contains(&thing) {
                    list.push(thing);
                }
            }
        }
        Ok(List(list))
    }
}

impl FromStr for Own {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Own { text: text.to_owned(), mount: text.parse()? })
    }
}

fn path(text: &str) -> Result<String, &'static str> {
    let is_one = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if is_one { Ok(text.to_owned()) } else { Err("a path begins with \"/\", and is written as in a URL") }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or("write a number of seconds from 0.01 to 86400")
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let rate = text.parse().ok().filter(|rate| (0.1..=1e6).contains(rate));
    rate.ok_or("write a number of requests in a second, from 0.1 to 1000000")
}

fn percent(text: &str) -> Result<f64, &'static str> {
    let percent = text.trim_end_matches('%').parse().ok().filter(|percent| (0.0..=1000.0).contains(percent));
    percent.ok_or("write a percentage from 0 to 1000, as in 10")
}

/// A name becomes a file's.
fn name(text: &str) -> Result<String, &'static str> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let is_one = !text.is_empty() && text.len() <= 100 && !text.starts_with('.') && text.chars().all(is_plain);
    if is_one { Ok(text.to_owned()) } else { Err("a name consists of letters, digits, '-', '_' and '.'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_each_thing_once_and_name_what_is_wrong() {
        let List(work) = "hello,echo,echo-1k".parse::<List<Work>>().unwrap();
        assert_eq!(work, [Work::Hello, Work::Echo(1 << 10), Work::Echo(1 << 20)]);
        let List(connections) = "1, 32,256".parse::<List<Connections>>().unwrap();
        assert_eq!(connections.iter().map(|it| it.0).collect::<Vec<_>>(), [1, 32, 256]);
        assert!("1,,2".parse::<List<Connections>>().is_err());
        assert!("0".parse::<List<Connections>>().unwrap_err().contains("from 1 to 10000"));
        assert!("hello,pgae".parse::<List<Work>>().unwrap_err().contains("did you mean \"page\"?"));
    }

    #[test]
    fn values_are_checked() {
        assert!(path("/x?a=b").is_ok() && path("x").is_err() && path("/a b").is_err() && path("/ä").is_err());
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("0").is_err() && seconds("NaN").is_err() && seconds("-1").is_err() && seconds("1e9").is_err());
        assert!(rate("0").is_err() && rate("inf").is_err() && rate("1000") == Ok(1000.0));
        assert!(percent("5%") == Ok(5.0) && percent("-1").is_err() && percent("NaN").is_err());
        assert!(name("before").is_ok() && name("../x").is_err() && name("").is_err() && name(".x").is_err());
    }
}
