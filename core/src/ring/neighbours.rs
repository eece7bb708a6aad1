//! The steps of the corrected protocol, as pure functions on a node's neighbours.
//!
//! P. Zave, *Reasoning about Identifier Spaces: How to Make Chord Correct* (IEEE TSE 43(12),
//! 2017; operations as corrected in 2018), names every function here. What a step learns from
//! another node comes in as an argument; who asks, waits and repeats is not this file's
//! business.
//!
//! Two things differ in form, not in effect. A list may be *shorter* than r: where Zave pads a
//! dead head's place at the tail with the next identifier, we leave the place free, and a
//! checker reads it as that padding, which can skip nobody. And a list stops before it would
//! come round to its own node, so that with at most r+1 members it holds all the others.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync;

use serde::{Deserialize, Serialize};

use super::{Id, KeyRange, Peer};

/// A node's next peers clockwise, nearest first, without the node itself and without repeats.
///
/// Immutable and shared: answering a question about one's successors costs no copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SuccessorList(sync::Arc<[Peer]>);

impl SuccessorList {
    /// The list of a node `me` that has `head` next to it and `rest` behind that: in clockwise
    /// order, ending where it would reach `me` or go backwards, and at most `room` long.
    ///
    /// When `rest` comes from a correct node this is `[head] ++ butlast(rest)`.
    #[must_use]
    pub fn following(me: Id, head: Peer, rest: &[Peer], room: usize) -> SuccessorList {
        let mut last = me;
        let ordered = std::iter::once(head).chain(rest.iter().copied()).take(room);
        SuccessorList(
            ordered
                .take_while(|peer| {
                    peer.id
                        .is_between(std::mem::replace(&mut last, peer.id), me)
                })
                .collect(),
        )
    }

    /// No successors: the list of a node that is alone, or cut off from all it knew.
    #[must_use]
    pub fn empty() -> SuccessorList {
        SuccessorList(sync::Arc::from([]))
    }

    /// Whether `following(me, head, rest, room)` would give this very list. Nearly every
    /// stabilization ends here, so it costs a comparison and no allocation.
    fn is_following(&self, head: Peer, rest: &[Peer], room: usize) -> bool {
        let taken = rest.len().min(room - 1);
        self.len() == taken + 1 && self[0] == head && self[1..] == rest[..taken]
    }

    /// Whether it is one and the same list, not only an equal one.
    fn is(&self, other: &SuccessorList) -> bool {
        sync::Arc::ptr_eq(&self.0, &other.0)
    }

    /// The list without its first entry.
    fn tail(&self) -> SuccessorList {
        SuccessorList(self.iter().skip(1).copied().collect())
    }
}

impl Deref for SuccessorList {
    type Target = [Peer];

    fn deref(&self) -> &[Peer] {
        &self.0
    }
}

/// What a node holds of the ring around it: the state that the corrected protocol is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Neighbours {
    me: Peer,
    predecessor: Peer,
    successors: SuccessorList,
    /// r, the number of successors to hold; at least 1.
    room: u8,
    changed: Changed,
    followed: Followed,
}

/// Whether a neighbour is no longer as it was when this was last asked: a note to the node
/// about its last input and no part of the state, so all of them are equal.
#[derive(Clone, Copy, Debug, Default)]
struct Changed(bool);

impl PartialEq for Changed {
    fn eq(&self, _: &Changed) -> bool {
        true
    }
}

impl Eq for Changed {}

impl Hash for Changed {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// The very list that the successors were last taken from. Where lists are shared, a successor
/// whose list stays the same hands over the same one, and nothing needs to be compared. A memory
/// aid and no part of the state, so all of them are equal.
#[derive(Clone, Debug, Default)]
struct Followed(Option<SuccessorList>);

impl PartialEq for Followed {
    fn eq(&self, _: &Followed) -> bool {
        true
    }
}

impl Eq for Followed {}

impl Hash for Followed {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What follows once the successor has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSuccessor {
    /// Its predecessor lies between: ask that one (status Stabilizing, in Zave's terms).
    AskPredecessor(Peer),
    /// It stays the successor: notify it.
    Notify(Peer),
}

/// What a notified node has to do about its notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rectify {
    /// Nothing; it is the predecessor already.
    Known,
    /// It has become the predecessor.
    Adopted,
    /// Ping the predecessor; only if that one is silent does the notifier take its place
    /// ([`Neighbours::rectify_silent`]).
    PingPredecessor,
}

impl Neighbours {
    /// A ring of one. Its node is its own predecessor, and its successor list is empty.
    ///
    /// # Panics
    /// If `room` is zero: a node without room for successors can't be part of a ring.
    #[must_use]
    pub fn alone(me: Peer, room: u8) -> Neighbours {
        assert!(room > 0, "a successor list has room for at least one");
        Neighbours {
            me,
            predecessor: me,
            successors: SuccessorList::empty(),
            room,
            changed: Changed::default(),
            followed: Followed::default(),
        }
    }

