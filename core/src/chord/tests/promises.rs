//! What makes an acknowledged write safe, point by point: each test fails without its point.

use std::time::Duration;

use super::world::*;
use crate::chord::{
    Claimed, Condition, Config, Event, Input, Message, Node, RecordReply, RecordRequest, Reply,
    Request, Stamped, Timer, Write,
};
use crate::record::{DigestSource, Entry, Field, Record, Stamp};
use crate::ring::test_peers::{peer, peers};
use crate::ring::{Fingers, Id, KeyRange, Neighbours, Peer};
use crate::store::Store;

pub(super) fn key(place: u8) -> Id {
    peer(place).id
}

/// A time that is near the bench's wall clock.
const NOW: u64 = 1_700_000_000_000;

fn stamp(milliseconds: u64) -> Stamp {
    Stamp {
        milliseconds: NOW + milliseconds,
        counter: 0,
        node: Id::ZERO,
    }
}

fn field(milliseconds: u64, value: &'static str) -> Field {
    Field::new(stamp(milliseconds), None, value, None)
}

/// Node 50 serves the keys from 40 on; 60, 70, 80 and 90 come next. Three copies are kept.
pub(super) fn owner() -> Bench {
    serving(50, 40, &[60, 70, 80, 90])
}

fn serving(me: u8, predecessor: u8, successors: &[u8]) -> Bench {
    serving_among(me, predecessor, &peers(successors))
}

fn serving_among(me: u8, predecessor: u8, successors: &[Peer]) -> Bench {
    let config = Config {
        replicas: 3,
        stabilize_every: NEVER,
        ..config(4)
    };
    let neighbours = Neighbours::given(peer(me), peer(predecessor), successors, 4);
    let node = Node::member(config.into(), 1, neighbours, Fingers::new());
    let mut bench = Bench {
        node,
        net: Default::default(),
    };
    bench.net.clock = NOW;
    bench.handle(Input::Resume);
    bench.sent();
    bench
}

impl Bench {
    pub(super) fn records(&mut self, from: u8, body: RecordRequest) -> Option<RecordReply> {
        let clock = Stamp::ZERO;
        self.ask(from, Request::Records(Box::new(Stamped::new(clock, body))));
        self.answer()
    }

    /// The one reply about records since this was last asked.
    fn answer(&mut self) -> Option<RecordReply> {
        let replies: Vec<Reply> = self.replied().into_iter().map(|(_, reply)| reply).collect();
        match &replies[..] {
            [] => None,
            [Reply::Records(stamped)] => Some(stamped.body.clone()),
            other => panic!("not one reply about records: {other:?}"),
        }
    }

    pub(super) fn write(
        &mut self,
        milliseconds: u64,
        value: &'static str,
    ) -> Vec<(u8, u32, RecordRequest)> {
        let write = RecordRequest::Write {
            key: key(45),
            name: String::new(),
            field: field(milliseconds, value),
            condition: Condition::None,
        };
        let clock = Stamp::ZERO;
        let request = Request::Records(Box::new(Stamped::new(clock, write)));
        self.ask(200, request);
        self.asked_about_records()
    }

    pub(super) fn asked_about_records(&mut self) -> Vec<(u8, u32, RecordRequest)> {
        let about = |(to, number, request)| match request {
            Request::Records(stamped) => Some((to, number, stamped.body)),
            _ => None,
        };
        self.asked().into_iter().filter_map(about).collect()
    }

    pub(super) fn told(&mut self, from: u8, number: u32, body: RecordReply) {
        let clock = Stamp::ZERO;
        self.reply(
            from,
            number,
            Reply::Records(Box::new(Stamped::new(clock, body))),
        );
    }
}

fn stores(asked: &[(u8, u32, RecordRequest)]) -> Vec<u8> {
    let is_store =
        |(_, _, body): &&(u8, u32, RecordRequest)| matches!(body, RecordRequest::Store { .. });
    asked.iter().filter(is_store).map(|(to, ..)| *to).collect()
}

#[test]
fn a_write_is_acknowledged_only_when_all_holders_have_it() {
    let mut bench = owner();
    let asked = bench.write(1, "a");
    assert_eq!(stores(&asked), [60, 70]);
    bench.told(60, asked[0].1, RecordReply::Stored);
    assert_eq!(bench.answer(), None);
    bench.told(70, asked[1].1, RecordReply::Stored);
    let Some(RecordReply::Written(written)) = bench.answer() else {
        panic!("not acknowledged");
    };
    assert_eq!(written.holders, [key(50), key(60), key(70)]);
}

