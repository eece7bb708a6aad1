//! Distributions, gathered one sample at a time.
//!
//! Both kinds add up to the same summary whatever the order in which samples come or parts are
//! merged, and neither grows with the number of samples. Percentiles are by *nearest rank*: of n
//! samples in order, the p-th is number ⌈n·p/100⌉, so it is always a sample and never a value
//! in between. Nothing here reads a clock or keeps the samples.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{LatencySummary, Summary};

/// The value of nearest rank `percent` among `total` samples, given as values in ascending order
/// with how often each occurs. `None` without samples.
pub fn nearest_rank<V>(
    values: impl IntoIterator<Item = (V, u64)>,
    total: u64,
    percent: u8,
) -> Option<V> {
    let rank = (u128::from(total) * u128::from(percent))
        .div_ceil(100)
        .max(1);
    let mut seen = 0;
    values.into_iter().find_map(|(value, times)| {
        seen += u128::from(times);
        (seen >= rank).then_some(value)
    })
}

/// Small whole numbers, such as hops. Exact; memory goes with the number of *different* values,
/// which the limits on hops and time-outs bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    times: BTreeMap<u64, u64>,
    total: u64,
    sum: u128,
}

impl Counts {
    /// One more sample.
    pub fn add(&mut self, value: u64) {
        *self.times.entry(value).or_default() += 1;
        self.total += 1;
        self.sum += u128::from(value);
    }

    /// All samples of another.
    pub fn merge(&mut self, other: &Counts) {
        for (&value, &times) in &other.times {
            *self.times.entry(value).or_default() += times;
        }
        self.total += other.total;
        self.sum += other.sum;
    }

    /// How many samples there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The distribution; `None` without samples.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        let rank = |percent| {
            nearest_rank(
                self.times.iter().map(|(&value, &times)| (value, times)),
                self.total,
                percent,
            )
        };
        Some(Summary {
            max: *self.times.last_key_value()?.0,
            mean: self.sum as f64 / self.total as f64,
            p1: rank(1)?,
            p10: rank(10)?,
            p50: rank(50)?,
            p90: rank(90)?,
            p99: rank(99)?,
        })
    }
}

/// Times. Mean and maximum are exact to the microsecond; percentiles to a thousandth of
/// themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies {
    microseconds: Histogram<u64>,
    sum: u128,
    least: u64,
    greatest: u64,
}

/// Longer times count as this; it bounds the histogram's memory at a quarter of a megabyte.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Percentiles are exact to this many decimal digits.
const DIGITS: u8 = 3;

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies {
            microseconds: Histogram::new(DIGITS).expect("three digits are within 0 to 5"),
            sum: 0,
            least: u64::MAX,
            greatest: 0,
        }
    }
}

impl Latencies {
    /// One more sample.
    ///
    /// # Panics
    /// Never: the bound on a sample keeps the histogram within its largest size.
    pub fn add(&mut self, time: Duration) {
        let microseconds = u64::try_from(time.min(LONGEST).as_micros())
            .expect("a day of microseconds fits 64 bits");
        self.microseconds
            .record(microseconds)
            .expect("a histogram that grows holds any time up to a day");
        self.sum += u128::from(microseconds);
        self.least = self.least.min(microseconds);
        self.greatest = self.greatest.max(microseconds);
    }

    /// All samples of another.
    ///
    /// # Panics
    /// Never: both are bounded alike.
    pub fn merge(&mut self, other: &Latencies) {
        self.microseconds
            .add(&other.microseconds)
            .expect("a histogram that grows holds what another of its kind holds");
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    /// How many samples there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.microseconds.len()
    }

    /// The distribution; `None` without samples.
    #[must_use]
    pub fn summary(&self) -> Option<LatencySummary> {
        let total = self.total();
        let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
        let rank = |percent| {
            let recorded = self
                .microseconds
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()));
            // A step stands for a small range of times; no sample lies outside these two.
            nearest_rank(recorded, total, percent)
                .map(|value| milliseconds(value.clamp(self.least, self.greatest)))
        };
        Some(LatencySummary {
            p50: rank(50)?,
            p90: rank(90)?,
            p99: rank(99)?,
            mean: self.sum as f64 / total as f64 / 1000.0,
            max: milliseconds(self.greatest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(values: impl IntoIterator<Item = u64>) -> Counts {
        let mut counts = Counts::default();
        values.into_iter().for_each(|value| counts.add(value));
        counts
    }

    fn latencies(microseconds: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for time in microseconds {
            latencies.add(Duration::from_micros(time));
        }
        latencies
    }

    #[test]
    fn without_samples_there_is_no_summary() {
        assert_eq!(Counts::default().summary(), None);
        assert_eq!(Latencies::default().summary(), None);
    }

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let summary = counts(1..=200).summary().unwrap();
        let expected = Summary {
            mean: 100.5,
            p1: 2,
            p10: 20,
            p50: 100,
            p90: 180,
            p99: 198,
            max: 200,
        };
        assert_eq!(summary, expected);
        let one = counts([7]).summary().unwrap();
        assert_eq!((one.p1, one.p50, one.p99, one.max), (7, 7, 7, 7));
        let two = counts([1, 2]).summary().unwrap();
        assert_eq!((two.p50, two.p90), (1, 2));
    }

    #[test]
    fn equal_times_are_reported_as_they_are() {
        let summary = latencies([123_456; 5]).summary().unwrap();
        let all = [summary.mean, summary.p50, summary.p90, summary.p99];
        assert_eq!((all, summary.max), ([123.456; 4], 123.456));
    }

    #[test]
    fn times_beyond_a_day_and_of_zero_are_held() {
        let mut latencies = latencies([0]);
        latencies.add(Duration::MAX);
        let summary = latencies.summary().unwrap();
        assert_eq!((summary.p50, summary.max), (0.0, 86_400_000.0));
    }

    proptest! {
        #[test]
        fn counts_agree_with_sorting(mut values in prop::collection::vec(0u64..50, 1..300)) {
            let summary = counts(values.iter().copied()).summary().unwrap();
            values.sort_unstable();
            let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
            prop_assert_eq!(
                [summary.p1, summary.p10, summary.p50, summary.p90, summary.p99, summary.max],
                [rank(1), rank(10), rank(50), rank(90), rank(99), rank(100)]
            );
        }

        #[test]
        fn times_agree_with_sorting_to_a_thousandth(
            mut values in prop::collection::vec(0u64..100_000_000, 1..300)
        ) {
            let summary = latencies(values.iter().copied()).summary().unwrap();
            values.sort_unstable();
            for (found, percent) in [(summary.p50, 50), (summary.p90, 90), (summary.p99, 99)] {
                let exact = values[(values.len() * percent).div_ceil(100).max(1) - 1] as f64 / 1e3;
                prop_assert!((found - exact).abs() <= exact / 1000.0 + 1e-9);
            }
            prop_assert!(summary.p99 <= summary.max);
        }

        /// Parts may be gathered apart and merged in any order.
        #[test]
        fn merging_is_the_same_as_gathering_together(
            first in prop::collection::vec(0u64..5_000_000, 0..50),
            second in prop::collection::vec(0u64..5_000_000, 0..50),
        ) {
            let all = || first.iter().chain(&second).copied();
            let mut merged = counts(second.iter().copied());
            merged.merge(&counts(first.iter().copied()));
            prop_assert_eq!(merged, counts(all()));
            let mut merged = latencies(second.iter().copied());
            merged.merge(&latencies(first.iter().copied()));
            prop_assert_eq!(merged.summary(), latencies(all()).summary());
        }
    }
}
