//! Records in a small ring: read and written through any node, while nodes come and go.

use std::time::Duration;

use super::world::*;
use crate::chord::{
    AccessError, Condition, Config, Denied, Event, Fetched, Ignored, Input, Message, RecordNotice,
    Stamped, Write, Written, limits,
};
use crate::record::{DigestSource, Stamp};
use crate::ring::test_peers::{peer, peers};
use crate::ring::{Id, KeyRange};
use crate::store::Store;

fn settings() -> Config {
    Config {
        replicas: 3,
        ..config(4)
    }
}

/// A key at this place of the circle.
fn key(place: u8) -> Id {
    peer(place).id
}

impl World {
    /// Writes through a node, and waits for the answer.
    pub(super) fn put(
        &mut self,
        through: u8,
        at: u8,
        value: &'static str,
    ) -> Result<Written, AccessError> {
        self.write(through, at, Write::put("", value))
    }

    pub(super) fn write(
        &mut self,
        through: u8,
        at: u8,
        write: Write,
    ) -> Result<Written, AccessError> {
        let (told, key) = (self.told.len(), key(at));
        let token = told as u64;
        self.input(through, Input::Write { token, key, write });
        self.until(|event| match event {
            Event::Written { token: of, result } if *of == token => Some(result.clone()),
            _ => None,
        })
    }

    pub(super) fn get(&mut self, through: u8, at: u8) -> Result<Fetched, AccessError> {
        let (told, key) = (self.told.len(), key(at));
        let (token, past) = (told as u64, Stamp::ZERO);
        self.input(through, Input::Read { token, key, past });
        self.until(|event| match event {
            Event::Read { token: of, result } if *of == token => Some(result.clone()),
            _ => None,
        })
    }

    /// The value of a key as a client reads it.
    pub(super) fn value(&mut self, through: u8, at: u8) -> Option<String> {
        let fetched = self.get(through, at).expect("answered");
        let record = fetched.record?;
        let value = record.read("", u64::MAX)?.as_bytes().to_vec();
        Some(String::from_utf8(value).expect("text"))
    }

    fn until<T>(&mut self, such: impl Fn(&Event) -> Option<T>) -> T {
        let until = self.now + SECOND * 60;
        loop {
            if let Some(found) = self.told.iter().rev().find_map(|(_, _, event)| such(event)) {
                return found;
            }
            assert!(self.step(until), "no answer within a minute");
        }
    }

    /// Which of the nodes that run have a record of this key.
    fn holding(&self, at: u8) -> Vec<u8> {
        let arc = KeyRange::new(key(at).previous(), key(at));
        let has = |place: &&u8| {
            let store = self.stores.get(place);
            store.is_some_and(|store| store.digest(arc).records() == 1)
        };
        self.nodes.keys().filter(has).copied().collect()
    }
}

#[test]
fn what_is_written_through_one_node_is_read_through_any() {
    let ring = [10, 60, 110, 160, 210];
    let mut world = World::ideal(settings(), &ring);
    let written = world.put(10, 100, "a").expect("done");
    assert!(written.is_complete());
    assert_eq!(written.holders, [key(110), key(160), key(210)]);
    assert_eq!(world.holding(100), [110, 160, 210]);
    for through in ring {
        assert_eq!(world.value(through, 100).as_deref(), Some("a"));
        assert_eq!(world.value(through, 101), None);
    }
}

#[test]
fn a_deleted_key_reads_as_absent_and_a_later_write_wins() {
    let mut world = World::ideal(settings(), &[10, 60, 110, 160, 210]);
    let first = world.put(10, 100, "a").expect("done");
    let deleted = world.write(60, 100, Write::delete("")).expect("done");
    assert!(deleted.stamp > first.stamp);
    assert_eq!(world.value(160, 100), None);
    world.put(160, 100, "b").expect("done");
    assert_eq!(world.value(10, 100).as_deref(), Some("b"));
}

#[test]
fn a_condition_is_judged_by_the_owner() {
    let mut world = World::ideal(settings(), &[10, 60, 110, 160, 210]);
    let absent = Write {
        condition: Condition::Absent,
        ..Write::put("", "a")
    };
    let first = world
        .write(10, 100, absent.clone())
        .expect("nothing was there");
    let denied = AccessError::Denied(Denied::Changed(Some(first.stamp)));
    assert_eq!(world.write(60, 100, absent), Err(denied));
    let exactly = |stamp, value: &'static str| Write {
        condition: Condition::Stamp(stamp),
        ..Write::put("", value)
    };
    let second = world
        .write(210, 100, exactly(first.stamp, "b"))
        .expect("as expected");
    let denied = AccessError::Denied(Denied::Changed(Some(second.stamp)));
    assert_eq!(world.write(60, 100, exactly(first.stamp, "c")), Err(denied));
    assert_eq!(world.value(60, 100).as_deref(), Some("b"));
}

