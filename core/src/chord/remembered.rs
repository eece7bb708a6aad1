//! Peers presumed dead that may only have been cut off.

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
}

impl Remembered {
    /// Remembers a peer, anew if it was known, and forgets the oldest when there are more than
    /// `most`.
    pub(super) fn add(&mut self, peer: Peer, most: u8) {
        self.forget(peer.id);
        self.peers.push(Entry {
            peer,
            wait: 1,
            back_off: 1,
            age: 0,
        });
        if self.peers.len() > usize::from(most) {
            self.peers.remove(0);
        }
    }

    /// Remembers a peer that another node remembers, if it is not known and there is room: what this
    /// node has seen itself comes first. How long ago it was lost is not known here.
    pub(super) fn inherit(&mut self, peer: Peer, most: u8) {
        let known = self.peers.iter().any(|entry| entry.peer.id == peer.id);
        if !known && self.peers.len() < usize::from(most) {
            let entry = Entry {
                peer,
                wait: 1,
                back_off: 1,
                age: u32::MAX,
            };
            self.peers.insert(0, entry);
        }
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
    use std::collections::BTreeMap;

    #[test]
    fn the_wait_doubles_up_to_its_cap() {
        let mut list = Remembered::default();
        list.add(peer(1), 4);
        let periods: Vec<usize> = (1..30).filter(|_| !list.due(8).is_empty()).collect();
        assert_eq!(periods, [1, 3, 7, 15, 23]);
    }

    #[test]
    fn the_oldest_goes_first_and_a_repeat_is_no_second_entry() {
        let mut list = Remembered::default();
        for place in [1, 2, 1, 3, 4] {
            list.add(peer(place), 3);
        }
        assert_eq!(
            list.peers().collect::<Vec<_>>(),
            [peer(1), peer(3), peer(4)]
        );
    }

    #[test]
    fn what_others_remember_takes_only_the_room_that_is_left() {
        let mut list = Remembered::default();
        list.add(peer(1), 3);
        for place in [1, 2, 3, 4] {
            list.inherit(peer(place), 3);
        }
        let all: Vec<Peer> = list.peers().collect();
        assert_eq!(all, [peer(3), peer(2), peer(1)]);
        list.add(peer(5), 3);
        assert!(
            !list.peers().any(|other| other == peer(3)),
            "it is the oldest"
        );
        assert!(!Remembered::default().any_since(9));
    }

    #[test]
    fn with_no_room_nobody_is_remembered() {
        let mut list = Remembered::default();
        list.add(peer(1), 0);
        assert_eq!(list.peers().count(), 0);
        assert!(list.due(2).is_empty());
    }

    #[test]
    fn all_take_their_turn_and_no_period_has_more_probes_than_allowed() {
        let mut list = Remembered::default();
        for place in 0..20 {
            list.add(peer(place), 20);
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
        list.add(peer(1), 4);
        for _ in 0..20 {
            list.due(16);
        }
        list.revive(peer(1).id);
        assert_eq!(list.due(16), [peer(1)]);
    }
}
