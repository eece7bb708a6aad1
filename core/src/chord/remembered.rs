//! Peers presumed dead that may only have been cut off.
//!
//! There is no room for all. The newest stay; of the others each node keeps different ones, some of
//! them for much longer than the rest, so that after a long cut, in which many have died on either
//! side, somebody still remembers somebody who lives on the other.

use super::limits;
use crate::ring::{Id, Peer};

/// A bounded list of peers to probe, each with its back-off. Time is counted in stabilization
/// periods, because a node has no clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Remembered {
    /// The oldest first.
    peers: Vec<Entry>,
    /// Where the next search for one that is due begins, so that all take their turn.
    next: u8,
    /// How many have been entered so far.
    entered: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    peer: Peer,
    /// Periods until it is due.
    wait: u16,
    /// Periods to wait after the next probe.
    back_off: u16,
    /// Periods since it was presumed dead.
    age: u32,
    /// How many had been entered before it.
    entered: u32,
    /// It is kept while `2^rank` times as many others are entered as one of rank 0.
    rank: u8,
}

impl Remembered {
    /// Remembers a peer, anew if it was known, and forgets another when there are more than `most`.
    pub(super) fn add(&mut self, me: Id, peer: Peer, most: u8) {
        self.forget(peer.id);
        let entry = self.entry(me, peer, 0);
        self.peers.push(entry);
        if self.peers.len() > usize::from(most) {
            let victim = self.victim(most);
            self.peers.remove(victim);
        }
    }

    /// Remembers a peer that another node remembers, if it is not known and there is room, or one
    /// that this node would sooner forget: never the newest that it has seen itself. How long ago it
    /// was lost is not known here.
    pub(super) fn inherit(&mut self, me: Id, peer: Peer, most: u8) {
        if self.peers.iter().any(|entry| entry.peer.id == peer.id) {
            return;
        }
        let entry = self.entry(me, peer, u32::MAX);
        if self.peers.len() >= usize::from(most) {
            let victim = self.victim(most);
            if victim >= self.peers.len() || self.peers[victim].rank >= entry.rank {
                return;
            }
            self.peers.remove(victim);
        }
        self.peers.insert(0, entry);
    }

    fn entry(&mut self, me: Id, peer: Peer, age: u32) -> Entry {
        let bits = |id: Id| id.to_bytes()[19];
        self.entered = self.entered.wrapping_add(1);
        Entry {
            peer,
            wait: 1,
            back_off: 1,
            age,
            entered: self.entered,
            rank: (bits(me) ^ bits(peer.id)).trailing_zeros() as u8,
        }
    }

    /// Who is forgotten next.
    fn victim(&self, most: u8) -> usize {
        let older = self.peers.len().saturating_sub(usize::from(most) / 2);
        let stale = |entry: &Entry| self.entered.wrapping_sub(entry.entered) >> entry.rank;
        let older = self.peers[..older].iter().enumerate();
        let victim = older.min_by_key(|(place, entry)| (std::cmp::Reverse(stale(entry)), *place));
        victim.map_or(0, |(place, _)| place)
    }

    /// Forgets a peer: it is alive, or known to be another.
    pub(super) fn forget(&mut self, id: Id) {
        self.peers.retain(|entry| entry.peer.id != id);
    }

    /// A peer that answered is worth asking again soon.
    pub(super) fn revive(&mut self, id: Id) {
        for entry in &mut self.peers {
            if entry.peer.id == id {
                entry.back_off = 1;
                entry.wait = 1;
            }
        }
    }

