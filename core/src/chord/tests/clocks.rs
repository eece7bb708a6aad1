//! One wrong clock costs what is asked of its node, and nothing else.

use std::time::Duration;

use super::world::*;
use crate::chord::{AccessError, Config, Denied, Event, Input, RecordNotice, Write};
use crate::record::limits::{SKEW_MAX, TAKEN_MAX};
use crate::record::{Field, Record, Stamp};
use crate::ring::Id;
use crate::store::Store;

const FIVE: [u8; 5] = [10, 60, 110, 160, 210];
const THREE_HOURS: u64 = 3 * SKEW_MAX;

/// Five nodes that have talked of records.
fn stored() -> World {
    let settings = Config {
        replicas: 3,
        repair_every: Some(SECOND * 2),
        ..config(4)
    };
    let mut world = World::grown(settings, &FIVE);
    for at in [20, 70, 120, 170, 220] {
        world.put(10, at, "a").expect("done");
    }
    world.run(SECOND * 20);
    world
}

fn told(world: &World, place: u8) -> Vec<Option<i64>> {
    let events = world.told_by(place).into_iter();
    let told = events.filter_map(|event| match event {
        Event::ClockWrong(by) => Some(*by),
        _ => None,
    });
    told.collect()
}

#[test]
fn whose_clock_is_wrong_says_so_and_stamps_nothing_until_it_is_right() {
    let mut world = stored();
    world.skew.insert(60, THREE_HOURS);
    world.run(SECOND * 10);
    assert!(
        matches!(told(&world, 60)[..], [Some(by)] if by.abs_diff(THREE_HOURS as i64) < 1000),
        "{:?}",
        told(&world, 60)
    );
    assert!(world.node(60).clock_wrong_by().is_some());
    let refused = world.put(60, 70, "b");
    assert!(
        matches!(refused, Err(AccessError::Denied(Denied::ClockWrong(by))) if by > 0),
        "{refused:?}"
    );
    // What it owns can be written through others, and all can be read through it.
    for at in [20, 70, 120, 170, 220] {
        assert!(
            world.put(10, at, "c").is_ok_and(|it| it.is_complete()),
            "{at}"
        );
        assert_eq!(world.value(60, at).as_deref(), Some("c"));
    }
    world.skew.insert(60, 0);
    world.run(SECOND * 10);
    assert_eq!(told(&world, 60).last(), Some(&None));
    assert!(world.put(60, 70, "d").is_ok_and(|it| it.is_complete()));
    let all = world.count(|event| matches!(event, Event::ClockWrong(_)));
    assert_eq!(all, 2, "nobody else takes its clock for wrong");
}

#[test]
fn what_was_stamped_far_ahead_before_anybody_noticed_is_taken_back() {
    let mut world = stored();
    world.put(10, 50, "before").expect("done");
    world.skew.insert(60, THREE_HOURS);
    // It owns the keys, is asked itself, and has heard nobody since its clock was set.
    for (at, value) in [(50, Some("before")), (55, None)] {
        let refused = world.put(60, at, "far");
        assert!(
            matches!(
                refused,
                Err(AccessError::Denied(
                    Denied::Ahead(_) | Denied::ClockWrong(_)
                ))
            ),
            "{refused:?}"
        );
        assert_eq!(world.value(160, at).as_deref(), value);
    }
    world.skew.insert(60, 0);
    world.run(SECOND * 20);
    // All keys are stamped as always, by it as well.
    for through in FIVE {
        for at in [50, 70] {
            let written = world.put(through, at, "over").expect("done");
            assert!(written.is_complete() && written.stamp.milliseconds < EPOCH + SKEW_MAX);
        }
    }
}

#[test]
fn what_is_there_from_a_wrong_clock_can_be_written_over_at_once() {
    let mut world = stored();
    let far = Stamp {
        milliseconds: EPOCH + 24 * 365 * SKEW_MAX,
        counter: 7,
        node: Id::ZERO,
    };
    for place in [60, 110, 160] {
        let mut store = world.stores.remove(&place).expect("it has one");
        store.put(key(50), Record::of("", Field::new(far, None, "far", None)));
        let batch = store.seal().expect("one is staged");
        store.committed(batch.number);
        world.stores.insert(place, store);
    }
    for through in FIVE {
        let over = world.put(through, 50, "over").expect("done");
        assert!(over.is_complete() && over.stamp > far, "{over:?}");
        assert_eq!(
            over.stamp.milliseconds, far.milliseconds,
            "no farther ahead"
        );
        assert_eq!(world.value(10, 50).as_deref(), Some("over"));
        // Other keys are stamped as always.
        let stamp = world.put(through, 70, "b").expect("done").stamp;
        assert!(stamp.milliseconds < EPOCH + SKEW_MAX, "{through}");
    }
    world.write(210, 50, Write::delete("")).expect("done");
    assert_eq!(world.value(10, 50), None);
}

