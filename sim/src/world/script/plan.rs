//! When the scenario does what.

use super::{Machines, Script, clients, faults, records};
use crate::scenario::WorkloadKind;
use crate::world::{Random, SECOND, Time, Watcher, nanoseconds};

/// Something the scenario does at its times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::world) enum Control {
    /// The next request of this workload.
    Workload(usize),
    /// The next one of this churn process.
    Churn(usize, Going),
    /// This fault begins.
    FaultBegins(usize),
    /// This fault ends.
    FaultEnds(usize),
}

/// How a node comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Going {
    Join,
    Leave,
    Crash,
}

/// Puts the scenario's own doings on the world's agenda.
pub(in crate::world) fn plan(world: &mut impl Machines) {
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
    }
    for (index, fault) in scenario.faults.iter().enumerate() {
        let control = Control::FaultBegins(index);
        schedule(world, control, nanoseconds(fault.at), Some(0));
    }
}

fn schedule(world: &mut impl Machines, control: Control, from: Time, gap: Option<Time>) {
    let script = world.script_mut();
    let place = script.controls.len();
    let from = script.origin.saturating_add(from);
    script.controls.push(control);
    repeat(world, place, from, gap);
}

/// Puts a control on the agenda again, `gap` after `from`; `None` means never.
fn repeat(world: &mut impl Machines, place: usize, from: Time, gap: Option<Time>) {
    if let Some(gap) = gap {
        let place = u32::try_from(place).expect("a scenario has few parts");
        world.schedule(from.saturating_add(gap), place);
    }
}

/// Puts the end of a fault on the agenda.
pub(super) fn schedule_end(world: &mut impl Machines, index: usize, time: Time) {
    let from = time - world.script().origin;
    schedule(world, Control::FaultEnds(index), from, Some(0));
}

/// Does what is due. `due` is when it should be done: where time goes in steps, the next one is
/// counted from there.
pub(in crate::world) fn control(
    world: &mut impl Machines,
    place: u32,
    due: Time,
    watcher: &mut impl Watcher,
) {
    let place = place as usize;
    let script = world.script();
    let origin = script.origin;
    match script.controls[place] {
        Control::Workload(index) => {
            let workload = script.scenario.workloads[index];
            if due < origin + nanoseconds(workload.until) {
                match workload.kind {
                    WorkloadKind::Lookup => clients::look_up(world, watcher),
                    WorkloadKind::Records(access) => records::act(world, index, access, watcher),
                }
                let gap = interval(chance_of(world.script_mut(), workload.kind), workload.rate);
                repeat(world, place, due, gap);
            }
        }
        Control::Churn(index, going) => {
            let churn = script.scenario.churn[index];
            if due < origin + nanoseconds(churn.until) {
                let rate = clients::go(world, going, &churn, watcher);
                let gap = interval(&mut world.script_mut().churn, rate);
                repeat(world, place, due, gap);
            }
        }
        Control::FaultBegins(index) => faults::begin(world, index, watcher),
        Control::FaultEnds(index) => faults::end(world, index, watcher),
    }
}

/// The stream that a workload draws from: records do not shift look-ups.
const fn chance_of(script: &mut Script, kind: WorkloadKind) -> &mut Random {
    match kind {
        WorkloadKind::Lookup => &mut script.workload,
        WorkloadKind::Records(_) => &mut script.records.random,
    }
}

/// The time until the next event of a Poisson process; `None` if there never is one.
fn interval(random: &mut Random, rate: f64) -> Option<Time> {
    (rate > 0.0).then(|| random.exponential(SECOND as f64 / rate) as Time)
}
