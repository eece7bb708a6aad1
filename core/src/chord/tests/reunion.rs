//! Two rings that were one, and peers that are worth asking again.

use super::world::*;
use crate::chord::open_requests::Waiter;
use crate::chord::{
    Config, Event, Hello, Input, Message, Refusal, Reply, Request, Timer, VERSIONS,
};
use crate::ring::Id;
use crate::ring::test_peers::{peer, peers};

const EIGHT: [u8; 8] = [10, 40, 70, 100, 130, 160, 190, 220];

fn hello() -> Hello {
    Hello {
        versions: VERSIONS,
        cluster: Id::of_key(b"cuerda"),
        successors: 3,
        replicas: 1,
        incarnation: 1,
        member: true,
    }
}

fn parted_and_healed(sides: [[u8; 4]; 2]) {
    let mut world = World::grown(config(3), &EIGHT);
    world.cut(&sides[0]);
    world.run(SECOND * 60);
    for side in sides {
        world.assert_ideal(&side);
    }
    world.cut(&[]);
    world.run(SECOND * 60);
    world.assert_ideal(&EIGHT);
}

#[test]
fn two_rings_that_alternate_on_the_circle_become_one_again() {
    parted_and_healed([[10, 70, 130, 190], [40, 100, 160, 220]]);
}

#[test]
fn two_rings_that_lie_side_by_side_become_one_again() {
    // With more successors, so that no side's list is all on the other side.
    let mut world = World::grown(config(5), &EIGHT);
    world.cut(&EIGHT[..4]);
    world.run(SECOND * 60);
    world.assert_ideal(&EIGHT[..4]);
    world.assert_ideal(&EIGHT[4..]);
    world.cut(&[]);
    world.run(SECOND * 60);
    world.assert_ideal(&EIGHT);
}

#[test]
fn those_whose_whole_list_was_cut_off_come_back_to_their_own_side() {
    parted_and_healed([[10, 40, 70, 100], [130, 160, 190, 220]]);
}

#[test]
fn one_member_that_remembers_one_of_the_other_ring_is_enough() {
    let mut world = World::new(config(3));
    let sides = [[10, 70, 130, 190], [40, 100, 160, 220]];
    for side in sides {
        world.start(side[0], 1, Input::Found);
        for place in &side[1..] {
            world.start(*place, 1, Input::Join(peers(&side[..1])));
            world.run(SECOND * 2);
        }
    }
    world.run(SECOND * 10);
    for side in sides {
        world.assert_ideal(&side);
    }
    world.input(10, Input::Remember(peers(&[160])));
    world.run(SECOND * 120);
    world.assert_ideal(&EIGHT);
}

#[test]
fn who_came_during_the_cut_looks_for_those_whom_the_others_remember() {
    let mut world = World::grown(
        Config {
            remembered: 8,
            ..config(3)
        },
        &EIGHT,
    );
    let (old, new) = ([10, 70, 130, 190], [20, 80, 140, 200]);
    world.cut(&[old, new].concat());
    world.run(SECOND * 60);
    for place in new {
        world.start(place, 1, Input::Join(peers(&old)));
        world.run(SECOND * 2);
    }
    world.run(SECOND * 20);
    // Nobody is left on this side who has ever seen the other.
    world.kill(&old);
    world.run(SECOND * 60);
    world.assert_ideal(&new);
    world.cut(&[]);
    world.run(SECOND * 120);
    world.assert_ideal(&[20, 40, 80, 100, 140, 160, 200, 220]);
}

#[test]
fn without_room_to_remember_two_rings_stay_two() {
    // What the tests above rest on: it is memory that brings them together.
    let mut world = World::grown(
        Config {
            remembered: 0,
            ..config(3)
        },
        &EIGHT,
    );
    world.cut(&[10, 70, 130, 190]);
    world.run(SECOND * 60);
    world.cut(&[]);
    world.run(SECOND * 60);
    world.assert_ideal(&[10, 70, 130, 190]);
    world.assert_ideal(&[40, 100, 160, 220]);
}

/// 20 has adopted 25 before its successor 30; what it asks next, of whom.
fn displaced(bench: &mut Bench, successors_of_25: &[u8]) -> Vec<(u8, u32, Request)> {
    bench.hear(10, Message::Introduce(peer(25)));
    let (_, number, _) = bench.question();
    bench.reply(25, number, neighbours(25, 7, successors_of_25));
    assert_eq!(around(&bench.node).1[0], 25);
    let find = |(_, _, request): &(_, _, Request)| matches!(request, Request::Find { .. });
    bench.asked().into_iter().filter(find).collect()
}

