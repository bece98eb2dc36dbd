//! Rounds: everybody once, then everybody again in another order, until the ratios are known or the time is over.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::{
    contenders::{Contender, Kind},
    exchange::{Exchange, Expected, ExpectedBody},
    launch::{Launcher, Place},
    limits::Runs,
    load::{Errors, Load, Tally, ask},
    processes,
    progress::Progress,
    statistics::{Ratio, geometric_mean},
    work::Work,
};

/// How wide the interval of a ratio may be, in relation to it, so that it counts as known.
pub(super) const WANTED_INTERVAL: f64 = 0.05;
/// Fewer rounds than these say nothing about noise.
const FEWEST_ROUNDS: u32 = 3;

/// What everybody is to do.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) asked: Asked,
    pub(super) connections: usize,
    pub(super) headers: usize,
    pub(super) workers: u16,
    pub(super) rate: Option<f64>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Work(Work),
    /// A path of the user's applications, of which nobody knows beforehand what they answer.
    Path(String),
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) warm_up: Duration,
    pub(super) measurement: Duration,
    pub(super) most_rounds: u32,
    pub(super) most_time: Duration,
}

/// A contender, and what is known about it by now.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) contender: Contender,
    /// A place for each round.
    pub(super) rounds: Vec<Option<Measured>>,
    pub(super) errors: Errors,
    pub(super) verdict: Verdict,
    exchange: Option<Rc<Exchange>>,
}

/// Whether a contender is measured.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Fine,
    /// It did not start the first time.
    DoesNotStart(String),
    /// It answers wrongly.
    Wrong(String),
}

/// One measurement.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
    pub(super) server_cpu: Duration,
    pub(super) load_cpu: Duration,
    pub(super) memory: Option<u64>,
}

impl Asked {
    pub(super) fn work(&self) -> Option<Work> {
        match self {
            Asked::Work(work) => Some(*work),
            Asked::Path(_) => None,
        }
    }
}

/// Measures everybody.
pub(super) fn run(
    contenders: &[Contender],
    task: &Task,
    launcher: &Launcher,
    budget: &Budget,
    progress: &Progress,
) -> Vec<Entry> {
    let mut entries: Vec<_> = contenders.iter().cloned().map(Entry::new).collect();
    let begun = Instant::now();
    for round in 0..budget.most_rounds {
        let started = Instant::now();
        for number in 0..entries.len() {
            // Nobody always comes behind the same neighbour, with the caches that that leaves.
            let at = (number + round as usize) % entries.len();
            let entry = &mut entries[at];
            if entry.verdict == Verdict::Fine {
                progress.measuring(&entry.contender.label, round + 1);
                let measured = entry.measure(task, launcher, budget);
                entry.rounds.push(measured);
            }
        }
        progress.round_done(round + 1, budget, begun.elapsed());
        let late = begun.elapsed() + started.elapsed() > budget.most_time;
        if late || entries.iter().all(|entry| entry.verdict != Verdict::Fine) || are_known(&entries, round + 1) {
            break;
        }
    }
    entries
}

/// The CPU time per request of each entry in relation to the cheapest, in the entries' order.
pub(super) fn ratios(entries: &[Entry]) -> Vec<Option<Ratio>> {
    let costs: Vec<_> = entries.iter().map(Entry::cost).collect();
    let best = costs.iter().flatten().copied().min_by(f64::total_cmp);
    let best = entries.iter().zip(&costs).find(|(_, cost)| cost.is_some() && **cost == best);
    let ratio = |(entry, cost): (&Entry, &Option<f64>)| {
        let ((best, _), _) = best.zip(*cost)?;
        if std::ptr::eq(entry, best) {
            return Some(Ratio::ONE);
        }
        let pairs = entry.rounds.iter().zip(&best.rounds);
        let pairs = pairs.filter_map(|(this, that)| Some((this.as_ref()?.cost()?, that.as_ref()?.cost()?)));
        Ratio::of_pairs(&pairs.collect::<Vec<_>>())
    };
    entries.iter().zip(&costs).map(ratio).collect()
}

fn are_known(entries: &[Entry], rounds: u32) -> bool {
    rounds >= FEWEST_ROUNDS && ratios(entries).into_iter().flatten().all(|ratio| ratio.width() < WANTED_INTERVAL)
}

impl Entry {
    fn new(contender: Contender) -> Self {
        let (rounds, errors, verdict) = (Vec::new(), Errors::default(), Verdict::Fine);
        Entry { contender, rounds, errors, verdict, exchange: None }
    }

    /// The CPU time of a request in microseconds, over all rounds; of those that answered wrongly it is of no interest.
    fn cost(&self) -> Option<f64> {
        let costs = self.rounds.iter().flatten().filter_map(Measured::cost);
        geometric_mean(costs).filter(|_| self.verdict == Verdict::Fine && self.errors.wrong == 0)
    }

