//! The oracle against one that works out all owners of all keys after every change.

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

/// A member; the oracle does not look at successors.
fn member(place: u8, predecessor: u8) -> direct::Member {
    direct::Member {
        id: id(place),
        predecessor: id(predecessor),
        successors: Vec::new(),
        begins: false,
    }
}

/// The same by brute force.
#[derive(Default)]
struct Naive {
    /// The member's place and predecessor, and whether it is settled, by node.
    members: BTreeMap<u32, (u8, u8, bool)>,
    /// The side of each node that was ever a member.
    sides: BTreeMap<u32, u32>,
    /// The asker, the key and the owners so far, by number.
    open: BTreeMap<u64, (u32, u8, BTreeSet<u32>)>,
}

/// How far it is clockwise from one place to another.
fn distance(from: u8, to: u8) -> u8 {
    to.wrapping_sub(from)
}

impl Naive {
    fn side(&self, node: u32) -> u32 {
        self.sides[&node]
    }

    /// The members of a side, as they are met clockwise from a place on.
    fn clockwise(&self, side: u32, from: u8) -> Vec<u32> {
        let nodes = self.members.keys().copied();
        let mut nodes: Vec<u32> = nodes.filter(|&node| self.side(node) == side).collect();
        nodes.sort_by_key(|node| distance(from, self.members[node].0));
        nodes
    }

    /// Who has taken over by now, and who owns what.
    fn look(&mut self) {
        let nodes: Vec<u32> = self.members.keys().copied().collect();
        for node in nodes {
            let place = self.members[&node].0;
            let circle = self.clockwise(self.side(node), place);
            let (next, predecessor, _) = self.members[circle.get(1).unwrap_or(&node)];
            let past = if next == place {
                true
            } else {
                distance(place, predecessor) < distance(place, next)
            };
            self.members.get_mut(&node).unwrap().2 |= past;
        }
        for number in self.open.keys().copied().collect::<Vec<_>>() {
            let (asker, key, _) = self.open[&number];
            let circle = self.clockwise(self.side(asker), key);
            let unsettled = circle
                .iter()
                .take_while(|node| !self.members[node].2)
                .count();
            let owners = circle.into_iter().take(unsettled + 1);
            self.open.get_mut(&number).unwrap().2.extend(owners);
        }
    }
}

/// A random history of members, sides and look-ups among few places.
fn history(seed: u64, places: u8, steps: u64) -> (usize, usize) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |bound: u64| random.next_u64() % bound;
    let spacing = [1, 256 / u64::from(places)][below(2) as usize];
    let offset = below(256);
    let point = |place: u64| (offset + place * spacing) as u8;
    let places = u64::from(places);
    let (mut naive, mut oracle) = (Naive::default(), LookupOracle::new());
    let mut verdicts = (0, 0);
    let mut parts = 1;
    for step in 0..steps {
        let node = below(places) as u32;
        let place = point(u64::from(node));
        let is_member = naive.members.contains_key(&node);
        match below(12) {
            0..4 if !is_member => {
                let side = below(parts) as u32;
                let predecessor = point(below(places));
                oracle.joined(node, side, &member(place, predecessor));
                naive.members.insert(node, (place, predecessor, false));
                naive.sides.insert(node, side);
            }
            0..2 => {
                oracle.gone(node);
                naive.members.remove(&node);
                if below(2) == 0 {
                    let before = naive.open.len();
                    naive.open.retain(|_, (asker, ..)| *asker != node);
                    assert_eq!(oracle.abandon(node), before - naive.open.len());
                }
            }
            2..5 if is_member => {
                let predecessor = point(below(places));
                oracle.changed(node, &member(place, predecessor));
                naive.members.get_mut(&node).unwrap().1 = predecessor;
            }
            5 if step % 3 == 0 => {
                parts = 1 + below(3);
                let all: Vec<u32> = (0..places).map(|_| below(parts) as u32).collect();
                if parts == 1 {
                    oracle.healed();
                } else {
                    oracle.split(|node| all[node as usize]);
                }
                for (&node, side) in &mut naive.sides {
                    *side = all[node as usize];
                }
                for member in naive.members.values_mut() {
                    member.2 = false;
                }
            }
            // Also askers that are members no more.
            6..9 if naive.sides.contains_key(&node) => {
                let key = [below(256) as u8, point(below(places))][below(2) as usize];
                oracle.issued(step, node, id(key), 10 * step);
                naive.open.insert(step, (node, key, BTreeSet::new()));
            }
            _ if !naive.open.is_empty() => {
                let numbers: Vec<u64> = naive.open.keys().copied().collect();
                let number = numbers[below(numbers.len() as u64) as usize];
                let named = below(places) as u32;
                let (asker, key, owners) = naive.open.remove(&number).unwrap();
                let right = owners.contains(&named);
                let issued = 10 * number;
                let lookup = Lookup {
                    asker,
                    key: id(key),
                    issued,
                    owners,
                };
                let told = oracle.finished(number, named);
                assert_eq!(told, Some(Finished { lookup, right }));
                if right {
                    verdicts.0 += 1;
                } else {
                    verdicts.1 += 1;
                }
            }
            _ => assert_eq!(oracle.finished(step, 0), None),
        }
        naive.look();
        assert_eq!(oracle.open(), naive.open.len());
        for (number, (.., owners)) in &naive.open {
            assert_eq!(&oracle.open[number].owners, owners, "step {step}");
        }
    }
    verdicts
}

