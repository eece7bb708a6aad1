//! What an owner says of others' disks and does about them, and what becomes of misplaced copies.

use super::*;
use crate::world::EPOCH_MS;
use bytes::Bytes;
use cuerda_core::chord::{RecordNotice, Timer};
use cuerda_core::protocol::{Condition, Written};
use cuerda_core::record::{DigestAnswer, DigestQuestion, Entry, Field, RangeDigest, Record, Value};
use cuerda_core::store::Batch;

/// A stamp of the node at 10, so many milliseconds after the world began.
fn stamp(milliseconds: u64) -> Stamp {
    Stamp {
        milliseconds: EPOCH_MS + milliseconds,
        counter: 0,
        node: peer(10).id,
    }
}

fn key(place: u8) -> Id {
    peer(place).id
}

fn value(milliseconds: u64) -> Field {
    let text = Value::from(Bytes::from_static(b"x"));
    Field::new(stamp(milliseconds), None, text, None)
}

fn commit(scene: &mut Scene, node: u8, place: u8, field: Option<Field>) {
    let at = Moment {
        now: scene.now,
        cause: Cause::Start,
    };
    let batch = Batch {
        number: 1,
        records: vec![(key(place), field.map(|field| Record::of("", field)))],
        notes: None,
        set_aside: false,
    };
    let watched = &mut scene.watched;
    watched.committed(at, node.into(), peer(node).id, &batch);
}

/// These nodes have this under the key of a place.
fn all_have(scene: &mut Scene, nodes: &[u8], place: u8, field: &Field) {
    for &node in nodes {
        commit(scene, node, place, Some(field.clone()));
        silent(scene, node, late(0), &[]);
    }
}

/// A step that breaks no rule.
fn silent(scene: &mut Scene, node: u8, input: Input<Node>, sent: &[(u8, Message)]) {
    let rules = scene.step(node, input, sent, &ideal(node));
    assert!(rules.is_empty(), "{rules:?}");
}

fn compare(number: u32, arc: KeyRange, assigns: bool) -> Message {
    let digest = RangeDigest::default();
    let question = DigestQuestion { arc, digest };
    about(number, RecordRequest::Compare { question, assigns })
}

fn compared(number: u32) -> Message {
    let answer_of_all = DigestAnswer::Same;
    let body = RecordReply::Compared {
        answer: answer_of_all,
        epoch: 1,
    };
    answer(number, body)
}

#[test]
fn where_a_holder_may_lack_something_it_is_compared_with_before_long() {
    let mut scene = Scene::new();
    all_have(&mut scene, &[40], 33, &value(20));
    let begins = [(50, compare(5, ideal(40).own(), true))];
    silent(&mut scene, 40, Input::Timer(Timer::Repair), &begins);
    let later = |scene: &Scene, sent: &[(u8, Message)]| {
        let mut scene = scene.clone();
        scene.now += 20 * SECOND;
        silent(&mut scene, 40, late(0), sent);
        scene.now += 30 * SECOND;
        scene.step(40, late(0), &[], &ideal(40))
    };
    let mut answered = scene.clone();
    silent(&mut answered, 40, from(50, compared(5)), &[]);
    assert!(later(&answered, &[]).is_empty());
    silent(&mut scene, 40, late(5), &[]);
    assert_eq!(later(&scene, &[]), ["repair-not-begun"]);
    let again = [(50, compare(6, ideal(40).own(), true))];
    assert!(later(&scene, &again).is_empty());

    // A write that fewer have is another reason, and so is a damaged record.
    let written = Written {
        stamp: stamp(30),
        holders: vec![key(40), key(50)],
        wanted: 3,
        majority: true,
    };
    let lacks = [(10, answer(9, RecordReply::Written(written)))];
    let mut partly = answered.clone();
    silent(&mut partly, 40, late(0), &lacks);
    assert_eq!(later(&partly, &[]), ["repair-not-begun"]);
    let read = || from(10, about(9, RecordRequest::Read(key(33))));
    let (record, others) = (None, peers(&[50, 60]));
    let refers = [(
        10,
        answer(
            9,
            RecordReply::Record {
                record,
                others,
                now: 0,
            },
        ),
    )];
    let damaged = [Aside::Event(Event::Damaged(key(33)))];
    let mends = |sent: &[(u8, Message)]| {
        let mut rotten = answered.clone();
        rotten.now += 60 * SECOND;
        let sent = [&refers, sent].concat();
        rotten.tell(40, read(), &sent, &damaged, &ideal(40))
    };
    assert_eq!(mends(&[]), ["repair-not-begun"]);
    let fetches = [(50, compare(7, ideal(40).own(), true))];
    assert!(mends(&fetches).is_empty());
}

