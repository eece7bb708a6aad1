//! When the scenario does what. What it does then is not told here.

use super::{Lifecycle, Script, occurrences};
use crate::scenario::WorkloadKind;
use crate::world::{Random, SECOND, Time, nanoseconds};

/// Something the scenario does at its times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::world) enum Control {
    /// The next request of this workload.
    Workload(usize),
    /// The next one of this churn process.
    Churn(usize, Going),
    /// The sessions of this churn process begin.
    SessionsBegin(usize),
    /// The session of this one's process is over whose first node this is.
    SessionEnds(usize, u32),
    /// Its absence is.
    AbsenceEnds(usize, u32),
    /// This occurrence of a fault begins.
    FaultBegins(usize),
    /// This one ends.
    FaultEnds(usize),
    /// The disks are copied that this one will bring back.
    DisksCopied(usize),
    /// Chance goes another way.
    Reseed(usize),
}

/// How a node comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Going {
    Join,
    Leave,
    Crash,
}

/// Puts the scenario's own doings on the world's agenda.
pub(in crate::world) fn plan<W: Lifecycle>(world: &mut W) {
    let scenario = std::sync::Arc::clone(&world.script().scenario);
    for (index, workload) in scenario.workloads.iter().enumerate() {
        let gap = interval(chance_of(world.script_mut(), workload.kind), workload.rate);
        schedule(
            world,
            Control::Workload(index),
            nanoseconds(workload.from),
            gap,
        );
    }
    for (index, churn) in scenario.churn.iter().enumerate() {
        for (going, rate) in [
            (Going::Join, churn.join),
            (Going::Leave, churn.leave),
            (Going::Crash, churn.crash),
        ] {
            let gap = interval(&mut world.script_mut().churn, rate);
            let control = Control::Churn(index, going);
            schedule(world, control, nanoseconds(churn.from), gap);
        }
        if churn.sessions.is_some() {
            let control = Control::SessionsBegin(index);
            schedule(world, control, nanoseconds(churn.from), Some(0));
        }
    }
    for (index, reseed) in scenario.reseeds.iter().enumerate() {
        let control = Control::Reseed(index);
        schedule(world, control, nanoseconds(reseed.at), Some(0));
    }
    occurrences::plan(world);
}

pub(super) fn schedule<W: Lifecycle>(
    world: &mut W,
    control: Control,
    from: Time,
    gap: Option<Time>,
) {
    let script = world.script_mut();
    let place = script.controls.len();
    let from = script.origin.saturating_add(from);
    script.controls.push(control);
    repeat(world, place, from, gap);
}

/// Puts a control on the agenda again, `gap` after `from`; `None` means never.
pub(super) fn repeat<W: Lifecycle>(world: &mut W, place: usize, from: Time, gap: Option<Time>) {
    if let Some(gap) = gap {
        let place = u32::try_from(place).expect("a scenario has few parts");
        world.schedule(from.saturating_add(gap), place);
    }
}

/// Puts the end of an occurrence on the agenda.
pub(super) fn schedule_end<W: Lifecycle>(world: &mut W, occurrence: usize, time: Time) {
    let from = time - world.script().origin;
    schedule(world, Control::FaultEnds(occurrence), from, Some(0));
}

/// The stream that a workload draws from: records do not shift look-ups.
pub(super) const fn chance_of(script: &mut Script, kind: WorkloadKind) -> &mut Random {
    match kind {
        WorkloadKind::Lookup | WorkloadKind::KeyLookup(_) => &mut script.workload,
        WorkloadKind::Records(_) => &mut script.records.random,
    }
}

/// The time until the next event of a Poisson process; `None` if there never is one.
pub(super) fn interval(random: &mut Random, rate: f64) -> Option<Time> {
    (rate > 0.0).then(|| random.exponential(SECOND as f64 / rate) as Time)
}
