//! What is on a disk: acknowledged, forgotten, set aside. And what a node does again and again.

use super::*;
use crate::world::{EPOCH_MS, WriteIssue};
use bytes::Bytes;
use cuerda_core::chord::{RecordNotice, Timer};
use cuerda_core::protocol::{Condition, Written};
use cuerda_core::record::{Field, Record, Value};
use cuerda_core::store::Batch;

/// A stamp of the node at a place, so many milliseconds after the world began.
fn stamp(milliseconds: u64, node: u8) -> Stamp {
    Stamp {
        milliseconds: EPOCH_MS + milliseconds,
        counter: 0,
        node: peer(node).id,
    }
}

fn key() -> Id {
    peer(33).id
}

fn field(stamp: Stamp) -> Field {
    Field::new(stamp, None, Value::from(Bytes::from_static(b"x")), None)
}

fn store(number: u32, stamp: Stamp) -> Message {
    let part = Record::of("", field(stamp));
    let (key, epoch) = (key(), 1);
    about(number, RecordRequest::Store { key, part, epoch })
}

fn commit(scene: &mut Scene, node: u8, record: Option<Record>) {
    let at = Moment {
        now: scene.now,
        cause: Cause::Start,
    };
    let batch = Batch {
        number: 1,
        records: vec![(key(), record)],
        notes: None,
        set_aside: false,
    };
    scene
        .watched
        .committed(at, node.into(), peer(node).id, &batch);
}

fn keeps(scene: &mut Scene, node: u8, field: Field) {
    commit(scene, node, Some(Record::of("", field)));
    assert!(scene.step(node, late(0), &[], &ideal(node)).is_empty());
}

#[test]
fn a_holder_says_that_it_has_what_it_has_and_serves_no_such_key() {
    let mut scene = Scene::new();
    keeps(&mut scene, 50, field(stamp(20, 40)));
    let asked = |milliseconds| from(40, store(1, stamp(milliseconds, 40)));
    let stored = [(40, answer(1, RecordReply::Stored))];
    assert!(scene.would(50, asked(20), &stored, &ideal(50)).is_empty());
    assert_eq!(
        scene.would(50, asked(10), &stored, &ideal(50)),
        ["stored-not-kept"]
    );
    assert_eq!(
        scene.would(50, asked(30), &stored, &ideal(50)),
        ["stored-not-kept"]
    );
    let beaten = [(40, answer(1, RecordReply::Beaten(stamp(20, 40))))];
    assert!(scene.would(50, asked(10), &beaten, &ideal(50)).is_empty());

    assert!(
        scene
            .step(50, late(0), &[(60, store(9, stamp(20, 40)))], &ideal(50))
            .is_empty()
    );
    assert_eq!(
        scene.would(50, asked(20), &stored, &ideal(50)),
        ["held-for-another"]
    );
}

#[test]
fn a_condition_must_hold_and_a_stamp_be_near() {
    let mut scene = Scene::new();
    keeps(&mut scene, 40, field(stamp(20, 10)));
    let write = |there: u64| {
        let (key, name, field) = (key(), String::new(), field(stamp(30, 10)));
        let condition = Condition::Stamp(stamp(there, 10));
        from(
            10,
            about(
                1,
                RecordRequest::Write {
                    key,
                    name,
                    field,
                    condition,
                },
            ),
        )
    };
    let brings = [(50, store(2, stamp(30, 10)))];
    assert!(scene.would(40, write(20), &brings, &ideal(40)).is_empty());
    assert_eq!(
        scene.would(40, write(15), &brings, &ideal(40)),
        ["condition-ignored"]
    );
    assert!(scene.would(40, write(15), &[], &ideal(40)).is_empty());
    let hours = 2 * 60 * 60 * 1000;
    let far = [(50, store(2, stamp(hours, 10)))];
    assert_eq!(
        scene.would(40, late(0), &far, &ideal(40)),
        ["far-stamp-taken"]
    );
}

#[test]
fn a_deletion_is_forgotten_when_its_time_is_over() {
    let mut scene = Scene::new();
    for node in [40, 50, 60] {
        keeps(&mut scene, node, Field::tombstone(stamp(1000, 10), None));
    }
    let forgets = [50, 60].map(|to| {
        let (clock, body) = (Stamp::ZERO, RecordNotice::Forget(Vec::new()));
        (to, Message::Records(Box::new(Stamped::new(clock, body))))
    });
    let forget = |scene: &Scene| {
        let mut scene = scene.clone();
        commit(&mut scene, 40, None);
        scene.step(40, late(0), &forgets, &ideal(40))
    };
    assert_eq!(forget(&scene), ["forgotten-early"]);
    scene.now += 11 * 24 * 60 * 60 * SECOND;
    let asks = [(50, ask(1, Request::Neighbours))];
    assert_eq!(scene.step(40, late(0), &asks, &ideal(40)).len(), 0);
    assert!(forget(&scene).is_empty());
}

