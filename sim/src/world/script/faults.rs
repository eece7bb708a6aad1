//! What goes wrong, as the scenario says, and how it ends.

use cuerda_core::store::Store as _;

use super::agenda::schedule_end;
use super::coming::{add, crash, enter, leave, restart};
use super::network_faults::NetworkFault;
use super::select::{select, split};
use super::sides::{cut, mend};
use super::{Machines, disks, failure_observations};
use crate::scenario::{Disk, DiskFault, FaultKind};
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
    let index = world.script().occurrences.fault(occurrence);
    let fault = world.script().scenario.faults[index].clone();
    let groups = choose(world, &fault.kind);
    let now = world.now();
    let until = fault
        .lasts
        .map(|lasts| now.saturating_add(nanoseconds(lasts)));
    let effect = Effect {
        index,
        occurrence,
        kind: kind_name(&fault.kind),
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
    index: usize,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let faults = &mut world.script_mut().faults;
    if let Some(at) = faults.iter().position(|effect| effect.index == index) {
        let effect = faults.remove(at);
        failure_observations::end(world, index);
        watcher.fault_ended(world.moment(Cause::Calm), &effect);
    }
}

/// Whom a fault hits, in groups.
fn choose<W: Machines>(world: &mut W, kind: &FaultKind) -> Vec<Vec<u32>> {
    match kind {
        FaultKind::Crash { nodes, .. }
        | FaultKind::Pause { nodes }
        | FaultKind::Slow { nodes, .. }
        | FaultKind::Loss { nodes, .. }
        | FaultKind::Reset { nodes, .. }
        | FaultKind::Skew { nodes, .. }
        | FaultKind::Disk { nodes, .. }
        | FaultKind::Leave { nodes } => vec![select(world, nodes)],
        FaultKind::OneWay { from, to } => vec![select(world, from), select(world, to)],
        FaultKind::Partition { split: parts } => split(world, parts),
        FaultKind::Join { count } => vec![(0..*count).map(|_| add(world)).collect()],
    }
}

/// How many nodes a fault hits that has chosen these.
fn hit<W: Machines>(world: &mut W, kind: &FaultKind, groups: &[Vec<u32>]) -> u32 {
    let hit = match kind {
        FaultKind::Partition { .. } => {
            // Whoever is named in no part is in the last one, so that may have nobody named.
            let parts = parts(world, groups);
            let up: Vec<u32> = (0..world.machines()).filter(|&n| world.is_up(n)).collect();
            let part = |number: &u32| parts[*number as usize];
            let is_cut = up.iter().any(|number| part(number) != part(&up[0]));
            if is_cut { up.len() } else { 0 }
        }
        FaultKind::OneWay { .. } => {
            let passes = |from: &u32| groups[1].iter().any(|to| to != from);
            groups[0].iter().filter(|from| passes(from)).count()
        }
        FaultKind::Disk {
            what: DiskFault::Flip(_),
            ..
        } => {
            let holds = |number: &&u32| world.with_store(**number, |store| store.len()) > Some(0);
            groups[0].iter().filter(holds).count()
        }
        _ => groups[0].len(),
    };
    u32::try_from(hit).expect("node numbers fit 32 bits")
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
        (FaultKind::Crash { disk, .. }, Turn::Begins) => {
            crash(world, &hit, *disk, Cause::FaultBegan(index), watcher);
        }
        (FaultKind::Crash { disk, .. }, Turn::Ends) => {
            for number in hit {
                restart(world, number, *disk, watcher);
            }
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
        (FaultKind::Disk { what, .. }, Turn::Begins) => {
            disks::begin(world, hit, *what, Cause::FaultBegan(index), watcher);
        }
        (FaultKind::Disk { what, .. }, Turn::Ends) => {
            for number in hit {
                disks::end(world, number, *what, watcher);
                if !world.is_up(number) {
                    restart(world, number, Disk::Kept, watcher);
                }
            }
        }
        (
            FaultKind::Partition { .. }
            | FaultKind::OneWay { .. }
            | FaultKind::Slow { .. }
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

/// What a fault is to the network; `None` if nothing.
fn of_network<W: Machines>(world: &W, kind: &FaultKind, effect: &Effect) -> Option<NetworkFault> {
    let group = |place: usize| set(world, &effect.groups[place]);
    Some(match kind {
        FaultKind::Partition { .. } => NetworkFault::Partition(parts(world, &effect.groups)),
        FaultKind::OneWay { .. } => NetworkFault::OneWay(group(0), group(1)),
        FaultKind::Slow { extra, .. } => NetworkFault::Slow(group(0), nanoseconds(*extra)),
        FaultKind::Loss { share, .. } => NetworkFault::Loss(group(0), *share),
        FaultKind::Reset { after, .. } => NetworkFault::Reset(group(0), *after),
        _ => return None,
    })
}

/// The part each node is in; who is in none is in the last one.
fn parts<W: Machines>(world: &W, groups: &[Vec<u32>]) -> Vec<u32> {
    let last = groups.len() as u32 - 1;
    let mut parts = vec![last; world.machines() as usize];
    for (part, group) in (0..).zip(groups) {
        for &number in group {
            parts[number as usize] = part;
        }
    }
    parts
}

fn set<W: Machines>(world: &W, numbers: &[u32]) -> Vec<bool> {
    let mut set = vec![false; world.machines() as usize];
    for &number in numbers {
        set[number as usize] = true;
    }
    set
}

const fn kind_name(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Crash { .. } => "crash",
        FaultKind::Pause { .. } => "pause",
        FaultKind::Partition { .. } => "partition",
        FaultKind::OneWay { .. } => "one_way",
        FaultKind::Slow { .. } => "slow",
        FaultKind::Loss { .. } => "loss",
        FaultKind::Reset { .. } => "reset",
        FaultKind::Skew { .. } => "skew",
        FaultKind::Disk { .. } => "disk",
        FaultKind::Leave { .. } => "leave",
        FaultKind::Join { .. } => "join",
    }
}
