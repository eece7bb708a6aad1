//! The conductor: plays a scenario in a world, lets the checkers watch, and writes the report.
//!
//! Here the world, the checkers and the report meet; none of them knows of the others. The
//! conductor decides nothing itself: what is a violation is the checkers' business, what the
//! nodes do the world's.

mod aims;
mod closing;
#[cfg(not(target_family = "wasm"))]
mod cost;
#[cfg(target_family = "wasm")]
#[path = "no_cost.rs"]
mod cost;
mod histories;
mod judge;
pub mod matrix;
#[cfg(feature = "mutants")]
pub mod mutants;
mod play;
mod records;
pub mod series;
mod tally;
#[cfg(test)]
mod tests;
mod violations;
pub mod worlds;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::check::judged::Judged;
use crate::report::{Program, Report, Verdict, Violation};
use crate::scenario::{self, Scenario};
#[cfg(feature = "containers")]
use crate::world::containers;
#[cfg(feature = "turmoil")]
use crate::world::turmoil;
use crate::world::{Cause, World, events, nanoseconds};
use cost::Meter;
pub(crate) use judge::NOBODY_LEFT;
use judge::{Judge, Others, WORLD};
use series::{Interval, Series};

pub use play::{Play, play_in_with, play_with, read};

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Simulated time since t = 0.
    pub simulated: Duration,
    /// What it will be at the end.
    pub duration: Duration,
    /// Events handled so far.
    pub events: u64,
    /// Members now.
    pub members: u32,
}

/// A listener to each event: its number, its simulated time since t = 0, and a line about it.
pub type Listener<'a> = dyn FnMut(u64, Duration, &str) + 'a;

/// Into how many parts a run is cut, to tell its progress in between.
const PARTS: u64 = 500;
/// How many of them an interval of a series has.
const PARTS_IN_INTERVAL: u64 = 5;

/// Plays a scenario to its end. `progress` is called about ten times in a second of real time;
/// where there is no clock, as on `wasm32-unknown-unknown`, after each five-hundredth of the run.
///
/// The report's verdict is of the checks alone; its expectations are judged by
/// [`crate::report::judge`].
#[must_use]
pub fn play(scenario: &Scenario, progress: &mut dyn FnMut(&Progress)) -> Report {
    perform(scenario, progress, None)
}

/// The same, telling every event.
#[must_use]
pub fn play_traced<'a>(scenario: &Scenario, listener: &'a mut Listener<'a>) -> Report {
    perform(scenario, &mut |_| (), Some(listener))
}

/// The same, with how it went in each hundredth of its time.
#[must_use]
pub fn play_in_series(
    scenario: &Scenario,
    progress: &mut dyn FnMut(&Progress),
) -> (Report, Vec<Interval>) {
    let mut series = Series::default();
    let report = perform_so(scenario, progress, None, Some(&mut series));
    (report, series.into_intervals())
}

fn perform<'a>(
    scenario: &Scenario,
    progress: &mut dyn FnMut(&Progress),
    listener: Option<&'a mut Listener<'a>>,
) -> Report {
    perform_so(scenario, progress, listener, None)
}

fn perform_so<'a>(
    scenario: &Scenario,
    progress: &mut dyn FnMut(&Progress),
    listener: Option<&'a mut Listener<'a>>,
    series: Option<&mut Series>,
) -> Report {
    let scenario = Arc::new(scenario.clone());
    match scenario.world {
        scenario::World::Events => {
            let mut world = events::World::new(&scenario, scenario.seed);
            perform_in(
                &mut world,
                &scenario,
                progress,
                Others::only(listener),
                series,
            )
        }
        #[cfg(feature = "turmoil")]
        scenario::World::Turmoil => {
            let mut world = turmoil::World::new(&scenario, scenario.seed);
            perform_in(
                &mut world,
                &scenario,
                progress,
                Others::only(listener),
                series,
            )
        }
        #[cfg(feature = "containers")]
        scenario::World::Containers => match containers::World::new(&scenario, scenario.seed) {
            Ok(mut world) => perform_in(
                &mut world,
                &scenario,
                progress,
                Others::only(listener),
                series,
            ),
            Err(trouble) => not_begun(&scenario, &trouble.to_string()),
        },
        #[cfg(not(all(feature = "turmoil", feature = "containers")))]
        absent => not_begun(&scenario, &worlds::NotReady::NotBuilt(absent).to_string()),
    }
}

