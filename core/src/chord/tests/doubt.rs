//! After the whole ring has stopped: what is not found is not said to be absent before that is
//! certain.

use super::world::*;
use crate::chord::{AccessError, Condition, Config, Denied, Event, Input, Write};
use crate::ring::test_peers::peers;

const FIVE: [u8; 5] = [10, 60, 110, 160, 210];
const TEN: [u8; 10] = [10, 35, 60, 85, 110, 135, 160, 185, 210, 235];
/// Keys, each in the arc of another node.
const KEYS: [u8; 5] = [5, 50, 100, 150, 200];
const UNCERTAIN: AccessError = AccessError::Denied(Denied::Uncertain);

/// Five nodes that have stored something under each of the keys, two copies each.
fn stored() -> World {
    let settings = Config {
        replicas: 2,
        repair_every: Some(SECOND),
        tombstones_for: SECOND * 60,
        ..config(4)
    };
    let mut world = World::grown(settings, &FIVE);
    for key in KEYS {
        assert!(world.put(10, key, "a").expect("done").is_complete());
    }
    // Time for their owners to see that all holders have all.
    world.run(SECOND * 5);
    world
}

/// The same, when all have stopped.
fn stopped() -> World {
    let mut world = stored();
    world.kill(&FIVE);
    world.run(SECOND * 5);
    world
}

fn back(world: &mut World, places: &[u8]) {
    for place in places {
        world.start(*place, 2, Input::Join(peers(&FIVE)));
    }
    world.run(SECOND * 20);
}

#[test]
fn what_is_not_found_is_uncertain_until_one_is_back_that_held_it() {
    let mut world = stopped();
    // What 110 owns is on 160 as well; what 160 and 210 own, on none of these.
    back(&mut world, &[10, 60]);
    world.assert_ideal(&[10, 60]);
    for (key, found) in [
        (5, true),
        (50, true),
        (100, false),
        (150, false),
        (200, true),
    ] {
        match found {
            true => assert_eq!(world.value(60, key).as_deref(), Some("a"), "{key}"),
            false => assert_eq!(world.get(60, key), Err(UNCERTAIN), "{key}"),
        }
    }
    // What was never written is as uncertain, and certain where one is back.
    assert_eq!(world.get(10, 101), Err(UNCERTAIN));
    assert_eq!(world.value(10, 51), None);
    back(&mut world, &[160]);
    assert_eq!(world.value(10, 100).as_deref(), Some("a"));
    assert_eq!(world.value(10, 150).as_deref(), Some("a"));
    for key in [51, 101, 151] {
        assert_eq!(world.value(60, key), None, "{key}");
    }
    assert!(world.nodes.values().all(|node| node.in_doubt().is_empty()));
}

#[test]
fn however_long_all_were_stopped_who_comes_back_is_believed() {
    let mut world = stopped();
    world.run(SECOND * 100_000);
    back(&mut world, &[10, 60]);
    assert_eq!(world.value(10, 51), None, "60 held that");
    assert_eq!(world.get(10, 101), Err(UNCERTAIN));
    back(&mut world, &[110, 160, 210]);
    for key in [51, 101, 151, 201] {
        assert_eq!(world.value(60, key), None, "{key}");
    }
}

#[test]
fn who_only_fell_silent_goes_on_saying_what_it_held_before() {
    let mut world = stored();
    // Nobody reaches anybody, as if all had stopped, for long enough that a ring is founded anew.
    world.cut_all(true);
    world.run(SECOND * 30);
    let stranded = |place| world.told_by(place).contains(&&Event::Stranded);
    assert!(FIVE.into_iter().all(stranded));
    world.cut_all(false);
    world.run(SECOND * 60);
    world.assert_ideal(&FIVE);
    assert!(world.nodes.values().all(|node| node.in_doubt().is_empty()));
    for key in [51, 101, 151, 201] {
        assert_eq!(world.value(60, key), None, "{key}");
    }
}

#[test]
fn what_must_not_be_there_is_not_written_where_that_is_uncertain() {
    let mut world = stopped();
    back(&mut world, &[10, 60]);
    let absent = Write {
        condition: Condition::Absent,
        ..Write::put("", "b")
    };
    assert_eq!(world.write(10, 100, absent.clone()), Err(UNCERTAIN));
    // Whoever writes anyway finds what he wrote, and what comes back later is older.
    world.put(10, 150, "b").expect("done");
    assert_eq!(world.value(60, 150).as_deref(), Some("b"));
    back(&mut world, &[110, 160, 210]);
    assert_eq!(world.value(60, 150).as_deref(), Some("b"));
    let denied = world.write(10, 100, absent);
    assert!(matches!(
        denied,
        Err(AccessError::Denied(Denied::Changed(Some(_))))
    ));
}