#[test]
fn who_missed_a_deletion_that_is_forgotten_sets_aside_and_nobody_else_does() {
    let mut scene = Scene::new();
    commit(&mut scene, 40, Some(Record::of("", field(stamp(20, 10)))));
    let there = ideal(40);
    assert!(scene.step(40, late(0), &[], &there).is_empty());
    let last = scene.now / 1_000_000;
    let day = 24 * 60 * 60 * SECOND;
    let asks = [(50, ask(9, Request::Neighbours))];
    let back = |scene: &Scene, input: Input<Node>, missed: u64, asides: &[Aside]| {
        let mut scene = scene.clone();
        // Other rules may speak of the long silence before.
        let _ = scene.step(40, input, &asks, &there);
        let claimed = RecordReply::Claimed {
            by: cuerda_core::chord::Claimed::Here,
            epoch: 1,
        };
        let told = Stamped {
            now: 0,
            clock: Stamp::ZERO,
            forgotten: EPOCH_MS + missed,
            body: claimed,
        };
        let told = from(50, reply(7, Reply::Records(Box::new(told))));
        scene.tell(40, told, &[], asides, &there)
    };
    let join = || Input::Join(peers(&[10]));
    let set_aside = [Aside::Event(Event::SetAside)];
    // It goes on running: whatever is forgotten, it was there.
    assert!(back(&scene, late(1), last + 5000, &[]).is_empty());
    assert_eq!(
        back(&scene, late(1), last + 5000, &set_aside),
        ["set-aside-early"]
    );
    // Started again, or suspended for as long, it was not.
    scene.now += 11 * day;
    for input in [join(), late(1)] {
        assert!(back(&scene, input.clone(), last + 5000, &set_aside).is_empty());
        assert_eq!(
            back(&scene, input.clone(), last + 5000, &[]),
            ["stale-kept"]
        );
        // Nothing that it missed is forgotten, however long it was away.
        assert!(back(&scene, input.clone(), 0, &[]).is_empty());
    }
    // A life in which it never was a member does not make it fresh.
    let _ = scene.step(40, join(), &asks, &there);
    assert_eq!(back(&scene, join(), last + 5000, &[]), ["stale-kept"]);
}

#[test]
fn a_write_is_complete_with_as_many_holders_as_the_settings_say() {
    let wrote = |wanted| {
        let mut scene = Scene::new();
        let at = Moment {
            now: scene.now,
            cause: Cause::Start,
        };
        scene.watched.handles(at, 10, &late(1));
        let (past, lives) = (Stamp::ZERO, None);
        let issue = WriteIssue {
            write: 1,
            asker: 10,
            key: key(),
            condition: Condition::None,
            deletes: false,
            lives,
            past,
        };
        let (stamp, holders, majority) = (stamp(6, 10), Vec::new(), true);
        let result = Ok(Written {
            stamp,
            holders,
            wanted,
            majority,
        });
        scene.ended(at, issue, result)
    };
    assert!(wrote(3).is_empty());
    assert_eq!(wrote(2), ["acks-too-few"]);
}

#[test]
fn the_remembered_are_probed_and_fingers_refreshed() {
    let mut scene = Scene::new();
    let remember = Input::Remember(peers(&[90]));
    assert!(scene.step(30, remember, &[], &ideal(30)).is_empty());
    let period = || Input::Timer(Timer::Stabilize);
    let rules: Vec<_> = (0..20)
        .flat_map(|_| scene.step(30, period(), &[], &ideal(30)))
        .collect();
    assert_eq!(rules, ["memory-not-probed"]);
    let due = || Input::Timer(Timer::Fingers);
    let near = neighbours(30, 20, &[31, 32, 33]);
    let rules: Vec<_> = (0..50)
        .flat_map(|_| scene.step(30, due(), &[], &near))
        .filter(|rule| rule.contains("finger"))
        .collect();
    assert_eq!(rules, ["fingers-unrefreshed"]);

    // Of a ring of two nobody is beyond the successor.
    let mut scene = Scene::new();
    let two = neighbours(30, 20, &[20]);
    let rules: Vec<_> = (0..50)
        .flat_map(|_| scene.step(30, due(), &[], &two))
        .filter(|rule| rule.contains("finger"))
        .collect();
    assert!(rules.is_empty(), "{rules:?}");
}

#[test]
fn a_silent_finger_is_taken_out_of_the_table() {
    let mut scene = Scene::new();
    let me = peer(10).id;
    let key = me.plus_power(158);
    let find = |number, confirm| ask(number, Request::Find { key, confirm });
    let due = Input::Timer(Timer::Fingers);
    assert!(
        scene
            .step(10, due, &[(90, find(1, true))], &ideal(10))
            .is_empty()
    );
    assert!(
        scene
            .step(10, late(1), &[(50, find(2, true))], &ideal(10))
            .is_empty()
    );
    let owner = || from(50, reply(2, Reply::Owner));
    assert_eq!(
        scene.would(10, owner(), &[], &ideal(10)),
        ["dead-finger-kept"]
    );
    let dead = [Aside::Event(Event::PresumedDead(peer(90)))];
    assert!(scene.tell(10, owner(), &[], &dead, &ideal(10)).is_empty());
}
