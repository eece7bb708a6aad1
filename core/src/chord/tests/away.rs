//! Deletions stay deleted, whoever was away, and nothing is set aside without need.

use super::world::*;
use crate::chord::{Config, Event, Input, Write};
use crate::record::DigestSource as _;
use crate::ring::KeyRange;
use crate::ring::test_peers::{peer, peers};
use crate::store::Store as _;

const FIVE: [u8; 5] = [10, 60, 110, 160, 210];

fn settings() -> Config {
    Config {
        replicas: 3,
        tombstones_for: SECOND * 60,
        repair_every: Some(SECOND * 2),
        remembered: 4,
        ..config(4)
    }
}

/// Five nodes, three of which have what was written.
fn stored() -> World {
    let mut world = World::grown(settings(), &FIVE);
    world.put(10, 100, "a").expect("done");
    world.run(SECOND * 20);
    world
}

fn set_aside(world: &World) -> usize {
    world.count(|event| *event == Event::SetAside)
}

fn has(world: &World, place: u8) -> bool {
    let key = peer(100).id;
    let arc = KeyRange::new(key.previous(), key);
    world.stores[&place].digest(arc).records() == 1
}

#[test]
fn a_ring_that_was_down_as_a_whole_sets_nothing_aside() {
    let mut world = stored();
    world.kill(&FIVE);
    world.run(SECOND * 1000);
    for place in FIVE {
        world.start(place, 2, Input::Join(peers(&FIVE)));
    }
    world.run(SECOND * 60);
    assert_eq!(set_aside(&world), 0);
    assert_eq!(world.value(60, 100).as_deref(), Some("a"));
}

#[test]
fn who_was_away_for_long_keeps_what_it_has_if_nothing_was_forgotten() {
    let mut world = stored();
    world.kill(&[110]);
    world.run(SECOND * 1000);
    world.start(110, 2, Input::Join(peers(&FIVE)));
    world.run(SECOND * 20);
    assert_eq!(set_aside(&world), 0);
    assert_eq!(world.value(10, 100).as_deref(), Some("a"));
}

/// The node at 110 is suspended: its timers and what others say to it wait, and it notices nothing.
fn suspended_while(world: &mut World, what: impl FnOnce(&mut World)) {
    let sleeper = world.nodes.remove(&110).expect("it is there");
    what(world);
    world.nodes.insert(110, sleeper);
    // What was due meanwhile comes now.
    world.input(110, Input::Timer(crate::chord::Timer::Stabilize));
    world.input(110, Input::Timer(crate::chord::Timer::Repair));
}

#[test]
fn who_slept_through_a_deletion_that_is_forgotten_brings_nothing_back() {
    let mut world = stored();
    suspended_while(&mut world, |world| {
        world.run(SECOND * 20);
        world.write(10, 100, Write::delete("")).expect("done");
        world.run(SECOND * 300);
        assert!(!has(world, 160) && !has(world, 210), "it is forgotten");
    });
    world.run(SECOND * 60);
    assert_eq!(world.value(10, 100), None);
    assert!(FIVE.iter().all(|place| !has(&world, *place)));
    assert_eq!(world.stores[&110].aside().len(), 1);
    world.assert_ideal(&FIVE);
}

#[test]
fn who_slept_through_a_deletion_that_others_remember_is_told_of_it() {
    let mut world = stored();
    suspended_while(&mut world, |world| {
        world.run(SECOND * 20);
        world.write(10, 100, Write::delete("")).expect("done");
    });
    world.run(SECOND * 60);
    assert_eq!(world.value(10, 100), None);
    assert_eq!(set_aside(&world), 0);
}

#[test]
fn who_was_cut_off_alone_brings_nothing_back() {
    let mut world = stored();
    world.cut(&[110]);
    world.run(SECOND * 20);
    world.write(10, 100, Write::delete("")).expect("done");
    world.run(SECOND * 300);
    world.cut(&[]);
    world.run(SECOND * 100);
    world.assert_ideal(&FIVE);
    assert_eq!(world.value(10, 100), None);
    assert!(FIVE.iter().all(|place| !has(&world, *place)));
}

