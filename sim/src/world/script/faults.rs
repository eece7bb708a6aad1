//! What goes wrong, as the scenario says, and how it ends.

use super::agenda::schedule_end;
use super::aim::{can_be_hit, choose, hit, of_network, one_after_another};
use super::coming::{crash, enter, found_by_name, leave, restart, tell_withheld};
use super::occurrences::{Occurrence, hit_later};
use super::sides::{cut, mend};
use super::{Machines, disks, failure_observations, processes};
use crate::scenario::{Disk, FaultKind};
use crate::world::{Cause, Effect, Watcher, nanoseconds};

/// Which end of a fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Begins,
    Ends,
}

/// A fault begins: it chooses whom it hits, is told, and takes effect.
pub(super) fn begin<W: Machines>(
    world: &mut W,
    occurrence: usize,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let Occurrence {
        fault: index,
        chosen,
        ..
    } = world.script_mut().occurrences.begin(occurrence);
    let fault = world.script().scenario.faults[index].clone();
    let groups = match (chosen, fault.apart) {
        // What befell it meanwhile has come before this.
        (Some(chosen), _) if !can_be_hit(world, &fault.kind, &chosen) => return,
        (Some(chosen), _) => vec![chosen],
        (None, None) => choose(world, occurrence, &fault.kind),
        (None, Some(apart)) => {
            let mut groups = choose(world, occurrence, &fault.kind);
            let mut steps = one_after_another(world, &groups[0]).into_iter();
            groups[0] = steps.next().unwrap_or_default();
            hit_later(world, index, nanoseconds(apart), steps);
            groups
        }
    };
    let now = world.now();
    let until = fault
        .lasts
        .map(|lasts| now.saturating_add(nanoseconds(lasts)));
    let effect = Effect {
        index,
        occurrence,
        kind: fault.kind.name(),
        hit: hit(world, &fault.kind, &groups),
        groups,
        until,
    };
    if let Some(until) = until {
        schedule_end(world, occurrence, until);
    }
    watcher.fault_began(world.moment(Cause::FaultBegan(index)), &effect);
    failure_observations::begin(world, occurrence);
    world.script_mut().faults.push(effect.clone());
    turn(world, &fault.kind, &effect, Turn::Begins, watcher);
    tell_withheld(world, Cause::FaultBegan(index), watcher);
}

/// A fault ends, if it is in force: it is undone, and told.
pub(super) fn end<W: Machines>(
    world: &mut W,
    occurrence: usize,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let script = world.script_mut();
    let Some(at) = script
        .faults
        .iter()
        .position(|effect| effect.occurrence == occurrence)
    else {
        return;
    };
    let effect = script.faults.remove(at);
    let kind = script.scenario.faults[effect.index].kind.clone();
    failure_observations::end(world, occurrence);
    turn(world, &kind, &effect, Turn::Ends, watcher);
    let cause = Cause::FaultEnded(effect.index);
    watcher.fault_ended(world.moment(cause), &effect);
}

/// A fault is no disturbance any more, though what it did is not undone.
pub(super) fn calm_down<W: Machines>(
    world: &mut W,
    occurrence: usize,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let faults = &mut world.script_mut().faults;
    if let Some(at) = faults
        .iter()
        .position(|effect| effect.occurrence == occurrence)
    {
        let effect = faults.remove(at);
        failure_observations::end(world, occurrence);
        watcher.fault_ended(world.moment(Cause::Calm), &effect);
    }
}

/// Does what a fault does, or undoes it: for each kind the one stands beside the other.
fn turn<W: Machines>(
    world: &mut W,
    kind: &FaultKind,
    effect: &Effect,
    turn: Turn,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let index = effect.index;
    let hit = effect.groups[0].clone();
    match (kind, turn) {
        (FaultKind::Crash { disk, .. } | FaultKind::Restart { disk, .. }, Turn::Begins) => {
            crash(world, &hit, *disk, Cause::FaultBegan(index), watcher);
        }
        (FaultKind::Crash { disk, .. } | FaultKind::Restart { disk, .. }, Turn::Ends) => {
            for number in hit {
                restart(world, number, *disk, watcher);
            }
        }
        (FaultKind::Move { .. }, Turn::Begins) => {
            crash(world, &hit, Disk::Kept, Cause::FaultBegan(index), watcher);
            for number in hit {
                processes::relocate(world, number);
            }
        }
        (FaultKind::Snapshot { .. }, Turn::Begins) => {
            crash(world, &hit, Disk::Kept, Cause::FaultBegan(index), watcher);
            processes::bring_back(world, effect, watcher);
        }
        (FaultKind::Move { .. }, Turn::Ends) => {
            for number in hit {
                restart(world, number, Disk::Kept, watcher);
                found_by_name(world, number, watcher);
            }
        }
        (FaultKind::Snapshot { .. }, Turn::Ends) => {
            for number in hit {
                restart(world, number, Disk::Kept, watcher);
            }
        }
        (FaultKind::Twin { .. }, Turn::Begins) => processes::start_twins(world, effect, watcher),
        (FaultKind::Twin { .. }, Turn::Ends) => {
            let twins = &effect.groups[1];
            crash(world, twins, Disk::Kept, Cause::FaultEnded(index), watcher);
        }
        (FaultKind::Leave { .. }, Turn::Begins) | (FaultKind::Join { .. }, Turn::Ends) => {
            for number in hit {
                leave(world, number, watcher);
            }
        }
        (FaultKind::Leave { .. }, Turn::Ends) => {
            for number in hit {
                restart(world, number, Disk::Kept, watcher);
            }
        }
        (FaultKind::Join { .. }, Turn::Begins) => {
            for number in hit {
                enter(world, number, watcher);
            }
        }
        (FaultKind::Pause { .. }, Turn::Begins) => {
            for number in hit {
                world.pause(number);
            }
        }
        (FaultKind::Pause { .. }, Turn::Ends) => {
            for number in hit {
                world.wake(number);
            }
        }
        (FaultKind::Skew { by_ms, .. }, turn) => {
            let by = match turn {
                Turn::Begins => *by_ms,
                Turn::Ends => by_ms.saturating_neg(),
            };
            for number in hit {
                world.skew(number, by);
            }
        }
        (
            FaultKind::Clock {
                jump_ms, drift_ppm, ..
            },
            turn,
        ) => {
            let how = (*jump_ms, *drift_ppm);
            match turn {
                Turn::Begins => processes::set_clocks(world, effect, how),
                Turn::Ends => processes::right_clocks(world, effect, how),
            }
        }
        (FaultKind::Disk { what, .. }, Turn::Begins) => {
            disks::begin(world, hit, *what, Cause::FaultBegan(index), watcher);
        }
        (FaultKind::Disk { what, .. }, Turn::Ends) => {
            for number in hit {
                disks::end(world, number, *what, watcher);
                if what.stops() && !world.is_up(number) {
                    restart(world, number, Disk::Kept, watcher);
                }
            }
        }
        (
            FaultKind::Partition { .. }
            | FaultKind::OneWay { .. }
            | FaultKind::Slow { .. }
            | FaultKind::SlowLink { .. }
            | FaultKind::LossLink { .. }
            | FaultKind::Loss { .. }
            | FaultKind::Reset { .. },
            turn,
        ) => {
            if turn == Turn::Ends {
                mend(world, effect, watcher);
            } else if let Some(fault) = of_network(world, kind, effect) {
                cut(world, effect, fault, watcher);
            }
        }
    }
}
