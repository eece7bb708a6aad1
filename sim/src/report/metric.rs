//! The names of a report's numbers, as expectations use them: `lookups.hops.mean`.
//!
//! The names are the report's own: they are read off a report in which nothing is missing, so
//! none can be forgotten or outlive its field.

use serde_json::Value;

use super::sample::sample;

/// What a run costs differs from run to run; a bound on it would make the verdict random.
const COST: &str = "cost";

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
    paths.retain(|path| path != VERDICT && path.split('.').next() != Some(COST));
    paths
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
