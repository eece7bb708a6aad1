//! Stamps, clocks, and who serves what.

use super::*;
use crate::world::{DiskGone, ReadEnd, Reading, WriteIssue};
use bytes::Bytes;
use cuerda_core::chord::Claimed;
use cuerda_core::protocol::{Condition, Written};
use cuerda_core::record::{DigestQuestion, Field, Record, Value};
use cuerda_core::store::Batch;

pub(super) fn stamp(milliseconds: u64, node: u8) -> Stamp {
    Stamp {
        milliseconds,
        counter: 0,
        node: peer(node).id,
    }
}

pub(super) fn key(place: u8) -> Id {
    peer(place).id
}

pub(super) fn question(number: u32, clock: Stamp, body: RecordRequest) -> Message {
    ask(
        number,
        Request::Records(Box::new(Stamped::new(clock, body))),
    )
}

pub(super) fn answer(number: u32, clock: Stamp, body: RecordReply) -> Message {
    reply(number, Reply::Records(Box::new(Stamped::new(clock, body))))
}

pub(super) fn field(stamp: Stamp) -> Field {
    let value = Value::from(Bytes::from_static(b"x"));
    Field::new(stamp, None, value, None)
}

pub(super) fn store(number: u32, place: u8, by: u8, milliseconds: u64) -> Message {
    let stamp = stamp(milliseconds, by);
    let part = Record::of("", field(stamp));
    let (key, epoch) = (key(place), 1);
    question(number, stamp, RecordRequest::Store { key, part, epoch })
}

pub(super) fn own(of: u8) -> KeyRange {
    ideal(of).own()
}

/// A node that has joined between 30 and 40.
fn joined() -> Scene {
    let mut scene = Scene::new();
    let alone = Neighbours::alone(peer(35), ROOM);
    assert!(
        scene
            .step(35, Input::Join(peers(&[10])), &[], &alone)
            .is_empty()
    );
    let answer = from(30, told(2, 20, 30, &[40, 50, 60]));
    let sent = [
        (30, Message::Introduce(peer(35))),
        (40, ask(3, Request::Neighbours)),
    ];
    let after = newcomer();
    assert!(
        scene
            .tell(35, answer, &sent, &[Aside::Joined], &after)
            .is_empty()
    );
    scene
}

fn newcomer() -> Neighbours {
    neighbours(35, 30, &[40, 50, 60])
}

fn claim(scene: &mut Scene, by: Claimed) {
    let arc = newcomer().own();
    let claim = [(40, question(4, Stamp::ZERO, RecordRequest::Claim(arc)))];
    assert!(scene.step(35, late(0), &claim, &newcomer()).is_empty());
    let claimed = RecordReply::Claimed { by, epoch: 3 };
    let claimed = from(40, answer(4, Stamp::ZERO, claimed));
    assert!(scene.step(35, claimed, &[], &newcomer()).is_empty());
}

#[test]
fn an_arc_is_served_when_it_has_been_claimed_handed_over_or_fetched() {
    let mut scene = joined();
    let serves = |scene: &Scene| {
        let stores = [(40, store(8, 33, 35, 10)), (50, store(9, 33, 35, 10))];
        scene.would(35, late(0), &stores, &newcomer())
    };
    assert_eq!(serves(&scene), ["served-unclaimed"]);
    let mut handed = scene.clone();
    claim(&mut handed, Claimed::Here);
    assert_eq!(serves(&handed), ["served-unhanded"]);
    let (arc, epoch) = (newcomer().own(), 4);
    let takes = [(40, answer(5, Stamp::ZERO, RecordReply::Taken))];
    let over = from(40, question(5, Stamp::ZERO, hand_over(arc, epoch)));
    assert!(handed.step(35, over, &takes, &newcomer()).is_empty());
    assert!(serves(&handed).is_empty());

    claim(&mut scene, Claimed::Elsewhere);
    assert_eq!(serves(&scene), ["served-unfetched"]);
    let digest = cuerda_core::record::RangeDigest::default();
    let compare = |number| {
        let question_of_arc = DigestQuestion { arc, digest };
        let assigns = false;
        let body = RecordRequest::Compare {
            question: question_of_arc,
            assigns,
        };
        question(number, Stamp::ZERO, body)
    };
    assert!(
        scene
            .step(35, late(0), &[(40, compare(6))], &newcomer())
            .is_empty()
    );
    assert_eq!(serves(&scene), ["served-unfetched"]);
    assert!(
        scene
            .step(
                35,
                late(0),
                &[(50, compare(7)), (60, compare(8))],
                &newcomer()
            )
            .is_empty()
    );
    assert!(serves(&scene).is_empty());
}

