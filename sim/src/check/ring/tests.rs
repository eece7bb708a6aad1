//! The incremental checker against the formulas, on random histories and on worlds broken on
//! purpose.

use std::collections::{BTreeMap, BTreeSet};

use cuerda_core::ring::Id;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::check::direct;

fn id(place: u8) -> Id {
    Id::from_high(u64::from(place) << 56)
}

fn member(place: u8, predecessor: u8, successors: &[u8]) -> Member {
    Member {
        id: id(place),
        predecessor: id(predecessor),
        successors: successors.iter().map(|&place| id(place)).collect(),
        begins: false,
    }
}

/// The members of a ring, the nodes that they are, and the checker that was told.
struct World {
    room: usize,
    checker: RingChecker,
    nodes: BTreeMap<u32, Member>,
    /// What is broken according to the changes that were told.
    told: BTreeSet<(Property, Option<u32>)>,
    /// How many of the properties of all together were broken when last looked at.
    of_all: usize,
}

impl World {
    fn start(room: usize, members: impl IntoIterator<Item = Member>) -> World {
        let nodes: BTreeMap<u32, Member> = (0..).zip(members).collect();
        let told_in = nodes.iter().map(|(&node, member)| (node, member));
        let checker = RingChecker::start(room, told_in);
        let told = BTreeSet::new();
        let mut world = World {
            room,
            checker,
            nodes,
            told,
            of_all: 0,
        };
        world.agrees();
        world
    }

    /// An ideal ring of these places, in order; node i is the i-th.
    fn ideal(room: usize, places: &[u8]) -> World {
        World::start(room, ideal(room, places))
    }

    fn joined(&mut self, node: u32, member: Member) {
        self.checker.joined(node, &member);
        // What it was elsewhere is gone before it comes, so that somebody may be alone for a moment.
        if self.nodes.remove(&node).is_some() {
            self.look_who_begins();
        }
        self.nodes.insert(node, member);
        self.agrees();
    }

    /// A member with an empty list that is alone is one that begins, until it has a list.
    fn look_who_begins(&mut self) {
        let only = self.nodes.len() == 1;
        for member in self.nodes.values_mut() {
            member.begins = member.successors.is_empty() && (only || member.begins);
        }
    }

    fn changed(&mut self, node: u32, mut member: Member) {
        self.checker.changed(node, &member);
        member.begins = self.nodes[&node].begins;
        self.nodes.insert(node, member);
        self.agrees();
    }

    fn gone(&mut self, node: u32) {
        self.checker.gone(node);
        self.nodes.remove(&node);
        self.agrees();
    }

    /// Compares all that the checker says with the formulas.
    fn agrees(&mut self) {
        self.look_who_begins();
        let nodes = self.nodes.values();
        let members: BTreeMap<Id, Member> = nodes.map(|m| (m.id, m.clone())).collect();
        let expected = direct::broken(&members, self.room);
        let doubt = self.checker.in_doubt();
        let early = self.checker.broken();
        assert_eq!(self.checker.broken_in_full(), expected, "{members:?}");
        assert!(
            doubt || early == expected,
            "was sure, and wrong: {members:?}"
        );
        // In doubt, what concerns all together counts as it last did.
        assert!(!self.checker.in_doubt(), "looked just now");
        let whole = BTreeSet::from(WHOLE);
        let of_all = |broken: &BTreeSet<Property>| broken.intersection(&whole).count();
        assert!(!doubt || of_all(&early) == self.of_all);
        self.of_all = of_all(&expected);
        assert_eq!(
            self.checker.ideal(),
            direct::is_ideal(&members, self.room),
            "{members:?}"
        );
        assert_eq!(
            self.checker.principals(),
            direct::principals(&members).len()
        );
        assert_eq!(
            self.checker.rings(),
            direct::rings(&members, self.room).len()
        );
        assert_eq!(self.checker.members(), members.len());

        for change in self.checker.drain_changes() {
            let key = (change.property, change.node);
            let new = if change.broke {
                self.told.insert(key)
            } else {
                self.told.remove(&key)
            };
            assert!(new, "told twice: {change:?}");
        }
        assert_eq!(
            self.told.iter().map(|key| key.0).collect::<BTreeSet<_>>(),
            expected
        );
        for property in Property::ALL {
            let told = self.told.iter().filter(|key| key.0 == property);
            let nodes: Vec<u32> = told.filter_map(|key| key.1).collect();
            assert!(self.checker.broken_at(property).eq(nodes.iter().copied()));
            for node in nodes {
                // Alone with its list, in a ring of others that is as large, it breaks it too.
                assert!(breaks(&members, &self.nodes[&node], property, self.room));
            }
        }
    }
}

