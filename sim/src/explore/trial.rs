//! One run of a document, judged: what failed, and what it reached.
//!
//! A run is judged by the checks, by what the document expects, and by what must be true when
//! nothing has been wrong for long. What a document expects of numbers that the last of these
//! judges is left to it: such a number depends on how many nodes and clients there are, and would
//! mean nothing in a changed document.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use cuerda_core::chord::Node;
use toml::Value;

use super::calm::Calm;
use super::document::Document;
use super::novelty::{Feature, Novelty};
use crate::report::{Report, judge};
use crate::run::{Play, play, play_in_with};
use crate::scenario::{Scenario, World};
use crate::world::{Time, World as _, events, nanoseconds};

/// The numbers of the report that what must be true in the calm is held against.
const IN_THE_CALM: [&str; 3] = ["writes.failed", "reads.failed", "lookups.failed"];

/// That something could not be looked at follows from a check that failed.
const UNCHECKED: &str = "unchecked";

/// A run that did not come to its end.
const PANIC: &str = "panic";

/// A run that was judged.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What failed; each check once, in the order in which they failed.
    pub failures: Vec<Failure>,
    /// What was reached, and when first.
    pub reached: BTreeMap<Feature, Time>,
    /// The scenario's t = 0 in the world's time.
    pub origin: Time,
    /// How long it was.
    pub simulated: Duration,
    /// How many events were handled.
    pub events: u64,
    /// The hash of all of them.
    pub digest: String,
    /// What could not be looked at, as the report names it.
    pub unchecked: Vec<String>,
    /// Processor time; all else is the same each time.
    pub cpu_s: f64,
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Its name, or the number of the report of which something was expected.
    pub check: String,
    /// Simulated seconds.
    pub at_s: f64,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// What must be expected of that number for the run to fail by it when anybody plays it.
    pub expects: Option<Expects>,
}

/// A bound on a number of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Expects {
    /// How it is bound: `max` or `equals`.
    pub bound: &'static str,
    /// By what.
    pub value: Value,
}

/// Plays a document with a seed. `None` if it is no scenario.
#[must_use]
pub fn attempt(document: &Document, seed: u64) -> Option<Trial> {
    attempt_changed(document, seed, |_| ())
}

/// The same with something changed of which no document can say anything.
pub(super) fn attempt_changed(
    document: &Document,
    seed: u64,
    change: impl FnOnce(&mut Scenario),
) -> Option<Trial> {
    let mut scenario = document.scenario("explored.toml").ok()?;
    scenario.seed = seed;
    change(&mut scenario);
    scenario
        .expectations
        .retain(|expectation| !IN_THE_CALM.contains(&expectation.metric.as_str()));
    // A panic is what an exploration looks for: it fails this run, and the others go on.
    let played = catch_unwind(AssertUnwindSafe(|| run(&scenario)));
    Some(played.unwrap_or_else(|panic| panicked(&scenario, panic.as_ref())))
}

/// How long a ring may need to settle with these settings, at most.
pub(super) fn settling(scenario: &Scenario) -> Duration {
    let node = &scenario.node;
    let probes = node.probe_every_max.unwrap_or(node.stabilize_every * 2);
    let longest = [
        node.stabilize_every * 25,
        probes * 4,
        node.repair_every() * 5,
        node.hand_over_within,
    ];
    let longest = longest.into_iter().max().unwrap_or_default();
    longest + node.found_after * 2
}

/// When the last thing goes wrong or is set right, as far as the scenario says it.
pub(super) fn last_fault(scenario: &Scenario) -> Duration {
    let faults = scenario.faults.iter();
    let faults = faults.map(|fault| fault.at + fault.lasts.unwrap_or_default());
    let churn = scenario.churn.iter().map(|churn| churn.until);
    faults.chain(churn).max().unwrap_or_default()
}

fn run(scenario: &Scenario) -> Trial {
    if scenario.world != World::Events {
        // Nobody watches there; what is left are the marks.
        let novelty = Novelty::new();
        let mut report = play(scenario, &mut |_| ());
        judge(&mut report, &scenario.expectations);
        let mut trial = trial(scenario, &report);
        trial.reached = novelty.reached();
        return trial;
    }
    let shared = Arc::new(scenario.clone());
    let mut world = events::World::new(&shared, scenario.seed);
    let (mut novelty, origin) = (Novelty::new(), world.origin());
    let end = origin + nanoseconds(scenario.duration);
    // Half of what a ring has to settle: clients must be served before it is over.
    let mut calm = Calm::after(nanoseconds(settling(scenario)) / 2, end);
    let play = Play::<Node>::of(scenario.node.clone());
    let play = play.watch(&mut novelty).watch(&mut calm);
    let report = play_in_with(&mut world, &shared, play);
    let mut trial = trial(scenario, &report);
    trial.origin = origin;
    trial.reached = novelty.reached();
    let at_s = scenario.duration.as_secs_f64();
    for (metric, served) in calm.served().filter(|(_, served)| served.is_bad()) {
        let (failed, all) = (served.failed, served.all);
        let told = served.told.unwrap_or_default();
        trial.failures.push(Failure {
            check: metric.to_owned(),
            at_s,
            detail: format!(
                "{failed} of {all} fail though nothing has been wrong for long: {told}"
            ),
            expects: Some(Expects {
                bound: "max",
                value: Value::Integer(served.rightly as i64),
            }),
        });
    }
    trial
}

fn trial(scenario: &Scenario, report: &Report) -> Trial {
    let described = report.violations.iter().map(|violation| Failure {
        check: violation.check.clone(),
        at_s: violation.at_s,
        detail: violation.detail.clone(),
        expects: None,
    });
    // Of those that came late in a long list only the count is told.
    let counted = report.violated.iter().map(|(check, times)| Failure {
        check: check.clone(),
        at_s: report.simulated_s,
        detail: format!("violated, how often: {times}"),
        expects: None,
    });
    let violations = described.chain(counted);
    let checked = report
        .unmet
        .iter()
        .filter(|unmet| unmet.metric != UNCHECKED);
    let unmet = checked.map(|unmet| Failure {
        check: unmet.metric.clone(),
        at_s: report.simulated_s,
        detail: format!("is {} and must be {}", unmet.value, unmet.bound),
        expects: None,
    });
    let mut told = BTreeSet::new();
    let first = |failure: &Failure| told.insert(failure.check.clone());
    Trial {
        failures: violations.chain(unmet).filter(first).collect(),
        reached: BTreeMap::new(),
        origin: 0,
        simulated: scenario.duration,
        events: report.cost.events,
        digest: report.digest.clone(),
        unchecked: report.unchecked.clone(),
        cpu_s: report.cost.cpu_s,
    }
}

fn panicked(scenario: &Scenario, panic: &(dyn std::any::Any + Send)) -> Trial {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let failure = Failure {
        check: PANIC.to_owned(),
        at_s: 0.0,
        detail: text.unwrap_or_default(),
        expects: None,
    };
    Trial {
        failures: vec![failure],
        reached: BTreeMap::new(),
        origin: 0,
        simulated: scenario.duration,
        events: 0,
        digest: String::new(),
        unchecked: Vec::new(),
        cpu_s: 0.0,
    }
}