#[test]
fn a_silent_holder_is_replaced_by_the_next_process() {
    let mut bench = owner();
    let asked = bench.write(1, "a");
    bench.told(60, asked[0].1, RecordReply::Stored);
    bench.late(asked[1].1);
    let again = bench.asked_about_records();
    assert_eq!(stores(&again), [70]);
    bench.late(again[0].1);
    let next = bench.asked_about_records();
    assert_eq!(stores(&next), [80]);
    bench.told(80, next[0].1, RecordReply::Stored);
    let Some(RecordReply::Written(written)) = bench.answer() else {
        panic!("not acknowledged");
    };
    assert_eq!(written.holders, [key(50), key(60), key(80)]);
}

#[test]
fn two_nodes_of_one_process_are_one_holder() {
    let same_as = |of: u8, place: u8| Peer {
        address: peer(of).address,
        ..peer(place)
    };
    // 60 belongs to the owner's process, 80 to that of 70.
    let successors = [same_as(50, 60), peer(70), same_as(70, 80), peer(90)];
    let mut bench = serving_among(50, 40, &successors);
    let asked = bench.write(1, "a");
    assert_eq!(stores(&asked), [70, 90]);
}

#[test]
fn a_holder_acknowledges_only_what_won_and_a_beaten_write_is_stamped_anew() {
    let mut bench = owner();
    let store = |milliseconds, value| RecordRequest::Store {
        key: key(35),
        part: Record::of("", field(milliseconds, value)),
        epoch: 1,
    };
    assert_eq!(
        bench.records(40, store(5, "new")),
        Some(RecordReply::Stored)
    );
    let beaten = Some(RecordReply::Beaten(stamp(5)));
    assert_eq!(bench.records(40, store(3, "old")), beaten);
    // The owner passes on to the asker that a holder has something newer.
    let asked = bench.write(1, "a");
    bench.told(60, asked[0].1, RecordReply::Stored);
    bench.told(70, asked[1].1, RecordReply::Beaten(stamp(9)));
    assert_eq!(bench.answer(), Some(RecordReply::Beaten(stamp(9))));
    // The asker stamps it anew, above that, and brings it at once.
    let mut asker = owner();
    let (token, write) = (1, Write::put("", "b"));
    let key = key(45);
    asker.handle(Input::Write { token, key, write });
    let first = asker.asked_about_records();
    asker.told(60, first[0].1, RecordReply::Stored);
    asker.told(70, first[1].1, RecordReply::Beaten(stamp(90)));
    let again = asker.asked_about_records();
    let restamped = again.iter().find_map(|(_, _, body)| match body {
        RecordRequest::Store { part, .. } => part.field("").map(Field::stamp),
        _ => None,
    });
    assert!(restamped.expect("tried again") > stamp(90));
}