proptest! {
    #[test]
    fn it_agrees_with_brute_force(seed: u64, places in 1u8..12) {
        history(seed, places, 200);
    }
}

#[test]
fn histories_give_both_verdicts() {
    let (right, wrong) = history(1, 8, 3000);
    assert!(right > 100 && wrong > 100);
}

/// Three members, each with the one before it as its predecessor: nodes 1, 2, 3.
fn three() -> LookupOracle {
    let members = [
        (1, member(10, 30)),
        (2, member(20, 10)),
        (3, member(30, 20)),
    ];
    LookupOracle::start(members.iter().map(|(node, member)| (*node, member)))
}

fn ask(oracle: &mut LookupOracle, key: u8, named: u32) -> bool {
    oracle.issued(9, 1, id(key), 0);
    oracle.finished(9, named).unwrap().right
}

#[test]
fn wrong_fires_for_anybody_but_the_owner() {
    let mut oracle = three();
    for (key, owner) in [
        (5, 1),
        (10, 1),
        (11, 2),
        (20, 2),
        (30, 3),
        (31, 1),
        (255, 1),
    ] {
        for named in 0..5 {
            assert_eq!(
                ask(&mut oracle, key, named),
                named == owner,
                "{key} at {named}"
            );
        }
    }
}

#[test]
fn old_and_new_owner_count_until_the_take_over_is_complete_and_then_only_the_new() {
    let mut oracle = three();
    oracle.joined(4, 0, &member(25, 20));
    assert!(ask(&mut oracle, 23, 4) && ask(&mut oracle, 23, 3));
    assert!(!ask(&mut oracle, 23, 1) && !ask(&mut oracle, 26, 4));
    oracle.changed(3, &member(30, 25));
    assert!(ask(&mut oracle, 23, 4) && !ask(&mut oracle, 23, 3));
    // It stays so, whatever the next one believes later.
    oracle.changed(3, &member(30, 20));
    assert!(!ask(&mut oracle, 23, 3));
}

#[test]
fn whoever_owned_the_key_at_any_time_of_the_look_up_is_right() {
    let mut oracle = three();
    for number in 0..3 {
        oracle.issued(number, 1, id(15), 7);
    }
    oracle.gone(2);
    oracle.issued(3, 1, id(15), 8);
    oracle.gone(3);
    let mut right = |number, named| {
        let told = oracle.finished(number, named).unwrap();
        assert_eq!(told.lookup.issued, if number < 3 { 7 } else { 8 });
        told.right
    };
    assert!(right(0, 2) && right(1, 3) && right(2, 1));
    assert!(!right(3, 2), "gone before it was asked");
}

#[test]
fn each_side_has_its_own_owner_while_it_is_cut_off() {
    let mut oracle = three();
    oracle.issued(1, 1, id(15), 0);
    oracle.split(|node| u32::from(node == 2));
    assert!(!ask(&mut oracle, 15, 2) && ask(&mut oracle, 15, 3));
    oracle.issued(2, 2, id(25), 0);
    assert!(oracle.finished(2, 2).unwrap().right);
    assert!(
        oracle.finished(1, 2).unwrap().right,
        "it was, before the cut"
    );
    oracle.healed();
    assert!(ask(&mut oracle, 15, 2));
}

#[test]
fn the_look_ups_of_the_dead_are_dropped() {
    let mut oracle = three();
    for number in 0..5 {
        oracle.issued(number, 1 + number as u32 % 2, id(15), 0);
    }
    assert_eq!((oracle.abandon(1), oracle.open()), (3, 2));
    assert_eq!(oracle.finished(0, 2), None);
}

#[test]
fn whose_place_a_twin_took_has_it_again_when_that_one_is_gone() {
    let mut oracle = three();
    let own = member(20, 10);
    let right = |oracle: &mut LookupOracle, named| {
        oracle.issued(9, 1, id(20), 0);
        oracle.finished(9, named).unwrap().right
    };
    oracle.joined(7, 0, &own);
    assert!(right(&mut oracle, 7));
    // Not as long as the other is there.
    oracle.changed(2, &own);
    assert!(!right(&mut oracle, 2));
    oracle.gone(7);
    oracle.changed(2, &own);
    assert!(right(&mut oracle, 2));
    // Who is gone itself has nothing.
    oracle.joined(7, 0, &own);
    oracle.gone(2);
    oracle.gone(7);
    oracle.changed(2, &own);
    assert!(!right(&mut oracle, 2));
}
