//! What nodes saw of others while a fault was in force. Only differences of what they counted.

use std::collections::BTreeMap;

use super::Machines;
use crate::world::Sights;

/// By the fault: what had been seen when it began, and what had been when it ended, if it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched(BTreeMap<usize, (Sights, Option<Sights>)>);

pub(super) fn begin<W: Machines>(world: &mut W, index: usize) {
    let seen = world.seen_so_far();
    let sights = &mut world.script_mut().sights;
    sights.0.insert(index, (seen, None));
}

pub(super) fn end<W: Machines>(world: &mut W, index: usize) {
    let seen = world.seen_so_far();
    if let Some((_, last)) = world.script_mut().sights.0.get_mut(&index) {
        *last = Some(seen);
    }
}

/// By the fault: what was seen from its beginning to its end, or until now. Of faults in force at
/// one time each has all of it.
pub(in crate::world) fn seen<W: Machines>(world: &mut W) -> BTreeMap<usize, Sights> {
    let now = world.seen_so_far();
    let sights = world.script().sights.0.iter();
    sights
        .map(|(&index, &(first, last))| (index, last.unwrap_or(now) - first))
        .collect()
}
