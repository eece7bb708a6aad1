//! The properties of a ring, read off their formulas over all its members at once.
//!
//! Deliberately naive: each function is its formula in loops, so that it can be checked by eye
//! against [`Property`]. It is what the incremental checker is measured against, and what tests
//! of small rings use. It costs up to the cube of the number of members, remembers nothing from
//! one state to the next, and never changes what it looks at.
//!
//! # How it reads what the formulas leave open
//!
//! * Members are exactly the live ones. Whatever is not in the map is dead.
//! * A list shorter than r is one that Zave pads with the identifiers after its last entry:
//!   the padding is no member and skips nobody.
//! * A ring of at most r+1 members is **small**. There each list holds all the others in the
//!   ideal state, and [`Property::SufficientPrincipals`] is not demanded. A node *without*
//!   successors is its own best successor there: so every ring begins.
//! * In a larger ring such a node is one that lost all it knew, and has none; unless it was the
//!   only member, and has listed nobody since. Then more than r+1 have joined it before it heard of
//!   the first, as they do who all left it and come back together.
//! * The only member is its own best successor even if it still lists dead ones.
//! * Where there is no member, nothing is broken.

use std::collections::{BTreeMap, BTreeSet};

use cuerda_core::ring::Id;

use super::property::Property;

/// What the properties are about: a live member and the neighbours it believes in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its place on the circle; its key in the map.
    pub id: Id,
    /// Its predecessor, live or not; the member itself if it knows of none.
    pub predecessor: Id,
    /// Its successors, nearest first, live or not.
    pub successors: Vec<Id>,
    /// Whether it **begins**: it lists nobody, and has not since it was the only member.
    pub begins: bool,
}

impl Member {
    /// ESL(m): the member, then its successors.
    #[must_use]
    pub fn extended_successors(&self) -> Vec<Id> {
        let mut list = vec![self.id];
        list.extend_from_slice(&self.successors);
        list
    }
}

/// Whether the ring has at most r+1 members: too few for r+1 principals besides anybody.
#[must_use]
pub fn is_small(members: &BTreeMap<Id, Member>, room: usize) -> bool {
    members.len() <= room + 1
}

/// b(m): the first live entry of the successor list, with the exceptions of rings that begin.
#[must_use]
pub fn best_successor(members: &BTreeMap<Id, Member>, member: &Member, room: usize) -> Option<Id> {
    let live = |id: &&Id| members.contains_key(id);
    let begins = member.begins || is_small(members, room);
    let begins = begins && member.successors.is_empty();
    let only = members.len() == 1;
    let first = member.successors.iter().find(live).copied();
    first.or((begins || only).then_some(member.id))
}

/// b⁺(m): everybody reached from a member by one or more steps to the best successor.
#[must_use]
pub fn reached(members: &BTreeMap<Id, Member>, from: &Member, room: usize) -> BTreeSet<Id> {
    let mut seen = BTreeSet::new();
    let mut at = from;
    while let Some(next) = best_successor(members, at, room)
        && seen.insert(next)
    {
        at = &members[&next];
    }
    seen
}

/// The cycles of best successors, each from its least member on, in the order in which it is
/// walked.
#[must_use]
pub fn rings(members: &BTreeMap<Id, Member>, room: usize) -> Vec<Vec<Id>> {
    let mut rings: Vec<Vec<Id>> = Vec::new();
    for (&id, member) in members {
        let known = rings.iter().any(|ring| ring.contains(&id));
        if known || !reached(members, member, room).contains(&id) {
            continue;
        }
        let mut ring = vec![id];
        let mut at = member;
        while let Some(next) = best_successor(members, at, room)
            && next != id
        {
            ring.push(next);
            at = &members[&next];
        }
        rings.push(ring);
    }
    rings
}

/// The principals, in the order of their identifiers: the members that no extended successor
/// list skips.
#[must_use]
pub fn principals(members: &BTreeMap<Id, Member>) -> Vec<Id> {
    let skipped = |p: Id| {
        members.values().any(|m| {
            m.extended_successors()
                .windows(2)
                .any(|pair| p.is_between(pair[0], pair[1]))
        })
    };
    members.keys().copied().filter(|&p| !skipped(p)).collect()
}

