//! The ring's properties, kept up to date from change to change.
//!
//! [`super::direct`] evaluates the formulas over all members at once; this gives the same
//! answers after every event at a cost that does not grow with the ring. It never looks at a
//! node by itself: whoever runs the world tells it what changed, and what it is not told it does
//! not know.
//!
//! # What belongs to one member
//!
//! Whether a list repeats somebody or is out of order is seen from the list. Whether an entry of
//! it lives is counted: each place on the circle knows who lists it, so that a death or a join
//! reaches the counts it changes. A member is *ideal* if its list is the next min(r, n−1) members
//! in order and its predecessor the member before it; a join or a departure can change that for
//! the r members before it and the one after.
//!
//! # What belongs to all
//!
//! A member p is *principal* if no pair of consecutive entries of anybody's extended successor
//! list (m, then its successors) skips it. How many are is kept by a segment tree over the circle
//! (`check/coverage.rs`), in which each pair is a stretch. And one principal is enough to spare
//! everything else:
//!
//! **If every member lists a live one and at least one principal p exists, then there is exactly
//! one ring, it is ordered, and everybody leads to it.** For let b(m) be the first live entry of
//! m's list, m ≠ p. Walk from m along its list up to b(m). No pair of entries skips p, so no step
//! jumps over it; and none before the last lands on it, because p lives and all entries before
//! b(m) are dead. So the walk ends at p at the farthest: the step from m to b(m) goes less than
//! once round and does not jump over p. Hence the distance to p shrinks with every step of b,
//! until p is reached, from wherever one starts: p is on a cycle, there is no other, and all
//! members lead to it. Starting at p the same holds till it is reached again, so the cycle winds
//! once: it is ordered. `AtLeastOneRing`, `AtMostOneRing`, `OrderedRing` and
//! `ConnectedAppendages` all hold. (Whether lists are in order does not matter. A member that is
//! its own best successor only because it has no list yet does: it breaks the premise, unless it is
//! alone.)
//!
//! So those four need a look at the whole graph only while no member is principal or somebody
//! lists nobody alive; [`RingChecker::in_doubt`] says so. They are then *not* evaluated after
//! every event, since that would cost O(n) each time, but when [`RingChecker::broken_in_full`] is
//! called; until then they count as they last did. It is for the caller to say how often: each
//! time doubt arises, and while it lasts once in a fraction of a stabilization period, say, since
//! lists change no faster. What breaks and mends between two looks goes unseen.

mod graph;
mod places;
mod start;
#[cfg(test)]
mod tests;
mod update;
mod verdict;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use cuerda_core::ring::{Id, Neighbours};

use super::coverage::Coverage;
use super::direct::Member;
use super::property::Property;
use places::Place;

pub use watch::Ring;

/// Stands for no node, and for no place.
const NOBODY: u32 = u32::MAX;

/// What a checker sees of a member: whom it takes for its neighbours.
pub trait Pointers {
    /// Its own place on the circle.
    fn id(&self) -> Id;
    /// Its predecessor; itself if it knows of none.
    fn predecessor(&self) -> Id;
    /// Its successors, nearest first.
    fn successors(&self) -> impl ExactSizeIterator<Item = Id>;
}

impl Pointers for Neighbours {
    fn id(&self) -> Id {
        self.me().id
    }

    fn predecessor(&self) -> Id {
        Neighbours::predecessor(self).id
    }

    fn successors(&self) -> impl ExactSizeIterator<Item = Id> {
        Neighbours::successors(self).iter().map(|peer| peer.id)
    }
}

impl Pointers for Member {
    fn id(&self) -> Id {
        self.id
    }

    fn predecessor(&self) -> Id {
        self.predecessor
    }

    fn successors(&self) -> impl ExactSizeIterator<Item = Id> {
        self.successors.iter().copied()
    }
}