#[test]
fn too_few_processes_make_a_write_partial() {
    let mut world = World::ideal(settings(), &[10, 110]);
    let written = world.put(10, 100, "a").expect("done in part");
    assert!(!written.is_complete());
    assert_eq!(written.holders.len(), 2);
    let acks = Some(2);
    let mut world = World::ideal(Config { acks, ..settings() }, &[10, 110]);
    assert!(world.put(10, 100, "a").expect("done").is_complete());
}

#[test]
fn after_a_crash_the_next_owner_answers_and_the_copies_are_as_many_again() {
    let mut world = World::ideal(settings(), &[10, 60, 110, 160, 210, 240]);
    world.put(10, 100, "a").expect("done");
    world.kill(&[110, 160]);
    assert_eq!(world.value(10, 100).as_deref(), Some("a"));
    world.run(SECOND * 20);
    assert_eq!(world.holding(100), [10, 210, 240]);
    assert_eq!(world.value(60, 100).as_deref(), Some("a"));
    let written = world.put(60, 100, "b").expect("done");
    assert_eq!(written.holders, [key(210), key(240), key(10)]);
}

#[test]
fn a_newcomer_serves_its_arc_only_when_it_has_all_of_it() {
    let mut world = World::ideal(settings(), &[10, 60, 160, 210, 240]);
    for at in 61..=150 {
        world.put(10, at, "a").expect("done");
    }
    world.start(110, 1, Input::Join(peers(&[10])));
    // It is asked all the time while it comes in.
    for _ in 0..200 {
        assert_eq!(world.value(60, 100).as_deref(), Some("a"));
        assert_eq!(world.value(240, 62).as_deref(), Some("a"));
        world.run(Duration::from_millis(20));
    }
    let written = world.put(10, 100, "b").expect("done");
    assert_eq!(written.holders, [key(110), key(160), key(210)]);
    // The one that is no holder any more has dropped its copy, after the owner said so.
    world.run(SECOND * 20);
    assert_eq!(world.holding(80), [110, 160, 210]);
    assert_eq!(world.holding(120), [160, 210, 240]);
}

#[test]
fn a_leaver_hands_over_first_and_takes_nothing_off_its_disk() {
    let mut world = World::ideal(settings(), &[10, 60, 110, 160, 210, 240]);
    world.put(10, 100, "a").expect("done");
    world.put(10, 50, "b").expect("done");
    world.input(110, Input::Leave);
    world.until(|event| matches!(event, Event::Left).then_some(()));
    let before = world.now;
    assert!(before < SECOND * 30, "{before:?}");
    world.nodes.remove(&110);
    // Others hold it before it goes, not some time after.
    assert_eq!(world.holding(100), [160, 210, 240]);
    assert_eq!(world.holding(50), [60, 160, 210]);
    assert_eq!(world.stores[&110].len(), 2);
    assert_eq!(world.value(60, 100).as_deref(), Some("a"));
}

#[test]
fn both_sides_of_a_cut_write_and_the_newer_stays_after_it_heals() {
    let ring = [10, 50, 90, 130, 170, 210, 240];
    let mut world = World::ideal(settings(), &ring);
    world.put(10, 100, "a").expect("done");
    world.cut(&[10, 50, 90]);
    world.run(SECOND * 30);
    world.put(50, 100, "here").expect("answered");
    world.run(SECOND);
    world.put(170, 100, "there").expect("answered");
    world.cut(&[]);
    world.run(SECOND * 90);
    world.assert_ideal(&ring);
    for through in ring {
        assert_eq!(world.value(through, 100).as_deref(), Some("there"));
    }
    assert!(world.count(|event| matches!(event, Event::Conflict(..))) > 0);
    assert_eq!(world.holding(100), [130, 170, 210]);
}

#[test]
fn a_slow_clock_does_not_lose_what_was_written_after_another() {
    let mut world = World::ideal(settings(), &[10, 60, 110, 160, 210]);
    world.skew.insert(10, 5 * 60 * 1000);
    world.put(10, 100, "first").expect("done");
    // The other one's clock is five minutes behind, and it has heard nothing of the first.
    world.put(210, 100, "second").expect("done");
    assert_eq!(world.value(60, 100).as_deref(), Some("second"));
}