/// What the node at 35 does in a ring of few processes with several nodes each, which have one address:
/// whether it is found to have served too soon.
fn served_unfetched(
    scene: &mut Scene,
    input: Input<Node>,
    sent: &[(Peer, Message)],
    after: &Neighbours,
) -> bool {
    let (now, cause) = (scene.now, Cause::Start);
    let at = Moment { now, cause };
    scene.watched.handles(at, 35, &input);
    for (to, message) in sent {
        scene.watched.sent(at, 35, *to, message);
    }
    let view = NodeView {
        number: 35,
        peer: peer(35),
        view: after,
    };
    scene.watched.changed(at, view);
    scene.watched.handled(at, view);
    let breaches = scene.watched.breaches();
    breaches.iter().any(|one| one.rule == "served-unfetched")
}

#[test]
fn processes_with_several_nodes_are_asked_once_each() {
    let mut scene = joined();
    let node = |place, of| Peer {
        address: peer(of).address,
        ..peer(place)
    };
    // Two other processes in turn, and a node of its own.
    let behind = [
        node(40, 1),
        node(50, 2),
        node(60, 1),
        node(10, 2),
        node(15, 35),
        node(20, 1),
    ];
    let after = Neighbours::given(peer(35), peer(30), &behind, 8);
    let arc = after.own();
    let claim = question(4, Stamp::ZERO, RecordRequest::Claim(arc));
    served_unfetched(&mut scene, late(0), &[(behind[0], claim)], &after);
    let claimed = RecordReply::Claimed {
        by: Claimed::Elsewhere,
        epoch: 3,
    };
    let claimed = from(40, answer(4, Stamp::ZERO, claimed));
    served_unfetched(&mut scene, claimed, &[], &after);
    let compare = |number| {
        let digest = cuerda_core::record::RangeDigest::default();
        let body = RecordRequest::Compare {
            question: DigestQuestion { arc, digest },
            assigns: false,
        };
        question(number, Stamp::ZERO, body)
    };
    let serves = |asked: &[Peer]| {
        let mut scene = scene.clone();
        let asked: Vec<(Peer, Message)> = (6..)
            .map(compare)
            .zip(asked)
            .map(|(q, to)| (*to, q))
            .collect();
        served_unfetched(&mut scene, late(0), &asked, &after);
        let stores = [(behind[0], store(8, 33, 35, 10))];
        served_unfetched(&mut scene, late(0), &stores, &after)
    };
    assert!(serves(&[]), "it has asked nobody");
    assert!(serves(&[node(15, 35)]), "it has asked its own process only");
    assert!(!serves(&behind), "it has asked all that there are");
}

#[test]
fn what_was_let_go_of_is_not_acknowledged_until_it_is_taken_back() {
    let mut scene = Scene::new();
    let write = |number| {
        let (key, name, field) = (key(33), String::new(), field(stamp(5, 10)));
        let condition = Condition::None;
        let body = RecordRequest::Write {
            key,
            name,
            field,
            condition,
        };
        from(10, question(number, Stamp::ZERO, body))
    };
    assert!(scene.step(40, write(7), &[], &ideal(40)).is_empty());
    let (arc, epoch) = (KeyRange::new(peer(30).id, peer(35).id), 2);
    let over = [(35, question(3, Stamp::ZERO, hand_over(arc, epoch)))];
    assert!(scene.step(40, late(0), &over, &ideal(40)).is_empty());
    let written = Written {
        stamp: stamp(5, 10),
        holders: vec![peer(40).id],
        wanted: 1,
        majority: true,
    };
    let acknowledges = [(10, answer(7, Stamp::ZERO, RecordReply::Written(written)))];
    let rules = scene.would(40, late(0), &acknowledges, &ideal(40));
    assert_eq!(rules, ["served-after-letting-go"]);
    assert!(scene.step(40, late(3), &[], &ideal(40)).is_empty());
    assert!(
        scene
            .would(40, late(0), &acknowledges, &ideal(40))
            .is_empty()
    );
}

