//! What nodes saw of others while a fault was in force. Only differences of what they counted.

use std::collections::BTreeMap;

use super::Machines;
use crate::world::FailureObservations;

/// By the occurrence: what had been seen when it began, and what had been when it ended, if it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched(BTreeMap<usize, (FailureObservations, Option<FailureObservations>)>);

pub(super) fn begin<W: Machines>(world: &mut W, occurrence: usize) {
    let seen = world.seen_so_far();
    let observations = &mut world.script_mut().failure_observations;
    observations.0.insert(occurrence, (seen, None));
}

pub(super) fn end<W: Machines>(world: &mut W, occurrence: usize) {
    let seen = world.seen_so_far();
    let observations = &mut world.script_mut().failure_observations;
    if let Some((_, last)) = observations.0.get_mut(&occurrence) {
        *last = Some(seen);
    }
}

/// By the occurrence: what was seen from its beginning to its end, or until now. Of faults in force at
/// one time each has all of it.
pub(in crate::world) fn seen<W: Machines>(world: &mut W) -> BTreeMap<usize, FailureObservations> {
    let now = world.seen_so_far();
    let observations = world.script().failure_observations.0.iter();
    observations
        .map(|(&occurrence, &(first, last))| (occurrence, last.unwrap_or(now) - first))
        .collect()
}
