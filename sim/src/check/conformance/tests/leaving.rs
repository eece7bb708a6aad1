//! How leaving nodes have to behave towards records.

use super::records::{answer, field, hands_over, key, own, question, stamp, store};
use super::*;
use crate::world::DiskGone;
use cuerda_core::record::Record;
use cuerda_core::store::Batch;

#[test]
fn a_leaver_holds_nothing_for_others() {
    let mut scene = Scene::new();
    let stores = || from(30, store(9, 25, 30, 5));
    let stored = [(30, answer(9, stamp(5, 30), RecordReply::Stored))];
    assert!(scene.step(40, Input::Leave, &[], &ideal(40)).is_empty());
    let rules = |scene: &Scene| {
        let mut found = scene.would(40, stores(), &stored, &ideal(40));
        found.retain(|rule| *rule == "leaver-holds");
        found
    };
    assert!(rules(&scene).is_empty());
    hands_over(&mut scene);
    assert_eq!(rules(&scene), ["leaver-holds"]);
}

#[test]
fn nobody_leaves_before_the_predecessor_for_which_it_stays() {
    let mut scene = Scene::new();
    let goodbye = |number| {
        let (predecessor, successors) = (peer(30), list(40, &[50, 60, 10]));
        let leaving = Request::Leaving {
            predecessor,
            successors,
        };
        ask(number, leaving)
    };
    let goodbyes = [(50, goodbye(8)), (30, goodbye(9))];
    let left = [Aside::Gone(Gone::Left)];
    assert!(scene.step(40, Input::Leave, &[], &ideal(40)).is_empty());
    let leaves = |scene: &Scene| {
        let mut scene = scene.clone();
        scene.tell(40, late(0), &goodbyes, &left, &ideal(40))
    };
    assert!(leaves(&scene).is_empty());
    let asks = from(30, question(5, Stamp::ZERO, RecordRequest::Leave));
    let stays = [(30, answer(5, Stamp::ZERO, RecordReply::Stays(true)))];
    assert!(scene.step(40, asks, &stays, &ideal(40)).is_empty());
    assert_eq!(leaves(&scene), ["leaves-beside-leaver"]);
    // It may come to stay itself.
    let arc = own(30);
    let claims = from(30, question(6, Stamp::ZERO, RecordRequest::Claim(arc)));
    assert!(scene.step(40, claims, &[], &ideal(40)).is_empty());
    assert!(leaves(&scene).is_empty());
}

#[test]
fn a_leaver_hands_over_what_it_serves_and_asks_whether_its_copies_are_safe() {
    let mut scene = Scene::new();
    let leaving = |number| {
        let (predecessor, successors) = (peer(30), list(40, &[50, 60, 10]));
        ask(
            number,
            Request::Leaving {
                predecessor,
                successors,
            },
        )
    };
    let goodbye = [(50, leaving(8)), (30, leaving(9))];
    let left = [Aside::Gone(Gone::Left)];
    assert!(
        scene
            .step(40, late(0), &[(50, store(1, 33, 40, 10))], &ideal(40))
            .is_empty()
    );
    assert!(scene.step(40, Input::Leave, &[], &ideal(40)).is_empty());
    let nothing = scene.clone().tell(40, late(0), &goodbye, &left, &ideal(40));
    assert!(nothing.is_empty(), "it has no record: {nothing:?}");
    let at = Moment {
        now: scene.now,
        cause: Cause::Start,
    };
    let record = Record::of("", field(stamp(10, 40)));
    let records = vec![(key(33), Some(record))];
    let batch = Batch {
        number: 1,
        records,
        notes: None,
        set_aside: false,
    };
    scene.watched.committed(at, 40, key(40), &batch);
    assert!(scene.step(40, late(0), &[], &ideal(40)).is_empty());
    let at_once = scene.clone().tell(40, late(0), &goodbye, &left, &ideal(40));
    assert_eq!(at_once, ["arc-not-handed-over"]);
    // To whom, if nobody is there? But that must be said, and excuses nobody who has neighbours.
    let tells = [
        Aside::Event(Event::LeftBehind { records: 1 }),
        Aside::Gone(Gone::Left),
    ];
    let goes = |asides: &[Aside], said: &[(u8, Message)], view: &Neighbours| {
        scene.clone().tell(40, late(0), said, asides, view)
    };
    let alone = Neighbours::alone(peer(40), ROOM);
    assert!(goes(&tells, &[], &alone).is_empty());
    assert_eq!(goes(&left, &[], &alone), ["arc-not-handed-over"]);
    let beside = goes(&tells, &goodbye, &ideal(40));
    assert_eq!(beside, ["arc-not-handed-over"]);
    let joined = Neighbours::given(peer(40), peer(30), &[], ROOM);
    let to_joiner = [(30, leaving(9))];
    assert_eq!(goes(&tells, &to_joiner, &joined), ["arc-not-handed-over"]);
    // Who is told to leave when it is alone already has nobody to say it to.
    let told = |said: &[(u8, Message)], view: &Neighbours| {
        scene.clone().tell(40, Input::Leave, said, &left, view)
    };
    assert!(told(&[], &alone).is_empty());
    assert_eq!(told(&goodbye, &ideal(40)), ["arc-not-handed-over"]);

    let (arc, epoch) = (own(40), 2);
    let clock = stamp(10, 40);
    let over = [(50, question(3, clock, hand_over(arc, epoch)))];
    assert!(scene.step(40, late(0), &over, &ideal(40)).is_empty());
    let taken = from(50, answer(3, Stamp::ZERO, RecordReply::Taken));
    let right = scene.tell(40, taken, &goodbye, &left, &ideal(40));
    assert!(right.is_empty(), "{right:?}");
    let ends = |scene: &Scene| {
        let mut scene = scene.clone();
        let at = Moment {
            now: scene.now,
            cause: Cause::Start,
        };
        scene.watched.handles(at, 40, &late(9));
        scene.watched.disks_gone(at, &[40], DiskGone::Left);
        let view = NodeView {
            number: 40,
            peer: peer(40),
            view: &ideal(40),
        };
        scene.watched.handled(at, view);
        let breaches = scene.watched.breaches();
        breaches
            .into_iter()
            .map(|breach| breach.rule)
            .collect::<Vec<_>>()
    };
    assert_eq!(ends(&scene), ["leaver-goes-first"]);
    let confirm = RecordRequest::Confirm {
        entries: Vec::new(),
        leaving: true,
    };
    let confirms = [(50, question(4, clock, confirm))];
    assert!(scene.step(40, late(0), &confirms, &ideal(40)).is_empty());
    assert!(ends(&scene).is_empty());
}
