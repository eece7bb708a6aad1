//! What is kept of a seed's run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cuerda_sim::report::words::{grouped, harmless, moment};
use cuerda_sim::report::{Report, Verdict};
use serde::{Deserialize, Serialize};

use super::super::load::Loaded;
use super::distribution;

/// What is kept of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    /// Of a run that came to its end: its numbers, in the order of the report's metrics.
    pub(crate) values: Option<Vec<Option<f64>>>,
    /// Why it failed, in a few words.
    pub(crate) failed: Option<String>,
}

/// Plays a seed.
pub(crate) fn one(loaded: &Loaded, seed: u64) -> Outcome {
    let mut loaded = loaded.clone();
    loaded.scenario.seed = seed;
    // A panic is what a sweep looks for: it fails this seed, and the others go on.
    match catch_unwind(AssertUnwindSafe(|| loaded.play(&mut |_| ()))) {
        Ok(report) => Outcome {
            seed,
            values: Some(distribution::values(&report)),
            failed: reason(&report),
        },
        Err(panic) => Outcome {
            seed,
            values: None,
            failed: Some(format!("panicked: {}", message(panic.as_ref()))),
        },
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    harmless(text.unwrap_or("without a message"))
}

/// The first of what failed a run.
pub(crate) fn reason(report: &Report) -> Option<String> {
    if report.verdict == Verdict::Pass {
        return None;
    }
    let first = if let Some(violation) = report.violations.first() {
        let place = violation
            .node
            .as_ref()
            .map_or_else(String::new, |node| format!(" at {node}"));
        format!("{}, {}{place}", violation.check, moment(violation.at_s))
    } else if let Some(unmet) = report.unmet.first() {
        format!(
            "{} is {}, must be {}",
            unmet.metric, unmet.value, unmet.bound
        )
    } else {
        format!("{} violations", grouped(report.ring.violations))
    };
    let violations: u64 = report.violated.values().sum();
    let more = (violations + report.unmet.len() as u64).saturating_sub(1);
    let more = if more > 0 {
        format!(" and {} more", grouped(more))
    } else {
        String::new()
    };
    Some(harmless(&first) + &more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panics_message_is_told() {
        let caught = |panic: fn()| catch_unwind(panic).map_err(|panic| message(panic.as_ref()));
        assert_eq!(caught(|| panic!("seven")), Err("seven".to_owned()));
        assert_eq!(caught(|| panic!("{}", 7)), Err("7".to_owned()));
    }
}
