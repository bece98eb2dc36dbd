//! How far the run is, on standard error while a person looks at that.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::rounds::Budget;

#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// What is done by whom.
    title: String,
    contenders: u64,
}

impl Progress {
    /// A bar for one table. How many rounds it takes is known only in the end; until the first one is over, the fewest
    /// are expected.
    pub(super) fn new(title: String, contenders: usize) -> Self {
        let contenders = contenders as u64;
        let bar = ProgressBar::new(contenders * 3);
        // The template is a constant, and right.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        Progress { bar, title, contenders }
    }

    pub(super) fn measuring(&self, label: &str, round: u32) {
        self.bar.set_message(format!("{}, round {round}: {label}", self.title));
        self.bar.inc(1);
    }

    /// Expects as many further rounds as there is time for.
    pub(super) fn round_done(&self, rounds: u32, budget: &Budget, elapsed: Duration) {
        let possible = budget.most_time.as_secs_f64() / elapsed.as_secs_f64() * f64::from(rounds);
        let rounds_expected = (possible as u64).clamp(rounds.into(), budget.most_rounds.into());
        self.bar.set_length(rounds_expected * self.contenders);
        self.bar.set_position(u64::from(rounds) * self.contenders);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
