//! What nodes say of their clocks, and what they do with stamps from far ahead.

use super::*;
use crate::world::{EPOCH_MS, Effect};
use cuerda_core::protocol::Condition;
use cuerda_core::record::{Field, Record};
use cuerda_core::store::Batch;

const HOURS: u64 = 3 * 60 * 60 * 1000;

fn notice(body: RecordNotice) -> Message {
    Message::Records(Box::new(Stamped::new(Stamp::ZERO, body)))
}

/// Another node shows its clock, which is so far after the beginning.
fn shows_by(node: u8, now: u64) -> Input<Node> {
    let mut said = Stamped::new(Stamp::ZERO, RecordNotice::Clock);
    said.now = EPOCH_MS + now;
    from(node, Message::Records(Box::new(said)))
}

/// A stamp of this node, of so many milliseconds after the beginning.
fn stamp(milliseconds: u64, node: u8) -> Stamp {
    Stamp {
        milliseconds: EPOCH_MS + milliseconds,
        counter: 0,
        node: peer(node).id,
    }
}

#[test]
fn what_a_clock_shows_is_said_to_whom_asks_and_once() {
    let scene = Scene::new();
    let asked = || from(50, notice(RecordNotice::AskClock));
    let says = |to: &[u8]| -> Vec<(u8, Message)> {
        let each = to.iter();
        each.map(|&to| (to, notice(RecordNotice::Clock))).collect()
    };
    assert_eq!(scene.would(40, asked(), &says(&[50]), &ideal(40)), [""; 0]);
    for (given, to) in [(asked(), &[50, 50][..]), (asked(), &[60]), (late(0), &[50])] {
        let said = says(to);
        let broken = scene.would(40, given, &said, &ideal(40));
        assert_eq!(broken, ["clock-unasked"]);
    }
}

#[test]
fn whom_others_have_shown_the_time_stamps_nothing_by_a_wrong_clock() {
    let mut scene = Scene::with(
        "[[fault]]\nat = \"1s\"\nkind = \"skew\"\nnodes = \"n0\"\nby = \"3h\"\nfor = \"1m\"\n",
    );
    let at = |now| Moment {
        now,
        cause: Cause::Start,
    };
    let effect = Effect {
        index: 0,
        occurrence: 0,
        kind: "skew",
        groups: vec![vec![40]],
        hit: 1,
        until: Some(61 * SECOND),
    };
    scene.watched.fault_began(at(SECOND), &effect);
    let write = |issued: u64| {
        let body = RecordRequest::Write {
            key: peer(55).id,
            name: String::new(),
            field: Field::new(stamp(HOURS + issued, 40), None, "a", None),
            condition: Condition::None,
        };
        let asks = ask(
            7,
            Request::Records(Box::new(Stamped::new(Stamp::ZERO, body))),
        );
        [(60, asks)]
    };
    let shows = |now: u64| shows_by(50, now);
    scene.now = 2 * SECOND;
    assert_eq!(
        scene.would(40, late(0), &write(2000), &ideal(40)),
        [""; 0],
        "nobody told it"
    );
    scene.step(40, shows(2000), &[], &ideal(40));
    scene.now = 3 * SECOND;
    let asked_before = scene.would(40, late(0), &write(1500), &ideal(40));
    assert_eq!(asked_before, [""; 0], "it had its stamp when that came");
    let broken = scene.would(40, late(0), &write(3000), &ideal(40));
    assert_eq!(broken, ["wrong-clock-stamps"]);
    // Somebody whose clock is as wrong agrees with it.
    let mut agreed = Scene {
        watched: scene.watched.clone(),
        now: scene.now,
    };
    agreed.step(40, shows(HOURS), &[], &ideal(40));
    assert_eq!(agreed.would(40, late(0), &write(3000), &ideal(40)), [""; 0]);
    // Also in the message because of which it stamps; one that shows the right time does not help.
    let with_it = scene.would(40, shows(HOURS), &write(3000), &ideal(40));
    assert_eq!(with_it, [""; 0]);
    let broken = scene.would(40, shows(3000), &write(3000), &ideal(40));
    assert_eq!(broken, ["wrong-clock-stamps"]);
    // Of three, two others do.
    scene.step(40, shows_by(60, HOURS), &[], &ideal(40));
    assert_eq!(
        scene.would(40, late(0), &write(3000), &ideal(40)),
        [""; 0],
        "of two, one says so and one does not"
    );
    scene.now = 4 * SECOND;
    scene.step(40, shows_by(10, 4000), &[], &ideal(40));
    assert_eq!(scene.would(40, late(0), &write(3000), &ideal(40)), [""; 0]);
    scene.now = 5 * SECOND;
    let broken = scene.would(40, late(0), &write(5000), &ideal(40));
    assert_eq!(broken, ["wrong-clock-stamps"], "two of three say so");
    // When it is right again, it may have to follow what is there.
    scene.now = 62 * SECOND;
    assert_eq!(scene.would(40, late(0), &write(3000), &ideal(40)), [""; 0]);
}