#[test]
fn a_hand_over_has_a_later_epoch_and_no_leaver_takes_one() {
    let mut scene = Scene::new();
    let compared = RecordReply::Compared {
        answer: cuerda_core::record::DigestAnswer::Same,
        epoch: 5,
    };
    let says = [(50, answer(1, Stamp::ZERO, compared))];
    let digest = cuerda_core::record::RangeDigest::default();
    let asks = DigestQuestion {
        arc: own(50),
        digest,
    };
    let asks = RecordRequest::Compare {
        question: asks,
        assigns: false,
    };
    let asks = from(50, question(1, Stamp::ZERO, asks));
    assert!(scene.step(40, asks, &says, &ideal(40)).is_empty());
    let over = |epoch| {
        let arc = KeyRange::new(peer(30).id, peer(40).id);
        from(50, question(2, Stamp::ZERO, hand_over(arc, epoch)))
    };
    let takes = [(50, answer(2, Stamp::ZERO, RecordReply::Taken))];
    assert!(scene.would(40, over(6), &takes, &ideal(40)).is_empty());
    assert_eq!(
        scene.would(40, over(5), &takes, &ideal(40)),
        ["late-hand-over"]
    );
    // Told to leave, it waits until its successor stays.
    assert!(scene.step(40, Input::Leave, &[], &ideal(40)).is_empty());
    assert!(scene.would(40, over(6), &takes, &ideal(40)).is_empty());
    let mut again = scene.clone();
    assert!(again.step(40, over(6), &takes, &ideal(40)).is_empty());
    hands_over(&mut again);
    // It did take it over, before.
    assert!(again.would(40, over(6), &takes, &ideal(40)).is_empty());
    hands_over(&mut scene);
    assert_eq!(
        scene.would(40, over(6), &takes, &ideal(40)),
        ["leaver-takes-over"]
    );
}

/// Its successor stays, and it begins to hand over.
pub(super) fn hands_over(scene: &mut Scene) {
    let stays = from(50, answer(6, Stamp::ZERO, RecordReply::Stays(true)));
    let digest = cuerda_core::record::RangeDigest::default();
    let compare = RecordRequest::Compare {
        question: DigestQuestion {
            arc: own(40),
            digest,
        },
        assigns: false,
    };
    let compare = [(50, question(7, Stamp::ZERO, compare))];
    assert!(scene.step(40, stays, &compare, &ideal(40)).is_empty());
}

#[test]
fn a_clock_never_falls_behind_what_it_told_or_heard() {
    let mut scene = Scene::new();
    let read = |clock| from(10, question(1, clock, RecordRequest::Read(key(33))));
    let says = |clock| {
        let denied = RecordReply::Beaten(Stamp::ZERO);
        [(10, answer(1, clock, denied))]
    };
    assert!(
        scene
            .step(40, read(stamp(5, 10)), &says(stamp(5, 10)), &ideal(40))
            .is_empty()
    );
    assert_eq!(
        scene.would(40, read(Stamp::ZERO), &says(stamp(4, 40)), &ideal(40)),
        ["clock-falls"]
    );
    assert_eq!(
        scene.would(40, read(stamp(9, 10)), &says(stamp(6, 40)), &ideal(40)),
        ["clock-falls"]
    );
    assert!(
        scene
            .would(40, read(stamp(9, 10)), &says(stamp(9, 10)), &ideal(40))
            .is_empty()
    );
}

#[test]
fn no_stamp_is_issued_that_an_earlier_life_may_have_issued() {
    let mut scene = Scene::new();
    assert!(
        scene
            .step(40, late(0), &[(50, store(1, 33, 40, 100))], &ideal(40))
            .is_empty()
    );
    let alone = Neighbours::alone(peer(40), ROOM);
    assert!(scene.step(40, Input::Found, &[], &alone).is_empty());
    let stores = |milliseconds| {
        let id = RequestId::of_node(2, 1);
        let Message::Request { request, .. } = store(1, 33, 40, milliseconds) else {
            unreachable!("a request");
        };
        [(50, Message::Request { id, request })]
    };
    assert_eq!(
        scene.would(40, late(0), &stores(100), &alone),
        ["stamps-fall"]
    );
    assert!(scene.would(40, late(0), &stores(101), &alone).is_empty());
    // What it has on its disk it may bring to others again, and nothing else.
    let mut kept = scene.clone();
    let at = Moment {
        now: kept.now,
        cause: Cause::Start,
    };
    let record = Record::of("", field(stamp(100, 40)));
    let batch = Batch {
        number: 1,
        records: vec![(key(33), Some(record))],
        notes: None,
        set_aside: false,
    };
    kept.watched.committed(at, 40, peer(40).id, &batch);
    assert!(kept.step(40, late(0), &[], &alone).is_empty());
    assert!(kept.would(40, late(0), &stores(100), &alone).is_empty());
    assert_eq!(
        kept.would(40, late(0), &stores(99), &alone),
        ["stamps-fall"]
    );
    let at = Moment {
        now: scene.now,
        cause: Cause::Start,
    };
    scene.watched.disks_gone(at, &[40], DiskGone::Lost);
    assert!(
        scene.would(40, late(0), &stores(100), &alone).is_empty(),
        "it can't know"
    );
}

