//! A whole small ring, compact enough to be judged after each of millions of steps.
//!
//! The judgement is the one of `direct::broken`, over bits instead of identifiers; a test
//! compares the two on states of every kind. Nothing here moves the ring.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use cuerda_sim::check::direct::Member;
use cuerda_sim::check::property::Property;

use crate::circle::{between, gap, place};

/// The most places a circle has here.
pub(crate) const PLACES: usize = 16;

/// A successor list: at most four indices, nearest first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct List {
    length: u8,
    entries: [u8; 4],
}

impl List {
    /// The first `room` of these.
    pub(crate) fn of(entries: impl IntoIterator<Item = u8>, room: u8) -> List {
        let mut list = List {
            length: 0,
            entries: [0; 4],
        };
        for entry in entries.into_iter().take(room.into()) {
            list.entries[usize::from(list.length)] = entry;
            list.length += 1;
        }
        list
    }

    /// `[head] ++ butlast(self)`: what a node holds whose successor `head` has this list.
    pub(crate) fn behind(&self, head: u8, room: u8) -> List {
        List::of(std::iter::once(head).chain(self.iter().copied()), room)
    }
}

impl Deref for List {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.entries[..self.length.into()]
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What a member is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    None,
    /// Its successor named this candidate, which is to be asked.
    Stabilizing(u8),
    /// It has been notified by this node.
    Rectifying(u8),
}

/// A member. All but `status` is what the properties are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) me: u8,
    pub(crate) prdc: u8,
    pub(crate) succ: List,
    /// r.
    pub(crate) room: u8,
    /// How many places the circle has.
    pub(crate) size: u8,
}

/// A set of properties.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Broken(u8);

impl Broken {
    pub(crate) fn contains(self, property: Property) -> bool {
        self.0 & (1 << property as u8) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn insert(&mut self, property: Property) {
        self.0 |= 1 << property as u8;
    }

    pub(crate) fn extend(&mut self, other: Broken) {
        self.0 |= other.0;
    }

    pub(crate) fn to_set(self) -> BTreeSet<Property> {
        Property::ALL
            .into_iter()
            .filter(|&p| self.contains(p))
            .collect()
    }
}

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_set().fmt(f)
    }
}

/// How far lists go in a ring that is smaller than they.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lists {
    /// Until they would reach their own node.
    StopAtOwner,
    /// On round the circle until they are full.
    GoRound,
}

/// The members and what they are in the middle of; who is not among them is dead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// r.
    pub(crate) room: u8,
    /// How many places the circle has.
    pub(crate) size: u8,
    pub(crate) nodes: [Option<Node>; PLACES],
    pub(crate) status: [Status; PLACES],
}

impl State {
    /// The ideal ring of these places, which are in order.
    pub(crate) fn ideal(places: &[u8], room: u8, size: u8, lists: Lists) -> State {
        let mut state = State {
            room,
            size,
            nodes: [None; PLACES],
            status: [Status::None; PLACES],
        };
        let count = places.len();
        for (at, &me) in places.iter().enumerate() {
            let steps = match lists {
                Lists::StopAtOwner => count - 1,
                Lists::GoRound => usize::from(room),
            };
            let after = (1..=steps).map(|step| places[(at + step) % count]);
            state.nodes[usize::from(me)] = Some(Node {
                me,
                prdc: places[(at + count - 1) % count],
                succ: List::of(after, room),
                room,
                size,
            });
        }
        state
    }

    pub(crate) fn get(&self, n: u8) -> Option<&Node> {
        self.nodes[usize::from(n)].as_ref()
    }

    pub(crate) fn live(&self, n: u8) -> bool {
        self.nodes[usize::from(n)].is_some()
    }

    pub(crate) fn members(&self) -> Vec<u8> {
        (0..self.size).filter(|&n| self.live(n)).collect()
    }

    pub(crate) fn others(&self) -> Vec<u8> {
        (0..self.size).filter(|&n| !self.live(n)).collect()
    }

