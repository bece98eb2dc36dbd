//! From values to places on an axis.

/// An axis, on which places are percentages of its length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    pub(super) is_logarithmic: bool,
}

/// If the largest value is so many times the smallest, both are seen only on a logarithmic scale.
const LOGARITHMIC_FROM: f64 = 20.0;

impl Scale {
    /// One for these values: linear from 0, or logarithmic over whole decades.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<_> = values.into_iter().filter(|value| value.is_finite() && *value > 0.0).collect();
        let (low, high) = (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
        Some(match high / low >= LOGARITHMIC_FROM {
            true => Scale { low: decade(low, f64::floor), high: decade(high, f64::ceil), is_logarithmic: true },
            false => Scale { low: 0.0, high: high * 1.02, is_logarithmic: false },
        })
    }

    /// One for whole decades around these values, whatever lies between them.
    pub(super) fn logarithmic(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let scale = Scale::of(values)?;
        let low = if scale.is_logarithmic { scale.low } else { decade(scale.high / LOGARITHMIC_FROM, f64::floor) };
        Some(Scale { low, high: decade(scale.high, f64::ceil), is_logarithmic: true })
    }

    /// Where a value is, from 0 to 100.
    pub(super) fn place(self, value: f64) -> f64 {
        let part = match self.is_logarithmic {
            true => (value / self.low).log10() / (self.high / self.low).log10(),
            false => (value - self.low) / (self.high - self.low),
        };
        part.clamp(0.0, 1.0) * 100.0
    }

    /// The values that are marked: decades, or steps of 1, 2 or 5.
    pub(super) fn marks(self) -> Vec<f64> {
        if self.is_logarithmic {
            let decades = (self.high / self.low).log10().round() as i32;
            return (0..=decades).map(|decade| self.low * 10f64.powi(decade)).collect();
        }
        let rough = self.high / 4.0;
        let unit = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|it| it * unit).find(|step| *step >= rough).unwrap_or(unit);
        (0..).map(|count| f64::from(count) * step).take_while(|value| *value <= self.high).collect()
    }
}

fn decade(value: f64, round: fn(f64) -> f64) -> f64 {
    10f64.powf(round(value.log10()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_size_begin_at_zero() {
        let scale = Scale::of([10.0, 40.0]).unwrap();
        assert!(!scale.is_logarithmic);
        assert!(scale.place(0.0) == 0.0 && (scale.place(20.0) - 49.0).abs() < 0.1);
        assert_eq!(scale.marks(), [0.0, 20.0, 40.0]);
    }

    #[test]
    fn values_of_many_sizes_are_in_decades() {
        let scale = Scale::of([4.0, 12_000.0]).unwrap();
        assert!(scale.is_logarithmic);
        assert_eq!(scale.marks().len(), 6);
        assert!((scale.place(1.0)).abs() < 1e-9 && (scale.place(100.0) - 40.0).abs() < 1e-9);
    }

    #[test]
    fn without_values_there_is_no_axis() {
        assert_eq!(Scale::of([]), None);
        assert_eq!(Scale::of([f64::NAN, 0.0]), None);
    }
}
