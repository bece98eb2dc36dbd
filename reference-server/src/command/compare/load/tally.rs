//! What is counted while load is made.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use hdrhistogram::Histogram;

/// Answers, their latencies, and what went wrong.
#[derive(Debug)]
pub(in super::super) struct Tally {
    /// Answers that were right.
    pub(in super::super) answers: u64,
    /// In nanoseconds.
    pub(in super::super) latencies: Histogram<u64>,
    pub(in super::super) errors: Errors,
    /// Requests that the server owed an answer when the measurement ended. How long they had waited is among the
    /// latencies.
    pub(in super::super) unanswered: u64,
}

/// What went wrong, and how often.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct Errors {
    /// Answers with a wrong status, header or body.
    pub(in super::super) wrong: u64,
    /// Connections that could not be made, or broke in the middle of an exchange.
    pub(in super::super) broken: u64,
    /// What happened, the first words of it.
    pub(in super::super) kinds: BTreeMap<String, u64>,
    /// The first wrong answer.
    pub(in super::super) example: Option<String>,
}

/// How many different errors are told apart.
const KINDS: usize = 10;

impl Default for Tally {
    fn default() -> Self {
        Tally { answers: 0, latencies: latencies(), errors: Errors::default(), unanswered: 0 }
    }
}

/// No latencies yet: from a microsecond to an hour, with three digits.
pub(in super::super) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 3_600_000_000_000, 3).expect("the bounds are in order")
}

impl Tally {
    pub(super) fn shared() -> Rc<RefCell<Self>> {
        Rc::default()
    }

    pub(in super::super) fn answered(&mut self, latency: Duration) {
        self.answers += 1;
        self.record(latency);
    }

    pub(super) fn unanswered(&mut self, waited: Duration) {
        self.unanswered += 1;
        self.record(waited);
    }

    fn record(&mut self, latency: Duration) {
        self.latencies.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }
}

impl Errors {
    /// An answer that is wrong, which is worse than none.
    pub(in super::super) fn wrong(&mut self, what: String) {
        self.wrong += 1;
        self.example.get_or_insert_with(|| what.clone());
        self.kind(what, 1);
    }

    pub(in super::super) fn broken(&mut self, what: String) {
        self.broken += 1;
        self.kind(what, 1);
    }

    pub(in super::super) fn count(&self) -> u64 {
        self.wrong + self.broken
    }

    pub(in super::super) fn add(&mut self, others: &Errors) {
        self.wrong += others.wrong;
        self.broken += others.broken;
        self.example = self.example.take().or_else(|| others.example.clone());
        others.kinds.iter().for_each(|(what, count)| self.kind(what.clone(), *count));
    }

    fn kind(&mut self, what: String, count: u64) {
        let what = if self.kinds.len() < KINDS || self.kinds.contains_key(&what) { what } else { "others".to_owned() };
        *self.kinds.entry(what).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_kind_and_none_is_lost() {
        let mut errors = Errors::default();
        for number in 0..20 {
            errors.wrong(format!("kind {number}"));
            errors.broken("kind 3".into());
        }
        let mut sum = Errors::default();
        sum.add(&errors);
        sum.add(&errors);
        assert_eq!(sum.count(), 80);
        assert_eq!(sum.kinds.values().sum::<u64>(), 80);
        assert_eq!(sum.kinds.len(), KINDS + 1);
        assert_eq!(sum.kinds["kind 3"], 42);
        assert_eq!(sum.example.as_deref(), Some("kind 0"));
    }

    #[test]
    fn latencies_keep_three_digits() {
        let mut tally = Tally::default();
        tally.answered(Duration::from_micros(1234));
        tally.answered(Duration::from_secs(2));
        let near = |quantile: f64, right: f64| {
            let value = tally.latencies.value_at_quantile(quantile) as f64;
            (value / right - 1.0).abs() < 2e-3
        };
        assert!(near(0.5, 1_234_000.0) && near(1.0, 2e9));
        assert_eq!(tally.answers, 2);
    }
}