#[test]
fn a_late_copy_of_a_write_undoes_nothing() {
    let mut bench = owner();
    let first = bench.write(1, "a");
    for (to, number, _) in &first {
        bench.told(*to, *number, RecordReply::Stored);
    }
    let second = bench.write(2, "b");
    for (to, number, _) in &second {
        bench.told(*to, *number, RecordReply::Stored);
    }
    bench.answer();
    let again = bench.write(1, "a");
    // What overtook it is on its way again, so that it can be said to be done.
    let sent: Vec<Option<Stamp>> = again
        .iter()
        .filter_map(|(_, _, body)| match body {
            RecordRequest::Store { part, .. } => Some(part.field("").map(Field::stamp)),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [Some(stamp(2)); 2]);
    let record = bench.net.store.get(key(45)).expect("sound").expect("there");
    assert_eq!(record.field("").map(Field::stamp), Some(stamp(2)));
}

#[test]
fn clocks_travel_with_every_message_about_records() {
    let mut bench = owner();
    let (clock, body) = (stamp(60_000), RecordRequest::Read(key(45)));
    bench.ask(60, Request::Records(Box::new(Stamped::new(clock, body))));
    let sent = bench.sent();
    let clocks = sent.iter().filter_map(|(_, message)| match message {
        Message::Reply {
            reply: Reply::Records(stamped),
            ..
        } => Some(stamped.clock),
        _ => None,
    });
    assert_eq!(clocks.collect::<Vec<_>>(), [clock]);
    let (token, write) = (1, Write::put("", "a"));
    let key = key(45);
    bench.handle(Input::Write { token, key, write });
    let record = bench.net.store.get(key).expect("sound").expect("stored");
    assert!(record.field("").map(Field::stamp) > Some(clock));
}

#[test]
fn a_former_owner_gets_no_write_to_all_holders() {
    // 60 has taken over the keys before 50, whom it took for dead, under a later number.
    let mut bench = serving(60, 50, &[70, 80]);
    let arc = KeyRange::new(key(40), key(50));
    let hand = |epoch| RecordRequest::HandOver {
        arc,
        epoch,
        doubts: crate::chord::Doubts::default(),
    };
    assert_eq!(bench.records(50, hand(9)), Some(RecordReply::Taken));
    let store = RecordRequest::Store {
        key: key(45),
        part: Record::of("", field(1, "a")),
        epoch: 3,
    };
    assert_eq!(bench.records(50, store), Some(RecordReply::Superseded(10)));
    // Told so, a former owner serves nothing, and says so to whoever asked.
    let mut former = owner();
    let asked = former.write(1, "a");
    former.told(60, asked[0].1, RecordReply::Superseded(9));
    assert!(matches!(
        former.answer(),
        Some(RecordReply::NotServing { .. })
    ));
    let read = former.records(200, RecordRequest::Read(key(45)));
    assert!(matches!(read, Some(RecordReply::NotServing { .. })));
}

#[test]
fn a_hand_over_that_was_overtaken_is_refused() {
    let mut bench = serving(60, 50, &[70, 80]);
    let arc = KeyRange::new(key(40), key(50));
    let hand = |epoch| RecordRequest::HandOver {
        arc,
        epoch,
        doubts: crate::chord::Doubts::default(),
    };
    assert_eq!(bench.records(50, hand(9)), Some(RecordReply::Taken));
    // Said again it is the same one; an older one is not.
    assert_eq!(bench.records(50, hand(9)), Some(RecordReply::Taken));
    let refused = bench.records(50, hand(4));
    assert!(
        matches!(refused, Some(RecordReply::Superseded(_))),
        "{refused:?}"
    );
}

#[test]
fn the_owner_serves_until_the_newcomer_has_all_and_lets_go_before_it_says_so() {
    let mut bench = owner();
    let asked = bench.write(1, "a");
    for (to, number, _) in &asked {
        bench.told(*to, *number, RecordReply::Stored);
    }
    bench.answer();
    // 47 joins between.
    bench.hear(47, Message::Notify);
    let claim = RecordRequest::Claim(KeyRange::new(key(40), key(47)));
    let here = bench.records(47, claim);
    assert!(matches!(
        here,
        Some(RecordReply::Claimed {
            by: Claimed::Here,
            ..
        })
    ));
    // What is written meanwhile must reach it, too.
    let open = bench.write(2, "b");
    assert_eq!(stores(&open), [60, 70, 47]);
    let read = bench.records(200, RecordRequest::Read(key(45)));
    assert!(matches!(read, Some(RecordReply::Record { .. })));
}

#[test]
fn whom_somebody_else_precedes_does_not_say_that_nobody_serves_an_arc() {
    let mut bench = owner();
    let mut by = |claims: u8| match bench.records(
        claims,
        RecordRequest::Claim(KeyRange::new(key(20), key(claims))),
    ) {
        Some(RecordReply::Claimed { by, .. }) => by,
        other => panic!("{other:?}"),
    };
    // It does not know of 40 yet, to whom this node may have given it.
    assert_eq!(by(30), Claimed::Unknown);
    assert_eq!(by(40), Claimed::Elsewhere);
}

#[test]
fn a_copy_may_go_only_when_as_many_others_hold_exactly_it() {
    let mut bench = owner();
    let asked = bench.write(1, "a");
    let entry = |bench: &mut Bench| {
        let whole = KeyRange::new(key(40), key(50));
        let entries: Vec<Entry> = bench.net.store.entries(whole).collect();
        entries
    };
    let entries = entry(&mut bench);
    let ask = |bench: &mut Bench, from, entries: &[Entry]| {
        let entries = entries.to_vec();
        let leaving = false;
        match bench.records(from, RecordRequest::Confirm { entries, leaving }) {
            Some(RecordReply::Confirmed { safe, other }) => (safe.len(), other.len()),
            other => panic!("{other:?}"),
        }
    };
    // Still on its way to the holders.
    assert_eq!(ask(&mut bench, 90, &entries), (0, 0));
    for (to, number, _) in &asked {
        bench.told(*to, *number, RecordReply::Stored);
    }
    bench.answer();
    // Held by all, but nobody has compared everything with them yet.
    assert_eq!(ask(&mut bench, 90, &entries), (0, 0));
    bench.timer(Timer::Repair);
    for holder in [60, 70] {
        let compare = bench.asked_about_records();
        let (to, number, _) = compare
            .iter()
            .find(|(_, _, body)| matches!(body, RecordRequest::Compare { .. }))
            .expect("compares");
        assert_eq!(*to, holder);
        let same = crate::record::DigestAnswer::Same;
        let compared = RecordReply::Compared {
            answer: same,
            epoch: 0,
        };
        bench.told(holder, *number, compared);
    }
    bench.sent();
    assert_eq!(ask(&mut bench, 90, &entries), (1, 0));
    // A holder's own copy is one of those that are needed.
    assert_eq!(ask(&mut bench, 60, &entries), (0, 0));
    // Whoever has something else is told so, and keeps it.
    let mut older = entries.clone();
    older[0].digest = Record::of("", field(0, "old")).digest();
    assert_eq!(ask(&mut bench, 90, &older), (0, 1));
}

#[test]
fn a_tombstone_goes_when_its_time_is_over_and_nobody_may_bring_the_value_back() {
    let settings = || Config {
        replicas: 3,
        tombstones_for: Duration::from_secs(60),
        remembered: 4,
        ..config(4)
    };
    let gone = |lost: bool| {
        let mut world = World::ideal(settings(), &[10, 60, 110, 160, 210, 240]);
        let key = key(100);
        for (token, write) in [Write::put("", "a"), Write::delete("")]
            .into_iter()
            .enumerate()
        {
            let token = token as u64;
            world.input(10, Input::Write { token, key, write });
            world.run(SECOND);
        }
        world.run(SECOND * 50);
        if lost {
            // A former holder that may come back with the value.
            world.kill(&[160]);
        }
        world.run(SECOND * 50);
        // Nobody answered what nobody waits for.
        let ignored = |event: &Event| matches!(event, Event::Ignored(..));
        assert_eq!(world.count(ignored), 0);
        let arc = KeyRange::new(key.previous(), key);
        let holds = |place: &u8| world.stores[place].digest(arc).records() == 1;
        [110, 210, 240].iter().all(|place| !holds(place))
    };
    assert!(gone(false));
    assert!(!gone(true));
}

#[test]
fn a_conditional_write_needs_a_majority_of_the_last_complete_holders() {
    let mut world = World::ideal(
        Config {
            replicas: 3,
            acks: Some(1),
            ..config(4)
        },
        &[10, 60, 110, 160, 210],
    );
    let key = key(100);
    let put = Write::put("", "a");
    world.input(
        10,
        Input::Write {
            token: 1,
            key,
            write: put,
        },
    );
    world.run(SECOND * 10);
    // Cut off, the owner finds one other holder, and none of those that it had.
    world.cut(&[110, 10]);
    world.run(Duration::from_millis(10));
    let write = Write {
        condition: Condition::Stamp(stamp_of(&mut world, key)),
        ..Write::put("", "b")
    };
    world.input(
        110,
        Input::Write {
            token: 2,
            key,
            write,
        },
    );
    world.run(SECOND * 5);
    let partial = |event: &Event| match event {
        Event::Written { token: 2, result } => {
            result.as_ref().is_ok_and(|written| !written.is_complete())
        }
        _ => false,
    };
    assert_eq!(world.count(partial), 1, "{:?}", world.told_by(110));
}

fn stamp_of(world: &mut World, key: Id) -> Stamp {
    let store = world.stores.get_mut(&110).expect("it runs");
    let record = store.get(key).expect("sound").expect("there");
    record.field("").expect("there").stamp()
}

#[test]
fn limits_are_named_by_their_errors() {
    use crate::chord::Denied;
    let mut bench = owner();
    let denied = |bench: &mut Bench, name: String, value: Vec<u8>, at: u8| {
        let write = RecordRequest::Write {
            key: key(at),
            name,
            field: Field::new(stamp(1), None, value, None),
            condition: Condition::None,
        };
        match bench.records(200, write) {
            Some(RecordReply::Denied(denied)) => denied,
            other => panic!("{other:?}"),
        }
    };
    let long = denied(&mut bench, "n".repeat(256), vec![], 45);
    assert!(long.to_string().contains("255"), "{long}");
    let large = denied(&mut bench, String::new(), vec![0; 48 * 1024 + 1], 45);
    assert!(large.to_string().contains("49152"), "{large}");
    let mut full = serving(50, 40, &[60]);
    let mut config = full.node.config().clone();
    config.keys_max = 1;
    let neighbours = full.node.neighbours().clone();
    full.node = Node::member(config.into(), 1, neighbours, Fingers::new());
    full.handle(Input::Resume);
    full.write(1, "a");
    assert_eq!(
        denied(&mut full, String::new(), vec![1], 46),
        Denied::Keys(1)
    );
}
