//! The seven properties that were claimed of the original, none of which is invariant.

use std::collections::{BTreeMap, BTreeSet};

use cuerda_core::ring::Id;
use cuerda_sim::check::direct::{self, Member};
use cuerda_sim::check::property::Property;

use super::Ring;
use crate::circle::between;

/// The seven, in the order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// If ring member a and appendage c share the best successor q, then between(a, c, q).
    OrderedMerges,
    /// No member of an appendage chain, its ring member included, lies between another and that
    /// one's best successor. A chain is the walk from one appendage to the ring.
    OrderedAppendages,
    /// No list skips a live node that stands in the list of the node before, which is one that
    /// has the list's owner for its best successor.
    ValidSuccessorList,
    ConnectedAppendages,
    AtLeastOneRing,
    AtMostOneRing,
    OrderedRing,
}

pub(super) const CLAIMS: [Claim; 7] = [
    Claim::OrderedMerges,
    Claim::OrderedAppendages,
    Claim::ValidSuccessorList,
    Claim::ConnectedAppendages,
    Claim::AtLeastOneRing,
    Claim::AtMostOneRing,
    Claim::OrderedRing,
];

fn id(n: u8) -> Id {
    Id::from_high(u64::from(n) << 32)
}

/// The same ring as the checkers of our own protocol see it.
fn members(ring: &Ring) -> BTreeMap<Id, Member> {
    let member = |(&n, node): (&u8, &super::Node)| {
        let member = Member {
            id: id(n),
            predecessor: id(node.prdc.unwrap_or(n)),
            successors: node.list().map(id).collect(),
            begins: false,
        };
        (member.id, member)
    };
    ring.nodes.iter().map(member).collect()
}

/// The cycles of best successors, each from its least member on.
pub(super) fn rings(ring: &Ring) -> Vec<Vec<u8>> {
    let number = |id: &Id| (id.high() >> 32) as u8;
    let rings = direct::rings(&members(ring), 2);
    rings
        .iter()
        .map(|r| r.iter().map(number).collect())
        .collect()
}

/// The claims that do not hold.
pub(super) fn broken(ring: &Ring) -> BTreeSet<Claim> {
    let shared = direct::broken(&members(ring), 2);
    let on_ring: BTreeSet<u8> = rings(ring).into_iter().flatten().collect();
    let holds = |claim| match claim {
        Claim::OrderedMerges => ordered_merges(ring, &on_ring),
        Claim::OrderedAppendages => ordered_appendages(ring, &on_ring),
        Claim::ValidSuccessorList => valid_successor_lists(ring),
        Claim::ConnectedAppendages => !shared.contains(&Property::ConnectedAppendages),
        Claim::AtLeastOneRing => !shared.contains(&Property::AtLeastOneRing),
        Claim::AtMostOneRing => !shared.contains(&Property::AtMostOneRing),
        Claim::OrderedRing => !shared.contains(&Property::OrderedRing),
    };
    CLAIMS.into_iter().filter(|&claim| !holds(claim)).collect()
}

fn ordered_merges(ring: &Ring, on_ring: &BTreeSet<u8>) -> bool {
    let appendages = || ring.nodes.keys().filter(|c| !on_ring.contains(c));
    on_ring.iter().all(|&a| {
        appendages().all(|&c| match (ring.best(a), ring.best(c)) {
            (Some(q), Some(other)) if q == other => between(a, c, q),
            _ => true,
        })
    })
}

fn ordered_appendages(ring: &Ring, on_ring: &BTreeSet<u8>) -> bool {
    ring.nodes.keys().all(|&start| {
        let mut chain = vec![start];
        // A walk that meets the ring ends there; one that ends nowhere, or in a cycle of its
        // own, is no appendage and the other claims' business.
        while let Some(&last) = chain.last()
            && !on_ring.contains(&last)
            && let Some(next) = ring.best(last)
        {
            chain.push(next);
        }
        let skips = |step: &[u8]| chain.iter().any(|&x| between(step[0], x, step[1]));
        !chain.windows(2).any(skips)
    })
}

fn valid_successor_lists(ring: &Ring) -> bool {
    ring.nodes.iter().all(|(&before, node)| {
        let Some(owner) = ring.best(before) else {
            return true;
        };
        let mut extended = vec![owner];
        extended.extend(ring.nodes[&owner].list());
        node.list()
            .filter(|&x| ring.live(x))
            .all(|x| !extended.windows(2).any(|gap| between(gap[0], x, gap[1])))
    })
}

/// Whether the ring is as it is long after the last change, second successors included.
pub(super) fn is_ideal(ring: &Ring) -> bool {
    let nodes: Vec<u8> = ring.nodes.keys().copied().collect();
    let count = nodes.len();
    nodes.iter().enumerate().all(|(at, n)| {
        let node = &ring.nodes[n];
        let after = |steps: usize| nodes[(at + steps) % count];
        node.succ == after(1)
            && node.prdc == Some(after(count - 1))
            && node.succ2.is_none_or(|succ2| succ2 == after(2))
    })
}
