//! Every table is bounded, and a full one says so at once.

use super::world::*;
use crate::chord::{
    Event, Input, LookupError, RecordReply, RecordRequest, Reply, Request, Stamped, Timer, limits,
};
use crate::record::{Field, Record, Stamp};
use crate::ring::test_peers::{peer, peers};
use crate::ring::{Id, Peer, SuccessorList};

/// How many peers a node holds in all its tables: each shows as `id@address`.
pub(super) fn peers_held(bench: &Bench) -> usize {
    format!("{:?}", bench.node).matches('@').count()
}

/// A list as it may come from the wire, where anything can be written.
pub(super) fn forged(peers: &[Peer]) -> SuccessorList {
    let bytes = postcard::to_allocvec(peers).expect("a list of peers can be written");
    postcard::from_bytes(&bytes).expect("a list of successors is a list of peers")
}

/// More peers, in order, than any correct node's list holds.
fn crowd() -> Vec<Peer> {
    let base = peer(40).id;
    let mut id = base;
    (0..5000)
        .map(|_| {
            id = id.plus_power(130);
            Peer { id, ..peer(40) }
        })
        .collect()
}

#[test]
fn when_as_many_look_ups_are_open_as_there_is_room_for_the_next_is_refused_at_once() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let most = limits::LOOKUPS as u64;
    for token in 0..most {
        bench.look_up(token, peer(100).id);
    }
    assert_eq!(bench.ended(), []);
    let asked = bench.asked();
    assert_eq!(asked.len(), limits::LOOKUPS);
    bench.look_up(most, peer(100).id);
    assert_eq!(bench.ended(), [(most, Err(LookupError::TooManyLookups))]);
    assert_eq!(bench.asked(), []);
    // One that ends makes room for one.
    let (to, number, _) = asked[500];
    bench.reply(to, number, Reply::Owner);
    assert_eq!(bench.ended(), [(500, Ok(to))]);
    bench.look_up(most + 1, peer(100).id);
    bench.look_up(most + 2, peer(100).id);
    assert_eq!(
        bench.ended(),
        [(most + 2, Err(LookupError::TooManyLookups))]
    );
}

#[test]
fn each_of_as_many_readings_as_there_is_room_for_gets_its_own_answer() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    bench.handle(Input::Resume);
    let most = limits::ACCESSES as u64;
    for token in 0..most {
        let (key, past) = (Id::from_high(token), Stamp::ZERO);
        bench.handle(Input::Read { token, key, past });
    }
    assert_entered(&bench.node);
    // Each in another order than the one before, as replies come.
    let shuffled = |asked: &[(u8, u32, Request)], by: usize| -> Vec<(u8, u32, Request)> {
        let places = (0..asked.len()).map(|at| at * by % asked.len());
        places.map(|at| asked[at].clone()).collect()
    };
    let looked_up = bench.asked();
    assert_eq!(looked_up.len(), limits::ACCESSES);
    for (to, number, _) in shuffled(&looked_up, 333) {
        bench.reply(to, number, Reply::Owner);
    }
    assert_entered(&bench.node);
    let read = bench.asked();
    assert_eq!(read.len(), limits::ACCESSES);
    for (to, number, request) in shuffled(&read, 777) {
        let Request::Records(stamped) = request else {
            panic!("not about records: {request:?}");
        };
        let RecordRequest::Read(key) = stamped.body else {
            panic!("not a reading: {stamped:?}");
        };
        let value = key.to_string().into_bytes();
        let record = Record::of("", Field::new(Stamp::ZERO, None, value, None));
        let (record, others) = (Some(record), Vec::new());
        let body = RecordReply::Record {
            record,
            others,
            now: 0,
        };
        let clock = Stamp::ZERO;
        bench.net.take_events();
        bench.reply(
            to,
            number,
            Reply::Records(Box::new(Stamped::new(clock, body))),
        );
        let told = bench.net.take_events();
        let [Event::Read { token, result }] = &told[..] else {
            panic!("not one answer: {told:?}");
        };
        assert_eq!(Id::from_high(*token), key);
        let fetched = result.as_ref().expect("it was answered");
        let field = fetched.record.as_ref().and_then(|record| record.field(""));
        let value = field.and_then(Field::value).expect("it has a value");
        assert_eq!(value.as_bytes(), key.to_string().as_bytes());
    }
    assert!(bench.node.requests.open().is_empty());
}

#[test]
fn a_full_house_of_look_ups_keeps_no_query_of_the_nodes_own_waiting() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    for token in 0..limits::LOOKUPS as u64 {
        bench.look_up(token, peer(100).id);
    }
    bench.sent();
    bench.handle(Input::Remember(peers(&[99])));
    bench.timer(Timer::Fingers);
    bench.timer(Timer::Stabilize);
    let asked = bench.asked();
    let is = |such: fn(&Request) -> bool| asked.iter().any(|(_, _, request)| such(request));
    assert!(is(|request| matches!(request, Request::Find { .. })));
    assert!(is(|request| matches!(request, Request::Hello(_))));
    assert!(is(|request| *request == Request::Neighbours));
}