#[test]
fn a_copy_that_belongs_elsewhere_is_asked_about() {
    let mut scene = Scene::new();
    all_have(&mut scene, &[40], 15, &value(20));
    let periods = |scene: &Scene, sent: &[(u8, Message)]| {
        let mut scene = scene.clone();
        let mut rules = Vec::new();
        for _ in 0..5 {
            let due = Input::Timer(Timer::Repair);
            rules.extend(scene.step(40, due, &[], &ideal(40)));
        }
        silent(&mut scene, 40, late(0), sent);
        for _ in 0..6 {
            let due = Input::Timer(Timer::Repair);
            rules.extend(scene.step(40, due, &[], &ideal(40)));
        }
        rules
    };
    assert_eq!(periods(&scene, &[]), ["misplaced-kept"]);
    let (entries, leaving) = (Vec::new(), false);
    let asks = [(20, about(7, RecordRequest::Confirm { entries, leaving }))];
    assert!(periods(&scene, &asks).is_empty());
    let confirm = false;
    let seeks = [(
        20,
        ask(
            7,
            Request::Find {
                key: key(15),
                confirm,
            },
        ),
    )];
    assert!(periods(&scene, &seeks).is_empty());
    // The owner counts it a holder.
    let mut holder = scene.clone();
    let assigns = from(20, compare(1, ideal(20).own(), true));
    silent(&mut holder, 40, assigns, &[(20, compared(1))]);
    assert!(periods(&holder, &[]).is_empty());
}

#[test]
fn a_condition_is_granted_with_a_majority_of_the_last_holders() {
    let mut scene = Scene::new();
    all_have(&mut scene, &[40], 33, &value(20));
    let write = |condition| {
        let (key, name, field) = (key(33), String::new(), value(30));
        let body = RecordRequest::Write {
            key,
            name,
            field,
            condition,
        };
        from(10, about(9, body))
    };
    let grants = |condition, holders: &[u8], majority| {
        let mut scene = scene.clone();
        silent(&mut scene, 40, write(condition), &[]);
        let written = Written {
            stamp: stamp(30),
            holders: holders.iter().map(|place| key(*place)).collect(),
            wanted: 3,
            majority,
        };
        let done = [(10, answer(9, RecordReply::Written(written)))];
        scene.step(40, late(0), &done, &ideal(40))
    };
    let here = Condition::Stamp(stamp(20));
    assert!(grants(here, &[40, 50, 60], true).is_empty());
    assert!(grants(here, &[40, 60, 10], true).is_empty());
    let strangers = [40, 20, 30];
    assert_eq!(grants(here, &strangers, true), ["granted-without-majority"]);
    assert!(grants(here, &strangers, false).is_empty());
    assert!(grants(Condition::None, &strangers, true).is_empty());
}

#[test]
fn who_waits_for_its_turn_to_leave_still_comes_to_know_new_holders() {
    let mut scene = Scene::new();
    all_have(&mut scene, &[40], 33, &value(20));
    silent(&mut scene, 40, Input::Leave, &[]);
    let compare = |number| {
        let question = DigestQuestion {
            arc: KeyRange::new(key(30), key(40)),
            digest: RangeDigest::default(),
        };
        let assigns = true;
        about(number, RecordRequest::Compare { question, assigns })
    };
    let compared = |number| {
        let (answer_, epoch) = (DigestAnswer::Same, 1);
        let says = RecordReply::Compared {
            answer: answer_,
            epoch,
        };
        from(20, answer(number, says))
    };
    let grants = |scene: &Scene| {
        let mut scene = scene.clone();
        let write = RecordRequest::Write {
            key: key(33),
            name: String::new(),
            field: value(30),
            condition: Condition::Stamp(stamp(20)),
        };
        silent(&mut scene, 40, from(10, about(9, write)), &[]);
        let written = Written {
            stamp: stamp(30),
            holders: vec![key(40), key(20)],
            wanted: 3,
            majority: true,
        };
        let done = [(10, answer(9, RecordReply::Written(written)))];
        scene.step(40, late(0), &done, &ideal(40))
    };
    assert_eq!(grants(&scene), ["granted-without-majority"]);
    silent(&mut scene, 40, late(0), &[(20, compare(5))]);
    assert_eq!(grants(&scene), ["granted-without-majority"], "unanswered");
    silent(&mut scene, 40, compared(5), &[]);
    assert!(grants(&scene).is_empty());
}

#[test]
fn an_owner_says_that_a_copy_may_go_when_all_others_have_it() {
    let mut scene = Scene::new();
    all_have(&mut scene, &[10, 40, 50], 33, &value(20));
    let confirms = |scene: &Scene, safe: bool| {
        let digest = Record::of("", value(20)).digest();
        let (entries, leaving) = (
            vec![Entry {
                key: key(33),
                digest,
            }],
            false,
        );
        let asks = from(10, about(1, RecordRequest::Confirm { entries, leaving }));
        let safe = safe.then_some(key(33)).into_iter().collect();
        let other = Vec::new();
        let says = [(10, answer(1, RecordReply::Confirmed { safe, other }))];
        scene.would(40, asks, &says, &ideal(40))
    };
    assert_eq!(confirms(&scene, true), ["safe-not-held"]);
    assert!(confirms(&scene, false).is_empty());
    all_have(&mut scene, &[60], 33, &value(10));
    assert_eq!(confirms(&scene, true), ["safe-not-held"], "an older one");
    all_have(&mut scene, &[60], 33, &value(20));
    assert!(confirms(&scene, true).is_empty());
}

