//! What nodes say of the copies of what they serve: never that all is well when it is not, and that it
//! is when it is.

use std::time::Duration;

use super::world::*;
use crate::chord::{Config, Copies, Input, Reply, Request};
use crate::ring::test_peers::{peer, peers};

const FIVE: [u8; 5] = [10, 60, 110, 160, 210];
/// Keys, each in the arc of another node.
const KEYS: [u8; 5] = [5, 50, 100, 150, 200];
const LONG: Duration = SECOND.saturating_mul(60);

/// Five nodes that have stored something under each of the keys.
fn stored(replicas: u8) -> World {
    let settings = Config {
        replicas,
        repair_every: Some(SECOND * 2),
        ..config(4)
    };
    let mut world = World::grown(settings, &FIVE);
    for key in KEYS {
        assert!(world.put(10, key, "a").expect("done").is_complete());
    }
    world.run(SECOND * 20);
    world
}

/// What the living say, taken together.
fn all(world: &World) -> Copies {
    let each = world
        .nodes
        .iter()
        .map(|(place, node)| node.copies(&world.stores[place]));
    let taken_together = |one: Copies, other: Copies| Copies {
        lacking: one.lacking + other.lacking,
        settled: one.settled && other.settled,
        under_way: one.under_way || other.under_way,
    };
    each.reduce(taken_together).expect("somebody lives")
}

/// How many living nodes hold something under a key.
fn holders(world: &World, key: u8) -> usize {
    let has = |place: &&u8| world.stores[place].peek(peer(key).id).is_some();
    world.nodes.keys().filter(has).count()
}

/// Whether the living know each other: what somebody has not noticed yet, he can't take into account.
fn know_each_other(world: &World) -> bool {
    let living: Vec<u8> = world.nodes.keys().copied().collect();
    let count = living.len();
    (0..count).all(|at| {
        let after = |steps: usize| living[(at + steps) % count];
        let successors: Vec<u8> = (1..count.min(5)).map(after).collect();
        around(world.node(living[at])) == (after(count - 1), successors)
    })
}

/// Lets things happen until all is well, as far as an operator can see.
fn until_well(world: &mut World) {
    let end = world.now + LONG;
    while !(know_each_other(world) && all(world).are_complete()) {
        assert!(world.step(end), "waited in vain: all is well");
    }
}

/// Lets things happen until what is said is such; fails if that does not come about.
fn until(world: &mut World, what: &str, such: impl Fn(Copies) -> bool) {
    let end = world.now + LONG;
    while !such(all(world)) {
        assert!(world.step(end), "waited in vain: {what}");
    }
}

#[test]
fn who_lost_a_holder_says_so_until_another_has_everything() {
    let mut world = stored(3);
    assert!(all(&world).are_complete());
    world.kill(&[110]);
    until(&mut world, "it is noticed", |copies| !copies.are_complete());
    until(&mut world, "copies are missing", |copies| {
        copies.lacking > 0
    });
    until(&mut world, "they are under way", |copies| copies.under_way);
    until_well(&mut world);
    for key in KEYS {
        assert!(holders(&world, key) >= 3, "{key}");
    }
}

#[test]
fn whatever_is_said_to_be_complete_survives_the_next_loss() {
    let mut world = stored(2);
    for place in [60, 160, 210] {
        world.kill(&[place]);
        until(&mut world, "it is noticed", |copies| !copies.are_complete());
        until_well(&mut world);
        for key in KEYS {
            assert!(holders(&world, key) >= 2, "{key} without {place}");
        }
    }
}

#[test]
fn with_fewer_nodes_than_copies_every_key_lacks_some() {
    let mut world = stored(3);
    world.kill(&[110, 160, 210]);
    world.run(LONG * 5);
    let copies = all(&world);
    // One owner speaks for each.
    let found = KEYS.iter().filter(|key| holders(&world, **key) > 0).count();
    assert_eq!((copies.lacking, copies.settled), (found as u64, true));
    assert!(found > 0 && !copies.are_complete());
}

#[test]
fn a_newcomer_is_settled_when_it_serves_its_arc() {
    let mut world = stored(3);
    world.start(130, 1, Input::Join(peers(&FIVE)));
    let end = world.now + LONG;
    while !world.node(130).is_member() {
        assert!(world.step(end), "it joins");
    }
    let newcomer = world.node(130).copies(&world.stores[&130]);
    assert!(!newcomer.settled, "nobody has handed its arc over yet");
    until_well(&mut world);
    world.assert_ideal(&[10, 60, 110, 130, 160, 210]);
}

#[test]
fn who_waits_for_former_holders_is_not_settled() {
    let mut world = stored(2);
    world.kill(&FIVE);
    world.run(SECOND * 5);
    let back = |world: &mut World, places: &[u8]| {
        for place in places {
            world.start(*place, 2, Input::Join(peers(&FIVE)));
        }
        world.run(LONG);
    };
    back(&mut world, &[10, 60]);
    assert!(!all(&world).settled);
    back(&mut world, &[110, 160, 210]);
    assert!(all(&world).are_complete());
}

#[test]
fn only_members_are_asked() {
    let mut member = Bench::member(10, 210, &[60]);
    member.ask(60, Request::Copies);
    assert_eq!(member.replied(), [(60, Reply::Copies(Copies::default()))]);
    let mut outside = Bench::outside(10);
    outside.ask(60, Request::Copies);
    assert_eq!(outside.replied(), [(60, Reply::NotMember)]);
}