/// The report of a run whose world could not be made.
fn not_begun(scenario: &Scenario, why: &str) -> Report {
    Report {
        scenario: scenario.name.clone(),
        world: scenario.world.name().to_owned(),
        seed: scenario.seed,
        nodes: scenario.nodes,
        verdict: Verdict::Fail,
        violated: BTreeMap::from([(WORLD.to_owned(), 1)]),
        violations: vec![Violation {
            at_s: 0.0,
            check: WORLD.to_owned(),
            detail: why.to_owned(),
            node: None,
            cause: Cause::Start.to_string(),
        }],
        ..Report::default()
    }
}

/// Plays a scenario in a world that was made of it, whatever world the scenario names, and
/// leaves it as it is at the end: for those who want to look at more than a report.
#[must_use]
pub fn play_in<W: World>(world: &mut W, scenario: &Scenario) -> Report
where
    W::Protocol: Judged,
{
    perform_in(world, scenario, &mut |_| (), Others::only(None), None)
}

fn perform_in<W: World>(
    world: &mut W,
    scenario: &Scenario,
    progress: &mut dyn FnMut(&Progress),
    others: Others<'_, W::Protocol>,
    mut series: Option<&mut Series>,
) -> Report
where
    W::Protocol: Judged,
{
    let mut judge = Judge::new(scenario, world, others);
    let (start, length) = (world.origin(), nanoseconds(scenario.duration));
    let mut meter = Meter::start();
    for part in 1..=PARTS {
        // In this order nothing overflows, and the last part ends exactly at the end.
        let end = (u128::from(length) * u128::from(part) / u128::from(PARTS)) as u64;
        // What is due at the very end belongs to the run.
        let end = if part == PARTS {
            end.saturating_add(1)
        } else {
            end
        };
        world.run_until(start + end, &mut judge);
        if world.broken().is_some() || judge.is_enough(world.now()) {
            break;
        }
        if let Some(series) = series
            .as_mut()
            .filter(|_| part.is_multiple_of(PARTS_IN_INTERVAL))
        {
            let sums = judge.sums(world.bytes());
            series.add(end.min(length), world.members() as u64, sums);
        }
        if meter.is_time_to_tell() {
            progress(&Progress {
                simulated: Duration::from_nanos(end),
                duration: scenario.duration,
                events: world.handled(),
                members: u32::try_from(world.members()).unwrap_or(u32::MAX),
            });
        }
    }
    let cost = meter.stop(world.handled());
    let seen = world.seen();
    judge.tally.faults_seen(&seen);
    let now = world.now();
    let (mut ring, mut violations, mut grave) = judge.ring(now);
    let mut traffic = judge.tally.traffic(now, world);
    if let Some(records) = &judge.records {
        records.add_traffic(&mut traffic, world.repair_bytes());
    }
    let lookups = judge.tally.lookups(judge.judges_lookups());
    let (events, faults) = (judge.tally.events.clone(), judge.tally.faults.clone());
    let digest = world.digest().to_string();
    if !judge.is_enough(now) {
        closing::close(world, scenario, &mut judge);
    }
    ring.settled_after_s = judge.settled_after_s;
    let now = world.now();
    let (more, of_records) = judge.more_violations(now);
    violations.extend(more);
    grave += of_records;
    if let Some(why) = world.broken() {
        grave += 1;
        violations.insert(0, judge.broken(now, why));
    }
    Report {
        scenario: scenario.name.clone(),
        world: W::NAME.to_owned(),
        seed: scenario.seed,
        nodes: scenario.nodes,
        verdict: if grave == 0 {
            Verdict::Pass
        } else {
            Verdict::Fail
        },
        digest,
        simulated_s: scenario.duration.as_secs_f64(),
        lookups,
        writes: judge.records.as_ref().map(records::RecordWatch::writes),
        reads: judge.records.as_ref().map(records::RecordWatch::reads),
        histories: histories::of(judge.records.as_ref(), &judge.tally),
        ring,
        traffic,
        events,
        losses: judge.losses(),
        faults,
        notes: world.notes().to_vec(),
        unchecked: judge.unchecked.iter().map(|&it| it.to_owned()).collect(),
        violated: judge.violations.counts().clone(),
        violations,
        unmet: Vec::new(),
        program: Program::default(),
        cost,
    }
}