    /// Neighbours as given, for a ring that starts complete. The list is cut as
    /// [`SuccessorList::following`] does.
    ///
    /// # Panics
    /// If `room` is zero.
    #[must_use]
    pub fn given(me: Peer, predecessor: Peer, successors: &[Peer], room: u8) -> Neighbours {
        let mut neighbours = Neighbours::alone(me, room);
        neighbours.predecessor = predecessor;
        if let Some((&head, rest)) = successors.split_first() {
            neighbours.successors = SuccessorList::following(me.id, head, rest, room.into());
        }
        neighbours
    }

    /// **Join**: what `me` becomes when `member` has answered with its successors, or `None` if
    /// `me` does not lie between that member and its first successor (look up again).
    ///
    /// The joiner takes its *predecessor's* list whole. A member without successors is alone
    /// and becomes both neighbours. If it still names `me` first, as an earlier life of it that
    /// nobody has missed yet, that is left out, as if the member had noticed the death and
    /// **updated** before: whoever names that life names `me`.
    #[must_use]
    pub fn join(
        me: Peer,
        member: Peer,
        successors: &SuccessorList,
        room: u8,
    ) -> Option<Neighbours> {
        let others = match successors.split_first() {
            Some((first, others)) if first.id == me.id => others,
            _ => &successors[..],
        };
        let head = *others.first().unwrap_or(&member);
        me.id.is_between(member.id, head.id).then(|| {
            let whole = if others.is_empty() { &[member] } else { others };
            Neighbours::given(me, member, whole, room)
        })
    }

    /// The node itself.
    #[must_use]
    pub const fn me(&self) -> Peer {
        self.me
    }

    /// The predecessor; the node itself while it knows of none.
    #[must_use]
    pub const fn predecessor(&self) -> Peer {
        self.predecessor
    }

    /// The successors, nearest first.
    #[must_use]
    pub const fn successors(&self) -> &SuccessorList {
        &self.successors
    }

    /// r, the number of successors it has room for.
    #[must_use]
    pub const fn room(&self) -> u8 {
        self.room
    }

    /// The first successor; the node itself if it has none.
    #[must_use]
    pub fn successor(&self) -> Peer {
        *self.successors.first().unwrap_or(&self.me)
    }

    /// Whether a neighbour changed since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed.0)
    }

    /// The keys this node takes for its own.
    #[must_use]
    pub const fn own(&self) -> KeyRange {
        KeyRange::new(self.predecessor.id, self.me.id)
    }

    /// **Stabilize from successor**, when the successor is silent: the next one takes its
    /// place and is to be notified. `None` when the list ran empty.
    pub fn successor_silent(&mut self) -> Option<Peer> {
        self.changed.0 |= !self.successors.is_empty();
        self.followed.0 = None;
        self.successors = self.successors.tail();
        self.successors.first().copied()
    }

    /// **Stabilize from successor**, when `head` has answered with its predecessor and its
    /// successors: its list is taken over whole, and its predecessor may be the next to ask.
    pub fn successor_answered(
        &mut self,
        head: Peer,
        predecessor: Peer,
        successors: &SuccessorList,
    ) -> AfterSuccessor {
        self.follow_list(head, successors);
        self.after(head, predecessor)
    }

    /// What to do about the `predecessor` that the successor `head` names.
    #[must_use]
    pub fn after(&self, head: Peer, predecessor: Peer) -> AfterSuccessor {
        if predecessor.id.is_between(self.me.id, head.id) {
            AfterSuccessor::AskPredecessor(predecessor)
        } else {
            AfterSuccessor::Notify(head)
        }
    }

    /// **Stabilize from predecessor**, when the candidate has answered with its successors: it
    /// becomes the successor, if it still lies between. Says whether it did; it is to be
    /// notified either way. (When it is silent nothing changes, and the successor is notified.)
    pub fn candidate_answered(&mut self, candidate: Peer, successors: &SuccessorList) -> bool {
        let between = candidate.id.is_between(self.me.id, self.successor().id);
        if between {
            self.follow_list(candidate, successors);
        }
        between
    }

    /// **Rectify**: `notifier` believes to be the predecessor. One that lies between is adopted
    /// without a check of the old one, which is not asked and never set to nobody.
    pub fn rectify(&mut self, notifier: Peer) -> Rectify {
        if notifier.id == self.predecessor.id {
            // Under a new address it is the same node, started anew elsewhere.
            self.precede(notifier);
            Rectify::Known
        } else if notifier.id.is_between(self.predecessor.id, self.me.id) {
            self.precede(notifier);
            Rectify::Adopted
        } else if notifier.id == self.me.id {
            Rectify::Known
        } else {
            Rectify::PingPredecessor
        }
    }

