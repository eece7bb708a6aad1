//! What goes wrong, as the scenario says, and how it ends.

use cuerda_core::chord::Input;

use super::cuts::Cut;
use super::plan::schedule_end;
use super::select::{select, split};
use super::{Machines, clients, disks, is_kept, sights, take_down};
use crate::scenario::{Disk, FaultKind};
use crate::world::{Cause, DiskGone, Effect, Gone, Watcher, nanoseconds};

pub(super) fn begin(world: &mut impl Machines, index: usize, watcher: &mut impl Watcher) {
    let fault = world.script().scenario.faults[index].clone();
    let now = world.now();
    let cause = Cause::FaultBegan(index);
    let groups = match &fault.kind {
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
        FaultKind::Join { count } => vec![(0..*count).map(|_| clients::add(world)).collect()],
    };
    let until = fault
        .lasts
        .map(|lasts| now.saturating_add(nanoseconds(lasts)));
    let effect = Effect {
        index,
        kind: kind_name(&fault.kind),
        groups,
        until,
    };
    if let Some(until) = until {
        schedule_end(world, index, until);
    }
    watcher.fault_began(world.moment(cause), &effect);
    sights::begin(world, index);
    let first = effect.groups[0].clone();
    world.script_mut().faults.push(effect.clone());
    match fault.kind {
        FaultKind::Crash { disk, .. } => clients::crash(world, &first, disk, cause, watcher),
        FaultKind::Pause { .. } => {
            for number in first {
                world.pause(number);
            }
        }
        FaultKind::Partition { .. } => {
            let parts = parts(world, &effect.groups);
            cut(world, index, Cut::Partition(parts), watcher);
        }
        FaultKind::OneWay { .. } => {
            let (from, to) = (set(world, &effect.groups[0]), set(world, &effect.groups[1]));
            cut(world, index, Cut::OneWay(from, to), watcher);
        }
        FaultKind::Slow { extra, .. } => {
            let slow = Cut::Slow(set(world, &first), nanoseconds(extra));
            cut(world, index, slow, watcher);
        }
        FaultKind::Loss { share, .. } => {
            let loss = Cut::Loss(set(world, &first), share);
            cut(world, index, loss, watcher);
        }
        FaultKind::Reset { after, .. } => {
            let reset = Cut::Reset(set(world, &first), after);
            cut(world, index, reset, watcher);
        }
        FaultKind::Skew { by_ms, .. } => {
            for number in first {
                world.skew(number, by_ms);
            }
        }
        FaultKind::Disk { what, .. } => disks::begin(world, first, what, cause, watcher),
        FaultKind::Leave { .. } => {
            for number in first {
                clients::leave(world, number, watcher);
            }
        }
        FaultKind::Join { .. } => {
            for number in first {
                clients::enter(world, number, watcher);
            }
        }
    }
}

pub(super) fn end(world: &mut impl Machines, index: usize, watcher: &mut impl Watcher) {
    let script = world.script_mut();
    let Some(at) = script
        .faults
        .iter()
        .position(|effect| effect.index == index)
    else {
        return;
    };
    let effect = script.faults.remove(at);
    let cause = Cause::FaultEnded(index);
    let first = effect.groups[0].clone();
    let kind = script.scenario.faults[index].kind.clone();
    sights::end(world, index);
    match kind {
        FaultKind::Crash { disk, .. } => {
            for number in first {
                restart(world, number, disk, watcher);
            }
        }
        FaultKind::Leave { .. } => {
            for number in first {
                restart(world, number, Disk::Kept, watcher);
            }
        }
        FaultKind::Disk { what, .. } => {
            for number in first {
                disks::end(world, number, what, watcher);
                if !world.is_up(number) {
                    restart(world, number, Disk::Kept, watcher);
                }
            }
        }
        FaultKind::Pause { .. } => {
            for number in first {
                world.wake(number);
            }
        }
        FaultKind::Partition { .. }
        | FaultKind::OneWay { .. }
        | FaultKind::Slow { .. }
        | FaultKind::Loss { .. }
        | FaultKind::Reset { .. } => mend(world, index, watcher),
        FaultKind::Skew { by_ms, .. } => {
            for number in first {
                world.skew(number, by_ms.saturating_neg());
            }
        }
        FaultKind::Join { .. } => {
            for number in first {
                clients::leave(world, number, watcher);
            }
        }
    }
    watcher.fault_ended(world.moment(cause), &effect);
}