    /// All of them, the oldest first.
    pub(super) fn peers(&self) -> impl ExactSizeIterator<Item = Peer> + '_ {
        self.peers.iter().map(|entry| entry.peer)
    }

    /// Whether any was presumed dead no longer ago than so many periods.
    pub(super) fn any_since(&self, periods: u128) -> bool {
        self.peers
            .iter()
            .any(|entry| u128::from(entry.age) <= periods)
    }

    /// A period has passed: whom to probe now. Each probe doubles the wait until the next one,
    /// up to `periods_max`.
    pub(super) fn due(&mut self, periods_max: u16) -> Vec<Peer> {
        let mut due = Vec::new();
        for entry in &mut self.peers {
            entry.wait = entry.wait.saturating_sub(1);
            entry.age = entry.age.saturating_add(1);
        }
        let count = self.peers.len();
        let start = usize::from(self.next);
        for step in 0..count {
            let at = (start + step) % count;
            let entry = &mut self.peers[at];
            if entry.wait == 0 && due.len() < limits::PROBES_PER_PERIOD {
                entry.back_off = entry.back_off.saturating_mul(2).min(periods_max);
                entry.wait = entry.back_off;
                due.push(entry.peer);
                self.next = u8::try_from((at + 1) % count).unwrap_or(0);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::test_peers::peer;
    use std::collections::{BTreeMap, BTreeSet};

    const ME: Id = Id::ZERO;

    #[test]
    fn the_wait_doubles_up_to_its_cap() {
        let mut list = Remembered::default();
        list.add(ME, peer(1), 4);
        let periods: Vec<usize> = (1..30).filter(|_| !list.due(8).is_empty()).collect();
        assert_eq!(periods, [1, 3, 7, 15, 23]);
    }

    #[test]
    fn the_oldest_goes_first_and_a_repeat_is_no_second_entry() {
        let mut list = Remembered::default();
        for place in [1, 2, 1, 3, 4] {
            list.add(ME, peer(place), 3);
        }
        assert_eq!(
            list.peers().collect::<Vec<_>>(),
            [peer(1), peer(3), peer(4)]
        );
    }

    #[test]
    fn what_others_remember_takes_only_the_room_that_is_left() {
        let mut list = Remembered::default();
        list.add(ME, peer(1), 3);
        for place in [1, 2, 3, 4] {
            list.inherit(ME, peer(place), 3);
        }
        let all: Vec<Peer> = list.peers().collect();
        assert_eq!(all, [peer(3), peer(2), peer(1)]);
        list.add(ME, peer(5), 3);
        assert!(
            !list.peers().any(|other| other == peer(3)),
            "it is the oldest"
        );
        assert!(!Remembered::default().any_since(9));
    }

    /// Peers as they are: their identifiers have nothing to do with each other.
    fn hashed(number: u32) -> Peer {
        Peer {
            id: Id::of_key(&number.to_be_bytes()),
            ..peer(1)
        }
    }

    #[test]
    fn whom_many_remember_is_remembered_by_somebody_when_many_others_have_died() {
        let mut lists: Vec<(Id, Remembered)> = (0..30)
            .map(|me| (hashed(1000 + me).id, Remembered::default()))
            .collect();
        let mut all = |numbers: std::ops::Range<u32>| {
            for number in numbers {
                for (me, list) in &mut lists {
                    list.add(*me, hashed(number), 16);
                }
            }
            let lists = lists.iter().flat_map(|(_, list)| list.peers());
            lists.map(|peer| peer.id).collect::<BTreeSet<Id>>()
        };
        // Those that were cut off, and as many and more that are gone for good.
        all(0..30);
        let known = all(30..80);
        let cut_off = (0..30).filter(|number| known.contains(&hashed(*number).id));
        assert!(cut_off.count() >= 20);
        // The newest are remembered by all, and who died long ago by nobody.
        assert!((72..80).all(|number| known.contains(&hashed(number).id)));
        let known = all(80..2000);
        assert!(!(0..30).any(|number| known.contains(&hashed(number).id)));
    }

    #[test]
    fn what_others_remember_displaces_who_would_be_forgotten_sooner_and_never_the_newest() {
        let me = hashed(0).id;
        let mut list = Remembered::default();
        for number in 1..=8 {
            list.add(me, hashed(number), 8);
        }
        let newest: Vec<Peer> = list.peers().skip(4).collect();
        for number in 100..1000 {
            list.inherit(me, hashed(number), 8);
        }
        assert_eq!(list.peers().skip(4).collect::<Vec<_>>(), newest);
        let inherited = |peer: &Peer| (100..1000).any(|number| hashed(number) == *peer);
        assert_eq!(list.peers().take(4).filter(inherited).count(), 4);
    }

    #[test]
    fn with_no_room_nobody_is_remembered() {
        let mut list = Remembered::default();
        list.add(ME, peer(1), 0);
        assert_eq!(list.peers().count(), 0);
        assert!(list.due(2).is_empty());
    }

    #[test]
    fn all_take_their_turn_and_no_period_has_more_probes_than_allowed() {
        let mut list = Remembered::default();
        for place in 0..20 {
            list.add(ME, peer(place), 20);
        }
        let mut probes = BTreeMap::new();
        for _ in 0..100 {
            let due = list.due(2);
            assert!(due.len() <= limits::PROBES_PER_PERIOD);
            for peer in due {
                *probes.entry(peer).or_insert(0) += 1;
            }
        }
        assert_eq!(probes.len(), 20);
        assert!(
            probes.values().all(|&count| (9..=11).contains(&count)),
            "{probes:?}"
        );
    }

    #[test]
    fn one_that_answered_is_asked_again_soon() {
        let mut list = Remembered::default();
        list.add(ME, peer(1), 4);
        for _ in 0..20 {
            list.due(16);
        }
        list.revive(peer(1).id);
        assert_eq!(list.due(16), [peer(1)]);
    }
}
