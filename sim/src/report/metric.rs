//! The names of a report's numbers, as expectations use them: `lookups.hops.mean`.
//!
//! The names are the report's own: they are read off a report in which nothing is missing, so
//! none can be forgotten or outlive its field.

use serde_json::Value;

use super::judge::UNCHECKED;
use super::sample::sample;
use crate::scenario::{Bound, Expectation, Metric, MetricKind};

/// What a run costs differs from run to run; a bound on it would make the verdict random.
const COST: &str = "cost";

/// A bound on what played a run would be a bound on the program.
const PROGRAM: &str = "program";

/// The verdict follows from the expectations, so it can't be one.
const VERDICT: &str = "verdict";

/// Every path of the report that an expectation may name, in the report's order: the numbers,
/// truth values and texts, without `cost`, the verdict and whatever stands in a list or is
/// named only while running (`ring.excuses`).
#[must_use]
pub fn metric_paths() -> Vec<String> {
    let report = serde_json::to_value(sample()).expect("a report is plain data");
    let mut paths = Vec::new();
    collect(&report, "", &mut paths);
    let first = |path: &str| path.split('.').next().map(str::to_owned);
    let is_fit = |path: &String| {
        let group = first(path);
        path != VERDICT && !matches!(group.as_deref(), Some(COST | PROGRAM))
    };
    paths.retain(is_fit);
    paths
}

/// The same, each with what it is.
///
/// # Panics
/// Never: each path is read off a report.
#[must_use]
pub fn metrics() -> Vec<Metric> {
    let report = serde_json::to_value(sample()).expect("a report is plain data");
    let kind = |path: &str| match value_at(&report, path) {
        Some(Value::Bool(_)) => MetricKind::Truth,
        Some(Value::String(_)) => MetricKind::Text,
        _ => MetricKind::Number,
    };
    let paths = metric_paths().into_iter();
    paths
        .map(|path| Metric {
            kind: kind(&path),
            path,
        })
        .collect()
}

/// What the number of nodes has to do with a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// Nothing: it says what was played, or is a share, a state, or a time that the protocol's
    /// periods decide.
    Irrelevant,
    /// It counts, or goes with the length of ways through the ring. Where it must be zero it must
    /// be so in a ring of any size.
    Decisive,
}

