//! What is left when the scenario is over: who is still outside the ring, and how all that disturbs
//! the nodes ends, so that what the protocol promises "in the end" can be looked at.
//!
//! Whoever is gone stays gone: this starts nobody, wakes nobody, and tells nobody to leave.

use super::coming::crash;
use super::{Machines, disks, faults};
use crate::scenario::{Disk, DiskFault, FaultKind};
use crate::world::{Cause, Moment, Watcher};

/// Notes whether a node that has been a member is up and none now, and tells it if that is news.
pub(super) fn stray<W: Machines>(
    world: &mut W,
    number: u32,
    is_stray: bool,
    at: Moment,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let strays = &mut world.script_mut().strays;
    let is_news = match is_stray {
        true => strays.insert(number),
        false => strays.remove(&number),
    };
    if is_news {
        watcher.strays(at, strays.len());
    }
}

/// How many nodes run that want to be members and are none.
pub(in crate::world) fn outside<W: Machines>(world: &W) -> usize {
    let script = world.script();
    let is_outside = |&number: &u32| {
        world.is_up(number)
            && !world.is_paused(number)
            && !script.members.has(number)
            && !script.leaving.contains(&number)
    };
    (0..world.machines()).filter(is_outside).count()
}

/// Whether nobody is left to be a ring: no process runs, or a single one that has never been a
/// member as far as it can know, because it is new or has lost its disk. Such a one founds nothing
/// by itself: who reaches nobody may only be cut off from a ring that there is.
pub(in crate::world) fn is_deserted<W: Machines>(world: &W) -> bool {
    let script = world.script();
    let up = (0..world.machines()).filter(|&number| world.is_up(number));
    let mut process = None;
    for number in up {
        let is_new = !script.strays.contains(&number) && !script.leaving.contains(&number);
        let knows_of_none = is_new || script.blank.contains(&number);
        let first = script.siblings(number).start;
        if script.members.has(number) || !knows_of_none || *process.get_or_insert(first) != first {
            return false;
        }
    }
    true
}

/// The scenario is over: no fault disturbs the network, a clock or a disk any more.
pub(in crate::world) fn calm<W: Machines>(world: &mut W, watcher: &mut impl Watcher<W::Protocol>) {
    world.calm_network();
    let lasting = world.script().faults.clone();
    for effect in lasting {
        let kind = world.script().scenario.faults[effect.index].kind.clone();
        match kind {
            FaultKind::Partition { .. }
            | FaultKind::OneWay { .. }
            | FaultKind::Slow { .. }
            | FaultKind::Loss { .. }
            | FaultKind::Reset { .. }
            | FaultKind::SlowLink { .. }
            | FaultKind::LossLink { .. }
            | FaultKind::Skew { .. }
            | FaultKind::Clock { .. }
            | FaultKind::Twin { .. }
            | FaultKind::Disk {
                what: DiskFault::Slow(_),
                ..
            } => faults::end(world, effect.occurrence, watcher),
            // Whose disk has broken stays down; the others' will not break any more.
            FaultKind::Disk { what, .. } => {
                for &number in &effect.groups[0] {
                    if world.is_up(number) {
                        disks::end(world, number, what, watcher);
                    }
                }
            }
            // Nothing will ever be heard of them again, as if they had crashed.
            FaultKind::Pause { .. } => {
                faults::calm_down(world, effect.occurrence, watcher);
                let asleep = &effect.groups[0];
                crash(world, asleep, Disk::Kept, Cause::Calm, watcher);
            }
            FaultKind::Crash { .. }
            | FaultKind::Restart { .. }
            | FaultKind::Move { .. }
            | FaultKind::Snapshot { .. }
            | FaultKind::Leave { .. }
            | FaultKind::Join { .. } => {}
        }
    }
}