#[test]
fn in_a_ring_of_two_neither_knows_who_is_wrong_and_both_ask() {
    let settings = Config {
        replicas: 2,
        repair_every: Some(SECOND * 2),
        ..config(2)
    };
    let mut world = World::grown(settings, &[10, 60]);
    world.put(10, 70, "a").expect("done");
    world.skew.insert(60, THREE_HOURS);
    world.run(SECOND * 20);
    for through in [10, 60] {
        let refused = world.put(through, 70, "b");
        assert!(
            matches!(refused, Err(AccessError::Denied(Denied::ClockWrong(_)))),
            "{refused:?}"
        );
    }
    world.skew.insert(60, 0);
    world.run(SECOND * 20);
    for through in [10, 60] {
        assert!(world.put(through, 70, "b").is_ok());
    }
}

#[test]
fn whoever_is_asked_what_its_clock_shows_says_it_once() {
    let mut bench = super::promises::owner();
    let ask = |body| {
        let stamp = crate::record::Stamp::ZERO;
        crate::chord::Message::Records(Box::new(crate::chord::Stamped::new(stamp, body)))
    };
    bench.hear(70, ask(RecordNotice::AskClock));
    let sent = bench.sent();
    let clock = bench.net.clock;
    assert!(
        matches!(&sent[..], [(70, crate::chord::Message::Records(said))]
            if said.body == RecordNotice::Clock && said.now == clock),
        "{sent:?}"
    );
    bench.hear(70, ask(RecordNotice::Clock));
    assert_eq!(bench.sent(), vec![]);
}

#[test]
fn a_value_lives_by_the_clock_of_its_keys_owner_whoever_is_asked() {
    let mut world = stored();
    let apart = TAKEN_MAX - 60_000;
    let minute = Duration::from_secs(60);
    world.skew.insert(60, apart);
    world.run(SECOND * 5);
    let short = |value: &'static str| Write {
        lives: Some(minute),
        ..Write::put("", value)
    };
    // 60 is far ahead, and owns the first of these keys.
    for (through, at) in [(10, 50), (60, 100), (160, 150)] {
        world.write(through, at, short("a")).expect("done");
    }
    let reads = |world: &mut World, at: u8| -> Vec<bool> {
        let lives = |world: &mut World, through| {
            let fetched = world.get(through, at).expect("answered");
            let record = fetched.record.expect("there");
            record.read("", fetched.now).is_some()
        };
        FIVE.into_iter()
            .map(|through| lives(world, through))
            .collect()
    };
    world.run(SECOND * 50);
    for at in [50, 100, 150] {
        assert_eq!(reads(&mut world, at), [true; 5], "{at}");
    }
    world.run(SECOND * 15);
    for at in [50, 100, 150] {
        assert_eq!(reads(&mut world, at), [false; 5], "{at}");
    }
}

#[test]
fn a_value_lives_as_long_though_the_askers_clock_is_set_while_it_asks() {
    let mut world = stored();
    // Ahead, and back again.
    for (token, by) in [(70, 120_000), (71, 0)] {
        let write = Write {
            lives: Some(SECOND * 60),
            ..Write::put("", "a")
        };
        let key = key(150);
        world.input(10, Input::Write { token, key, write });
        world.skew.insert(10, by);
        let lives = |world: &mut World| {
            let fetched = world.get(60, 150).expect("answered");
            let record = fetched.record.expect("there");
            record.read("", fetched.now).is_some()
        };
        world.run(SECOND * 55);
        assert!(lives(&mut world), "{by}");
        world.run(SECOND * 10);
        assert!(!lives(&mut world), "{by}");
    }
}

fn key(place: u8) -> Id {
    super::promises::key(place)
}
