//! The oracle of look-ups: whether the node that a look-up named was the key's owner.
//!
//! The owner of a key is the first live member at or clockwise after it, of those on the asker's
//! side while a partition is in force. Owners change while a look-up is under way, so it is right
//! if the node it named was a legitimate owner at *any* instant between its issue and its end.
//!
//! Two nodes are legitimate while one takes over from the other. A joined member is **settled**
//! once its taking over is complete: when the member it takes over from, the next one clockwise,
//! has a predecessor pointer at it or past it, and so answers no longer for its keys. Until then
//! the next member counts as an owner too, and so on while members are unsettled. What is settled
//! stays so, whatever its neighbours believe later, until the sides of a partition change: that
//! puts other members next to each other, and whether they have taken over from one another is
//! looked at anew.
//!
//! For each open look-up the oracle collects its owners. A join or a departure adds to those whose
//! key it touches, at O(log n) and a step for each of them; sides that change add to all. It
//! is told everything and asks no node; whether a wrong look-up is a violation (only if the ring
//! was ideal throughout it) is for the caller to say.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cuerda_core::ring::Id;

use super::ring::Pointers;

/// A member, as far as ownership goes.
#[derive(Clone, Copy, Debug)]
struct Member {
    id: Id,
    predecessor: Id,
    settled: bool,
}

/// A look-up that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The node that asked.
    pub asker: u32,
    /// What it looked for.
    pub key: Id,
    /// When it did, in nanoseconds of simulated time.
    pub issued: u64,
    /// The nodes that have been legitimate owners of the key since then, on the asker's side.
    pub owners: BTreeSet<u32>,
}

/// A look-up that named a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// What was asked, by whom, and who owned the key meanwhile.
    pub lookup: Lookup,
    /// Whether the named node was one of them.
    pub right: bool,
}

/// Who owns what, and the look-ups that are under way.
#[derive(Clone, Debug, Default)]
pub struct LookupOracle {
    /// By node; `None` for one that is no member.
    nodes: Vec<Option<Member>>,
    /// The side each node is on; all on side 0 without a partition.
    sides: Vec<u32>,
    /// The members of each side, in the order of the circle.
    members: BTreeMap<(u32, Id), u32>,
    open: BTreeMap<u64, Lookup>,
    /// The open look-ups by their askers' sides and their keys.
    by_key: BTreeSet<(u32, Id, u64)>,
    by_asker: BTreeSet<(u32, u64)>,
    /// Members whose place another one has taken, which has the same key.
    displaced: BTreeSet<u32>,
}

impl LookupOracle {
    /// A world without members and without a partition.
    #[must_use]
    pub fn new() -> LookupOracle {
        LookupOracle::default()
    }

