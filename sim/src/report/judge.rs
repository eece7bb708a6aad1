//! The verdict: holds a report against what its scenario expects of it.
//!
//! Judging reads nothing but the report and may be repeated.

use cuerda_text::words::listed;
use serde_json::Value;

use super::metric::value_at;
use super::{Report, Unmet, Verdict};
use crate::scenario::{Bound, Expectation};

/// Fills in [`Report::unmet`] and [`Report::verdict`]. A run fails on a violated check, counted
/// or listed, and on an unmet expectation; one on a number without samples (`null`) is unmet.
///
/// # Panics
/// Never: a report is plain data.
pub fn judge(report: &mut Report, expectations: &[Expectation]) {
    let json = serde_json::to_value(&*report).expect("a report is plain data");
    report.unmet = expectations
        .iter()
        .filter_map(|expectation| {
            let value = value_at(&json, &expectation.metric).unwrap_or(&Value::Null);
            (!holds(&expectation.bound, value)).then(|| Unmet {
                metric: expectation.metric.clone(),
                value: value.clone(),
                bound: in_words(&expectation.bound),
            })
        })
        .chain(unasked(report, expectations))
        .collect();
    let failed =
        report.ring.violations > 0 || !report.violations.is_empty() || !report.unmet.is_empty();
    report.verdict = if failed { Verdict::Fail } else { Verdict::Pass };
}

/// The list of what could not be checked, as an expectation names it.
pub(crate) const UNCHECKED: &str = "unchecked";

/// What could not be checked and no expectation allows to be so.
fn unasked(report: &Report, expectations: &[Expectation]) -> Option<Unmet> {
    let is_expected = expectations
        .iter()
        .any(|expectation| expectation.metric == UNCHECKED);
    (!is_expected && !report.unchecked.is_empty()).then(|| Unmet {
        metric: UNCHECKED.to_owned(),
        value: Value::from(report.unchecked.clone()),
        bound: in_words(&Bound::Among(Vec::new())),
    })
}

fn holds(bound: &Bound, value: &Value) -> bool {
    match bound {
        Bound::Range { min, max } => value.as_f64().is_some_and(|number| {
            min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)
        }),
        // 0 and 0.0 are the same number to whoever writes a scenario.
        Bound::Equals(wanted) => match (wanted.as_f64(), value.as_f64()) {
            (Some(wanted), Some(number)) => wanted == number,
            _ => !value.is_null() && wanted == value,
        },
        // An empty list is left out of the report.
        Bound::Among(allowed) => value.as_array().is_none_or(|list| {
            let allows = |item: &Value| allowed.iter().any(|name| item == name.as_str());
            list.iter().all(allows)
        }),
    }
}

/// What the number must be, so that "must be" can stand before it.
fn in_words(bound: &Bound) -> String {
    match bound {
        Bound::Range { min, max } => match (min, max) {
            (Some(min), Some(max)) => format!("between {min} and {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "a number".to_owned(),
        },
        Bound::Equals(value) => format!("exactly {value}"),
        Bound::Among(allowed) if allowed.is_empty() => "empty".to_owned(),
        Bound::Among(allowed) => {
            let allowed = allowed.iter().map(String::as_str);
            format!("nothing but {}", listed(allowed, "and"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Violation;
    use crate::report::sample::sample;
    use serde_json::json;

    fn range(metric: &str, min: Option<f64>, max: Option<f64>) -> Expectation {
        let bound = Bound::Range { min, max };
        Expectation {
            metric: metric.to_owned(),
            bound,
        }
    }

    fn equals(metric: &str, value: Value) -> Expectation {
        let bound = Bound::Equals(value);
        Expectation {
            metric: metric.to_owned(),
            bound,
        }
    }

    /// The verdict of the sample report, changed as told.
    fn verdict(expectation: &Expectation, change: impl Fn(&mut Report)) -> Verdict {
        let mut report = sample();
        change(&mut report);
        judge(&mut report, std::slice::from_ref(expectation));
        report.verdict
    }

    #[test]
    fn bounds_belong_to_what_they_allow() {
        let cases = [
            (range("lookups.ok", Some(998.0), Some(998.0)), Verdict::Pass),
            (range("lookups.ok", Some(999.0), None), Verdict::Fail),
            (range("lookups.ok", None, Some(997.0)), Verdict::Fail),
            (
                range("lookups.failed_share", None, Some(0.002)),
                Verdict::Pass,
            ),
            (equals("lookups.ok", json!(998.0)), Verdict::Pass),
            (equals("lookups.ok", json!(997)), Verdict::Fail),
            (equals("ring.ideal", json!(true)), Verdict::Pass),
            (equals("ring.ideal", json!(false)), Verdict::Fail),
            (equals("world", json!("events")), Verdict::Pass),
            (range("world", None, Some(1.0)), Verdict::Fail),
        ];
        for (expectation, expected) in cases {
            assert_eq!(verdict(&expectation, |_| ()), expected, "{expectation:?}");
        }
    }

    #[test]
    fn without_samples_no_expectation_holds() {
        let gone = |report: &mut Report| report.lookups.hops = None;
        for expectation in [
            range("lookups.hops.mean", None, Some(9.0)),
            range("lookups.hops.mean", None, None),
            equals("lookups.hops.mean", Value::Null),
        ] {
            assert_eq!(
                verdict(&expectation, gone),
                Verdict::Fail,
                "{expectation:?}"
            );
        }
    }

    #[test]
    fn a_violation_fails_counted_or_listed() {
        let held = range("lookups.ok", Some(1.0), None);
        assert_eq!(
            verdict(&held, |report| report.ring.violations = 1),
            Verdict::Fail
        );
        let wrong_lookup = |report: &mut Report| {
            report.violations.push(Violation {
                at_s: 1.0,
                check: "lookups".to_owned(),
                detail: "a wrong owner".to_owned(),
                node: None,
                cause: "a reply".to_owned(),
            });
        };
        assert_eq!(verdict(&held, wrong_lookup), Verdict::Fail);
    }

    #[test]
    fn judging_again_changes_nothing() {
        let mut report = sample();
        let expectations = [
            range("lookups.ok", None, Some(1.0)),
            range("nodes", None, None),
        ];
        judge(&mut report, &expectations);
        let once = report.clone();
        judge(&mut report, &expectations);
        assert_eq!(report, once);
        let unmet = Unmet {
            metric: "lookups.ok".to_owned(),
            value: json!(998),
            bound: "at most 1".to_owned(),
        };
        assert_eq!(report.unmet, [unmet]);
    }

    #[test]
    fn bounds_read_as_words() {
        let words = |min, max| in_words(&Bound::Range { min, max });
        assert_eq!(words(Some(3.6), Some(4.2)), "between 3.6 and 4.2");
        assert_eq!(words(Some(1.0), None), "at least 1");
        assert_eq!(words(None, Some(0.002)), "at most 0.002");
        assert_eq!(
            in_words(&Bound::Equals(json!("events"))),
            "exactly \"events\""
        );
    }
}
