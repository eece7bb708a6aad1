//! What is broken and what is ideal, given the places and lists as they are now.
//!
//! Each verdict compares with the one before and tells only what changed. Nothing here changes
//! a list or a place.

use cuerda_core::ring::Id;

use super::{Change, NOBODY, RingChecker, WHOLE};
use crate::check::property::Property;

impl RingChecker {
    pub(super) fn set_broken(&mut self, property: Property, broke: bool) {
        let new = if broke {
            self.of_all.insert(property)
        } else {
            self.of_all.remove(&property)
        };
        if new {
            self.changes.push(Change {
                property,
                node: None,
                broke,
            });
        }
    }

    pub(super) fn set_broken_at(&mut self, node: u32, property: Property, broke: bool) {
        let new = if broke {
            self.at_nodes.entry(property).or_default().insert(node)
        } else {
            let nodes = self.at_nodes.get_mut(&property);
            nodes.is_some_and(|nodes| nodes.remove(&node))
        };
        if new {
            self.changes.push(Change {
                property,
                node: Some(node),
                broke,
            });
        }
    }

    pub(super) fn set_deviates(&mut self, place: u32, deviates: bool) {
        let row = &mut self.places[place as usize];
        self.deviating -= usize::from(row.deviates);
        self.deviating += usize::from(deviates);
        row.deviates = deviates;
    }

    pub(super) fn is_small(&self) -> bool {
        self.members.len() <= self.room + 1
    }

    /// What is seen from a list: repeats, order, and whether anybody in it lives.
    pub(super) fn judge_list(&mut self, place: u32) {
        let row = &self.places[place as usize];
        let (ordered, repeats) = order_and_repeats(row.id, &row.list);
        let node = row.node;
        self.set_broken_at(node, Property::OrderedSuccessorLists, !ordered);
        self.set_broken_at(node, Property::NoDuplicates, repeats);
        self.judge_live(place);
    }

    pub(super) fn judge_live(&mut self, place: u32) {
        let (only, small) = (self.members.len() == 1, self.is_small());
        let row = &mut self.places[place as usize];
        let (node, empty) = (row.node, row.list.is_empty());
        let lost = row.live_entries == 0;
        // A node with an empty list is one that begins; see `direct`.
        row.begins = empty && (only || row.begins);
        let begins = only || row.begins || empty && small;
        if lost {
            self.lost.insert(place);
        } else {
            self.lost.remove(&place);
        }
        self.set_broken_at(node, Property::OneLiveSuccessor, lost && !begins);
    }

    pub(super) fn judge_ideal(&mut self, place: u32) {
        let row = &self.places[place as usize];
        let before = self.places[row.before as usize].id;
        let mut at = row;
        let ideal = row.predecessor == before
            && row.list.len() == self.room.min(self.members.len() - 1)
            && row.list.iter().all(|&(_, entry)| {
                let next = at.next;
                at = &self.places[next as usize];
                next == entry
            });
        self.set_deviates(place, !ideal);
    }

    /// Judges those whose ideal neighbours changed when a member came or went between a place
    /// and the one after: `last` and r before it, and `next`.
    pub(super) fn judge_around(&mut self, last: u32, next: u32) {
        self.judge_ideal(next);
        let mut place = last;
        for _ in 0..=self.room {
            self.judge_ideal(place);
            place = self.places[place as usize].before;
        }
    }

    /// Judges what belongs to all members together.
    pub(super) fn settle(&mut self) {
        let sufficient = self.is_small() || self.principals() > self.room;
        self.set_broken(Property::SufficientPrincipals, !sufficient);
        let holds = self.members.len() <= 1 || self.principals() > 0 && self.lost.is_empty();
        if holds && !self.of_all.is_empty() {
            for property in WHOLE {
                self.set_broken(property, false);
            }
        }
    }

    /// The best successor of each member, both by their ranks in the order of identifiers.
    pub(super) fn best_successors(&self) -> Vec<Option<usize>> {
        let mut rank = vec![0; self.places.len()];
        for (index, &place) in self.members.values().enumerate() {
            rank[place as usize] = index;
        }
        let best = |&place: &u32| {
            let row = &self.places[place as usize];
            let mut entries = row.list.iter().map(|entry| entry.1);
            let live = entries.find(|&entry| self.places[entry as usize].node != NOBODY);
            let begins = row.list.is_empty() && (row.begins || self.is_small());
            let begins = begins || self.members.len() == 1;
            let best = live.or(begins.then_some(place));
            best.map(|place| rank[place as usize])
        };
        self.members.values().map(best).collect()
    }
}

/// Whether each entry lies between those before and behind it, the node itself in front; and
/// whether the node or an entry comes twice.
///
/// All triples are in order exactly if each entry lies between the one before it and the node
/// itself; only the last, and not the first, may be the node itself.
fn order_and_repeats(me: Id, list: &[(Id, u32)]) -> (bool, bool) {
    let mut last = me;
    let ordered = list.iter().enumerate().all(|(index, &(id, _))| {
        let before = std::mem::replace(&mut last, id);
        let closes = id == me && index > 0 && index + 1 == list.len();
        id.is_between(before, me) || closes
    });
    // A single entry has nothing to be out of order with.
    if (ordered || list.len() < 2) && last != me {
        return (true, false);
    }
    let itself = list.iter().any(|entry| entry.0 == me);
    let repeats = |(at, entry)| list[..at].iter().any(|&(id, _)| id == entry);
    let twice = list.iter().map(|entry| entry.0).enumerate().any(repeats);
    (ordered || list.len() < 2, itself || twice)
}
