//! Neighbours that leave, and what they hold.

use super::promises::{key, owner};
use super::world::*;
use crate::chord::{
    Config, Event, Input, Message, RecordReply, RecordRequest, Request, Timer, Write,
};
use crate::record::{DigestSource, Record, Stamp};
use crate::ring::test_peers::{peer, peers};
use crate::ring::{Id, KeyRange};
use crate::store::Store;

fn may_leave(bench: &mut Bench, from: u8) -> RecordReply {
    let asks = RecordRequest::Leave;
    bench.records(from, asks).expect("it answers at once")
}

/// The one request about records since this was last asked.
fn only(bench: &mut Bench) -> (u8, u32, RecordRequest) {
    let asked = bench.asked_about_records();
    let [one] = &asked[..] else {
        panic!("not one request: {asked:?}");
    };
    one.clone()
}

/// All that is waited for is late: what does it ask for then?
fn rested(bench: &mut Bench) -> Vec<RecordRequest> {
    let mut late: Vec<u32> = bench.node.requests.open().into_keys().collect();
    // The last pause is over first, as it is the shortest.
    late.reverse();
    late.into_iter().for_each(|number| bench.late(number));
    let asked = bench.asked_about_records();
    asked.into_iter().map(|(_, _, asks)| asks).collect()
}

/// An owner of a record that all holders have.
fn with_a_record() -> Bench {
    let mut bench = owner();
    for (to, number, _) in bench.write(1, "a") {
        bench.told(to, number, RecordReply::Stored);
    }
    bench.sent();
    bench
}

#[test]
fn a_leaver_asks_its_successor_until_that_one_stays() {
    let mut bench = with_a_record();
    bench.handle(Input::Leave);
    let (to, number, asks) = only(&mut bench);
    assert_eq!((to, asks), (60, RecordRequest::Leave));
    bench.told(60, number, RecordReply::Stays(false));
    assert_eq!(bench.asked_about_records(), []);
    // It rests, and asks again.
    let pause = bench.node.requests.open().into_keys().max();
    bench.late(pause.expect("it rests"));
    let (to, number, asks) = only(&mut bench);
    assert_eq!((to, asks), (60, RecordRequest::Leave));
    bench.told(60, number, RecordReply::Stays(true));
    assert!(matches!(only(&mut bench).2, RecordRequest::Compare { .. }));
}

#[test]
fn of_two_neighbours_that_leave_the_higher_goes_first_and_the_other_waits_for_it() {
    let stays = RecordReply::Stays;
    let mut bench = with_a_record();
    assert_eq!(may_leave(&mut bench, 30), stays(false), "no neighbour");
    bench.handle(Input::Leave);
    let (_, number, _) = only(&mut bench);
    assert_eq!(may_leave(&mut bench, 40), stays(false), "the lower one");
    // 200 lies before 50 when 40 is gone.
    let (predecessor, successors) = (peer(200), list(40, &[50, 60]));
    bench.ask(
        40,
        Request::Leaving {
            predecessor,
            successors,
        },
    );
    bench.sent();
    assert_eq!(may_leave(&mut bench, 200), stays(true));
    // It has promised to stay, so it can't go now, though its own successor would stay.
    bench.told(60, number, stays(true));
    assert_eq!(bench.asked_about_records(), []);
    bench.ask(
        200,
        Request::Leaving {
            predecessor: peer(180),
            successors: list(200, &[50, 60]),
        },
    );
    bench.sent();
    assert!(rested(&mut bench).contains(&RecordRequest::Leave));
}

#[test]
fn who_was_to_leave_and_claims_instead_is_waited_for_no_longer() {
    let mut bench = with_a_record();
    assert_eq!(may_leave(&mut bench, 40), RecordReply::Stays(true));
    bench.handle(Input::Leave);
    assert_eq!(bench.asked_about_records(), []);
    bench.records(40, RecordRequest::Claim(KeyRange::new(key(30), key(40))));
    // What comes next settles it.
    bench.hear(45, Message::Notify);
    let asked = bench.asked_about_records();
    let leave = |(_, _, asks): &(u8, u32, RecordRequest)| *asks == RecordRequest::Leave;
    assert!(asked.iter().any(leave), "{asked:?}");
}

#[test]
fn a_leaver_holds_nothing_for_others_any_more() {
    let mut bench = with_a_record();
    bench.handle(Input::Leave);
    let (_, number, _) = only(&mut bench);
    bench.told(60, number, RecordReply::Stays(true));
    bench.sent();
    let store = RecordRequest::Store {
        key: key(35),
        part: Record::default(),
        epoch: 1,
    };
    assert_eq!(bench.records(40, store), Some(RecordReply::Leaving));
    let question = crate::record::DigestQuestion {
        arc: KeyRange::new(key(30), key(40)),
        digest: bench.net.store.digest(KeyRange::new(key(30), key(40))),
    };
    let compare = |assigns| RecordRequest::Compare { question, assigns };
    assert_eq!(bench.records(40, compare(true)), Some(RecordReply::Leaving));
    let read = bench.records(40, compare(false));
    assert!(matches!(read, Some(RecordReply::Compared { .. })));
}