#[test]
fn a_displaced_successor_is_handed_on_to_whoever_precedes_it_in_the_other_ring() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let asked = displaced(&mut bench, &[28, 60, 90]);
    let [
        (
            25,
            number,
            Request::Find {
                key,
                confirm: false,
            },
        ),
    ] = asked[..]
    else {
        panic!("not looked up from the new one: {asked:?}")
    };
    assert_eq!(key, peer(30).id);
    bench.reply(25, number, Reply::Covered(list(25, &[28, 60, 90])));
    let (to, number, _) = bench.question();
    assert_eq!(to, 60);
    bench.reply(60, number, Reply::Owner);
    assert_eq!(bench.sent(), [(28, Message::Introduce(peer(30)))]);
}

#[test]
fn a_displaced_successor_that_is_known_over_there_is_not_handed_on() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let asked = displaced(&mut bench, &[28, 60, 90]);
    bench.reply(25, asked[0].1, Reply::Covered(list(25, &[28, 30, 60])));
    let (to, number, _) = bench.question();
    assert_eq!(to, 30);
    bench.reply(30, number, Reply::Owner);
    assert_eq!(bench.sent(), []);
    // And if the new one's list names it there is nothing to look up.
    let mut bench = Bench::member(20, 10, &[30, 40]);
    assert_eq!(displaced(&mut bench, &[30, 40]), []);
}

/// A member that remembers 99 and has asked whether it is back, under the number given. It has
/// begun a step, too.
fn probing() -> (Bench, u32) {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    bench.handle(Input::Remember(peers(&[99])));
    bench.timer(Timer::Stabilize);
    let asked = bench.asked();
    let probe = asked.iter().find(|(to, _, _)| *to == 99).expect("a probe");
    assert_eq!(probe.2, Request::Hello(hello()));
    (bench, probe.1)
}

#[test]
fn a_remembered_peer_that_belongs_elsewhere_now_is_forgotten() {
    let other = Hello {
        cluster: Id::of_key(b"other"),
        ..hello()
    };
    for (reply, refusal) in [
        (Reply::Refused(Refusal::Cluster), Refusal::Cluster),
        (Reply::Hello(other), Refusal::Cluster),
        (
            Reply::Hello(Hello {
                successors: 9,
                ..hello()
            }),
            Refusal::Successors,
        ),
    ] {
        let (mut bench, number) = probing();
        bench.reply(99, number, reply);
        assert_eq!(bench.net.take_events(), [Event::Refused(peer(99), refusal)]);
        assert_eq!(bench.node.remembered().count(), 0);
        assert_eq!(bench.asked(), []);
    }
}

#[test]
fn a_remembered_peer_that_is_silent_or_not_yet_a_member_is_kept() {
    let (mut bench, number) = probing();
    bench.late(number);
    assert_eq!(bench.node.remembered().count(), 1);
    let (mut bench, number) = probing();
    bench.reply(
        99,
        number,
        Reply::Hello(Hello {
            member: false,
            ..hello()
        }),
    );
    assert_eq!(bench.node.remembered().count(), 1);
}

#[test]
fn a_remembered_peer_of_the_same_ring_is_forgotten_and_of_another_one_used() {
    let own_place = |bench: &mut Bench, number| {
        bench.reply(99, number, Reply::Hello(hello()));
        let (to, number, request) = bench.question();
        assert_eq!(
            (to, request),
            (
                99,
                Request::Find {
                    key: peer(20).id,
                    confirm: false
                }
            )
        );
        number
    };
    let (mut bench, number) = probing();
    let number = own_place(&mut bench, number);
    bench.reply(99, number, Reply::Covered(list(99, &[10, 20, 30])));
    assert_eq!(bench.node.remembered().count(), 0);
    assert_eq!(bench.sent(), []);

    // In its ring 25 comes after 20: it is contacted as soon as the running step has ended.
    let (mut bench, number) = probing();
    let number_of_step = number + 1;
    let number = own_place(&mut bench, number);
    bench.reply(99, number, Reply::Covered(list(99, &[12, 25, 35])));
    let (to, number, _) = bench.question();
    assert_eq!(to, 25);
    bench.reply(25, number, Reply::Owner);
    assert_eq!(bench.asked(), []);
    let waiter = bench.node.requests.waiter(number_of_step);
    assert_eq!(waiter, Some(Waiter::Maintenance));
    bench.reply(30, number_of_step, neighbours(30, 20, &[40, 10]));
    let (to, _, request) = bench.question();
    assert_eq!((to, request), (25, Request::Neighbours));
}
