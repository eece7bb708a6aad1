//! How the ring comes about before t = 0.

use std::sync::Arc;

use cuerda_core::chord::{Input, Node};
use cuerda_core::ring::{BITS, Fingers, Id, Neighbours, Peer};

use super::{Machines, clients};
use crate::scenario::Start;
use crate::world::{Nobody, SECOND, Time, nanoseconds};

/// How long one node may take to join before the next one starts to.
const JOIN_PATIENCE: Time = 60 * SECOND;

/// Adds the scenario's machines and makes a ring of them, as it says.
pub(in crate::world) fn start(world: &mut impl Machines) {
    let scenario = Arc::clone(&world.script().scenario);
    for _ in 0..scenario.nodes {
        clients::add(world);
    }
    match scenario.start {
        Start::Ideal => start_ideal(world, scenario.nodes),
        Start::Join => start_by_joining(world, scenario.nodes),
    }
}

/// Every node a member, with the tables that stabilization would give it in the end.
fn start_ideal(world: &mut impl Machines, nodes: u32) {
    let mut circle: Vec<(Peer, u32)> = (0..nodes)
        .map(|number| (world.node(number).me(), number))
        .collect();
    circle.sort_unstable();
    let peers: Vec<Peer> = circle.iter().map(|&(peer, _)| peer).collect();
    let config = Arc::new(world.script().scenario.node.clone());
    let room = config.successors;
    for (at, &(me, number)) in circle.iter().enumerate() {
        let count = peers.len();
        let successors: Vec<Peer> = (1..=usize::from(room).min(count - 1))
            .map(|step| peers[(at + step) % count])
            .collect();
        let predecessor = peers[(at + count - 1) % count];
        let neighbours = Neighbours::given(me, predecessor, &successors, room);
        let fingers = ideal_fingers(&peers, at, successors.last().copied());
        let node = Node::member(Arc::clone(&config), 1, neighbours, fingers);
        world.boot_member(number, node);
    }
    let sorted = circle.iter().map(|&(peer, number)| (peer.id, number));
    world.script_mut().members.start(sorted);
    world.resume();
}

/// The first node founds a ring; each other one joins when the one before it has, through
/// random members. Then the ring has time to become ideal.
fn start_by_joining(world: &mut impl Machines, nodes: u32) {
    world.boot(0);
    world.order(0, Input::Found, "found", &mut Nobody);
    for number in 1..nodes {
        clients::enter(world, number, &mut Nobody);
        let patience = world.now() + JOIN_PATIENCE;
        while !world.script().members.has(number) && world.now() < patience {
            let end = world.now() + SECOND / 100;
            world.run_until(end, &mut Nobody);
        }
    }
    // A list grows by one right entry a period; a period is jittered up to half as long again.
    let config = &world.script().scenario.node;
    let periods = 2 * (u32::from(config.successors) + 5);
    let end = world.now() + nanoseconds(config.stabilize_every * periods);
    world.run_until(end, &mut Nobody);
}

/// The fingers of the node at this place of the sorted circle, for points beyond its successors.
fn ideal_fingers(circle: &[Peer], at: usize, last: Option<Peer>) -> Fingers {
    let me = circle[at].id;
    let mut fingers = Fingers::new();
    let reach = last.and_then(|last| me.distance_to(last.id).log2());
    let mut exponent = reach.map_or(BITS, |reach| reach + 1);
    while exponent < BITS {
        let owner = first_at(circle, me.plus_power(exponent));
        exponent = fingers.set(me, exponent, owner);
    }
    fingers
}

/// The first peer at or after a point. Ids are spread evenly, so its place is guessed from the
/// point's leading bits and corrected from there.
fn first_at(circle: &[Peer], point: Id) -> Peer {
    let count = circle.len();
    let guess = ((u128::from(point.high()) * count as u128) >> 64) as usize;
    let (mut low, mut high, mut stride) = (guess, guess, 1);
    while low > 0 && circle[low - 1].id >= point {
        low = low.saturating_sub(stride);
        stride *= 2;
    }
    stride = 1;
    while high < count && circle[high].id < point {
        high = (high + stride).min(count);
        stride *= 2;
    }
    let place = low + circle[low..high].partition_point(|peer| peer.id < point);
    circle[place % count]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::address_of;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_guess_is_corrected(
            places in prop::collection::btree_set(any::<u64>(), 1..50), point: u64, few in 0u32..60
        ) {
            let circle: Vec<Peer> = places.iter()
                .map(|&high| Peer { id: Id::from_high(high >> few), address: address_of(1) })
                .collect();
            let point = Id::from_high(point >> few);
            let naive = circle.iter().find(|peer| peer.id >= point).unwrap_or(&circle[0]);
            prop_assert_eq!(first_at(&circle, point).id, naive.id);
        }
    }
}