    /// A ring that starts with all these members at once, on one side.
    #[must_use]
    pub fn start<'a, P: Pointers + 'a>(members: impl Iterator<Item = (u32, &'a P)>) -> Self {
        let mut oracle = LookupOracle::new();
        let mut circle = Vec::new();
        for (node, pointers) in members {
            oracle.set(node, 0, pointers);
            circle.push(((0, pointers.id()), node));
        }
        oracle.members = circle.into_iter().collect();
        oracle.settle_all();
        oracle
    }

    /// A node has become a member, on a side that means nothing unless a partition is in force:
    /// its contact's.
    pub fn joined(&mut self, node: u32, side: u32, pointers: &impl Pointers) {
        self.gone(node);
        let was = self.side(node);
        let id = pointers.id();
        // One that takes another's place, as a second process with its key does.
        if let Some(&other) = self.members.get(&(side, id)) {
            self.gone(other);
            self.displaced.insert(other);
        }
        self.set(node, side, pointers);
        self.members.insert((side, id), node);
        self.settle(node);
        let (before, _) = self.before(side, id);
        self.settle(before);
        self.add_up_to(self.first_touched(side, id), side, id);
        if side != was {
            // It takes along what it has asked.
            for number in self.asked_by(node) {
                let key = self.open[&number].key;
                self.by_key.remove(&(was, key, number));
                self.by_key.insert((side, key, number));
                self.add_owners(number);
            }
        }
    }

    /// A member's neighbours may have changed. Nothing happens for one that is no member.
    pub fn changed(&mut self, node: u32, pointers: &impl Pointers) {
        let Some(Some(member)) = self.nodes.get_mut(node as usize) else {
            let side = self.side(node);
            let taken = self.members.contains_key(&(side, pointers.id()));
            // Who had taken its place is gone.
            if !taken && self.displaced.contains(&node) {
                self.joined(node, side, pointers);
            }
            return;
        };
        if member.predecessor == pointers.predecessor() {
            return;
        }
        member.predecessor = pointers.predecessor();
        let place = (self.side(node), pointers.id());
        if self.members.get(&place) == Some(&node) {
            let (before, _) = self.before(place.0, place.1);
            self.settle(before);
        }
    }

    /// A member has crashed or left. Its own look-ups stay open: see [`LookupOracle::abandon`].
    pub fn gone(&mut self, node: u32) {
        self.displaced.remove(&node);
        let Some(member) = self.nodes.get_mut(node as usize).and_then(Option::take) else {
            return;
        };
        let side = self.side(node);
        if self.members.get(&(side, member.id)) != Some(&node) {
            // Another one has its place.
            return;
        }
        let touched = self.first_touched(side, member.id);
        self.members.remove(&(side, member.id));
        if self.first_from(side, member.id).is_some() {
            let (before, _) = self.before(side, member.id);
            self.settle(before);
            self.add_up_to(touched, side, member.id);
        }
    }

    /// The network falls into parts, or falls apart otherwise than before: from now on each
    /// node that was ever a member is on this side.
    pub fn split(&mut self, side_of: impl Fn(u32) -> u32) {
        for (node, side) in (0..).zip(&mut self.sides) {
            *side = side_of(node);
        }
        let nodes = (0..).zip(&self.nodes);
        let members = nodes.filter_map(|(node, member)| {
            let id = member.as_ref()?.id;
            Some(((self.sides[node as usize], id), node))
        });
        self.members = members.collect();
        self.settle_all();
        let open = self.open.iter();
        let by_key = open.map(|(&number, open)| (self.side(open.asker), open.key, number));
        self.by_key = by_key.collect();
        for number in self.open.keys().copied().collect::<Vec<_>>() {
            self.add_owners(number);
        }
    }

    /// The partition is over: all nodes are on one side.
    pub fn healed(&mut self) {
        self.split(|_| 0);
    }

    /// A look-up begins. Its number is one that no open look-up has, and its asker a member.
    pub fn issued(&mut self, number: u64, asker: u32, key: Id, now: u64) {
        self.gave_up(number);
        self.reach(asker);
        let lookup = Lookup {
            asker,
            key,
            issued: now,
            owners: BTreeSet::new(),
        };
        self.open.insert(number, lookup);
        self.by_key.insert((self.side(asker), key, number));
        self.by_asker.insert((asker, number));
        self.add_owners(number);
    }

    /// A look-up has named a node. `None` if it is not open.
    pub fn finished(&mut self, number: u64, named: u32) -> Option<Finished> {
        let lookup = self.gave_up(number)?;
        let right = lookup.owners.contains(&named);
        Some(Finished { lookup, right })
    }

    /// A look-up has ended without an answer. `None` if it is not open.
    pub fn gave_up(&mut self, number: u64) -> Option<Lookup> {
        let lookup = self.open.remove(&number)?;
        let side = self.side(lookup.asker);
        self.by_key.remove(&(side, lookup.key, number));
        self.by_asker.remove(&(lookup.asker, number));
        Some(lookup)
    }

    /// An asker is dead, and nobody will hear of its look-ups. Says how many there were.
    pub fn abandon(&mut self, asker: u32) -> usize {
        let numbers = self.asked_by(asker);
        for &number in &numbers {
            self.gave_up(number);
        }
        numbers.len()
    }

    /// How many look-ups are under way.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Makes room for a node, on side 0 until somebody says otherwise.
    fn reach(&mut self, node: u32) {
        let nodes = self.nodes.len().max(node as usize + 1);
        self.nodes.resize(nodes, None);
        self.sides.resize(nodes, 0);
    }

    fn set(&mut self, node: u32, side: u32, pointers: &impl Pointers) {
        self.reach(node);
        self.sides[node as usize] = side;
        self.nodes[node as usize] = Some(Member {
            id: pointers.id(),
            predecessor: pointers.predecessor(),
            settled: false,
        });
    }

    /// The numbers of a node's open look-ups.
    fn asked_by(&self, asker: u32) -> Vec<u64> {
        let range = (asker, 0)..=(asker, u64::MAX);
        let asked = self.by_asker.range(range);
        asked.map(|&(_, number)| number).collect()
    }

    fn side(&self, node: u32) -> u32 {
        self.sides.get(node as usize).copied().unwrap_or(0)
    }

    fn is_settled(&self, node: u32) -> bool {
        self.nodes[node as usize].is_some_and(|member| member.settled)
    }

    /// The first member of a side at a point or clockwise after it; `None` if it has none.
    fn first_from(&self, side: u32, point: Id) -> Option<(u32, Id)> {
        let ahead = self.members.range((side, point)..=(side, Id::MAX)).next();
        let round = || self.members.range((side, Id::ZERO)..(side, point)).next();
        let (&(_, id), &node) = ahead.or_else(round)?;
        Some((node, id))
    }

    /// The last member of a side before a point, or at it if there is no other.
    fn before(&self, side: u32, point: Id) -> (u32, Id) {
        let behind = self.members.range((side, Id::ZERO)..(side, point));
        let round = || self.members.range((side, point)..=(side, Id::MAX));
        let last = behind.into_iter().next_back();
        let (&(_, id), &node) = last
            .or_else(|| round().next_back())
            .expect("the side has a member");
        (node, id)
    }

    /// Looks whether a member has taken over by now, unless that is settled.
    fn settle(&mut self, node: u32) {
        let Some(member) = self.nodes[node as usize].filter(|member| !member.settled) else {
            return;
        };
        let id = member.id;
        let (next, next_id) = self
            .first_from(self.side(node), id.next())
            .expect("a member itself is found");
        let next = self.nodes[next as usize].expect("members are nodes");
        let settled = next.predecessor == id || next.predecessor.is_between(id, next_id);
        self.nodes[node as usize] = Some(Member { settled, ..member });
    }

    /// Looks at all anew, going round each side once.
    fn settle_all(&mut self) {
        for member in self.nodes.iter_mut().flatten() {
            member.settled = false;
        }
        let circle: Vec<u32> = self.members.values().copied().collect();
        for node in circle {
            self.settle(node);
        }
    }

    /// Where the keys begin (this point left out) that a member owns or may come to own: after
    /// the last settled member before it. The member's own place if all others are unsettled.
    fn first_touched(&self, side: u32, id: Id) -> Id {
        let mut at = id;
        loop {
            let (node, before) = self.before(side, at);
            at = before;
            // A departing member stands on the circle still, but is no node any more.
            if at == id || self.is_settled(node) {
                return at;
            }
        }
    }

    /// Adds the present owners to all look-ups for keys after one point up to another.
    fn add_up_to(&mut self, after: Id, side: u32, to: Id) {
        let range = |from: (Id, u64), to: (Id, u64)| {
            let from = std::ops::Bound::Excluded((side, from.0, from.1));
            let to = std::ops::Bound::Included((side, to.0, to.1));
            self.by_key.range((from, to)).map(|&(.., number)| number)
        };
        let end = (to, u64::MAX);
        let numbers: Vec<u64> = if after < to {
            range((after, u64::MAX), end).collect()
        } else {
            // Number 0 at point zero is no less there for the range's open start.
            let first = self.by_key.get(&(side, Id::ZERO, 0)).map(|_| 0);
            let early = range((Id::ZERO, 0), end);
            let late = range((after, u64::MAX), (Id::MAX, u64::MAX));
            first.into_iter().chain(early).chain(late).collect()
        };
        for number in numbers {
            self.add_owners(number);
        }
    }

    /// Adds those who own a look-up's key now: the first member from the key on, and those
    /// behind it up to the first settled one.
    fn add_owners(&mut self, number: u64) {
        let lookup = &self.open[&number];
        let side = self.side(lookup.asker);
        let mut owners = Vec::new();
        let mut at = lookup.key;
        while let Some((node, id)) = self.first_from(side, at)
            && owners.first() != Some(&node)
        {
            owners.push(node);
            if self.is_settled(node) {
                break;
            }
            at = id.next();
        }
        let lookup = self.open.get_mut(&number).expect("seen just now");
        lookup.owners.extend(owners);
    }
}
