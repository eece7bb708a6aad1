//! What a run reached: which rare branches of nodes, which input in which standing under which
//! fault, and which shapes of the ring. A run that reached something new is worth going on from.
//!
//! It watches and judges nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use cuerda_core::chord::Node;
use cuerda_core::marks::{self, Mark};
use cuerda_core::ring::{Id, Neighbours};
use serde::{Deserialize, Serialize};

use crate::world::{Cause, Effect, Gone, Moment, NodeView, Time, Watcher};

/// Something that a run reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// A rare branch of a node.
    Branch(#[serde(with = "by_name")] Mark),
    /// A node was handed something.
    Handled {
        /// What: a kind of message, of timer or of order.
        what: Cow<'static, str>,
        /// How the node stood towards the ring.
        standing: Cow<'static, str>,
        /// What was in force: a kind of fault, or nothing.
        fault: Cow<'static, str>,
    },
    /// The ring had such a shape.
    Shape(Shape),
}

/// A ring from afar: sizes without names, so that like rings are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shape {
    /// How many members, in powers of two.
    pub members: u8,
    /// How many have another successor than the next member; all above 3 are alike.
    pub successors_wrong: u8,
    /// How many have another predecessor than the one before; likewise.
    pub predecessors_wrong: u8,
    /// How many know only one successor, or none; likewise.
    pub thin: u8,
    /// How many kinds of faults were in force.
    pub faults: u8,
}