#[test]
fn who_was_away_for_long_before_all_stopped_is_not_believed() {
    let mut world = stored();
    world.kill(&[110]);
    world.run(SECOND * 300);
    world.put(10, 100, "b").expect("done");
    world.put(10, 101, "b").expect("done");
    let others = [10, 60, 160, 210];
    world.kill(&others);
    world.run(SECOND * 5);
    // It held what it owned, but not what was written since.
    back(&mut world, &[10, 110]);
    assert_eq!(world.get(10, 101), Err(UNCERTAIN));
    back(&mut world, &[160, 210]);
    assert_eq!(world.value(10, 100).as_deref(), Some("b"));
    assert_eq!(world.value(10, 101).as_deref(), Some("b"));
}

#[test]
fn as_long_as_it_is_in_doubt_a_ring_forgets_no_deletion() {
    let mut world = stopped();
    back(&mut world, &[10, 60]);
    world.write(10, 5, Write::delete("")).expect("done");
    world.run(SECOND * 600);
    // Had it, these would take what they bring for what was deleted meanwhile.
    back(&mut world, &[110, 160, 210]);
    assert_eq!(world.count(|event| *event == Event::SetAside), 0);
    assert_eq!(world.value(10, 100).as_deref(), Some("a"));
    assert_eq!(world.value(10, 150).as_deref(), Some("a"));
    assert_eq!(world.value(60, 5), None);
}

#[test]
fn a_new_ring_and_one_that_stored_nothing_are_certain_at_once() {
    let mut world = World::grown(config(4), &FIVE);
    assert_eq!(world.value(60, 100), None);
    world.kill(&FIVE);
    back(&mut world, &[10, 60]);
    assert_eq!(world.value(60, 100), None);
}

#[test]
fn a_leaver_that_handed_over_all_that_it_held_holds_nothing() {
    let mut world = stopped();
    back(&mut world, &FIVE);
    world.input(110, Input::Leave);
    world.run(SECOND * 20);
    assert!(world.told_by(110).contains(&&Event::Left));
    world.run(SECOND * 200);
    world.put(10, 100, "b").expect("done");
    world.kill(&[10, 60, 160, 210]);
    world.nodes.remove(&110);
    world.run(SECOND * 5);
    for place in [10, 110] {
        world.start(place, 3, Input::Join(peers(&FIVE)));
    }
    world.run(SECOND * 20);
    assert!(!world.node(10).in_doubt().is_empty() || !world.node(110).in_doubt().is_empty());
    let got = world.get(10, 101);
    assert_eq!(got, Err(UNCERTAIN));
}

/// Ten nodes with one key among them, of which all have heard: most hold nothing.
fn nearly_empty() -> World {
    let settings = Config {
        replicas: 2,
        repair_every: Some(SECOND),
        ..config(4)
    };
    let mut world = World::grown(settings, &TEN);
    world.put(10, 5, "a").expect("done");
    for place in TEN {
        assert_eq!(world.value(place, 5).as_deref(), Some("a"));
    }
    world.run(SECOND * 5);
    world
}

#[test]
fn where_nothing_was_one_that_is_back_knows_that() {
    let mut world = nearly_empty();
    // However long ago it was that anything came to them.
    world.run(SECOND * 1000);
    world.kill(&TEN);
    world.run(SECOND * 5);
    for place in TEN {
        world.start(place, 2, Input::Join(peers(&TEN)));
    }
    world.run(SECOND * 30);
    world.assert_ideal(&TEN);
    for key in TEN {
        assert_eq!(world.value(60, key), None, "{key}");
    }
    assert!(world.nodes.values().all(|node| node.in_doubt().is_empty()));
    assert_eq!(world.value(60, 5).as_deref(), Some("a"));
}

#[test]
fn who_was_running_all_the_time_knows_what_it_held() {
    let three = [10, 100, 200];
    let settings = Config {
        replicas: 2,
        repair_every: Some(SECOND),
        ..config(4)
    };
    let mut world = World::grown(settings, &three);
    world.put(10, 150, "a").expect("done");
    world.run(SECOND * 5);
    // Those that come back have lost their disks, and one of them founds the ring.
    world.kill(&[10, 100]);
    world.run(SECOND * 3);
    assert!(world.told_by(200).contains(&&Event::Stranded));
    for place in [10, 100] {
        world.stores.remove(&place);
        world.start(place, 2, Input::Join(peers(&three)));
    }
    world.run(SECOND * 60);
    world.assert_ideal(&three);
    assert_eq!(world.value(10, 150).as_deref(), Some("a"));
    assert_eq!(world.value(10, 160), None, "200 served that until then");
    assert_eq!(
        world.get(10, 5),
        Err(UNCERTAIN),
        "10 did, and has lost its disk"
    );
}