/// The properties that do not hold.
#[must_use]
pub fn broken(members: &BTreeMap<Id, Member>, room: usize) -> BTreeSet<Property> {
    let mut broken = BTreeSet::new();
    if members.is_empty() {
        return broken;
    }
    let best: BTreeMap<Id, Option<Id>> = members
        .iter()
        .map(|(&id, member)| (id, best_successor(members, member, room)))
        .collect();
    let reached: BTreeMap<Id, BTreeSet<Id>> = members
        .iter()
        .map(|(&id, member)| (id, reached(members, member, room)))
        .collect();
    let ring: BTreeSet<Id> = members
        .keys()
        .copied()
        .filter(|id| reached[id].contains(id))
        .collect();
    let mut demand = |property, holds: bool| {
        if !holds {
            broken.insert(property);
        }
    };

    demand(Property::AtLeastOneRing, !ring.is_empty());
    demand(
        Property::AtMostOneRing,
        ring.iter()
            .all(|m1| ring.iter().all(|m2| m1 == m2 || reached[m2].contains(m1))),
    );
    demand(
        Property::OrderedRing,
        ring.iter().all(|&m1| {
            ring.iter().all(|&m2| {
                m1 == m2
                    || best[&m1] != Some(m2)
                    || ring
                        .iter()
                        .all(|&x| x == m1 || x == m2 || !x.is_between(m1, m2))
            })
        }),
    );
    demand(
        Property::ConnectedAppendages,
        members
            .keys()
            .filter(|a| !ring.contains(a))
            .all(|a| ring.iter().any(|q| reached[a].contains(q))),
    );
    demand(
        Property::NoDuplicates,
        members.values().all(|m| {
            let distinct: BTreeSet<&Id> = m.successors.iter().collect();
            distinct.len() == m.successors.len() && !distinct.contains(&m.id)
        }),
    );
    demand(
        Property::OrderedSuccessorLists,
        members.values().all(|m| {
            let list = m.extended_successors();
            (0..list.len()).all(|i| {
                (i + 1..list.len())
                    .all(|j| (j + 1..list.len()).all(|k| list[j].is_between(list[i], list[k])))
            })
        }),
    );
    demand(
        Property::OneLiveSuccessor,
        best.values().all(Option::is_some),
    );
    demand(
        Property::SufficientPrincipals,
        is_small(members, room) || principals(members).len() > room,
    );
    broken
}