/// Whether a property of single members is broken at this one.
fn breaks(
    members: &BTreeMap<Id, Member>,
    member: &Member,
    property: Property,
    room: usize,
) -> bool {
    match property {
        Property::OneLiveSuccessor => direct::best_successor(members, member, room).is_none(),
        _ => {
            direct::broken(&BTreeMap::from([(member.id, member.clone())]), room).contains(&property)
        }
    }
}

fn ideal(room: usize, places: &[u8]) -> Vec<Member> {
    let n = places.len();
    let row = |i: usize| {
        let list: Vec<u8> = (1..n).take(room).map(|k| places[(i + k) % n]).collect();
        member(places[i], places[(i + n - 1) % n], &list)
    };
    (0..n).map(row).collect()
}

/// A random history among few places: joins, departures, and lists that are right, nearly right,
/// or anything.
fn history(seed: u64, room: usize, places: u8, steps: usize) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |bound: usize| (random.next_u64() % bound as u64) as usize;
    // Spread over the circle or crowded, at its seam or not.
    let spacing = [1, 256 / usize::from(places)][below(2)];
    let offset = below(256);
    let point = |place: usize| (offset + place * spacing) as u8;
    let places = usize::from(places);
    let began: BTreeSet<u8> = (0..below(places)).map(point).collect();
    let began: Vec<u8> = began.into_iter().collect();
    let mut world = World::ideal(room, &began);
    for step in 0..steps {
        let living: Vec<u32> = world.nodes.keys().copied().collect();
        let mut circle: Vec<Id> = world.nodes.values().map(|m| m.id).collect();
        circle.sort_unstable();
        let place = point(below(places));
        let taken = circle.contains(&id(place));
        let joins = living.is_empty() || below(10) < 2 && !taken;
        let (node, me) = if joins {
            let known = world.nodes.iter().find(|(_, m)| m.id == id(place));
            (
                known.map_or(100 + step as u32 % 20, |(&node, _)| node),
                id(place),
            )
        } else {
            let node = living[below(living.len())];
            (node, world.nodes[&node].id)
        };
        if !joins && below(10) < 2 {
            world.gone(node);
            continue;
        }
        let ahead = circle.partition_point(|&other| other <= me);
        let others: Vec<Id> = (0..circle.len())
            .map(|k| circle[(ahead + k) % circle.len()])
            .filter(|&other| other != me)
            .collect();
        let mut successors: Vec<Id> = others.iter().copied().take(room).collect();
        let mut predecessor = others.last().copied().unwrap_or(me);
        for _ in 0..[0, 0, 1, 2][below(4)] {
            let strange = id(point(below(places)));
            match below(5) {
                0 => predecessor = strange,
                1 => successors.truncate(below(room)),
                2 if !successors.is_empty() => drop(successors.remove(below(successors.len()))),
                3 if !successors.is_empty() => {
                    let at = below(successors.len());
                    successors[at] = strange;
                }
                _ => {
                    successors.insert(below(successors.len() + 1), strange);
                    successors.truncate(room);
                }
            }
        }
        let member = Member {
            id: me,
            predecessor,
            successors,
            begins: false,
        };
        if world.nodes.contains_key(&node) && world.nodes[&node].id == me {
            world.changed(node, member);
        } else {
            world.joined(node, member);
        }
    }
}

proptest! {
    #[test]
    fn it_agrees_with_the_formulas_throughout_a_history(
        seed: u64, room in 1usize..=4, places in 2u8..14
    ) {
        history(seed, room, places, 60);
    }

    #[test]
    fn a_bulk_start_is_all_joins_together(
        rows in prop::collection::btree_map(
            any::<u8>(), (any::<u8>(), prop::collection::vec(any::<u8>(), 0..4)), 0..20
        ),
        room in 1usize..=4
    ) {
        let members = rows.iter().map(|(&place, (before, list))| member(place, *before, list));
        let mut one_by_one = World::start(room, []);
        for (node, member) in (0..).zip(members.clone()) {
            one_by_one.joined(node, member);
        }
        World::start(room, members);
    }
}

#[test]
fn who_is_alone_only_until_another_has_moved_begins_all_the_same() {
    history(12_322_673_619_680_627_399, 1, 11, 60);
}