#[test]
fn a_deletion_is_forgotten_when_all_have_it_and_nobody_is_away() {
    let mut scene = Scene::new();
    scene.now += 11 * 24 * 60 * 60 * SECOND;
    let deletion = Field::tombstone(stamp(20), None);
    all_have(&mut scene, &[40, 50], 33, &deletion);
    let forgets = |scene: &Scene| {
        let mut scene = scene.clone();
        commit(&mut scene, 40, 33, None);
        let (clock, body) = (Stamp::ZERO, RecordNotice::Forget(Vec::new()));
        let notice = Message::Records(Box::new(Stamped::new(clock, body)));
        let sent = [(50, notice.clone()), (60, notice)];
        scene.step(40, late(0), &sent, &ideal(40))
    };
    assert_eq!(forgets(&scene), ["forgotten-unconfirmed"]);
    all_have(&mut scene, &[60], 33, &deletion);
    assert!(forgets(&scene).is_empty());
    let dead = [Aside::Event(Event::PresumedDead(peer(20)))];
    let rules = scene.tell(40, late(0), &[], &dead, &ideal(40));
    assert!(rules.is_empty(), "{rules:?}");
    assert_eq!(forgets(&scene), ["forgotten-while-away"]);
    let mut back = scene.clone();
    silent(&mut back, 40, from(20, reply(3, Reply::Pong)), &[]);
    assert!(forgets(&back).is_empty());
    scene.now += 6 * 24 * 60 * 60 * SECOND;
    assert!(
        forgets(&scene)
            .iter()
            .all(|rule| !rule.contains("forgotten"))
    );
}

#[test]
fn whoever_is_handed_an_arc_has_what_was_acknowledged_there() {
    let mut scene = Scene::new();
    all_have(&mut scene, &[40], 33, &value(20));
    let written = Written {
        stamp: stamp(20),
        holders: vec![key(40), key(50), key(60)],
        wanted: 3,
        majority: true,
    };
    let done = [(10, answer(9, RecordReply::Written(written)))];
    silent(&mut scene, 40, late(0), &done);
    let (arc, epoch) = (KeyRange::new(key(30), key(35)), 2);
    let over = || about(3, hand_over(arc, epoch));
    silent(&mut scene, 40, late(0), &[(35, over())]);
    let takes = |scene: &Scene| {
        let after = neighbours(35, 30, &[40, 50, 60]);
        let taken = [(40, answer(3, RecordReply::Taken))];
        scene.would(35, from(40, over()), &taken, &after)
    };
    assert_eq!(takes(&scene), ["handed-over-lacking"]);
    commit(&mut scene, 35, 33, Some(value(20)));
    assert!(takes(&scene).is_empty());
}

#[test]
fn a_write_that_may_have_been_done_keeps_its_stamp() {
    let write = |number, milliseconds| {
        let (key, name, field) = (key(33), String::new(), value(milliseconds));
        let condition = Condition::None;
        let body = RecordRequest::Write {
            key,
            name,
            field,
            condition,
        };
        [(40, about(number, body))]
    };
    let mut scene = Scene::new();
    silent(&mut scene, 10, late(0), &write(1, 20));
    let again =
        |scene: &Scene, milliseconds| scene.would(10, late(0), &write(2, milliseconds), &ideal(10));
    let mut doubtful = scene.clone();
    silent(&mut doubtful, 10, late(1), &[]);
    assert_eq!(again(&doubtful, 30), ["restamped-in-doubt"]);
    assert!(again(&doubtful, 20).is_empty());
    let gave_up = RecordReply::NotServing {
        ask: peer(40),
        holders: Vec::new(),
    };
    let mut given_up = scene.clone();
    silent(&mut given_up, 10, from(40, answer(1, gave_up)), &[]);
    assert_eq!(again(&given_up, 30), ["restamped-in-doubt"]);
    let beaten = from(40, answer(1, RecordReply::Beaten(stamp(25))));
    silent(&mut scene, 10, beaten, &[]);
    assert!(again(&scene, 30).is_empty());
}

#[test]
fn an_owner_tells_what_it_has() {
    let mut scene = Scene::new();
    all_have(&mut scene, &[40], 33, &value(20));
    let tells = |field: Option<Field>| {
        let read = from(10, about(1, RecordRequest::Read(key(33))));
        let record = field.map(|field| Record::of("", field));
        let others = Vec::new();
        let says = [(
            10,
            answer(
                1,
                RecordReply::Record {
                    record,
                    others,
                    now: 0,
                },
            ),
        )];
        scene.would(40, read, &says, &ideal(40))
    };
    assert!(tells(Some(value(20))).is_empty());
    assert_eq!(tells(Some(value(10))), ["told-older"]);
    assert_eq!(tells(None), ["told-older"]);
}