#[test]
fn who_finds_an_earlier_life_too_far_ahead_gives_its_stamps_up_if_another_agrees() {
    const HOUR: u64 = 60 * 60 * 1000;
    let mut scene = Scene::new();
    let at = Moment {
        now: scene.now,
        cause: Cause::Start,
    };
    let alone = Neighbours::alone(peer(40), ROOM);
    let issued = [(50, store(1, 33, 40, 100 + 2 * HOUR))];
    assert!(scene.step(40, late(0), &issued, &ideal(40)).is_empty());
    assert!(scene.step(40, Input::Found, &[], &alone).is_empty());
    let stores = |milliseconds| {
        let id = RequestId::of_node(2, 1);
        let Message::Request { request, .. } = store(1, 33, 40, milliseconds) else {
            unreachable!("a request");
        };
        [(50, Message::Request { id, request })]
    };
    let would =
        |scene: &Scene, milliseconds| scene.would(40, late(0), &stores(milliseconds), &ideal(40));
    let falls = ["stamps-fall"];
    let mut said = Stamped::new(Stamp::ZERO, RecordNotice::Clock);
    said.now = 1;
    let shown = from(50, Message::Records(Box::new(said)));
    let mut never_set = scene.clone();
    never_set.step(40, shown.clone(), &[], &alone);
    assert_eq!(would(&never_set, 99), falls, "nobody has set its clock");
    let effect = crate::world::Effect {
        index: 0,
        occurrence: 0,
        kind: "clock",
        groups: vec![vec![40]],
        hit: 1,
        until: None,
    };
    scene.watched.fault_began(at, &effect);
    assert_eq!(would(&scene, 99), falls, "nobody agrees with it");
    scene.step(40, shown, &[], &alone);
    assert!(would(&scene, HOUR + 99).is_empty());
    assert_eq!(would(&scene, HOUR + 100), falls, "that is near enough");
    assert_eq!(would(&scene, 2 * HOUR), falls);
}

#[test]
fn a_writes_stamp_is_above_all_that_its_client_has_seen() {
    let wrote = |stamp: Stamp, past: Stamp| {
        let mut scene = Scene::new();
        let at = Moment {
            now: scene.now,
            cause: Cause::Start,
        };
        scene.watched.handles(at, 10, &late(1));
        let (write, asker, key, deletes, lives) = (1, 10, key(33), false, None);
        let issue = WriteIssue {
            write,
            asker,
            key,
            condition: Condition::None,
            deletes,
            lives,
            past,
        };
        let result = Ok(Written {
            stamp,
            holders: Vec::new(),
            wanted: 3,
            majority: true,
        });
        scene.ended(at, issue, result)
    };
    assert!(wrote(stamp(6, 10), stamp(5, 20)).is_empty());
    assert_eq!(wrote(stamp(5, 10), stamp(5, 20)), ["stamp-below-past"]);
}

#[test]
fn a_damaged_record_is_not_answered_for_alone() {
    let scene = Scene::new();
    let read = || from(10, question(1, Stamp::ZERO, RecordRequest::Read(key(33))));
    let says = |others: &[u8]| {
        let (record, others) = (None, peers(others));
        [(
            10,
            answer(
                1,
                Stamp::ZERO,
                RecordReply::Record {
                    record,
                    others,
                    now: 0,
                },
            ),
        )]
    };
    let damaged = [Aside::Event(Event::Damaged(key(33)))];
    let tell = |sent: &[(u8, Message)], asides: &[Aside]| {
        scene.clone().tell(40, read(), sent, asides, &ideal(40))
    };
    assert_eq!(tell(&says(&[]), &damaged), ["damaged-served"]);
    assert!(tell(&says(&[50, 60]), &damaged).is_empty());
    assert!(tell(&says(&[]), &[]).is_empty());

    // The same for a client of its own.
    let mut scene = scene;
    let at = Moment {
        now: scene.now,
        cause: Cause::Start,
    };
    scene.watched.handles(at, 40, &late(1));
    scene
        .watched
        .on_event(at, 40, &Event::Damaged(key(33)), None);
    let found = Reading {
        seen: None,
        authoritative: true,
        owner: None,
    };
    let end = ReadEnd {
        read: 1,
        asker: 40,
        key: key(33),
        issued: 0,
        result: Ok(found),
    };
    scene.watched.read_ended(at, &end);
    let view = NodeView {
        number: 40,
        peer: peer(40),
        view: &ideal(40),
    };
    scene.watched.handled(at, view);
    assert_eq!(scene.watched.breaches()[0].rule, "damaged-served");
}