#[test]
fn many_places_come_and_are_forgotten() {
    // Far more identifiers than members: blocks fill, and places are used again.
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut living: BTreeMap<Id, u32> = BTreeMap::new();
    let mut checker = RingChecker::new(2);
    for node in 0..6000 {
        let me = Id::from_high(random.next_u64());
        living.insert(me, node);
        let circle: Vec<Id> = living.keys().copied().collect();
        for ideal in around(&circle, me) {
            let node = living[&ideal.id];
            if ideal.id == me {
                checker.joined(node, &ideal);
            } else {
                checker.changed(node, &ideal);
            }
        }
        assert!(checker.ideal() && checker.broken_in_full().is_empty());
        if living.len() > 40 {
            let leaves = circle[random.next_u64() as usize % circle.len()];
            checker.gone(living.remove(&leaves).unwrap());
            assert!(!checker.ideal());
            let circle: Vec<Id> = living.keys().copied().collect();
            for ideal in around(&circle, leaves) {
                checker.changed(living[&ideal.id], &ideal);
            }
            assert!(checker.ideal());
            assert_eq!(checker.principals(), 40);
        }
    }
    assert!(checker.known.len() <= 1100 && checker.places.len() <= 1100);
}

#[test]
fn more_than_a_small_ring_may_join_whoever_was_left_alone() {
    // All but one have left, and come back before it has heard of the first: it has no list yet.
    let mut world = World::ideal(2, &[10, 20]);
    world.gone(0);
    world.changed(1, member(20, 20, &[]));
    for (node, place) in [(2, 30), (3, 40), (4, 50), (5, 60)] {
        world.joined(node, member(place, 20, &[20]));
        assert_eq!(world.checker.broken(), small_or(&world, node));
    }
    // Once it has had a list, it is to keep one.
    world.changed(1, member(20, 60, &[30]));
    world.changed(1, member(20, 60, &[]));
    let lost = world.checker.broken_in_full();
    assert!(lost.contains(&Property::OneLiveSuccessor), "{lost:?}");
    assert!(lost.contains(&Property::AtLeastOneRing), "{lost:?}");
}

/// In a ring of two successors each that is not small any more, those who have just joined are no
/// principals.
fn small_or(world: &World, joined: u32) -> BTreeSet<Property> {
    let small = joined < 4;
    assert_eq!(small, world.nodes.len() <= world.room + 1);
    let few = (!small).then_some(Property::SufficientPrincipals);
    few.into_iter().collect()
}

#[test]
fn whose_place_a_twin_took_has_it_again_when_that_one_is_gone() {
    let mut world = World::ideal(2, &[10, 20, 30, 40]);
    let first = world.nodes.remove(&1).unwrap();
    world.joined(9, first.clone());
    world.checker.changed(1, &first);
    world.agrees();
    world.gone(9);
    assert!(!world.checker.ideal());
    world.checker.changed(1, &first);
    world.nodes.insert(1, first.clone());
    world.agrees();
    assert!(world.checker.ideal());
    // Who is gone itself does not come back so.
    world.nodes.remove(&1);
    world.joined(9, first.clone());
    world.checker.gone(1);
    world.gone(9);
    world.checker.changed(1, &first);
    world.agrees();
}

#[test]
fn a_founder_in_a_ring_of_others_does_not_begin_it() {
    let mut world = World::ideal(2, &[10, 20, 30, 40]);
    world.joined(4, member(50, 50, &[]));
    let broken = world.checker.broken_in_full();
    assert!(broken.contains(&Property::OneLiveSuccessor), "{broken:?}");
}

/// The ideal members near a place, for two successors each.
fn around(circle: &[Id], place: Id) -> Vec<Member> {
    let n = circle.len();
    let at = circle.partition_point(|&other| other < place) + 4 * n;
    let near: BTreeSet<usize> = (at - 3..=at + 1).map(|i| i % n).collect();
    let ideal = |i: usize| Member {
        id: circle[i],
        predecessor: circle[(i + n - 1) % n],
        successors: (1..n).take(2).map(|k| circle[(i + k) % n]).collect(),
        begins: false,
    };
    near.into_iter().map(ideal).collect()
}

/// Breaks an ideal ring at one node and says what the checker told of it.
fn broken_by(
    room: usize,
    places: &[u8],
    changes: &[(u32, Member)],
) -> Vec<(Property, Option<u32>)> {
    let mut world = World::ideal(room, places);
    assert!(world.told.is_empty() && world.checker.ideal());
    for (node, member) in changes {
        world.changed(*node, member.clone());
    }
    world.told.iter().copied().collect()
}