/// All metrics; `*` stands for the numbers of a distribution.
const SIZES: &[(&str, Size)] = &[
    ("scenario", Size::Irrelevant),
    ("world", Size::Irrelevant),
    ("seed", Size::Irrelevant),
    ("nodes", Size::Decisive),
    ("digest", Size::Decisive),
    ("simulated_s", Size::Irrelevant),
    ("lookups.issued", Size::Decisive),
    ("lookups.ok", Size::Decisive),
    ("lookups.wrong", Size::Decisive),
    ("lookups.failed", Size::Decisive),
    ("lookups.unfinished", Size::Decisive),
    ("lookups.failed_share", Size::Irrelevant),
    ("lookups.wrong_share", Size::Irrelevant),
    ("lookups.missed_share", Size::Irrelevant),
    ("lookups.hops.*", Size::Decisive),
    ("lookups.hops_to_predecessor.*", Size::Decisive),
    ("lookups.timeouts.*", Size::Decisive),
    ("lookups.latency_ms.*", Size::Decisive),
    ("writes.issued", Size::Decisive),
    ("writes.acked", Size::Decisive),
    ("writes.partial", Size::Decisive),
    ("writes.failed", Size::Decisive),
    ("writes.unfinished", Size::Decisive),
    ("writes.refused", Size::Decisive),
    ("writes.lost", Size::Decisive),
    ("writes.lost_excused", Size::Decisive),
    ("writes.short_acks", Size::Decisive),
    ("writes.below_past", Size::Decisive),
    ("writes.granted_twice", Size::Decisive),
    ("writes.conflicts", Size::Decisive),
    ("writes.missing_copies", Size::Decisive),
    ("writes.latency_ms.*", Size::Decisive),
    ("reads.issued", Size::Decisive),
    ("reads.ok", Size::Decisive),
    ("reads.stale", Size::Decisive),
    ("reads.missing", Size::Decisive),
    ("reads.missing_certain", Size::Decisive),
    ("reads.resurrected", Size::Decisive),
    ("reads.expired", Size::Decisive),
    ("reads.early", Size::Decisive),
    ("reads.failed", Size::Decisive),
    ("reads.unfinished", Size::Decisive),
    ("reads.uncertain", Size::Decisive),
    ("reads.stale_share", Size::Irrelevant),
    ("reads.failed_share", Size::Irrelevant),
    ("reads.checked_at_end", Size::Decisive),
    ("reads.unreadable", Size::Decisive),
    ("reads.latency_ms.*", Size::Decisive),
    ("histories.checked", Size::Decisive),
    ("histories.not_linearizable", Size::Decisive),
    ("histories.unknown", Size::Decisive),
    ("ring.members", Size::Decisive),
    ("ring.rings", Size::Irrelevant),
    ("ring.ideal", Size::Irrelevant),
    ("ring.ideal_after_s", Size::Irrelevant),
    ("ring.ideal_after_periods", Size::Irrelevant),
    ("ring.settled_after_s", Size::Irrelevant),
    ("ring.violations", Size::Decisive),
    ("ring.excused", Size::Decisive),
    ("traffic.messages", Size::Decisive),
    ("traffic.lost", Size::Decisive),
    ("traffic.bytes_per_node_per_s", Size::Decisive),
    ("traffic.repair_bytes", Size::Decisive),
    ("traffic.lost_bytes", Size::Decisive),
    ("traffic.repair_ratio", Size::Irrelevant),
    ("events.joined", Size::Decisive),
    ("events.left", Size::Decisive),
    ("events.crashed", Size::Decisive),
    ("events.presumed_dead", Size::Decisive),
    ("events.presumed_dead_wrongly", Size::Decisive),
    ("events.stranded", Size::Decisive),
    ("events.ignored", Size::Decisive),
];

/// Whether a row of [`SIZES`] is about this path.
fn is_about(row: &str, path: &str) -> bool {
    match row.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => row == path,
    }
}

/// Whether an expectation that was written for a ring of one size must be met in a ring of any
/// other. One on a metric that is none of the report's need not.
#[must_use]
pub fn holds_at_any_size(expectation: &Expectation) -> bool {
    let row = SIZES
        .iter()
        .find(|(row, _)| is_about(row, &expectation.metric));
    match row {
        Some((_, Size::Irrelevant)) => true,
        Some((_, Size::Decisive)) => allows_only_zero(&expectation.bound),
        // What can't be checked does not go with the size.
        None => expectation.metric == UNCHECKED,
    }
}

/// No metric is negative, so a least value of zero asks for nothing.
fn allows_only_zero(bound: &Bound) -> bool {
    match bound {
        Bound::Range { min, max } => *max == Some(0.0) && min.is_none_or(|least| least <= 0.0),
        Bound::Equals(value) => value.as_f64() == Some(0.0),
        Bound::Among(_) => true,
    }
}

fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                collect(value, &format!("{path}{dot}{name}"), paths);
            }
        }
        Value::Number(_) | Value::Bool(_) | Value::String(_) => paths.push(path.to_owned()),
        Value::Array(_) | Value::Null => {}
    }
}

/// The value at a path of a report's JSON form. Below a `null` (a distribution without samples)
/// everything is `null`; `None` means that the report has no such path.
#[must_use]
pub fn value_at<'a>(report: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(report, |value, name| match value {
        Value::Null => Some(value),
        _ => value.get(name),
    })
}