/// A property that broke, or holds again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Which.
    pub property: Property,
    /// At which node; `None` where it is nobody's alone.
    pub node: Option<u32>,
    /// Whether it broke.
    pub broke: bool,
}

/// The state of a ring, and which of its properties are broken.
#[derive(Clone, Debug)]
pub struct RingChecker {
    room: usize,
    places: Vec<Place>,
    /// Numbers of places that are free again.
    free: Vec<u32>,
    /// All places by their identifiers.
    known: BTreeMap<Id, u32>,
    /// The places where members stand.
    members: BTreeMap<Id, u32>,
    /// Members whose place another one has taken, which has the same key.
    displaced: BTreeSet<u32>,
    /// The place of each node; [`NOBODY`] if it is no member.
    place_of: Vec<u32>,
    coverage: Coverage,
    /// With more places than this, it is time to forget those that nobody lists.
    most_places: usize,
    /// The nodes at which a property of theirs is broken.
    at_nodes: BTreeMap<Property, BTreeSet<u32>>,
    /// The properties of all together that are broken, as far as is known.
    of_all: BTreeSet<Property>,
    /// The places of members that list nobody alive.
    lost: BTreeSet<u32>,
    /// How many members deviate from the ideal.
    deviating: usize,
    /// Whether something changed since the graph as a whole was last looked at.
    unseen: bool,
    changes: Vec<Change>,
    /// An old list, whose memory the next one takes over.
    spare: Vec<(Id, u32)>,
}

/// The properties that [`RingChecker::in_doubt`] is about.
const WHOLE: [Property; 4] = [
    Property::AtLeastOneRing,
    Property::AtMostOneRing,
    Property::OrderedRing,
    Property::ConnectedAppendages,
];

