//! The finger table: who comes first after 1, 2, 4, 8, … steps round the circle.

use std::ops::Range;

use super::{BITS, Id, Peer};

/// A peer and the distances it stands for: it is the first node at or after the points that
/// lie 2^`exponent` … 2^⌊log₂(its distance)⌋ clockwise of the table's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Finger {
    /// The least power of two it stands for.
    pub exponent: u8,
    /// The first node at or after that point.
    pub peer: Peer,
}

/// A node's fingers, nearest first: one entry for each distinct peer, not 160.
///
/// In a ring of N nodes about log₂N fingers differ. Exponents that no entry stands for are
/// unknown; routing then takes the next nearer entry, and the successor list reaches what lies
/// below the first. Correctness never depends on this table (TSE 2017, section III).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fingers(Vec<Finger>);

/// The greatest exponent `peer` can stand for as seen from `me`; `None` if it is `me`.
fn reach(me: Id, peer: Peer) -> Option<u8> {
    me.distance_to(peer.id).log2()
}

impl Fingers {
    /// A table that knows nobody.
    #[must_use]
    pub const fn new() -> Fingers {
        Fingers(Vec::new())
    }

    /// All entries, nearest first.
    #[must_use]
    pub fn entries(&self) -> &[Finger] {
        &self.0
    }

    /// The peer that stands for this exponent, if one is known.
    #[must_use]
    pub fn get(&self, me: Id, exponent: u8) -> Option<Peer> {
        let end = self.0.partition_point(|entry| entry.exponent <= exponent);
        let entry = self.0[..end].last()?;
        (reach(me, entry.peer) >= Some(exponent)).then_some(entry.peer)
    }

    /// Enters `owner` as the first node at or after the point 2^`exponent` from `me`, and
    /// returns the next exponent that it does not stand for; [`BITS`] if there is none. An
    /// owner nearer than that point means that nobody lies beyond: the circle has come round.
    pub fn set(&mut self, me: Id, exponent: u8, owner: Peer) -> u8 {
        let last = reach(me, owner).filter(|&last| last >= exponent);
        let end = last.map_or(BITS, |last| last + 1);
        if last.is_none() || !self.says(exponent, end, owner) {
            self.enter(me, exponent..end, last.map(|_| owner));
        }
        end
    }

    /// Lets `owner`, or nobody, stand for these exponents.
    fn enter(&mut self, me: Id, exponents: Range<u8>, owner: Option<Peer>) {
        let Range {
            start: exponent,
            end,
        } = exponents;
        // Of an old entry, what lies before and what lies beyond the new one's range survives.
        let beyond = self.get(me, end.min(BITS - 1)).filter(|_| end < BITS);
        self.0
            .retain(|entry| !(exponent..end).contains(&entry.exponent));
        let at = self.0.partition_point(|entry| entry.exponent < exponent);
        let mut put = |at: usize, entry: Finger| {
            let repeats = |other: Option<&Finger>| other.is_some_and(|o| o.peer == entry.peer);
            if !repeats(at.checked_sub(1).and_then(|before| self.0.get(before))) {
                if repeats(self.0.get(at)) {
                    self.0[at] = entry;
                } else {
                    self.0.insert(at, entry);
                }
            }
        };
        if let Some(peer) = beyond {
            put(
                at,
                Finger {
                    exponent: end,
                    peer,
                },
            );
        }
        if let Some(peer) = owner {
            put(at, Finger { exponent, peer });
        }
    }

    /// Whether it says this already. As a rule it does: then [`Fingers::set`] has nothing to
    /// move, and most of the table is not even read.
    fn says(&self, exponent: u8, end: u8, owner: Peer) -> bool {
        let at = self.0.partition_point(|entry| entry.exponent < exponent);
        let before = at.checked_sub(1).map(|before| self.0[before].peer);
        before != Some(owner)
            && self.0.get(at)
                == Some(&Finger {
                    exponent,
                    peer: owner,
                })
            && self.0.get(at + 1).is_none_or(|next| next.exponent >= end)
    }

    /// Forgets a peer. What it stood for is unknown until it is looked up again.
    pub fn remove(&mut self, id: Id) {
        self.0.retain(|entry| entry.peer.id != id);
    }

    /// Forgets all entries below an exponent: what the successor list knows better.
    pub fn forget_below(&mut self, me: Id, exponent: u8) {
        if self
            .0
            .first()
            .is_none_or(|first| first.exponent >= exponent)
        {
            return;
        }
        let kept = self.get(me, exponent);
        self.0.retain(|entry| entry.exponent >= exponent);
        if let Some(peer) = kept
            && self.0.first().is_none_or(|entry| entry.peer != peer)
        {
            self.0.insert(0, Finger { exponent, peer });
        }
    }

