//! How each number of the report is distributed over the seeds.
//!
//! Percentiles are exact, by nearest rank. Equal values are kept once, and most numbers of a
//! report take few values, so memory stays far below one value for each seed and metric.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use cuerda_sim::report::statistics::nearest_rank;
use cuerda_sim::report::terminal::plain_table;
use cuerda_sim::report::words::{grouped, number};
use cuerda_sim::report::{Report, metric_paths, value_at};
use serde_json::{Map, Value, json};

/// What is the same in all runs of a sweep, or no quantity.
const NOT_DISTRIBUTED: [&str; 3] = ["seed", "nodes", "simulated_s"];

/// A number with a total order, so that it can be a key.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Ordered) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Ordered) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// One report's numbers, in the order of [`metric_paths`]; truth values as 0 and 1, `None`
/// without samples and for texts.
pub(super) fn values(report: &Report) -> Vec<Option<f64>> {
    let report = serde_json::to_value(report).expect("a report is plain data");
    let number = |path: String| match value_at(&report, &path)? {
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        value => value.as_f64(),
    };
    metric_paths().into_iter().map(number).collect()
}

/// All metrics' distributions.
#[derive(Debug)]
pub(super) struct Distributions {
    metrics: Vec<(String, BTreeMap<Ordered, u64>)>,
    runs: u64,
}

impl Default for Distributions {
    fn default() -> Distributions {
        let empty = |path| (path, BTreeMap::new());
        Distributions {
            metrics: metric_paths().into_iter().map(empty).collect(),
            runs: 0,
        }
    }
}

struct Spread {
    samples: u64,
    min: f64,
    median: f64,
    p90: f64,
    max: f64,
}

impl Distributions {
    /// One more run, as [`values`] gives it.
    pub(super) fn add(&mut self, values: &[Option<f64>]) {
        self.runs += 1;
        for ((_, metric), value) in self.metrics.iter_mut().zip(values) {
            if let Some(value) = value {
                *metric.entry(Ordered(*value)).or_default() += 1;
            }
        }
    }

    fn spreads(&self) -> impl Iterator<Item = (&str, Spread)> {
        self.metrics
            .iter()
            .filter(|(path, _)| !NOT_DISTRIBUTED.contains(&path.as_str()))
            .filter_map(|(path, metric)| Some((path.as_str(), spread(metric)?)))
    }

    /// Of each metric with samples. A number in brackets says that not all runs had some.
    pub(super) fn table(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .spreads()
            .map(|(path, spread)| {
                let name = if spread.samples < self.runs {
                    format!("{path} ({})", grouped(spread.samples))
                } else {
                    path.to_owned()
                };
                let numbers = [spread.min, spread.median, spread.p90, spread.max];
                std::iter::once(name).chain(numbers.map(number)).collect()
            })
            .collect();
        plain_table(&["", "min", "median", "p90", "max"], &rows)
    }

    /// The same as JSON.
    pub(super) fn to_json(&self) -> Value {
        let object: Map<String, Value> = self
            .spreads()
            .map(|(path, spread)| {
                let Spread {
                    samples,
                    min,
                    median,
                    p90,
                    max,
                } = spread;
                let fields = json!({
                    "samples": samples, "min": min, "median": median, "p90": p90, "max": max,
                });
                (path.to_owned(), fields)
            })
            .collect();
        Value::Object(object)
    }
}

fn spread(metric: &BTreeMap<Ordered, u64>) -> Option<Spread> {
    let samples = metric.values().sum();
    let rank = |percent| {
        nearest_rank(
            metric.iter().map(|(value, times)| (value.0, *times)),
            samples,
            percent,
        )
    };
    Some(Spread {
        samples,
        min: metric.first_key_value()?.0.0,
        median: rank(50)?,
        p90: rank(90)?,
        max: metric.last_key_value()?.0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> BTreeMap<Ordered, u64> {
        let mut metric = BTreeMap::new();
        for &value in values {
            *metric.entry(Ordered(value)).or_default() += 1;
        }
        metric
    }

    #[test]
    fn a_spread_is_exact_also_below_zero() {
        let spread = spread(&of(&[3.0, -2.0, 0.5, 3.0, 10.0, 3.0])).unwrap();
        assert_eq!(
            [spread.min, spread.median, spread.p90, spread.max],
            [-2.0, 3.0, 10.0, 10.0]
        );
        assert_eq!(spread.samples, 6);
        assert!(super::spread(&of(&[])).is_none());
    }

    #[test]
    fn metrics_without_samples_are_left_out_and_missing_ones_told() {
        let mut distributions = Distributions::default();
        let paths = metric_paths();
        for seed in 0..3 {
            let value = |path: &String| match path.as_str() {
                "seed" => Some(f64::from(seed)),
                "lookups.ok" => Some(10.0 * f64::from(seed)),
                "ring.ideal_after_s" if seed > 0 => Some(f64::from(seed) / 3.0),
                _ => None,
            };
            distributions.add(&paths.iter().map(value).collect::<Vec<_>>());
        }
        insta::assert_snapshot!(distributions.table());
        let json = distributions.to_json();
        assert_eq!(json["ring.ideal_after_s"]["samples"], 2);
        assert_eq!(json.as_object().unwrap().len(), 2);
    }
}