impl RingChecker {
    /// A ring without members, whose nodes have room for `room` successors.
    #[must_use]
    pub fn new(room: usize) -> RingChecker {
        RingChecker {
            room,
            places: Vec::new(),
            free: Vec::new(),
            known: BTreeMap::new(),
            members: BTreeMap::new(),
            displaced: BTreeSet::new(),
            place_of: Vec::new(),
            coverage: Coverage::default(),
            most_places: 1024,
            at_nodes: BTreeMap::new(),
            of_all: BTreeSet::new(),
            lost: BTreeSet::new(),
            deviating: 0,
            unseen: false,
            changes: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// A node has become a member.
    pub fn joined(&mut self, node: u32, pointers: &impl Pointers) {
        // One that comes back without having gone, and one that takes another's place.
        self.remove(node);
        self.displaced.remove(&node);
        if let Some(&place) = self.members.get(&pointers.id()) {
            let other = self.places[place as usize].node;
            self.remove(other);
            self.displaced.insert(other);
        }
        self.forget_unlisted();
        let place = self.place_at(pointers.id());
        self.place_of_mut(node, place);
        let after = self.members.range(pointers.id()..).next();
        let next = after.or(self.members.first_key_value()).map(|(_, &at)| at);
        let next = next.unwrap_or(place);
        let before = if next == place {
            place
        } else {
            self.places[next as usize].before
        };
        self.members.insert(pointers.id(), place);
        self.places[place as usize].node = node;
        self.link(before, place);
        self.link(place, next);
        self.coverage.set_live(place, true);
        self.live_or_die(place, 1);
        self.replace(place, pointers);
        self.judge_around(place, next);
        self.settle();
    }

    /// A member's neighbours may have changed. Nothing happens for one that is no member. One whose
    /// place another took has it again as soon as that one is gone.
    pub fn changed(&mut self, node: u32, pointers: &impl Pointers) {
        let Some(place) = self.place(node) else {
            if self.displaced.contains(&node) && !self.members.contains_key(&pointers.id()) {
                self.joined(node, pointers);
            }
            return;
        };
        let row = &self.places[place as usize];
        let same = row.list.len() == pointers.successors().len()
            && pointers
                .successors()
                .eq(row.list.iter().map(|entry| entry.0));
        if !same {
            self.replace(place, pointers);
        } else if row.predecessor == pointers.predecessor() {
            return;
        }
        self.places[place as usize].predecessor = pointers.predecessor();
        self.judge_ideal(place);
        if !same {
            self.settle();
        }
    }

    /// A member has crashed or left. Nothing happens for one that is no member.
    pub fn gone(&mut self, node: u32) {
        self.displaced.remove(&node);
        self.remove(node);
        self.settle();
    }

    fn remove(&mut self, node: u32) {
        let Some(place) = self.place(node) else {
            return;
        };
        self.place_of[node as usize] = NOBODY;
        self.replace_list(place, Vec::new());
        for property in [
            Property::NoDuplicates,
            Property::OrderedSuccessorLists,
            Property::OneLiveSuccessor,
        ] {
            self.set_broken_at(node, property, false);
        }
        self.set_deviates(place, false);
        self.lost.remove(&place);
        let row = &mut self.places[place as usize];
        let (before, next) = (row.before, row.next);
        row.node = NOBODY;
        row.begins = false;
        self.members.remove(&self.places[place as usize].id);
        self.coverage.set_live(place, false);
        self.link(before, next);
        self.live_or_die(place, -1);
        if !self.members.is_empty() {
            self.judge_around(before, next);
        }
    }

    /// How many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Whether a single member is left, and all that it lists are gone. Alone it breaks nothing; but
    /// it has lost its last live successor, and so has the ring that others come back to.
    #[must_use]
    pub fn survivor_is_lost(&self) -> bool {
        let only = self.members.values().next();
        let only = only.filter(|_| self.members.len() == 1);
        only.is_some_and(|&place| {
            let row = &self.places[place as usize];
            !row.list.is_empty() && row.live_entries == 0
        })
    }

    /// How many of them are principal.
    #[must_use]
    pub fn principals(&self) -> usize {
        self.coverage.uncovered()
    }

    /// Whether every member's neighbours are what they are in the ideal ring of these members.
    #[must_use]
    pub fn ideal(&self) -> bool {
        self.deviating == 0
    }

    /// Whether four properties of the ring as a whole may be other than when last looked at:
    /// at least and at most one ring, ordered, with all appendages connected. While this is
    /// false they are known to hold.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        let premise = self.principals() > 0 && self.lost.is_empty();
        self.unseen && self.members.len() > 1 && !premise
    }

    /// The properties that are broken, as far as is known without a look at the whole ring.
    #[must_use]
    pub fn broken(&self) -> BTreeSet<Property> {
        let at_nodes = self.at_nodes.iter().filter(|(_, nodes)| !nodes.is_empty());
        let properties = at_nodes.map(|(&property, _)| property);
        properties.chain(self.of_all.iter().copied()).collect()
    }

    /// The properties that are broken. Costs a walk over all members if they are
    /// [in doubt](RingChecker::in_doubt), else nothing.
    pub fn broken_in_full(&mut self) -> BTreeSet<Property> {
        if self.in_doubt() {
            let broken = graph::broken(&self.best_successors());
            for property in WHOLE {
                self.set_broken(property, broken.contains(&property));
            }
            self.unseen = false;
        }
        self.broken()
    }

    /// The nodes at which a property of single nodes is broken.
    pub fn broken_at(&self, property: Property) -> impl Iterator<Item = u32> + '_ {
        self.at_nodes.get(&property).into_iter().flatten().copied()
    }

    /// How many rings there are. Costs a walk over all members.
    #[must_use]
    pub fn rings(&self) -> usize {
        graph::rings(&self.best_successors())
    }

    /// Whether a property broke or mended since this was last emptied.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What broke and what mended since the last call, in the order in which it happened. A
    /// departed node's properties mend.
    pub fn drain_changes(&mut self) -> std::vec::Drain<'_, Change> {
        self.changes.drain(..)
    }
}