#[test]
fn a_node_that_comes_back_brings_what_it_has_and_gets_what_it_lacks() {
    let mut world = World::ideal(settings(), &[10, 60, 110, 160, 210, 240]);
    world.put(10, 100, "a").expect("done");
    world.kill(&[110]);
    world.run(SECOND * 10);
    world.put(10, 100, "b").expect("done");
    world.start(110, 2, Input::Join(peers(&[10])));
    world.run(SECOND * 30);
    assert_eq!(world.value(60, 100).as_deref(), Some("b"));
    assert_eq!(world.holding(100), [110, 160, 210]);
}

#[test]
fn neighbours_that_leave_at_the_same_moment_hand_over_one_after_the_other() {
    let ring = [10, 40, 60, 90, 110, 140, 160, 190, 210, 240];
    let mut world = World::ideal(settings(), &ring);
    for at in [80, 100, 130, 150] {
        assert!(world.put(10, at, "a").expect("done").is_complete());
    }
    // All holders of what lies before 90.
    for leaver in [90, 110, 140] {
        world.input(leaver, Input::Leave);
    }
    world.run(SECOND * 20);
    assert_eq!(world.count(|event| *event == Event::Left), 3);
    for leaver in [90, 110, 140] {
        world.nodes.remove(&leaver);
    }
    for at in [80, 100, 130] {
        assert_eq!(world.holding(at), [160, 190, 210]);
        assert_eq!(world.value(10, at).as_deref(), Some("a"));
    }
}

#[test]
fn a_damaged_record_is_not_served_and_comes_back_from_a_replica() {
    let mut world = World::ideal(settings(), &[10, 60, 110, 160, 210]);
    world.put(10, 100, "a").expect("done");
    world.run(SECOND * 10);
    let damaged = |world: &mut World, place: u8| {
        let store = world.stores.get_mut(&place).expect("it runs");
        assert!(store.damage(key(100)));
    };
    damaged(&mut world, 110);
    // Asked twice: the first time it finds out.
    for _ in 0..2 {
        let fetched = world.get(60, 100).expect("answered");
        let record = fetched.record.expect("its holders have it");
        assert!(record.read("", u64::MAX).is_some());
    }
    assert!(world.count(|event| matches!(event, Event::Damaged(_))) > 0);
    world.run(SECOND * 10);
    assert!(world.get(60, 100).expect("answered").authoritative);
    assert_eq!(world.holding(100), [110, 160, 210]);
    // A holder's copy comes back, too, when its owner next compares.
    damaged(&mut world, 160);
    let found = world.stores.get_mut(&160).expect("it runs").get(key(100));
    assert!(found.is_err());
    world.run(SECOND * 10);
    assert_eq!(world.holding(100), [110, 160, 210]);
}

#[test]
fn a_notice_is_obeyed_and_not_answered_and_may_not_be_endless() {
    let notice = |count: usize| {
        let tombstone = (key(100), String::new(), Stamp::ZERO);
        Message::Records(Box::new(Stamped {
            forgotten: 0,
            now: 0,
            clock: Stamp::ZERO,
            body: RecordNotice::Forget(vec![tombstone; count]),
        }))
    };
    let mut bench = Bench::member(110, 60, &[160]);
    bench.handle(Input::Resume);
    bench.sent();
    bench.hear(60, notice(limits::FETCHED_KEYS));
    assert_eq!((bench.sent(), bench.net.take_events()), (vec![], vec![]));
    bench.hear(60, notice(limits::FETCHED_KEYS + 1));
    let full = Event::Ignored(peer(60), Ignored::Full);
    assert_eq!(
        (bench.sent(), bench.net.take_events()),
        (vec![], vec![full])
    );
}

#[test]
fn one_client_that_claims_to_have_seen_the_future_stops_nobody() {
    let mut world = World::ideal(settings(), &[10, 60, 110, 160, 210]);
    // The owner's clock is a few minutes behind the others'.
    for place in [10, 60, 160, 210] {
        world.skew.insert(place, 5 * 60_000);
    }
    world.run(SECOND);
    let now = world.put(10, 100, "a").expect("done").stamp.milliseconds;
    let with_past = |minutes: u64| Write {
        past: Stamp {
            milliseconds: now + minutes * 60_000,
            ..Stamp::ZERO
        },
        ..Write::put("", "b")
    };
    let denied = world.write(10, 100, with_past(59));
    assert!(
        matches!(denied, Err(AccessError::Denied(Denied::Ahead(_)))),
        "{denied:?}"
    );
    // As far as it is followed, everybody else follows as well.
    world.write(10, 100, with_past(29)).expect("done");
    for through in [60, 110, 160, 210] {
        world.put(through, 100, "c").expect("done");
        world.put(through, 105, "c").expect("done");
    }
}
