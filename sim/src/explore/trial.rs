//! One run of a document, judged: what failed, and what it reached.
//!
//! A run is judged by the checks, by what the document expects, and by what must be true when
//! nothing has been wrong for long. What a document expects of numbers that the last of these
//! judges is left to it: such a number depends on how many nodes and clients there are, and would
//! mean nothing in a changed document.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use cuerda_core::chord::Node;
use serde::{Deserialize, Serialize};
use toml::Value;

use super::calm::Calm;
use super::cause::crowd;
use super::document::Document;
use super::novelty::{Feature, Novelty};
use crate::check::property::Property;
use crate::report::{Report, judge};
use crate::run::{NOBODY_LEFT, Play, play, play_in_with};
use crate::scenario::{Fault, Scenario, World};
use crate::world::{Time, World as _, events, nanoseconds};

/// The numbers of the report that what must be true in the calm is held against.
const IN_THE_CALM: [&str; 3] = ["writes.failed", "reads.failed", "lookups.failed"];

/// That something could not be looked at follows from a check that failed.
const UNCHECKED: &str = "unchecked";

/// The check that the ring becomes as it should when nothing disturbs it any more.
const UNSETTLED: &str = "unsettled";

/// What was drawn is no scenario.
const DRAWN: &str = "drawn";

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expects {
    /// How it is bound: `max` or `equals`.
    pub bound: Cow<'static, str>,
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
    let mut scenario = scenario(document, seed)?;
    change(&mut scenario);
    Some(unless_it_panics(&scenario, || run(&scenario)))
}

/// Plays a document with a seed, to see whether one check fails and for nothing else: what has no
/// part in that is left out, and what comes after the failure. `None` if it is no scenario.
pub(super) fn attempt_at(check: &str, document: &Document, seed: u64) -> Option<Trial> {
    let mut scenario = scenario(document, seed)?;
    match Area::of(check) {
        Area::Ring => (scenario.checks.records, scenario.checks.protocol) = (false, false),
        Area::Records => scenario.checks.protocol = false,
        Area::Anything => {}
    }
    Some(unless_it_panics(&scenario, || run_at(check, &scenario)))
}

fn scenario(document: &Document, seed: u64) -> Option<Scenario> {
    let mut scenario = document.scenario("explored.toml").ok()?;
    scenario.seed = seed;
    scenario
        .expectations
        .retain(|expectation| !IN_THE_CALM.contains(&expectation.metric.as_str()));
    Some(scenario)
}

/// A panic is what an exploration looks for: it fails this run, and the others go on.
fn unless_it_panics(scenario: &Scenario, run: impl FnOnce() -> Trial) -> Trial {
    let played = catch_unwind(AssertUnwindSafe(run));
    played.unwrap_or_else(|panic| panicked(scenario, panic.as_ref()))
}

/// What must be watched to know whether a check fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Area {
    /// The state of the ring.
    Ring,
    /// What is stored, besides.
    Records,
    /// All of it: single steps of nodes, or numbers of the report.
    Anything,
}

impl Area {
    fn of(check: &str) -> Area {
        let is_of_ring = Property::ALL.iter().any(|it| it.name() == check);
        match check {
            UNSETTLED => Area::Ring,
            _ if is_of_ring => Area::Ring,
            "lost" | "copies" | "unreadable" | "register" | "promises" => Area::Records,
            _ if check.starts_with("reads: ") || check.starts_with("writes: ") => Area::Records,
            _ => Area::Anything,
        }
    }
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
    let over = |fault: &Fault| begun(fault, scenario) + fault.lasts.unwrap_or_default();
    let faults = scenario.faults.iter().map(over);
    let churn = scenario.churn.iter().map(|churn| churn.until);
    faults.chain(churn).max().unwrap_or_default()
}

/// When the last fault has hit all that it hits, as far as the scenario says it.
fn last_beginning(scenario: &Scenario) -> Duration {
    let begun = scenario.faults.iter().map(|fault| begun(fault, scenario));
    begun.max().unwrap_or_default()
}

/// When a fault hits somebody for the last time.
fn begun(fault: &Fault, scenario: &Scenario) -> Duration {
    let whom = fault.kind.nodes();
    let turns = whom.map_or(1, |whom| crowd(whom, scenario.nodes));
    fault.last_beginning() + fault.apart.unwrap_or_default() * turns.saturating_sub(1)
}

fn run(scenario: &Scenario) -> Trial {
    // In other worlds nobody watches; what is left are the marks.
    let mut novelty = Novelty::new();
    let mut trial = match scenario.world {
        World::Events => run_watched(scenario, Some(&mut novelty), None),
        _ => run_elsewhere(scenario),
    };
    trial.reached = novelty.reached();
    trial
}

fn run_at(check: &str, scenario: &Scenario) -> Trial {
    if scenario.world != World::Events {
        return run_elsewhere(scenario);
    }
    run_watched(scenario, None, Some(check))
}

fn run_elsewhere(scenario: &Scenario) -> Trial {
    let mut report = play(scenario, &mut |_| ());
    judge(&mut report, &scenario.expectations);
    trial(scenario, &report)
}

/// Plays a run in `events`; if only one check matters, no longer than it takes to see it fail.
fn run_watched(scenario: &Scenario, novelty: Option<&mut Novelty>, only: Option<&str>) -> Trial {
    let shared = Arc::new(scenario.clone());
    let mut world = events::World::new(&shared, scenario.seed);
    let origin = world.origin();
    let end = origin + nanoseconds(scenario.duration);
    // Half of what a ring has to settle: clients must be served before it is over.
    let mut calm = Calm::after(nanoseconds(settling(scenario)) / 2, end);
    let mut play = Play::<Node>::of(scenario.node.clone()).watch(&mut calm);
    if let Some(novelty) = novelty {
        play = play.watch(novelty);
    }
    if let Some(check) = only {
        // Whether each fault hits somebody must be known, too.
        play = play.enough(check, last_beginning(scenario));
    }
    let report = play_in_with(&mut world, &shared, play);
    let mut trial = trial(scenario, &report);
    trial.origin = origin;
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
                bound: "max".into(),
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
    // What was drawn left nobody to be a ring: that is no failure of a node.
    let first =
        |failure: &Failure| failure.check != NOBODY_LEFT && told.insert(failure.check.clone());
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
    not_played(PANIC, text.unwrap_or_default(), scenario.duration)
}

/// What is no scenario is not played, and fails: it is to be counted, not to be left out.
pub(super) fn impossible(why: String) -> Trial {
    not_played(DRAWN, why, Duration::ZERO)
}

fn not_played(check: &str, detail: String, simulated: Duration) -> Trial {
    let failure = Failure {
        check: check.to_owned(),
        at_s: 0.0,
        detail,
        expects: None,
    };
    Trial {
        failures: vec![failure],
        reached: BTreeMap::new(),
        origin: 0,
        simulated,
        events: 0,
        digest: String::new(),
        unchecked: Vec::new(),
        cpu_s: 0.0,
    }
}