    /// **Rectify**, when the predecessor did not answer the ping: the notifier takes its place.
    pub fn rectify_silent(&mut self, notifier: Peer) {
        self.precede(notifier);
    }

    /// Takes `head` and what follows it for its successors, whatever they were: how a node that
    /// lost them all comes back, and what one whose only successor left goes on with.
    pub fn follow(&mut self, head: Peer, rest: &[Peer]) {
        let room = self.room.into();
        if !self.successors.is_following(head, rest, room) {
            let list = SuccessorList::following(self.me.id, head, rest, room);
            self.followed.0 = None;
            self.changed.0 |= list != self.successors;
            self.successors = list;
        }
    }

    /// A node that is not the first successor has left: it stands in the list no more. What is left
    /// skips nobody.
    pub fn departed(&mut self, id: Id) {
        if self.successors.iter().any(|peer| peer.id == id) {
            self.followed.0 = None;
            self.changed.0 = true;
            let others = self.successors.iter().filter(|peer| peer.id != id);
            self.successors = SuccessorList(others.copied().collect());
        }
    }

    /// All others have left: it is alone again.
    pub fn all_left(&mut self) {
        *self = Neighbours::alone(self.me, self.room);
        self.changed.0 = true;
    }

    fn follow_list(&mut self, head: Peer, rest: &SuccessorList) {
        let same = self.followed.0.as_ref().is_some_and(|list| list.is(rest));
        if !same || self.successors.first() != Some(&head) {
            self.follow(head, rest);
            self.followed.0 = Some(rest.clone());
        }
    }

