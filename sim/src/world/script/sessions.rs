//! Nodes that come and go each at their own time: sessions and absences.
//!
//! Whoever is a member when it begins has been there for a while: its session ends after what is
//! left of one. From then on sessions and absences are whole.

use std::collections::BTreeSet;

use super::Machines;
use super::agenda::{Control, schedule};
use super::coming::{crash, leave, restart};
use crate::scenario::{Disk, SessionEnd, Sessions};
use crate::world::lengths::{residual, whole};
use crate::world::{Cause, Time, Watcher, nanoseconds};

/// Processes that are away and will start again within the run.
pub(super) type Absent = BTreeSet<u32>;

/// The sessions of all processes that have a member begin, or rather go on.
pub(super) fn start<W: Machines>(world: &mut W, churn: usize) {
    let Some(sessions) = sessions(world, churn) else {
        return;
    };
    let script = world.script();
    let members = script.members.all().iter();
    let firsts: BTreeSet<u32> = members
        .map(|&number| script.siblings(number).start)
        .collect();
    for first in firsts {
        let left = residual(sessions.session, &mut world.script_mut().sessions);
        after(world, Control::SessionEnds(churn, first), left);
    }
}

/// A process that has just come has a session before it.
pub(super) fn begin<W: Machines>(world: &mut W, churn: usize, first: u32) {
    if let Some(sessions) = sessions(world, churn) {
        let length = whole(sessions.session, &mut world.script_mut().sessions);
        after(world, Control::SessionEnds(churn, first), length);
    }
}

/// The session of a process is over.
pub(super) fn end<W: Machines>(
    world: &mut W,
    churn: usize,
    first: u32,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let Some(sessions) = sessions(world, churn) else {
        return;
    };
    let said = world.script().scenario.churn[churn];
    let siblings = world.script().siblings(first);
    let up: Vec<u32> = siblings.filter(|&number| world.is_up(number)).collect();
    if !up.is_empty() && !may_go(world, &up, said.keep) {
        return begin(world, churn, first);
    }
    // Who returns within the run is not gone for good.
    let absence = sessions
        .absence
        .map(|absence| whole(absence, &mut world.script_mut().sessions));
    let returns = absence.filter(|&absence| {
        let end = world.script().origin + nanoseconds(world.script().scenario.duration);
        world.now().saturating_add(absence) < end
    });
    if let Some(absence) = returns {
        world.script_mut().absent.insert(first);
        after(world, Control::AbsenceEnds(churn, first), absence);
    }
    match sessions.ends {
        _ if up.is_empty() => {}
        SessionEnd::Crash => {
            crash(world, &up, Disk::Kept, Cause::Churn("session"), watcher);
        }
        SessionEnd::Leave => {
            for number in up {
                leave(world, number, watcher);
            }
        }
    }
}

/// A process starts again that was away.
pub(super) fn come_back<W: Machines>(
    world: &mut W,
    churn: usize,
    first: u32,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    world.script_mut().absent.remove(&first);
    for number in world.script().siblings(first) {
        restart(world, number, Disk::Kept, watcher);
    }
    begin(world, churn, first);
}

/// Whether enough members stay if these go.
pub(super) fn may_go<W: Machines>(world: &W, numbers: &[u32], keep: u32) -> bool {
    let script = world.script();
    // Who was told to leave is as good as gone.
    let leaves = |number: u32| script.members.has(number) && script.leaving.contains(&number);
    let leaving = script
        .leaving
        .iter()
        .filter(|&&number| leaves(number))
        .count();
    let stays = |number: u32| script.members.has(number) && !leaves(number);
    let going = numbers.iter().filter(|&&number| stays(number)).count();
    going == 0 || script.members.len() - leaving - going >= keep as usize
}

fn sessions<W: Machines>(world: &W, churn: usize) -> Option<Sessions> {
    world.script().scenario.churn[churn].sessions
}

/// Puts this on the agenda, so long from now.
fn after<W: Machines>(world: &mut W, control: Control, length: Time) {
    let since = world.now() - world.script().origin;
    schedule(world, control, since, Some(length));
}
