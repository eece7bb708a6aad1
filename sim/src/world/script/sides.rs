//! Who is cut off from whom: the network's faults begin and end, and newcomers take a side.

use super::Machines;
use super::cuts::Cut;
use crate::world::{Cause, Watcher};

pub(super) fn cut<W: Machines>(
    world: &mut W,
    index: usize,
    cut: Cut,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let splits = matches!(cut, Cut::Partition(_));
    world.cuts(|cuts| cuts.begin(index, cut));
    if splits {
        tell_sides(world, Cause::FaultBegan(index), watcher);
    }
}

pub(super) fn mend<W: Machines>(
    world: &mut W,
    index: usize,
    watcher: &mut impl Watcher<W::Protocol>,
) {
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
fn tell_sides<W: Machines>(world: &mut W, cause: Cause, watcher: &mut impl Watcher<W::Protocol>) {
    let sides = world.cuts(|cuts| cuts.sides());
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
pub(super) fn stand_with_the_rest<W: Machines>(world: &mut W) {
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
