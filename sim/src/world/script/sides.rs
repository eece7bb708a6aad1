//! Who is cut off from whom: the network's faults begin and end, and newcomers take a side.

use super::Machines;
use super::network_faults::NetworkFault;
use crate::world::{Cause, Watcher};

pub(super) fn cut<W: Machines>(
    world: &mut W,
    index: usize,
    fault: NetworkFault,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let splits = matches!(fault, NetworkFault::Partition(_));
    world.network_faults(|faults| faults.begin(index, fault));
    if splits {
        tell_sides(world, Cause::FaultBegan(index), watcher);
    }
}

pub(super) fn mend<W: Machines>(
    world: &mut W,
    index: usize,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let split = world.network_faults(|faults| {
        let split = faults.has_partition();
        faults.end(index);
        split
    });
    if split {
        tell_sides(world, Cause::FaultEnded(index), watcher);
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
        partitions.map(|(index, _)| index).collect::<Vec<usize>>()
    });
    for index in partitions {
        let last = world.script().last_part(index);
        world.network_faults(|faults| {
            let found = faults.partitions().find(|(other, _)| *other == index);
            if let Some((_, parts)) = found {
                parts.push(last);
            }
        });
    }
}