/// Whether the ring is as it is when changes have stopped and everybody has stabilized: Ring =
/// M; succ₀(m) = m₂ ⇔ prdc(m₂) = m; succₖ is succ₀ taken k+1 times, all round a small ring.
///
/// Zave's formula is meant for states in which the invariant holds; two rings apart would
/// satisfy it each for itself. So one ordered ring is demanded too.
#[must_use]
pub fn is_ideal(members: &BTreeMap<Id, Member>, room: usize) -> bool {
    let whole = match &rings(members, room)[..] {
        [] => members.is_empty(),
        [ring] => ring.len() == members.len(),
        _ => false,
    };
    let holds = |first: &Member, second: &Member| {
        // Alone, one is one's own predecessor and lists nobody.
        let next = first.successors.first().unwrap_or(&first.id);
        (*next == second.id) == (second.predecessor == first.id)
    };
    whole
        && !broken(members, room).contains(&Property::OrderedRing)
        && members
            .values()
            .all(|m| members.values().all(|m2| holds(m, m2)))
        && members.values().all(|m| {
            let mut at = m;
            m.successors.len() == room.min(members.len() - 1)
                && m.successors.iter().all(|&successor| {
                    let next = at.successors.first().and_then(|next| members.get(next));
                    at = next.unwrap_or(at);
                    at.id == successor
                })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(place: u8) -> Id {
        Id::from_high(u64::from(place) << 56)
    }

    /// A ring of `(place, predecessor, successors)`.
    fn ring(members: &[(u8, u8, &[u8])]) -> BTreeMap<Id, Member> {
        members
            .iter()
            .map(|&(place, predecessor, successors)| {
                let member = Member {
                    id: id(place),
                    predecessor: id(predecessor),
                    successors: successors.iter().map(|&s| id(s)).collect(),
                    begins: false,
                };
                (member.id, member)
            })
            .collect()
    }

    /// An ideal ring of these places, which are in order.
    fn ideal(places: &[u8], room: usize) -> BTreeMap<Id, Member> {
        let n = places.len();
        let lists: Vec<Vec<u8>> = (0..n)
            .map(|i| (1..n).take(room).map(|k| places[(i + k) % n]).collect())
            .collect();
        let rows: Vec<(u8, u8, &[u8])> = (0..n)
            .map(|i| (places[i], places[(i + n - 1) % n], &lists[i][..]))
            .collect();
        ring(&rows)
    }

    fn names(members: &BTreeMap<Id, Member>, room: usize) -> Vec<&'static str> {
        broken(members, room)
            .into_iter()
            .map(Property::name)
            .collect()
    }

    #[test]
    fn in_an_ideal_ring_of_any_size_all_hold_and_all_are_principal() {
        for n in 0..9 {
            for room in 1..5 {
                let members = ideal(&[3, 40, 90, 120, 128, 200, 201, 255][..n], room);
                assert_eq!(names(&members, room), [""; 0], "{n} members, r = {room}");
                assert!(is_ideal(&members, room), "{n} members, r = {room}");
                assert_eq!(principals(&members).len(), n);
                assert_eq!(rings(&members, room).len(), n.min(1));
            }
        }
    }

    #[test]
    fn an_appendage_breaks_nothing_but_is_not_ideal() {
        let mut members = ideal(&[10, 20, 30, 40], 2);
        members.append(&mut ring(&[(15, 10, &[20, 30])]));
        assert_eq!(names(&members, 2), [""; 0]);
        assert!(!is_ideal(&members, 2));
        let principals = principals(&members);
        assert_eq!(principals, [id(10), id(20), id(30), id(40)]);
        assert_eq!(rings(&members, 2), [principals]);
    }

    #[test]
    fn nobody_finds_a_ring_through_a_dead_successor() {
        let members = ring(&[(0, 30, &[10]), (20, 0, &[0]), (30, 20, &[10])]);
        let expected = [
            "at-least-one-ring",
            "connected-appendages",
            "one-live-successor",
            "sufficient-principals",
        ];
        assert_eq!(names(&members, 1), expected);
        assert_eq!(rings(&members, 1), [[Id::ZERO; 0]; 0]);
    }

    #[test]
    fn two_rings_are_one_too_many_though_each_is_ideal() {
        let two = ring(&[
            (0, 20, &[20]),
            (10, 30, &[30]),
            (20, 0, &[0]),
            (30, 10, &[10]),
        ]);
        assert_eq!(
            names(&two, 1),
            ["at-most-one-ring", "ordered-ring", "sufficient-principals"]
        );
        assert_eq!(rings(&two, 1), [[id(0), id(20)], [id(10), id(30)]]);
        assert!(!is_ideal(&two, 1));
    }

    #[test]
    fn a_ring_that_goes_round_twice_is_not_ordered() {
        let twice = ring(&[(0, 10, &[20]), (20, 0, &[10]), (10, 20, &[0])]);
        assert_eq!(names(&twice, 1), ["ordered-ring", "sufficient-principals"]);
        assert!(!is_ideal(&twice, 1));
    }

    #[test]
    fn an_appendage_that_ends_in_a_dead_end_is_not_connected() {
        let mut members = ideal(&[10, 20, 30], 1);
        members.append(&mut ring(&[(25, 20, &[26]), (24, 20, &[25])]));
        assert_eq!(
            names(&members, 1),
            ["connected-appendages", "one-live-successor"]
        );
    }

    #[test]
    fn lists_repeat_nobody_and_keep_to_the_order() {
        let with = |list: &[u8]| {
            let mut members = ideal(&[10, 20, 30, 40, 50], 3);
            members.append(&mut ring(&[(15, 10, list)]));
            names(&members, 3)
        };
        assert_eq!(with(&[20, 30, 40]), [""; 0]);
        // From a point to itself the way goes all round, so a repeat skips everybody else.
        let again = [
            "no-duplicates",
            "ordered-successor-lists",
            "sufficient-principals",
        ];
        assert_eq!(with(&[20, 30, 30]), again);
        assert_eq!(
            with(&[20, 30, 15]),
            ["no-duplicates", "sufficient-principals"]
        );
        assert!(with(&[20, 40, 30]).contains(&"ordered-successor-lists"));
    }

    #[test]
    fn a_skipped_member_is_not_principal_and_r_members_are_too_few() {
        let mut members = ideal(&[10, 20, 30, 40], 2);
        members.append(&mut ring(&[(12, 10, &[30, 40])]));
        assert_eq!(principals(&members), [id(10), id(30), id(40)]);
        assert_eq!(names(&members, 2), [""; 0]);
        members.append(&mut ring(&[(32, 30, &[10, 20])]));
        assert_eq!(principals(&members), [id(10), id(30)]);
        assert_eq!(names(&members, 2), ["sufficient-principals"]);
    }

    #[test]
    fn the_free_tail_of_a_list_skips_nobody() {
        let mut members = ideal(&[10, 20, 30, 40, 50], 3);
        members.append(&mut ring(&[(15, 10, &[20])]));
        assert_eq!(names(&members, 3), [""; 0]);
        assert_eq!(principals(&members).len(), 5);
    }

    #[test]
    fn a_ring_grows_from_one_node_but_a_node_cut_off_has_no_successor() {
        let begun = ring(&[(10, 20, &[]), (20, 10, &[10])]);
        assert_eq!(names(&begun, 1), [""; 0]);
        assert_eq!(rings(&begun, 1), [[id(10)]]);
        assert!(!is_ideal(&begun, 1));

        let mut cut_off = ideal(&[10, 20, 30], 1);
        cut_off.append(&mut ring(&[(25, 20, &[])]));
        assert_eq!(
            names(&cut_off, 1),
            ["connected-appendages", "one-live-successor"]
        );
    }

    #[test]
    fn the_last_one_alive_is_a_ring_of_one_and_ideal_once_it_forgot_the_dead() {
        let last = ring(&[(10, 20, &[20])]);
        assert_eq!(names(&last, 1), [""; 0]);
        assert!(!is_ideal(&last, 1));
        assert!(is_ideal(&ring(&[(10, 10, &[])]), 1));
    }

    #[test]
    fn ideal_demands_predecessors_and_full_lists() {
        let mut members = ideal(&[10, 20, 30, 40], 2);
        members.get_mut(&id(20)).unwrap().predecessor = id(40);
        assert!(!is_ideal(&members, 2));
        let mut members = ideal(&[10, 20, 30, 40], 2);
        members.get_mut(&id(20)).unwrap().successors.pop();
        assert!(!is_ideal(&members, 2));
        assert_eq!(names(&members, 2), [""; 0]);
    }
}
