//! What can be said of measurements that scatter: medians, ratios and how sure they are.
//!
//! Times scatter by factors and not by amounts, so everything is computed from logarithms.

use serde::{Deserialize, Serialize};

/// A factor, and the interval in which it lies with a confidence of 95 %.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Ratio {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The quantiles 97.5 % of Student's t distribution with 1, 2, … degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const NORMAL: f64 = 1.96;

impl Ratio {
    /// What something is in relation to itself.
    pub(super) const ONE: Ratio = Ratio { value: 1.0, low: 1.0, high: 1.0 };

    /// What the first of each pair is in relation to the second, from pairs that were measured in the same round. A single
    /// pair tells a value and nothing of how sure it is; none tells nothing.
    pub(super) fn of_pairs(pairs: &[(f64, f64)]) -> Option<Self> {
        let logs: Vec<_> = pairs.iter().map(|(this, that)| (this / that).ln()).collect();
        let (mean, variance) = moments(&logs)?;
        let error = (variance / logs.len() as f64).sqrt();
        Some(Ratio::around(mean, student(logs.len() as f64 - 1.0) * error))
    }

    /// By what factor the measurements `after` differ from those `before`, which nothing pairs (Welch's test).
    pub(super) fn of_change(before: &[f64], after: &[f64]) -> Option<Self> {
        let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<_>>();
        let ((mean_a, variance_a), (mean_b, variance_b)) = (moments(&logs(before))?, moments(&logs(after))?);
        let (count_a, count_b) = (before.len() as f64, after.len() as f64);
        let (part_a, part_b) = (variance_a / count_a, variance_b / count_b);
        let sum = part_a + part_b;
        let freedom = match sum > 0.0 {
            true => sum * sum / (part_a * part_a / (count_a - 1.0) + part_b * part_b / (count_b - 1.0)),
            false => count_a + count_b - 2.0,
        };
        Some(Ratio::around(mean_b - mean_a, student(freedom) * sum.sqrt()))
    }

    fn around(mean: f64, reach: f64) -> Self {
        // Of a single measurement the variance is unknown, and the interval is without end.
        let reach = if reach.is_nan() { f64::INFINITY } else { reach };
        Ratio { value: mean.exp(), low: (mean - reach).exp(), high: (mean + reach).exp().min(f64::MAX) }
    }

    /// How wide the interval is in relation to the value.
    pub(super) fn width(self) -> f64 {
        (self.high - self.low) / self.value
    }

    /// Whether "no difference" lies outside of the interval.
    pub(super) fn is_beyond_noise(self) -> bool {
        self.low > 1.0 || self.high < 1.0
    }
}

/// The mean of the logarithms, as a value.
pub(super) fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let logs: Vec<_> = values.into_iter().map(f64::ln).collect();
    moments(&logs).map(|(mean, _)| mean.exp())
}

/// The value in the middle.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// Mean and variance; the variance of a single value is NaN.
fn moments(values: &[f64]) -> Option<(f64, f64)> {
    if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, if values.len() == 1 { f64::NAN } else { squares / (count - 1.0) }))
}

fn student(freedom: f64) -> f64 {
    if !freedom.is_finite() || freedom < 1.0 {
        return f64::NAN;
    }
    STUDENT.get(freedom as usize - 1).copied().unwrap_or(NORMAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a / b - 1.0).abs() < 1e-3
    }

    #[test]
    fn medians() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_ratio_is_the_geometric_mean_with_students_interval() {
        let ratio = Ratio::of_pairs(&[(2.0, 1.0), (8.0, 4.0), (2.0, 1.0)]).unwrap();
        assert!(near(ratio.value, 2.0) && near(ratio.low, 2.0) && near(ratio.high, 2.0));
        // Logarithms -ln 2 and ln 2: mean 0, standard error ln 2, one degree of freedom.
        let ratio = Ratio::of_pairs(&[(1.0, 2.0), (2.0, 1.0)]).unwrap();
        assert!(near(ratio.value, 1.0) && near(ratio.high, 2f64.powf(12.706)), "{ratio:?}");
    }

    #[test]
    fn one_pair_says_nothing_about_its_noise() {
        let ratio = Ratio::of_pairs(&[(3.0, 1.0)]).unwrap();
        assert!(near(ratio.value, 3.0));
        assert!(ratio.width() > 1e9 && !ratio.is_beyond_noise(), "{ratio:?}");
        assert_eq!(Ratio::of_pairs(&[]), None);
        assert_eq!(Ratio::of_pairs(&[(1.0, 0.0)]), None);
    }

    #[test]
    fn a_change_is_seen_through_noise_and_noise_is_not_taken_for_one() {
        let quiet = [100.0, 101.0, 99.0, 100.5, 99.5];
        let slower = quiet.map(|value| value * 1.2);
        let change = Ratio::of_change(&quiet, &slower).unwrap();
        assert!(near(change.value, 1.2) && change.is_beyond_noise() && change.low > 1.15);
        assert!(!Ratio::of_change(&quiet, &[100.2, 98.9, 100.9, 99.6]).unwrap().is_beyond_noise());
        assert!(!Ratio::of_change(&quiet, &[120.0]).unwrap().is_beyond_noise());
        assert_eq!(Ratio::of_change(&[5.0, 5.0], &[5.0, 5.0]).unwrap(), Ratio::ONE);
    }
}