#[test]
fn an_owner_counts_no_leaver_among_the_holders() {
    let mut bench = owner();
    let asked = bench.write(1, "a");
    bench.told(60, asked[0].1, RecordReply::Stored);
    bench.told(70, asked[1].1, RecordReply::Leaving);
    let (to, number, _) = only(&mut bench);
    assert_eq!(to, 80);
    bench.told(80, number, RecordReply::Stored);
    // The round of repair that follows goes to those that stay.
    let (to, _, _) = only(&mut bench);
    assert_eq!(to, 60);
    // Told by one that asks whether its copies are safe, it knows that, too.
    let confirm = RecordRequest::Confirm {
        entries: Vec::new(),
        leaving: true,
    };
    bench.records(80, confirm);
    let asked = bench.write(2, "b");
    let to: Vec<u8> = asked.iter().map(|(to, ..)| *to).collect();
    assert_eq!(to.iter().filter(|to| [70, 80].contains(*to)).count(), 0);
    assert!(to.contains(&90), "{to:?}");
    // After some time it asks them again, though no neighbour has changed: they may be back.
    for _ in 0..3 {
        bench.handle(Input::Timer(Timer::Repair));
        for (to, number, _) in bench.asked_about_records() {
            bench.told(to, number, RecordReply::Stored);
        }
    }
    let asked = bench.write(3, "c");
    let to: Vec<u8> = asked.iter().map(|(to, ..)| *to).collect();
    assert!(to.contains(&60) && to.contains(&70), "{to:?}");
}

fn stocked(settings: Config, places: &[u8]) -> World {
    let mut world = World::ideal(settings, places);
    for token in 0..40_u64 {
        let (from, key) = (places[0], peer(token as u8 * 6).id);
        let write = Write::put("", "a");
        world.input(from, Input::Write { token, key, write });
        world.run(SECOND / 10);
    }
    world.run(SECOND * 5);
    world
}

fn settings() -> Config {
    Config {
        replicas: 3,
        ..config(4)
    }
}