/// Starts a node again that is down. With its disk, identity and the peers it remembered are
/// kept; what it knew of the ring never is.
fn restart(world: &mut impl Machines, number: u32, disk: Disk, watcher: &mut impl Watcher) {
    let node = world.node(number);
    let remembered = node.remembered().collect();
    let up = world.is_up(number);
    if up && node.is_member() && !world.script().leaving.contains(&number) {
        return;
    }
    if up {
        // Still on its way out, or in: its process is replaced.
        world.strike(&[number], watcher);
        let cause = Cause::Order {
            node: number,
            kind: "restart",
        };
        let (at, id) = (world.moment(cause), world.node(number).me().id);
        let member = world.script_mut().members.remove(id, number);
        take_down(world, number, at, watcher);
        if member {
            watcher.gone(at, number, Gone::Crashed);
        }
    }
    if !is_kept(disk) {
        world.lose_disk(number);
        let cause = Cause::Order {
            node: number,
            kind: "restart",
        };
        watcher.disks_gone(world.moment(cause), &[number], DiskGone::Lost);
    }
    clients::enter(world, number, watcher);
    if is_kept(disk) {
        world.order(number, Input::Remember(remembered), "remember", watcher);
    }
}

fn cut(world: &mut impl Machines, index: usize, cut: Cut, watcher: &mut impl Watcher) {
    let splits = matches!(cut, Cut::Partition(_));
    world.cuts(|cuts| cuts.begin(index, cut));
    if splits {
        tell_sides(world, Cause::FaultBegan(index), watcher);
    }
}

fn mend(world: &mut impl Machines, index: usize, watcher: &mut impl Watcher) {
    let split = world.cuts(|cuts| {
        let split = cuts.has_partition();
        cuts.end(index);
        split
    });
    if split {
        tell_sides(world, Cause::FaultEnded(index), watcher);
    }
}

/// Tells who is together with whom under all partitions in force.
fn tell_sides(world: &mut impl Machines, cause: Cause, watcher: &mut impl Watcher) {
    let sides = world.cuts(|cuts| cuts.sides());
    watcher.sides(world.moment(cause), sides.as_deref());
}

/// A newcomer is on the side of the contact it joins through, or on that of those nobody named
/// if it finds none.
pub(super) fn stand_with(
    world: &mut impl Machines,
    number: u32,
    contact: Option<u32>,
    watcher: &mut impl Watcher,
) {
    let split = world.cuts(|cuts| {
        if let Some(contact) = contact {
            for (_, parts) in cuts.partitions() {
                parts[number as usize] = parts[contact as usize];
            }
        }
        cuts.has_partition()
    });
    if split {
        let cause = Cause::Order {
            node: number,
            kind: "join",
        };
        tell_sides(world, cause, watcher);
    }
}

/// A new machine, which no partition has named, stands with the rest.
pub(super) fn stand_with_the_rest(world: &mut impl Machines) {
    let partitions = world.cuts(|cuts| {
        let partitions = cuts.partitions();
        partitions.map(|(index, _)| index).collect::<Vec<usize>>()
    });
    for index in partitions {
        let last = world.script().last_part(index);
        world.cuts(|cuts| {
            let found = cuts.partitions().find(|(other, _)| *other == index);
            if let Some((_, parts)) = found {
                parts.push(last);
            }
        });
    }
}

/// The part each node is in; who is in none is in the last one.
fn parts(world: &impl Machines, groups: &[Vec<u32>]) -> Vec<u32> {
    let last = groups.len() as u32 - 1;
    let mut parts = vec![last; world.machines() as usize];
    for (part, group) in (0..).zip(groups) {
        for &number in group {
            parts[number as usize] = part;
        }
    }
    parts
}

fn set(world: &impl Machines, numbers: &[u32]) -> Vec<bool> {
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
