//! Does what is due.

use super::agenda::{Control, chance_of, interval, repeat};
use super::{Machines, clients, faults, processes, records, sessions};
use crate::scenario::WorkloadKind;
use crate::world::{Time, Watcher, nanoseconds};

/// Does what is due. `due` is when it should be done: where time goes in steps, the next one is
/// counted from there.
pub(in crate::world) fn control<W: Machines>(
    world: &mut W,
    place: u32,
    due: Time,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let place = place as usize;
    let script = world.script();
    let origin = script.origin;
    match script.controls[place] {
        Control::Workload(index) => {
            let workload = script.scenario.workloads[index];
            if due < origin + nanoseconds(workload.until) {
                match workload.kind {
                    WorkloadKind::Lookup | WorkloadKind::KeyLookup(_) => {
                        clients::look_up(world, index, watcher);
                    }
                    WorkloadKind::Records(access) => records::act(world, index, access, watcher),
                }
                let gap = interval(chance_of(world.script_mut(), workload.kind), workload.rate);
                repeat(world, place, due, gap);
            }
        }
        Control::Churn(index, going) => {
            let churn = script.scenario.churn[index];
            if due < origin + nanoseconds(churn.until) {
                let rate = clients::go(world, going, index, watcher);
                let gap = interval(&mut world.script_mut().churn, rate);
                repeat(world, place, due, gap);
            }
        }
        Control::SessionsBegin(index) => sessions::start(world, index),
        Control::SessionEnds(index, first) => {
            let until = script.scenario.churn[index].until;
            if due < origin + nanoseconds(until) {
                sessions::end(world, index, first, watcher);
            }
        }
        Control::AbsenceEnds(index, first) => {
            sessions::come_back(world, index, first, watcher);
        }
        Control::FaultBegins(occurrence) => faults::begin(world, occurrence, watcher),
        Control::FaultEnds(occurrence) => faults::end(world, occurrence, watcher),
        Control::DisksCopied(occurrence) => processes::copy(world, occurrence),
        Control::Reseed(index) => {
            let seed = script.scenario.reseeds[index].seed;
            world.reseed(seed);
        }
    }
}