/// How many of the records one of these nodes has.
fn kept(world: &World, places: &[u8]) -> usize {
    let all = |place: &u8| {
        let store = &world.stores[place];
        let entries = store.entries(KeyRange::new(Id::ZERO, Id::ZERO));
        entries.map(|entry| entry.key).collect::<Vec<_>>()
    };
    let mut keys: Vec<Id> = places.iter().flat_map(all).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

#[test]
fn all_but_one_leave_together_and_the_last_is_a_ring_that_has_everything() {
    let places = [10, 40, 80, 120, 160, 200, 240];
    for survivor in places {
        let mut world = stocked(settings(), &places);
        for place in places.into_iter().filter(|place| *place != survivor) {
            world.input(place, Input::Leave);
        }
        world.run(SECOND * 30);
        world.assert_ideal(&[survivor]);
        assert_eq!(kept(&world, &[survivor]), 40);
        let behind = |event: &Event| matches!(event, Event::LeftBehind { .. });
        assert_eq!(world.count(behind), 0);
        for place in places {
            let gone = world.told_by(place).contains(&&Event::Left);
            let node = &world.nodes[&place];
            assert_eq!(gone, place != survivor, "{survivor} stays: {node:?}");
        }
        assert_eq!(world.count(|event| *event == Event::Stranded), 0);
    }
}

#[test]
fn who_leaves_while_it_is_on_its_way_into_a_ring_waits_for_one_and_hands_over() {
    let mut world = stocked(settings(), &[10, 80, 160, 240]);
    // It has what nobody else has.
    let write = Record::of("", crate::record::Field::new(Stamp::ZERO, None, "b", None));
    let mut store = crate::store::MemoryStore::default();
    store.put(peer(77).id, write);
    let batch = store.seal().expect("a record was put");
    store.committed(batch.number);
    world.stores.insert(120, store);
    world.start(120, 1, Input::Join(peers(&[250])));
    world.run(SECOND);
    world.input(120, Input::Leave);
    world.run(SECOND);
    assert_eq!(world.count(|event| *event == Event::Left), 0);
    // A contact comes up that belongs to the ring.
    world.input(120, Input::Join(peers(&[10])));
    world.run(SECOND * 20);
    assert_eq!(world.count(|event| *event == Event::Left), 1);
    assert_eq!(kept(&world, &[10, 80, 160, 240]), 41);
}

#[test]
fn who_has_nothing_to_hand_over_waits_for_nobody() {
    let mut world = World::ideal(settings(), &[10, 80, 160]);
    world.kill(&[80, 160]);
    world.input(10, Input::Leave);
    world.run(SECOND * 3);
    assert_eq!(world.told_by(10).last(), Some(&&Event::Left));
}

#[test]
fn a_dead_successor_is_found_out_soon_and_the_next_one_asked() {
    let never = Config {
        stabilize_every: NEVER,
        ..settings()
    };
    let mut world = World::ideal(never, &[10, 80, 160, 240]);
    let (token, key) = (1, peer(5).id);
    let write = Write::put("", "a");
    world.input(10, Input::Write { token, key, write });
    world.run(SECOND);
    world.kill(&[80]);
    world.input(10, Input::Leave);
    world.run(SECOND * 2);
    assert!(world.told_by(10).contains(&&Event::Leaving));
    assert_eq!(kept(&world, &[160]), 1);
}

#[test]
fn what_nobody_took_over_in_time_is_told() {
    // Alone it would have nobody to wait for.
    let soon = Config {
        found_after: SECOND,
        ..settings()
    };
    let mut world = stocked(soon, &[10, 80, 160]);
    world.kill(&[80, 160]);
    world.run(SECOND * 3);
    let left = |world: &World| world.nodes[&10].to_hand_over(&world.stores[&10]);
    assert_eq!(left(&world), None);
    world.input(10, Input::Leave);
    world.run(SECOND * 59);
    assert_eq!(world.count(|event| *event == Event::Left), 0);
    assert_eq!(left(&world), Some(40), "as it is told when it goes");
    world.run(SECOND * 3);
    assert!(
        world
            .told_by(10)
            .ends_with(&[&Event::LeftBehind { records: 40 }, &Event::Left])
    );
}

#[test]
fn who_is_alone_because_it_is_cut_off_waits_for_the_others_and_hands_over() {
    // It goes on alone, and is a ring of one.
    let soon = Config {
        found_after: SECOND,
        ..settings()
    };
    let mut world = stocked(soon, &[10, 80, 160]);
    world.cut(&[10]);
    world.run(SECOND * 40);
    world.assert_ideal(&[10]);
    let write = Write::put("", "only here");
    let (token, key) = (99, peer(9).id);
    world.input(10, Input::Write { token, key, write });
    world.run(SECOND);
    assert_eq!(kept(&world, &[10]), 41);
    world.input(10, Input::Leave);
    world.run(SECOND * 20);
    assert_eq!(world.count(|event| *event == Event::Left), 0);
    world.cut(&[]);
    world.run(SECOND * 30);
    assert_eq!(world.told_by(10).last(), Some(&&Event::Left));
    let behind = |event: &Event| matches!(event, Event::LeftBehind { .. });
    assert_eq!(world.count(behind), 0);
    assert_eq!(kept(&world, &[80, 160]), 41);
}

#[test]
fn when_all_leave_the_last_one_tells_what_it_keeps_and_waits_for_nobody() {
    let places = [10, 80, 160];
    let mut world = stocked(settings(), &places);
    for place in places {
        world.input(place, Input::Leave);
    }
    world.run(SECOND * 10);
    let last = places.into_iter().find(|place| {
        let events = world.told_by(*place);
        events.contains(&&Event::LeftBehind { records: 40 })
    });
    let last = last.expect("one of them is the last");
    assert_eq!(kept(&world, &[last]), 40);
    assert!(world.told_by(last).contains(&&Event::Left));
    world.run(SECOND * 60);
    assert_eq!(world.count(|event| *event == Event::Left), 3);
}

#[test]
fn who_is_alone_when_it_is_told_to_leave_goes_at_once() {
    let mut world = stocked(settings(), &[10, 80]);
    world.input(80, Input::Leave);
    world.run(SECOND * 10);
    world.assert_ideal(&[10]);
    world.input(10, Input::Leave);
    world.run(SECOND);
    assert_eq!(world.told_by(10).last(), Some(&&Event::Left));
    let behind = |event: &Event| matches!(event, Event::LeftBehind { .. });
    assert_eq!(world.count(behind), 0);
}

#[test]
fn a_leaver_that_was_suspended_has_not_spent_its_time_when_it_goes_on() {
    let mut bench = with_a_record();
    bench.net.take_timers();
    bench.handle(Input::Leave);
    let (to, asked, _) = only(&mut bench);
    assert_eq!(to, 60);
    let mut waited = std::time::Duration::ZERO;
    let mut next = bench.net.take_timers();
    for part in 1..=12 {
        assert!(!bench.net.events.contains(&Event::Leaving), "{part}");
        // All that it waits for is over at once when it goes on; the time for leaving is not.
        let of_time = next.iter().find_map(|(timer, after)| match timer {
            Timer::Request(number) if *number != asked => Some((*number, after.start)),
            _ => None,
        });
        let (number, length) = of_time.expect("a part of its time goes by");
        waited += length;
        bench.late(number);
        next = bench.net.take_timers();
    }
    assert_eq!(waited, bench.node.config.hand_over_within);
    assert!(bench.net.events.contains(&Event::Leaving));
    let behind = Event::LeftBehind { records: 1 };
    assert!(bench.net.events.contains(&behind));
}