    /// Who is live, as bits.
    fn alive(&self) -> u32 {
        (0..self.size).fold(0, |bits, n| bits | u32::from(self.live(n)) << n)
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    /// Whether the ring has at most r+1 members.
    pub(crate) fn is_small(&self) -> bool {
        self.nodes().count() <= usize::from(self.room) + 1
    }

    /// The members that nobody's extended successor list skips, as bits.
    pub(crate) fn principals(&self) -> u32 {
        let skipped = self.nodes().fold(0, |skipped, node| {
            let mut last = node.me;
            node.succ.iter().fold(skipped, |skipped, &next| {
                skipped | gap(std::mem::replace(&mut last, next), next, self.size)
            })
        });
        self.alive() & !skipped
    }

    /// The first live successor, read as `direct::best_successor` does.
    fn best(&self, node: &Node) -> Option<u8> {
        let begins = node.succ.is_empty() && self.is_small();
        let only = self.nodes().count() == 1;
        let first = node.succ.iter().copied().find(|&s| self.live(s));
        first.or((begins || only).then_some(node.me))
    }

    /// What is broken, [`Property::SufficientPrincipals`] being demanded of small rings too:
    /// that is what Zave's proof starts from.
    pub(crate) fn broken(&self) -> Broken {
        let mut broken = Broken::default();
        let mut best = [None; PLACES];
        for node in self.nodes() {
            best[usize::from(node.me)] = self.best(node);
        }
        // Who is reached from each in one or more steps, and who by that comes round to itself.
        let mut reached = [0u32; PLACES];
        let mut ring = 0u32;
        for node in self.nodes() {
            let (mut seen, mut at) = (0u32, best[usize::from(node.me)]);
            while let Some(next) = at.filter(|next| seen & (1 << next) == 0) {
                seen |= 1 << next;
                at = best[usize::from(next)];
            }
            reached[usize::from(node.me)] = seen;
            ring |= seen & (1 << node.me);
        }
        if ring == 0 {
            broken.insert(Property::AtLeastOneRing);
        }
        for node in self.nodes() {
            let me = usize::from(node.me);
            if ring & (1 << me) == 0 {
                if reached[me] & ring == 0 {
                    broken.insert(Property::ConnectedAppendages);
                }
            } else {
                if ring & !reached[me] != 0 {
                    broken.insert(Property::AtMostOneRing);
                }
                if let Some(next) = best[me].filter(|&next| next != node.me)
                    && ring & gap(node.me, next, self.size) != 0
                {
                    broken.insert(Property::OrderedRing);
                }
            }
            if best[me].is_none() {
                broken.insert(Property::OneLiveSuccessor);
            }
            judge_list(node, &mut broken);
        }
        if self.principals().count_ones() <= self.room.into() {
            broken.insert(Property::SufficientPrincipals);
        }
        broken
    }

    /// Whether the ring is the ideal one of its members.
    pub(crate) fn is_ideal(&self, lists: Lists) -> bool {
        let ideal = State::ideal(&self.members(), self.room, self.size, lists);
        ideal.nodes == self.nodes
    }

    /// The same ring as the checkers see it.
    pub(crate) fn to_members(self) -> BTreeMap<cuerda_core::ring::Id, Member> {
        let id = |n: u8| place(n, self.size);
        let member = |node: &Node| {
            let member = Member {
                id: id(node.me),
                predecessor: id(node.prdc),
                successors: node.succ.iter().map(|&s| id(s)).collect(),
                begins: false,
            };
            (member.id, member)
        };
        self.nodes().map(member).collect()
    }
}

/// The two properties of a single list.
fn judge_list(node: &Node, broken: &mut Broken) {
    let entry = |i: usize| if i == 0 { node.me } else { node.succ[i - 1] };
    let length = node.succ.len() + 1;
    for i in 0..length {
        for j in i + 1..length {
            if entry(i) == entry(j) {
                broken.insert(Property::NoDuplicates);
            }
            for k in j + 1..length {
                if !between(entry(i), entry(j), entry(k)) {
                    broken.insert(Property::OrderedSuccessorLists);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circle::below;
    use cuerda_sim::check::direct;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    /// Any state at all, most of them badly broken.
    fn any_state(rng: &mut ChaCha8Rng) -> State {
        let (room, size) = (1 + below(rng, 3) as u8, 9);
        let density = 1 + below(rng, 9);
        let mut state = State::ideal(&[], room, size, Lists::StopAtOwner);
        for me in (0..size)
            .filter(|_| below(rng, 9) < density)
            .collect::<Vec<u8>>()
        {
            let mut any = || below(rng, 9) as u8;
            let (prdc, length) = (any(), any() % (room + 1));
            let succ = List::of((0..length).map(|_| any()), room);
            state.nodes[usize::from(me)] = Some(Node {
                me,
                prdc,
                succ,
                room,
                size,
            });
        }
        state
    }

    /// States one or two changes away from ideal, where each property is decided alone.
    fn nearly_ideal(rng: &mut ChaCha8Rng) -> State {
        let (room, size) = (1 + below(rng, 3) as u8, 9);
        let places: Vec<u8> = (0..size).filter(|_| below(rng, 3) > 0).collect();
        let mut state = State::ideal(&places, room, size, Lists::StopAtOwner);
        for _ in 0..below(rng, 3) {
            let (at, entry) = (below(rng, 9), below(rng, 9) as u8);
            match (below(rng, 4), &mut state.nodes[at]) {
                (0, node) => *node = None,
                (1, Some(node)) => node.succ = List::of(node.succ.iter().skip(1).copied(), room),
                (2, Some(node)) => node.succ = node.succ.behind(entry, room),
                (_, Some(node)) => node.prdc = entry,
                (_, None) => {}
            }
        }
        state
    }

    #[test]
    fn the_verdicts_are_those_of_the_formulas() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let (mut seen, mut ideals) = (BTreeMap::new(), 0);
        for round in 0..40_000 {
            let state = if round % 2 == 0 {
                any_state(&mut rng)
            } else {
                nearly_ideal(&mut rng)
            };
            let (members, room) = (state.to_members(), usize::from(state.room));
            let mut expected = direct::broken(&members, room);
            let principals = direct::principals(&members);
            let bits = |set: u32, id| set | 1 << (0..9).find(|&n| place(n, 9) == id).unwrap();
            assert_eq!(state.principals(), principals.iter().copied().fold(0, bits));
            if members.is_empty() {
                continue;
            }
            if direct::is_small(&members, room) && principals.len() <= room {
                expected.insert(Property::SufficientPrincipals);
            }
            assert_eq!(state.broken().to_set(), expected, "{state:?}");
            let ideal = direct::is_ideal(&members, room);
            assert_eq!(state.is_ideal(Lists::StopAtOwner), ideal, "{state:?}");
            for property in expected {
                *seen.entry(property).or_insert(0) += 1;
            }
            ideals += u32::from(ideal);
        }
        assert!(seen.values().all(|&count| count > 500), "{seen:?}");
        assert_eq!(seen.len(), Property::ALL.len());
        assert!(ideals > 500);
    }
}