    fn measure(&mut self, task: &Task, launcher: &Launcher, budget: &Budget) -> Option<Measured> {
        let mut running = match launcher.start(&self.contender, task.asked.work(), task.workers) {
            Ok(running) => running,
            Err(reason) if self.rounds.is_empty() => {
                self.verdict = Verdict::DoesNotStart(reason);
                return None;
            }
            Err(reason) => {
                self.errors.broken(reason.lines().next().unwrap_or_default().to_owned());
                return None;
            }
        };
        let measured = match &mut running.place {
            Place::Address(address) => {
                let exchange = match self.prepared(*address, task) {
                    Ok(exchange) => exchange,
                    Err(wrong) => {
                        self.verdict = Verdict::Wrong(wrong);
                        return None;
                    }
                };
                let load = Load { address: *address, exchange, connections: task.connections, rate: task.rate };
                requests(&load, launcher, budget)
            }
            Place::Pipes { commands, answers } => {
                let mut order = |duration| Runs::order(commands, answers, duration);
                runs(&mut order, launcher, budget)
            }
        };
        match measured {
            Ok(measured) => {
                self.errors.add(&measured.tally.errors);
                Some(measured)
            }
            Err(error) => {
                self.errors.broken(format!("cannot be measured: {error}"));
                None
            }
        }
    }

    /// The exchange; the first time it is tried out and, where nobody knows the answer, learned.
    fn prepared(&mut self, address: std::net::SocketAddr, task: &Task) -> Result<Rc<Exchange>, String> {
        if let Some(exchange) = &self.exchange {
            return Ok(exchange.clone());
        }
        let mut exchange = match &task.asked {
            Asked::Work(work) => work.exchange(task.headers),
            Asked::Path(path) if self.contender.kind == Kind::Own => anything(path, task.headers),
            // A limit beside applications of the user's.
            Asked::Path(_) => Work::Hello.exchange(task.headers),
        };
        exchange.target.insert_str(0, &self.contender.base);
        if self.contender.kind == Kind::Own {
            let (first, second) = (ask(address, &exchange)?, ask(address, &exchange)?);
            if first.status.is_client_error() || first.status.is_server_error() {
                return Err(format!("answers {} for {}", first.status, exchange.target));
            }
            exchange.expected = Expected::learn(&first, &second);
        } else {
            let answer = ask(address, &exchange)?;
            exchange.expected.check_head(answer.status, &answer.headers)?;
            exchange.expected.check_body(&answer.body)?;
        }
        Ok(self.exchange.insert(Rc::new(exchange)).clone())
    }

    /// What the user's application answers, once that is known.
    pub(super) fn learned(&self) -> Option<&ExpectedBody> {
        let exchange = self.exchange.as_ref().filter(|_| self.contender.kind == Kind::Own)?;
        Some(&exchange.expected.body)
    }
}

fn anything(path: &str, headers: usize) -> Exchange {
    let mut exchange = Work::Hello.exchange(headers);
    path.clone_into(&mut exchange.target);
    exchange
}

fn requests(load: &Load, launcher: &Launcher, budget: &Budget) -> std::io::Result<Measured> {
    let used = || launcher.meter.used();
    let end = || (used(), processes::memory());
    let (seen, before, (after, memory)) = load.run(budget.warm_up, budget.measurement, used, end)?;
    Ok(Measured {
        tally: seen.tally,
        elapsed: seen.elapsed,
        server_cpu: after?.saturating_sub(before?),
        load_cpu: seen.own_cpu,
        memory: Some(memory),
    })
}

fn runs(
    order: &mut impl FnMut(Duration) -> std::io::Result<Runs>,
    launcher: &Launcher,
    budget: &Budget,
) -> std::io::Result<Measured> {
    order(budget.warm_up)?;
    let (before, begun) = (launcher.meter.used()?, Instant::now());
    let runs = order(budget.measurement)?;
    let (elapsed, after) = (begun.elapsed(), launcher.meter.used()?);
    let mut tally = Tally::default();
    runs.latencies.iter().skip(runs.wrong as usize).for_each(|latency| tally.answered(*latency));
    (0..runs.wrong).for_each(|_| tally.errors.wrong("gives the wrong output".to_owned()));
    Ok(Measured { tally, elapsed, server_cpu: after.saturating_sub(before), load_cpu: Duration::ZERO, memory: None })
}

impl Measured {
    /// Microseconds of CPU time for each request.
    pub(super) fn cost(&self) -> Option<f64> {
        let requests = self.tally.answers + self.tally.errors.wrong;
        let cost = self.server_cpu.as_secs_f64() * 1e6 / requests as f64;
        (requests > 0 && cost > 0.0).then_some(cost)
    }

    pub(super) fn requests_per_second(&self) -> f64 {
        self.tally.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// How long a request takes in microseconds, at a quantile.
    pub(super) fn latency(&self, quantile: f64) -> Option<f64> {
        percentile(&self.tally.latencies, quantile)
    }
}

/// In microseconds.
pub(super) fn percentile(latencies: &Histogram<u64>, quantile: f64) -> Option<f64> {
    (!latencies.is_empty()).then(|| latencies.value_at_quantile(quantile) as f64 / 1000.0)
}