/// A write of a key that a node with a right clock brings to another as its owner.
fn brings(milliseconds: u64) -> [(u8, Message); 1] {
    let body = RecordRequest::Store {
        key: peer(35).id,
        part: Record::of("", Field::new(stamp(milliseconds, 30), None, "a", None)),
        epoch: 1,
    };
    let asks = ask(
        7,
        Request::Records(Box::new(Stamped::new(Stamp::ZERO, body))),
    );
    [(50, asks)]
}

#[test]
fn whom_most_others_mislead_takes_in_what_is_near_by_their_clocks_and_nothing_else() {
    let mut scene = Scene::new();
    let takes = |scene: &Scene, milliseconds: u64| {
        scene.would(40, late(0), &brings(milliseconds), &ideal(40))
    };
    let far = ["far-stamp-taken"];
    scene.step(40, shows_by(50, HOURS), &[], &ideal(40));
    assert_eq!(takes(&scene, HOURS), [""; 0], "it has heard nobody else");
    assert_eq!(takes(&scene, 2 * HOURS), far, "that is far by theirs, too");
    scene.step(40, shows_by(10, 0), &[], &ideal(40));
    assert_eq!(takes(&scene, HOURS), far, "one of two misleads nobody");
    scene.step(40, shows_by(60, HOURS), &[], &ideal(40));
    assert_eq!(takes(&scene, HOURS), [""; 0], "two of three do");
    scene.step(40, shows_by(60, 0), &[], &ideal(40));
    assert_eq!(takes(&scene, HOURS), far);
    // Whoever is behind misleads nobody into taking what is ahead.
    for behind in [50, 60] {
        let mut said = Stamped::new(Stamp::ZERO, RecordNotice::Clock);
        said.now = EPOCH_MS - HOURS;
        let shows = from(behind, Message::Records(Box::new(said)));
        scene.step(40, shows, &[], &ideal(40));
    }
    assert_eq!(takes(&scene, HOURS), far);
}

#[test]
fn a_holder_takes_in_nothing_from_far_ahead_but_what_follows_what_is_there() {
    let key = peer(25).id;
    let store = |milliseconds: u64| {
        let part = Record::of("", Field::new(stamp(milliseconds, 30), None, "a", None));
        let body = RecordRequest::Store {
            key,
            part,
            epoch: 1,
        };
        from(
            30,
            ask(
                3,
                Request::Records(Box::new(Stamped::new(Stamp::ZERO, body))),
            ),
        )
    };
    let stored = [(
        30,
        reply(
            3,
            Reply::Records(Box::new(Stamped::new(Stamp::ZERO, RecordReply::Stored))),
        ),
    )];
    // What it says it has, it has on its disk.
    let held = |scene: &Scene, milliseconds: u64| {
        let mut scene = scene.clone();
        keep(&mut scene, key, milliseconds);
        scene.step(40, store(milliseconds), &stored, &ideal(40))
    };
    let mut scene = Scene::new();
    assert_eq!(held(&scene, 1000), [""; 0]);
    assert_eq!(held(&scene, HOURS), ["far-stamp-held"]);
    keep(&mut scene, key, HOURS);
    scene.step(40, late(0), &[], &ideal(40));
    assert_eq!(held(&scene, HOURS), [""; 0]);
    assert_eq!(held(&scene, HOURS + 1), ["far-stamp-held"]);
}

/// A record comes to the disk of the node at 40.
fn keep(scene: &mut Scene, key: Id, milliseconds: u64) {
    let record = Record::of("", Field::new(stamp(milliseconds, 30), None, "a", None));
    let batch = Batch {
        number: 1,
        records: vec![(key, Some(record))],
        notes: None,
        set_aside: false,
    };
    let at = Moment {
        now: scene.now,
        cause: Cause::Start,
    };
    scene.watched.committed(at, 40, peer(40).id, &batch);
}