#[test]
fn what_was_written_alone_is_merged_with_what_others_wrote() {
    let mut world = stored();
    world.cut(&[110]);
    world.run(SECOND * 100);
    let alone = world.put(110, 100, "b").expect("done");
    assert!(!alone.is_complete());
    let on = world.stores[&110].notes().alive;
    world.put(10, 150, "c").expect("done");
    // Nothing was deleted, however long it lasts.
    world.run(SECOND * 300);
    let noted = world.stores[&110].notes().alive;
    assert_eq!(noted, on, "it is away until it is back among others");
    world.cut(&[]);
    world.run(SECOND * 100);
    world.assert_ideal(&FIVE);
    assert_eq!(set_aside(&world), 0);
    assert_eq!(world.value(10, 100).as_deref(), Some("b"));
    assert_eq!(world.value(110, 150).as_deref(), Some("c"));
    assert!(world.stores[&110].notes().alive > noted);
}

#[test]
fn who_was_displaced_just_before_a_deletion_brings_nothing_back() {
    let settings = Config {
        repair_every: Some(SECOND * 20),
        ..settings()
    };
    let mut world = World::grown(settings, &FIVE);
    world.put(10, 100, "a").expect("done");
    world.run(SECOND * 20);
    // 210 held a copy, and is told by nobody that it does not any more.
    for place in [120, 130, 140] {
        world.start(place, 1, Input::Join(peers(&FIVE)));
    }
    world.run(SECOND * 5);
    world.write(10, 100, Write::delete("")).expect("done");
    world.run(SECOND * 600);
    assert_eq!(world.value(10, 100), None);
    let all = world.nodes.keys().copied().collect::<Vec<u8>>();
    assert!(
        all.iter().all(|place| !has(&world, *place)),
        "all have forgotten it"
    );
}

#[test]
fn a_made_up_deletion_of_today_makes_nobody_set_anything_aside() {
    use crate::chord::{Message, RecordRequest, Request, Stamped};
    use crate::record::Stamp;
    let mut world = stored();
    world.kill(&[110]);
    world.run(SECOND * 10);
    world.start(110, 2, Input::Join(peers(&FIVE)));
    let mut told = Stamped::new(
        Stamp::ZERO,
        RecordRequest::Claim(KeyRange::new(peer(1).id, peer(2).id)),
    );
    told.forgotten = u64::MAX;
    world.run(SECOND);
    world.input(
        110,
        Input::Message {
            from: peer(60),
            message: Message::Request {
                id: crate::chord::RequestId::of_node(1, 77),
                request: Request::Records(Box::new(told)),
            },
            took: None,
        },
    );
    world.run(SECOND * 20);
    assert_eq!(set_aside(&world), 0);
    assert!(has(&world, 110));
}

#[test]
fn who_was_away_while_a_deletion_was_made_and_forgotten_sets_its_records_aside() {
    let mut world = World::ideal(settings(), &[10, 60, 110, 160]);
    world.put(10, 100, "a").expect("done");
    world.run(SECOND * 10);
    world.kill(&[110]);
    world.run(SECOND * 5);
    let deleted = world.write(10, 100, Write::delete(""));
    assert!(deleted.is_ok(), "{deleted:?}");
    world.run(SECOND * 200);
    world.start(110, 2, Input::Join(peers(&[10])));
    world.run(SECOND * 20);
    assert_eq!(set_aside(&world), 1);
    assert_eq!(world.stores[&110].aside().len(), 1);
    assert_eq!(world.value(60, 100), None);
}

#[test]
fn clocks_that_are_set_together_are_no_absence() {
    let mut world = stored();
    // Long ahead, and back again: all that was deleted lately is over at once by these clocks.
    for by in [1_000_000, 0] {
        for at in [20, 70, 120, 170, 220] {
            world.put(10, at, "b").expect("done");
            world.write(60, at, Write::delete("")).expect("done");
        }
        for place in FIVE {
            world.skew.insert(place, by);
        }
        world.run(SECOND * 30);
        assert_eq!(set_aside(&world), 0);
        assert_eq!(world.value(60, 100).as_deref(), Some("a"));
    }
    // What was deleted while they were ahead is older than its time only then.
    world.run(SECOND * 1200);
    let key = peer(170).id;
    let arc = KeyRange::new(key.previous(), key);
    let remember = |place: &u8| world.stores[place].digest(arc).records() != 0;
    assert!(!FIVE.iter().any(remember), "it is forgotten in the end");
}

#[test]
fn who_was_there_by_its_own_clock_was_not_away_whatever_others_show() {
    let mut world = stored();
    world.write(60, 170, Write::delete("")).expect("done");
    for place in [10, 60, 160, 210] {
        world.skew.insert(place, 10_000_000);
    }
    world.run(SECOND * 300);
    assert_eq!(set_aside(&world), 0);
    assert_eq!(world.value(160, 100).as_deref(), Some("a"));
}