#[test]
fn a_node_runs_no_more_queries_of_its_own_than_there_is_room_for() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let many: Vec<u8> = (100..116).collect();
    bench.handle(Input::Remember(peers(&many)));
    let mut open = 0;
    for _ in 0..50 {
        bench.timer(Timer::Stabilize);
        bench.timer(Timer::Fingers);
        let asked = bench.asked();
        let query = |request: &Request| matches!(request, Request::Hello(_) | Request::Find { .. });
        let now = asked
            .iter()
            .filter(|(_, _, request)| query(request))
            .count();
        assert!(now <= limits::PROBES_PER_PERIOD + 1);
        open += now;
    }
    assert_eq!(open, limits::QUERIES);
}

#[test]
fn departures_that_wait_are_bounded() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    let before = peers_held(&bench);
    for _ in 0..10 * limits::DELAYED {
        let leaving = Request::Leaving {
            predecessor: peer(5),
            successors: list(60, &[70, 80]),
        };
        bench.ask(60, leaving);
    }
    assert!(peers_held(&bench) <= before + 4 * limits::DELAYED);
    bench.sent();
    bench.reply(30, number, neighbours(30, 20, &[40, 10]));
    assert!(bench.sent().len() <= limits::DELAYED + 1);
    assert_eq!(around(&bench.node), (10, vec![30, 40, 10]));
}

#[test]
fn a_joiner_keeps_no_more_contacts_than_there_is_room_for() {
    let mut bench = Bench::outside(1);
    let many: Vec<u8> = (2..250).collect();
    for _ in 0..3 {
        bench.handle(Input::Join(peers(&many)));
    }
    // Its neighbours are itself, and the contacts it is asking are held three times.
    let most = limits::CONTACTS + 2 * limits::GREETINGS + 8;
    assert!(peers_held(&bench) <= most, "{}", peers_held(&bench));
}

#[test]
fn a_joiner_keeps_and_asks_no_more_of_those_that_others_name_than_there_is_room_for() {
    let mut bench = Bench::outside(1);
    bench.handle(Input::Join(peers(&[2])));
    let mut open = Vec::new();
    for _ in 0..2 * limits::GREETED {
        let asked = bench.asked();
        open.extend(asked.into_iter().map(|(to, number, _)| (to, number)));
        let Some((to, number)) = open.pop() else {
            break;
        };
        let contacts = (0..limits::CONTACTS).map(|at| Peer {
            id: Id::of_key(format!("{number} {at}").as_bytes()),
            ..peer(3)
        });
        let contacts = contacts.collect();
        let hello = bench.hello();
        bench.reply(
            to,
            number,
            Reply::Joining {
                hello,
                running: 0,
                contacts,
            },
        );
    }
    let most = 2 * limits::CONTACTS + limits::GREETED + 2 * limits::GREETINGS + 8;
    assert!(peers_held(&bench) <= most, "{}", peers_held(&bench));
}

#[test]
fn a_list_that_is_longer_than_any_node_may_have_fills_no_look_up() {
    let mut bench = Bench::member(20, 10, &[30]);
    bench.look_up(1, peer(35).id);
    let (to, number, _) = bench.question();
    assert_eq!(to, 30);
    bench.reply(30, number, Reply::Covered(forged(&crowd())));
    let most = limits::LOOKUP_CANDIDATES + usize::from(limits::SUCCESSORS) + 16;
    assert!(
        peers_held(&bench) <= most,
        "it holds {} peers",
        peers_held(&bench)
    );
}

#[test]
fn nearer_nodes_in_any_number_fill_no_look_up() {
    let mut bench = Bench::member(20, 10, &[30]);
    bench.look_up(1, Id::ZERO);
    let (to, number, _) = bench.question();
    assert_eq!(to, 30);
    bench.reply(30, number, Reply::Closer(crowd()));
    let most = limits::LOOKUP_CANDIDATES + 16;
    assert!(
        peers_held(&bench) <= most,
        "it holds {} peers",
        peers_held(&bench)
    );
}

#[test]
fn a_departure_with_a_list_longer_than_any_node_may_have_is_not_kept_whole() {
    let mut bench = Bench::member(20, 10, &[30]);
    bench.begin_step();
    bench.ask(
        60,
        Request::Leaving {
            predecessor: peer(5),
            successors: forged(&crowd()),
        },
    );
    let most = usize::from(limits::SUCCESSORS) + 16;
    assert!(
        peers_held(&bench) <= most,
        "it holds {} peers",
        peers_held(&bench)
    );
}

#[test]
fn the_own_list_is_never_longer_than_configured_nor_out_of_order() {
    let mut bench = Bench::member(20, 10, &[30]);
    let number = bench.begin_step();
    // The bench itself asserts order and length after every input.
    let long = Reply::Neighbours {
        predecessor: peer(20),
        successors: forged(&crowd()[..usize::from(limits::SUCCESSORS)]),
    };
    bench.reply(30, number, long);
    assert_eq!(bench.node.neighbours().successors().len(), 3);
    for places in [
        vec![20, 20],
        vec![30, 30, 40],
        vec![90, 50, 10, 20, 25],
        vec![],
    ] {
        let number = bench.begin_step();
        let successors = forged(&peers(&places));
        bench.reply(
            30,
            number,
            Reply::Neighbours {
                predecessor: peer(20),
                successors,
            },
        );
        assert_eq!(around(&bench.node).1[0], 30);
    }
}