#[test]
fn at_least_one_ring_fires() {
    let mut world = World::ideal(1, &[0, 10, 20, 30]);
    world.gone(1);
    let told: Vec<_> = world.told.iter().copied().collect();
    assert!(told.contains(&(Property::AtLeastOneRing, None)));
    assert!(told.contains(&(Property::OneLiveSuccessor, Some(0))));
}

#[test]
fn at_most_one_ring_fires() {
    let two = [
        (0, member(0, 20, &[20])),
        (1, member(10, 30, &[30])),
        (2, member(20, 0, &[0])),
        (3, member(30, 10, &[10])),
    ];
    let told = broken_by(1, &[0, 10, 20, 30], &two);
    assert!(told.contains(&(Property::AtMostOneRing, None)));
    // Each for itself is ordered, but there are others between.
    assert!(told.contains(&(Property::OrderedRing, None)));
}

#[test]
fn ordered_ring_fires_alone_for_a_ring_that_winds_twice() {
    let twice = [
        (0, member(0, 10, &[20])),
        (1, member(10, 20, &[30])),
        (2, member(20, 0, &[10])),
        (3, member(30, 10, &[0])),
    ];
    let told = broken_by(1, &[0, 10, 20, 30], &twice);
    let expected = [
        (Property::OrderedRing, None),
        (Property::SufficientPrincipals, None),
    ];
    assert_eq!(told, expected);
}

#[test]
fn connected_appendages_fires() {
    let mut world = World::ideal(1, &[10, 20, 30]);
    world.joined(3, member(25, 20, &[26]));
    world.joined(4, member(24, 20, &[25]));
    assert!(world.told.contains(&(Property::ConnectedAppendages, None)));
    world.changed(3, member(25, 20, &[30]));
    assert!(world.told.is_empty());
}

#[test]
fn no_duplicates_fires() {
    let told = broken_by(2, &[0, 10, 20, 30], &[(1, member(10, 0, &[20, 10]))]);
    assert!(told.contains(&(Property::NoDuplicates, Some(1))));
    // A list that ends at its own node keeps the order.
    assert!(!told.contains(&(Property::OrderedSuccessorLists, Some(1))));
}

#[test]
fn ordered_successor_lists_fires() {
    let told = broken_by(2, &[0, 10, 20, 30], &[(1, member(10, 0, &[30, 20]))]);
    assert!(told.contains(&(Property::OrderedSuccessorLists, Some(1))));
    assert!(!told.contains(&(Property::NoDuplicates, Some(1))));
}

#[test]
fn one_live_successor_fires_and_mends() {
    let mut world = World::ideal(2, &[0, 10, 20, 30, 40]);
    world.gone(1);
    assert!(world.told.is_empty());
    world.gone(2);
    assert!(world.told.contains(&(Property::OneLiveSuccessor, Some(0))));
    world.joined(2, member(20, 0, &[30, 40]));
    assert!(!world.told.contains(&(Property::OneLiveSuccessor, Some(0))));
}

#[test]
fn who_is_left_alone_with_a_list_of_the_gone_is_lost_and_breaks_nothing() {
    let mut world = World::ideal(2, &[0, 10]);
    assert!(!world.checker.survivor_is_lost());
    world.gone(1);
    assert!(world.checker.survivor_is_lost());
    assert!(world.told.is_empty());
    // Another comes back, that it does not know of: now it has none among two.
    world.joined(2, member(20, 0, &[10]));
    assert!(!world.checker.survivor_is_lost());
    assert!(world.told.contains(&(Property::OneLiveSuccessor, Some(0))));
    // Who is alone with an empty list is a ring of one.
    let mut world = World::ideal(2, &[0, 10]);
    world.changed(0, member(0, 0, &[]));
    world.gone(1);
    assert!(!world.checker.survivor_is_lost());
}

#[test]
fn sufficient_principals_fires() {
    // Everybody is skipped by somebody but nodes 0 and 3: r principals, not r+1.
    let skipping = [(0, member(0, 40, &[20, 30])), (3, member(30, 20, &[0, 10]))];
    let told = broken_by(2, &[0, 10, 20, 30, 40], &skipping);
    assert!(told.is_empty());
    let skipping = [&skipping[..], &[(1, member(10, 0, &[30, 40]))]].concat();
    let told = broken_by(2, &[0, 10, 20, 30, 40], &skipping);
    assert_eq!(told, [(Property::SufficientPrincipals, None)]);
}
