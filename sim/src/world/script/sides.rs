//! Who is cut off from whom: the network's faults begin and end, and newcomers take a side.

use super::Machines;
use super::network_faults::NetworkFault;
use crate::world::{Cause, Effect, Watcher};

pub(super) fn cut<W: Machines>(
    world: &mut W,
    effect: &Effect,
    fault: NetworkFault,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let splits = matches!(fault, NetworkFault::Partition(_));
    world.network_faults(|faults| faults.begin(effect.occurrence, fault));
    if splits {
        tell_sides(world, Cause::FaultBegan(effect.index), watcher);
    }
}

pub(super) fn mend<W: Machines>(
    world: &mut W,
    effect: &Effect,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let split = world.network_faults(|faults| {
        let split = faults.has_partition();
        faults.end(effect.occurrence);
        split
    });
    if split {
        tell_sides(world, Cause::FaultEnded(effect.index), watcher);
    }
}

/// Tells who is together with whom under all partitions in force.
fn tell_sides<W: Machines>(world: &mut W, cause: Cause, watcher: &mut impl Watcher<W::Protocol>) {
    let sides = world.network_faults(|faults| faults.sides());
    watcher.sides(world.moment(cause), sides.as_deref());
}

/// A newcomer is on the side of the contact it joins through, or on that of those nobody named
/// if it finds none.
pub(super) fn stand_with<W: Machines>(
    world: &mut W,
    number: u32,
    contact: Option<u32>,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let split = world.network_faults(|faults| {
        if let Some(contact) = contact {
            for (_, parts) in faults.partitions() {
                parts[number as usize] = parts[contact as usize];
            }
        }
        faults.has_partition()
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
pub(super) fn stand_with_the_rest<W: Machines>(world: &mut W) {
    let partitions = world.network_faults(|faults| {
        let partitions = faults.partitions();
        let occurrences = partitions.map(|(occurrence, _)| occurrence);
        occurrences.collect::<Vec<usize>>()
    });
    for occurrence in partitions {
        let last = world.script().last_part(occurrence);
        world.network_faults(|faults| {
            let found = faults.partitions().find(|(other, _)| *other == occurrence);
            if let Some((_, parts)) = found {
                parts.push(last);
            }
        });
    }
}