    fn precede(&mut self, predecessor: Peer) {
        self.changed.0 |= self.predecessor != predecessor;
        self.predecessor = predecessor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::test_peers::{peer, peers};
    use proptest::prelude::*;

    fn list(places: &[u8]) -> SuccessorList {
        SuccessorList(peers(places).into())
    }

    fn given(me: u8, predecessor: u8, successors: &[u8], room: u8) -> Neighbours {
        Neighbours::given(peer(me), peer(predecessor), &peers(successors), room)
    }

    #[test]
    fn a_joiner_takes_its_predecessors_list_whole() {
        let joined = Neighbours::join(peer(20), peer(10), &list(&[30, 40, 50]), 3);
        assert_eq!(joined, Some(given(20, 10, &[30, 40, 50], 3)));
    }

    #[test]
    fn a_joiner_that_the_member_does_not_bracket_looks_again() {
        assert_eq!(
            Neighbours::join(peer(35), peer(10), &list(&[30, 40]), 3),
            None
        );
        assert_eq!(
            Neighbours::join(peer(10), peer(10), &list(&[30, 40]), 3),
            None
        );
    }

    #[test]
    fn an_earlier_life_that_nobody_has_missed_is_not_in_the_way() {
        let join = |named: &[u8]| Neighbours::join(peer(30), peer(10), &list(named), 3);
        assert_eq!(join(&[30, 40, 50]), Some(given(30, 10, &[40, 50], 3)));
        // There were only the two of them.
        assert_eq!(join(&[30]), Some(given(30, 10, &[10], 3)));
        // Somebody has come between meanwhile.
        assert_eq!(join(&[20, 30, 40]), None);
    }

    #[test]
    fn who_joins_a_ring_of_one_has_it_on_both_sides() {
        let joined = Neighbours::join(peer(20), peer(10), &SuccessorList::empty(), 3);
        assert_eq!(joined, Some(given(20, 10, &[10], 3)));
    }

    #[test]
    fn an_answer_replaces_the_list_always() {
        let mut node = given(10, 1, &[20, 30, 40], 3);
        let next = node.successor_answered(peer(20), peer(10), &list(&[35, 40, 50]));
        assert_eq!(next, AfterSuccessor::Notify(peer(20)));
        assert_eq!(node, given(10, 1, &[20, 35, 40], 3));
    }

    #[test]
    fn a_predecessor_in_between_is_asked_before_it_is_adopted() {
        let mut node = given(10, 1, &[20, 30, 40], 3);
        let next = node.successor_answered(peer(20), peer(15), &list(&[30, 40, 50]));
        assert_eq!(next, AfterSuccessor::AskPredecessor(peer(15)));
        assert_eq!(node, given(10, 1, &[20, 30, 40], 3));
        assert!(node.candidate_answered(peer(15), &list(&[20, 30, 40])));
        assert_eq!(node, given(10, 1, &[15, 20, 30], 3));
    }

    #[test]
    fn the_candidates_list_replaces_the_own_tail() {
        let mut node = given(10, 1, &[20, 30, 40], 3);
        assert!(node.candidate_answered(peer(15), &list(&[18, 20, 25])));
        assert_eq!(node, given(10, 1, &[15, 18, 20], 3));
    }

    #[test]
    fn a_candidate_that_no_longer_lies_between_changes_nothing() {
        let mut node = given(10, 1, &[20, 30, 40], 3);
        assert!(!node.candidate_answered(peer(25), &list(&[30, 40, 50])));
        assert_eq!(node, given(10, 1, &[20, 30, 40], 3));
    }

    #[test]
    fn a_silent_successor_is_dropped_and_the_next_notified() {
        let mut node = given(10, 1, &[20, 30], 3);
        assert_eq!(node.successor_silent(), Some(peer(30)));
        assert_eq!(node, given(10, 1, &[30], 3));
        assert_eq!(node.successor_silent(), None);
        assert_eq!(node.successor(), peer(10));
        assert_eq!(node.successor_silent(), None);
    }

    #[test]
    fn a_notifier_in_between_is_adopted_without_asking_the_old_one() {
        let mut node = given(30, 10, &[40], 3);
        assert_eq!(node.rectify(peer(20)), Rectify::Adopted);
        assert_eq!(node.predecessor(), peer(20));
    }

    #[test]
    fn a_notifier_farther_away_waits_for_the_old_ones_silence() {
        let mut node = given(30, 10, &[40], 3);
        assert_eq!(node.rectify(peer(5)), Rectify::PingPredecessor);
        assert_eq!(node.predecessor(), peer(10));
        node.rectify_silent(peer(5));
        assert_eq!(node.predecessor(), peer(5));
    }

    #[test]
    fn notices_from_the_predecessor_and_from_oneself_change_nothing() {
        let mut node = given(30, 10, &[40], 3);
        assert_eq!(node.rectify(peer(10)), Rectify::Known);
        assert_eq!(node.rectify(peer(30)), Rectify::Known);
        assert_eq!(node, given(30, 10, &[40], 3));
    }

    #[test]
    fn a_ring_of_one_adopts_whoever_comes_first() {
        let mut node = Neighbours::alone(peer(30), 3);
        assert_eq!(
            (node.successor(), node.own().contains(Id::ZERO)),
            (peer(30), true)
        );
        assert_eq!(node.rectify(peer(10)), Rectify::Adopted);
        assert_eq!(
            node.after(peer(30), peer(10)),
            AfterSuccessor::AskPredecessor(peer(10))
        );
        assert!(node.candidate_answered(peer(10), &list(&[30])));
        assert_eq!(node, given(30, 10, &[10], 3));
    }

    proptest! {
        /// Whatever others claim, a list is ordered, free of repeats and of its own node.
        #[test]
        fn lists_are_ordered_whatever_comes_in(
            me: u8, head: u8, rest: Vec<u8>, room in 1usize..6
        ) {
            let list = SuccessorList::following(peer(me).id, peer(head), &peers(&rest), room);
            prop_assert!(list.len() <= room);
            let circle: Vec<Id> =
                std::iter::once(peer(me)).chain(list.iter().copied()).map(|p| p.id).collect();
            for i in 0..circle.len() {
                for j in i + 1..circle.len() {
                    prop_assert_ne!(circle[i], circle[j]);
                    for k in j + 1..circle.len() {
                        prop_assert!(circle[j].is_between(circle[i], circle[k]));
                    }
                }
            }
        }

        /// From a correct node: exactly `[head] ++ butlast(rest)`, nobody lost on the way.
        #[test]
        fn lists_of_correct_nodes_are_taken_whole(
            mut places in prop::collection::btree_set(any::<u8>(), 9..20), r in 1usize..8
        ) {
            let me = places.pop_first().unwrap();
            let circle: Vec<u8> = places.into_iter().collect();
            let rest = &circle[1..=r];
            let list = SuccessorList::following(peer(me).id, peer(circle[0]), &peers(rest), r);
            prop_assert_eq!(&list[..], &peers(&circle[..r])[..]);
            prop_assert!(list.is_following(peer(circle[0]), &peers(rest), r));
        }

        /// The short cut for "nothing new" never hides a change.
        #[test]
        fn the_short_cut_agrees(me: u8, head: u8, old: Vec<u8>, rest: Vec<u8>, room in 1usize..5) {
            let Some((&first, more)) = old.split_first() else { return Ok(()) };
            let old = SuccessorList::following(peer(me).id, peer(first), &peers(more), room);
            if old.is_following(peer(head), &peers(&rest), room) {
                let new = SuccessorList::following(peer(me).id, peer(head), &peers(&rest), room);
                prop_assert_eq!(old, new);
            }
        }
    }
}