    /// The entries that lie strictly between `me` and `key`, nearest to the key first.
    pub fn preceding(&self, me: Id, key: Id) -> impl Iterator<Item = Peer> + '_ {
        // From oneself to oneself all fingers are on the way.
        let farthest = me.distance_to(key).log2().unwrap_or(BITS);
        let end = self.0.partition_point(|entry| entry.exponent <= farthest);
        self.0[..end]
            .iter()
            .rev()
            .map(|entry| entry.peer)
            .filter(move |peer| peer.id.is_between(me, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::test_peers::{peer, peers};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The first of these places at or after a point; the whole ring is `places`.
    fn successor(places: &BTreeSet<u8>, point: Id) -> Peer {
        let ring = places.iter().map(|&place| peer(place));
        ring.min_by_key(|peer| point.distance_to(peer.id)).unwrap()
    }

    fn filled(me: u8, places: &BTreeSet<u8>) -> Fingers {
        let me = peer(me).id;
        let mut fingers = Fingers::new();
        let mut exponent = 0;
        while exponent < BITS {
            let owner = successor(places, me.plus_power(exponent));
            exponent = fingers.set(me, exponent, owner);
        }
        fingers
    }

    fn ring() -> impl Strategy<Value = BTreeSet<u8>> {
        prop::collection::btree_set(any::<u8>(), 1..40)
    }

    proptest! {
        #[test]
        fn a_filled_table_is_the_naive_one(places in ring()) {
            let me = *places.first().unwrap();
            let fingers = filled(me, &places);
            for exponent in 0..BITS {
                let owner = successor(&places, peer(me).id.plus_power(exponent));
                // Past the last node the point's successor is found by coming round.
                let farther = reach(peer(me).id, owner) >= Some(exponent);
                prop_assert_eq!(fingers.get(peer(me).id, exponent), farther.then_some(owner));
            }
        }

        #[test]
        fn entries_are_distinct_and_ordered_whatever_is_set(
            me: u8, sets in prop::collection::vec((0..BITS, any::<u8>()), 0..40)
        ) {
            let mut fingers = Fingers::new();
            for (exponent, owner) in sets {
                let end = fingers.set(peer(me).id, exponent, peer(owner));
                prop_assert!(end > exponent && end <= BITS);
                for pair in fingers.entries().windows(2) {
                    prop_assert!(pair[0].exponent < pair[1].exponent);
                    prop_assert_ne!(pair[0].peer, pair[1].peer);
                }
                for entry in fingers.entries() {
                    prop_assert_ne!(entry.peer, peer(me));
                }
            }
        }

        #[test]
        fn what_it_says_already_need_not_be_entered(
            me: u8, places in ring(), gone: u8, at: prop::sample::Index,
        ) {
            let me = peer(me).id;
            let mut fingers = filled(0, &places);
            fingers.remove(peer(gone).id);
            prop_assume!(!fingers.entries().is_empty());
            let Finger { exponent, peer: owner } = *at.get(fingers.entries());
            let last = reach(me, owner).filter(|&last| last >= exponent);
            prop_assume!(last.is_some());
            let (end, mut after) = (last.unwrap() + 1, fingers.clone());
            after.enter(me, exponent..end, Some(owner));
            prop_assert_eq!(fingers.says(exponent, end, owner), after == fingers);
        }

        #[test]
        fn what_was_set_is_found(me: u8, places in ring(), exponent in 0..BITS, other: u8) {
            let me = peer(me).id;
            let mut fingers = filled(0, &places);
            if reach(me, peer(other)) >= Some(exponent) {
                fingers.set(me, exponent, peer(other));
                prop_assert_eq!(fingers.get(me, exponent), Some(peer(other)));
            }
        }

        #[test]
        fn a_newcomer_takes_only_its_own_range(places in ring(), new: u8) {
            let me = *places.first().unwrap();
            let mut grown = places.clone();
            grown.insert(new);
            let mut fingers = filled(me, &places);
            let mut exponent = 0;
            while exponent < BITS {
                let owner = successor(&grown, peer(me).id.plus_power(exponent));
                exponent = fingers.set(peer(me).id, exponent, owner);
            }
            prop_assert_eq!(fingers, filled(me, &grown));
        }

        #[test]
        fn preceding_runs_from_the_key_back(places in ring(), key: u8) {
            let me = *places.first().unwrap();
            let fingers = filled(me, &places);
            let (me, key) = (peer(me).id, peer(key).id);
            let found: Vec<Peer> = fingers.preceding(me, key).collect();
            let mut naive: Vec<Peer> = fingers.entries().iter().map(|entry| entry.peer)
                .filter(|peer| peer.id.is_between(me, key)).collect();
            naive.reverse();
            prop_assert_eq!(found, naive);
        }

        #[test]
        fn what_lies_below_is_forgotten_and_the_rest_kept(places in ring(), least in 0..BITS) {
            let me = *places.first().unwrap();
            let before = filled(me, &places);
            let mut after = before.clone();
            after.forget_below(peer(me).id, least);
            for exponent in 0..BITS {
                let kept = before.get(peer(me).id, exponent).filter(|_| exponent >= least);
                prop_assert_eq!(after.get(peer(me).id, exponent), kept);
            }
        }
    }

    #[test]
    fn one_entry_for_each_distinct_peer() {
        let fingers = filled(0, &BTreeSet::from([0, 1, 2, 100, 200]));
        let seen: Vec<Peer> = fingers.entries().iter().map(|entry| entry.peer).collect();
        assert_eq!(seen, peers(&[1, 2, 100, 200]));
    }

    #[test]
    fn a_removed_peer_leaves_its_range_unknown() {
        let mut fingers = filled(0, &BTreeSet::from([0, 1, 2, 100, 200]));
        fingers.remove(peer(100).id);
        assert_eq!(fingers.get(peer(0).id, 152 + 5), None);
        assert_eq!(fingers.get(peer(0).id, 152 + 7), Some(peer(200)));
        let toward = peer(150).id;
        assert_eq!(fingers.preceding(peer(0).id, toward).next(), Some(peer(2)));
    }
}
