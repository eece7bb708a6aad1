//! What the harness must know of Chord to play it.

use std::sync::Arc;
use std::time::Duration;

use cuerda_core::chord::{Config, Membership, Node};
use cuerda_core::ring::{BITS, Fingers, Id, Neighbours, Peer};

use super::Simulated;

impl Simulated for Node {
    type View = Neighbours;

    fn view(&self) -> &Neighbours {
        self.neighbours()
    }

    fn standing(&self) -> &'static str {
        match self.membership() {
            Membership::Outside => "outside",
            Membership::Joining => "joining",
            Membership::Member => "member",
            Membership::Stranded => "stranded",
            Membership::Leaving => "leaving",
        }
    }

    /// A list grows by one right entry a period; a period is jittered up to half as long again.
    fn settling(config: &Config) -> Duration {
        config.stabilize_every * (2 * (u32::from(config.successors) + 5))
    }

    /// With the tables that stabilization would give it in the end.
    fn complete(circle: &[Peer], at: usize, config: &Arc<Config>) -> Option<Node> {
        let (me, room, count) = (circle[at], config.successors, circle.len());
        let successors: Vec<Peer> = (1..=usize::from(room).min(count - 1))
            .map(|step| circle[(at + step) % count])
            .collect();
        let predecessor = circle[(at + count - 1) % count];
        let neighbours = Neighbours::given(me, predecessor, &successors, room);
        let fingers = ideal_fingers(circle, at, successors.last().copied());
        Some(Node::member(Arc::clone(config), 1, neighbours, fingers))
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
