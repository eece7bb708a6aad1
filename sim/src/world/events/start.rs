//! How the ring comes about before t = 0.

use std::sync::Arc;

use cuerda::node::{Input, Node};
use cuerda::ring::{BITS, Fingers, Id, Neighbours, Peer};

use super::{World, nanoseconds};
use crate::scenario::Start;
use crate::world::{Nobody, SECOND, Time};

/// How long one node may take to join before the next one starts to.
const JOIN_PATIENCE: Time = 60 * SECOND;

impl World {
    pub(super) fn start(&mut self) {
        for _ in 0..self.scenario.nodes {
            self.add_host();
        }
        match self.scenario.start {
            Start::Ideal => self.start_ideal(),
            Start::Join => self.start_by_joining(),
        }
    }

    /// Every node a member, with the tables that stabilization would give it in the end.
    fn start_ideal(&mut self) {
        let mut circle: Vec<(Peer, u32)> = (0..)
            .zip(&self.hosts)
            .map(|(number, host)| (host.node.me(), number))
            .collect();
        circle.sort_unstable();
        let peers: Vec<Peer> = circle.iter().map(|&(peer, _)| peer).collect();
        let room = self.config.successors;
        for (at, &(me, number)) in circle.iter().enumerate() {
            let count = peers.len();
            let successors: Vec<Peer> = (1..=usize::from(room).min(count - 1))
                .map(|step| peers[(at + step) % count])
                .collect();
            let predecessor = peers[(at + count - 1) % count];
            let neighbours = Neighbours::given(me, predecessor, &successors, room);
            let fingers = ideal_fingers(&peers, at, successors.last().copied());
            self.boot(number);
            let config = Arc::clone(&self.config);
            self.hosts[number as usize].node = Node::member(config, 1, neighbours, fingers);
        }
        self.members
            .start(circle.iter().map(|&(peer, number)| (peer.id, number)));
        for number in 0..self.scenario.nodes {
            self.order(number, Input::Resume, "resume", &mut Nobody);
        }
    }

    /// The first node founds a ring; each other one joins when the one before it has, through
    /// random members. Then the ring has time to become ideal.
    fn start_by_joining(&mut self) {
        self.boot(0);
        self.order(0, Input::Found, "found", &mut Nobody);
        for number in 1..self.scenario.nodes {
            self.enter(number, &mut Nobody);
            let patience = self.wire.now + JOIN_PATIENCE;
            while !self.members.has(number) && self.wire.now < patience {
                let end = self.wire.now + SECOND / 100;
                self.run_until(end, &mut Nobody);
            }
        }
        // A list grows by one right entry a period; a period is jittered up to half as long again.
        let periods = 2 * (u32::from(self.config.successors) + 5);
        let end = self.wire.now + nanoseconds(self.config.stabilize_every * periods);
        self.run_until(end, &mut Nobody);
    }
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
    use crate::world::events::wire;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_guess_is_corrected(
            places in prop::collection::btree_set(any::<u64>(), 1..50), point: u64, few in 0u32..60
        ) {
            let circle: Vec<Peer> = places.iter()
                .map(|&high| Peer { id: Id::from_high(high >> few), address: wire::address(1) })
                .collect();
            let point = Id::from_high(point >> few);
            let naive = circle.iter().find(|peer| peer.id >= point).unwrap_or(&circle[0]);
            prop_assert_eq!(first_at(&circle, point).id, naive.id);
        }
    }
}