/// Why a path that looks like one of the report can't be expected, for error messages; `None`
/// for paths that can be and for those that mean nothing at all.
#[must_use]
pub fn why_not_a_metric(path: &str) -> Option<&'static str> {
    let report = serde_json::to_value(sample()).expect("a report is plain data");
    match path.split('.').next() {
        Some(COST) => {
            Some("what a run costs differs from run to run, so nothing in `cost` can be expected")
        }
        Some(PROGRAM) => Some("what played a run is not a part of what it came to"),
        Some(VERDICT) => Some("the verdict follows from the expectations"),
        _ => match value_at(&report, path)? {
            Value::Array(_) => Some("this is a list; expectations bound single values"),
            Value::Object(fields) if fields.is_empty() => {
                Some("what stands here is named only while running")
            }
            Value::Object(_) => Some("this is a group; name one of its values"),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_paths_are_those_of_the_report() {
        insta::assert_snapshot!(metric_paths().join("\n"));
    }

    #[test]
    fn every_path_leads_to_a_value() {
        let report = serde_json::to_value(sample()).unwrap();
        for path in metric_paths() {
            let value = value_at(&report, &path).expect("it was read off this report");
            assert!(
                !value.is_null() && !value.is_object() && !value.is_array(),
                "{path}"
            );
            assert_eq!(why_not_a_metric(&path), None);
        }
    }

    #[test]
    fn every_metric_says_what_the_size_has_to_do_with_it() {
        let paths = metric_paths();
        for path in &paths {
            let rows = SIZES.iter().filter(|(row, _)| is_about(row, path));
            assert_eq!(rows.count(), 1, "{path}");
        }
        let dead: Vec<&(&str, Size)> = SIZES
            .iter()
            .filter(|(row, _)| !paths.iter().any(|path| is_about(row, path)))
            .collect();
        assert!(dead.is_empty(), "{dead:?}");
    }

    #[test]
    fn shares_states_and_what_must_not_be_at_all_hold_at_any_size() {
        let range = |min, max| Bound::Range { min, max };
        for (metric, bound, holds) in [
            ("lookups.failed_share", range(None, Some(0.02)), true),
            ("traffic.repair_ratio", range(None, Some(1.44)), true),
            ("ring.ideal", Bound::Equals(json!(true)), true),
            ("ring.rings", Bound::Equals(json!(1)), true),
            ("ring.ideal_after_periods", range(None, Some(20.0)), true),
            ("writes.lost", range(None, Some(0.0)), true),
            ("writes.lost", range(Some(0.0), Some(0.0)), true),
            ("writes.lost", Bound::Equals(json!(0)), true),
            ("lookups.timeouts.mean", range(None, Some(0.0)), true),
            ("writes.lost", range(None, Some(1.0)), false),
            ("writes.lost", range(Some(0.0), None), false),
            ("writes.lost", range(None, None), false),
            ("writes.lost", Bound::Equals(json!(1)), false),
            ("ring.members", Bound::Equals(json!(200)), false),
            ("lookups.issued", range(Some(4000.0), None), false),
            ("lookups.hops.mean", range(Some(3.6), Some(4.2)), false),
            ("lookups.latency_ms.p99", range(None, Some(900.0)), false),
            ("traffic.messages", range(None, Some(1e6)), false),
            ("lookups.hips", Bound::Equals(json!(0)), false),
        ] {
            let metric = metric.to_owned();
            let expectation = Expectation { metric, bound };
            assert_eq!(holds_at_any_size(&expectation), holds, "{expectation:?}");
        }
    }

    #[test]
    fn below_a_null_all_is_null_and_elsewhere_the_unknown_is_none() {
        let report = json!({ "lookups": { "hops": null, "ok": 3 } });
        assert_eq!(value_at(&report, "lookups.hops.mean"), Some(&Value::Null));
        assert_eq!(value_at(&report, "lookups.ok"), Some(&json!(3)));
        assert_eq!(value_at(&report, "lookups.ok.mean"), None);
        assert_eq!(value_at(&report, "lookups.hips"), None);
        assert_eq!(value_at(&report, ""), None);
    }

    #[test]
    fn what_cannot_be_expected_says_why() {
        assert!(
            why_not_a_metric("cost.cpu_s")
                .unwrap()
                .contains("run to run")
        );
        assert!(why_not_a_metric("verdict").unwrap().contains("follows"));
        assert!(why_not_a_metric("faults").unwrap().contains("list"));
        assert!(why_not_a_metric("lookups.hops").unwrap().contains("group"));
        assert!(
            why_not_a_metric("ring.excuses")
                .unwrap()
                .contains("running")
        );
        assert_eq!(why_not_a_metric("lookups.hips"), None);
    }
}