/// Marks as their names.
mod by_name {
    use cuerda_core::marks::Mark;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(mark: &Mark, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(mark.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Mark, D::Error> {
        let name = String::deserialize(from)?;
        let found = Mark::ALL.into_iter().find(|mark| mark.name() == name);
        found.ok_or_else(|| D::Error::custom(format!("there is no mark {name}")))
    }
}

/// The word for no fault.
const NOTHING: &str = "nothing";

/// Takes down what a run reaches.
#[derive(Debug, Default)]
pub(super) struct Novelty {
    /// What was reached, and when first.
    reached: BTreeMap<Feature, Time>,
    /// The kinds of faults in force, and how often each.
    faults: BTreeMap<&'static str, u32>,
    /// The same as a set of bits, to see at once whether a combination is known.
    in_force: u32,
    kinds: Vec<&'static str>,
    seen: BTreeSet<(u32, &'static str, &'static str)>,
    members: BTreeMap<Id, Links>,
    ids: BTreeMap<u32, Id>,
}

/// What a member knows of its neighbours.
#[derive(Clone, Copy, Debug)]
struct Links {
    successor: Id,
    predecessor: Id,
    thin: bool,
}

impl Novelty {
    /// Nothing is reached yet; what other runs left behind in this thread is forgotten.
    pub(super) fn new() -> Novelty {
        let _ = marks::take();
        Novelty::default()
    }

    /// All that was reached, and when first.
    pub(super) fn reached(mut self) -> BTreeMap<Feature, Time> {
        // Those of the last input, whose moment is past.
        self.take_marks(Time::MAX);
        self.reached
    }

    fn take_marks(&mut self, now: Time) {
        let marks = marks::take();
        if !marks.is_empty() {
            for mark in marks.each() {
                self.reached.entry(Feature::Branch(mark)).or_insert(now);
            }
        }
    }

    /// The bit of a kind of fault.
    fn bit(&mut self, kind: &'static str) -> u32 {
        let place = self.kinds.iter().position(|known| *known == kind);
        let place = place.unwrap_or_else(|| {
            self.kinds.push(kind);
            self.kinds.len() - 1
        });
        1 << (place % 32)
    }

    fn shape(&mut self, now: Time) {
        let mut shape = Shape {
            members: size(self.members.len()),
            faults: self.faults.len() as u8,
            ..Shape::default()
        };
        let (mut successors, mut predecessors, mut thin) = (0, 0, 0);
        let ids: Vec<Id> = self.members.keys().copied().collect();
        for (place, (id, links)) in self.members.iter().enumerate() {
            let next = ids[(place + 1) % ids.len()];
            let before = ids[(place + ids.len() - 1) % ids.len()];
            successors += u32::from(links.successor != next);
            predecessors += u32::from(links.predecessor != before);
            thin += u32::from(links.thin && next != *id);
        }
        shape.successors_wrong = successors.min(4) as u8;
        shape.predecessors_wrong = predecessors.min(4) as u8;
        shape.thin = thin.min(4) as u8;
        self.reached.entry(Feature::Shape(shape)).or_insert(now);
    }

    fn know(&mut self, at: Moment, node: NodeView<'_, Neighbours>) {
        let links = Links {
            successor: node.view.successor().id,
            predecessor: node.view.predecessor().id,
            thin: node.view.successors().len() < 2,
        };
        self.ids.insert(node.number, node.peer.id);
        self.members.insert(node.peer.id, links);
        self.shape(at.now);
    }
}

/// Sizes in powers of two: 0, 1, 2 to 3, 4 to 7, …
const fn size(count: usize) -> u8 {
    (usize::BITS - count.leading_zeros()) as u8
}

impl Watcher<Node> for Novelty {
    fn handed(&mut self, at: Moment, _: u32, standing: &dyn Fn() -> &'static str) {
        self.take_marks(at.now);
        let (Cause::Message { kind: what, .. }
        | Cause::Timer { kind: what, .. }
        | Cause::Order { kind: what, .. }) = at.cause
        else {
            return;
        };
        let standing = standing();
        if !self.seen.insert((self.in_force, what, standing)) {
            return;
        }
        let mut all: Vec<&'static str> = self.faults.keys().copied().collect();
        if all.is_empty() {
            all.push(NOTHING);
        }
        for fault in all {
            let feature = Feature::Handled {
                what: what.into(),
                standing: standing.into(),
                fault: fault.into(),
            };
            self.reached.entry(feature).or_insert(at.now);
        }
    }

    fn joined(&mut self, at: Moment, node: NodeView<'_, Neighbours>) {
        self.know(at, node);
    }

    fn changed(&mut self, at: Moment, node: NodeView<'_, Neighbours>) {
        self.know(at, node);
    }

    fn gone(&mut self, at: Moment, number: u32, _: Gone) {
        if let Some(id) = self.ids.remove(&number) {
            self.members.remove(&id);
        }
        self.shape(at.now);
    }

    fn fault_began(&mut self, _: Moment, effect: &Effect) {
        *self.faults.entry(effect.kind).or_default() += 1;
        self.in_force |= self.bit(effect.kind);
    }

    fn fault_ended(&mut self, _: Moment, effect: &Effect) {
        if let Some(count) = self.faults.get_mut(effect.kind) {
            *count -= 1;
            if *count == 0 {
                self.faults.remove(effect.kind);
                self.in_force &= !self.bit(effect.kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: Moment = Moment {
        now: 7,
        cause: Cause::Message {
            from: 1,
            to: 2,
            kind: "Notify",
        },
    };

    fn effect(kind: &'static str) -> Effect {
        Effect {
            index: 0,
            occurrence: 0,
            kind,
            groups: Vec::new(),
            hit: 1,
            until: None,
        }
    }

    #[test]
    fn what_is_handed_counts_once_for_each_standing_and_fault() {
        let mut novelty = Novelty::new();
        let (member, joining) = (|| "member", || "joining");
        novelty.handed(MESSAGE, 2, &member);
        novelty.handed(MESSAGE, 3, &member);
        novelty.handed(MESSAGE, 3, &joining);
        for kind in ["pause", "skew", "pause"] {
            novelty.fault_began(MESSAGE, &effect(kind));
        }
        novelty.fault_ended(MESSAGE, &effect("pause"));
        novelty.handed(MESSAGE, 2, &member);
        novelty.fault_ended(MESSAGE, &effect("pause"));
        novelty.fault_ended(MESSAGE, &effect("skew"));
        novelty.handed(MESSAGE, 2, &member);
        let reached = novelty.reached();
        let shown: Vec<_> = reached
            .keys()
            .map(|feature| match feature {
                Feature::Handled {
                    what,
                    standing,
                    fault,
                } => format!("{what} {standing} {fault}"),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "Notify joining nothing",
                "Notify member nothing",
                "Notify member pause",
                "Notify member skew"
            ]
        );
    }

    #[test]
    fn sizes_are_powers_of_two() {
        assert_eq!([0, 1, 2, 3, 4, 7, 8].map(size), [0, 1, 2, 2, 3, 3, 4]);
    }
}
