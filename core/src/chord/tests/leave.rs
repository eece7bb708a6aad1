//! Out of a ring.

use std::time::Duration;

use super::world::*;
use crate::chord::{Config, Event, Input, LookupError, Message, Reply, Request};
use crate::ring::test_peers::{peer, peers};

/// Until a leaver has heard from its successor that that one stays.
const PERMITTED: Duration = Duration::from_millis(2 * LATENCY.as_millis() as u64);

fn slow(successors: u8) -> Config {
    Config {
        stabilize_every: NEVER,
        ..config(successors)
    }
}

fn left(world: &World, place: u8) -> usize {
    world
        .told_by(place)
        .iter()
        .filter(|event| ***event == Event::Left)
        .count()
}

#[test]
fn both_neighbours_of_one_that_leaves_fix_their_pointers_at_once() {
    let mut world = World::ideal(slow(3), &[10, 60, 120, 180, 240]);
    world.input(120, Input::Leave);
    world.run(PERMITTED + LATENCY);
    assert_eq!(world.around(60).1, [180, 240, 10]);
    assert_eq!(world.around(180).0, 60);
    world.run(LATENCY);
    assert_eq!(left(&world, 120), 1);
    assert!(!world.node(120).is_member());
    assert_eq!(
        world.count(|event| matches!(event, Event::PresumedDead(_))),
        0
    );
}

#[test]
fn a_ring_of_two_becomes_a_ring_of_one() {
    for successors in [1, 3] {
        let mut world = World::ideal(config(successors), &[10, 120]);
        let changes = |world: &World| {
            let changed = |event: &&&Event| ***event == Event::NeighboursChanged;
            world.told_by(10).iter().filter(changed).count()
        };
        let before = changes(&world);
        world.input(120, Input::Leave);
        world.run(PERMITTED + LATENCY);
        world.assert_ideal(&[10]);
        assert_eq!(changes(&world), before + 1);
        world.run(SECOND * 10);
        world.assert_ideal(&[10]);
        assert_eq!((left(&world, 120), left(&world, 10)), (1, 0));
        assert_eq!(world.count(|event| *event == Event::Stranded), 0);
        // It can be joined again.
        world.start(120, 2, Input::Join(peers(&[10])));
        world.run(SECOND * 5);
        world.assert_ideal(&[10, 120]);
    }
}

#[test]
fn with_one_successor_the_leaver_names_the_next() {
    let mut world = World::ideal(slow(1), &[10, 60, 120, 180]);
    world.input(60, Input::Leave);
    world.run(PERMITTED + LATENCY);
    world.assert_ideal(&[10, 120, 180]);
    // Until the step has ended that the departure began.
    world.run(SECOND);
    world.input(180, Input::Leave);
    world.run(PERMITTED + LATENCY);
    world.assert_ideal(&[10, 120]);
}

#[test]
fn who_is_alone_or_no_member_has_left_at_once() {
    let mut founder = Bench::outside(20);
    founder.handle(Input::Found);
    let mut joining = Bench::outside(20);
    joining.handle(Input::Join(peers(&[90])));
    for mut bench in [Bench::outside(20), founder, joining] {
        bench.net.take_events();
        bench.sent();
        bench.handle(Input::Leave);
        assert!(bench.net.events.contains(&Event::Left));
        assert!(!bench.node.is_member());
        assert_eq!(bench.sent(), []);
    }
}

#[test]
fn a_leaver_tells_its_neighbours_and_waits_for_them_but_not_for_ever() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    bench.handle(Input::Leave);
    let asked = bench.asked();
    let leaving = Request::Leaving {
        predecessor: peer(10),
        successors: list(20, &[30, 40]),
    };
    let to: Vec<u8> = asked.iter().map(|(to, _, _)| *to).collect();
    assert_eq!(to, [30, 10]);
    assert!(asked.iter().all(|(_, _, request)| *request == leaving));
    bench.handle(Input::Leave);
    assert_eq!(bench.sent(), [], "it is leaving already");
    bench.reply(30, asked[0].1, Reply::Noted);
    assert!(!bench.net.events.contains(&Event::Left));
    bench.late(asked[1].1);
    bench.late(asked[1].1);
    assert_eq!(bench.net.take_events(), [Event::Leaving, Event::Left]);
}

#[test]
fn a_leaver_lets_the_look_ups_of_its_clients_end_and_takes_no_new_ones() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    bench.look_up(1, peer(25).id);
    let (owner, number, _) = bench.question();
    bench.handle(Input::Leave);
    for (to, number, _) in bench.asked() {
        bench.reply(to, number, Reply::Noted);
    }
    bench.look_up(2, peer(100).id);
    assert_eq!(bench.ended(), [(2, Err(LookupError::NotMember))]);
    assert!(!bench.net.events.contains(&Event::Left));
    bench.reply(owner, number, Reply::Owner);
    let [
        Event::Lookup {
            token: 1,
            result: Ok(found),
            ..
        },
        Event::Left,
    ] = bench.net.take_events()[..]
    else {
        panic!("the look-up ends, and then it leaves")
    };
    assert_eq!(found.owner, peer(30));
}

#[test]
fn those_that_wait_for_the_step_of_a_leaver_need_not_wait_longer() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    bench.begin_step();
    bench.ask(50, Request::Neighbours);
    bench.sent();
    bench.handle(Input::Leave);
    assert_eq!(bench.replied(), [(50, Reply::NotMember)]);
}

#[test]
fn a_leaver_in_the_midst_of_a_step_does_not_notify_those_it_has_told() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    bench.handle(Input::Leave);
    bench.sent();
    // Its successor, which has noted the departure, would take it for its predecessor again.
    bench.reply(30, number, neighbours(30, 20, &[40, 10]));
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_leaver_whose_last_successor_falls_silent_leaves_nevertheless() {
    let mut bench = Bench::member(20, 10, &[30]);
    let number = bench.begin_step();
    bench.handle(Input::Leave);
    let asked = bench.asked();
    bench.late(number);
    bench.late(number);
    for (_, number, _) in asked {
        bench.late(number);
        bench.late(number);
    }
    let events = bench.net.take_events();
    assert!(!events.contains(&Event::Stranded), "{events:?}");
    assert!(events.contains(&Event::Left), "{events:?}");
}

#[test]
fn a_departure_heard_during_a_step_is_noted_at_once_and_applied_after_it() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    bench.ask(
        10,
        Request::Leaving {
            predecessor: peer(5),
            successors: list(10, &[20, 30]),
        },
    );
    assert_eq!(bench.replied(), [(10, Reply::Noted)]);
    assert_eq!(around(&bench.node).0, 10);
    bench.reply(30, number, neighbours(30, 20, &[40, 5]));
    assert_eq!(around(&bench.node), (5, vec![30, 40, 5]));
}

#[test]
fn who_left_may_join_again_as_the_same_node() {
    let mut world = World::grown(config(3), &[10, 60, 120, 180]);
    world.input(60, Input::Leave);
    world.run(SECOND / 10);
    assert_eq!(left(&world, 60), 1);
    world.input(60, Input::Join(peers(&[180])));
    world.run(SECOND * 10);
    world.assert_ideal(&[10, 60, 120, 180]);
}

#[test]
fn two_neighbours_may_leave_at_the_same_instant() {
    let mut world = World::grown(config(3), &[10, 60, 120, 180, 240]);
    world.input(60, Input::Leave);
    world.input(120, Input::Leave);
    world.run(SECOND * 10);
    world.assert_ideal(&[10, 180, 240]);
    assert_eq!((left(&world, 60), left(&world, 120)), (1, 1));
}

#[test]
fn when_both_others_leave_a_ring_of_three_one_after_the_other_the_last_is_a_ring_of_one() {
    let mut world = World::ideal(config(3), &[10, 120, 200]);
    world.input(120, Input::Leave);
    world.input(200, Input::Leave);
    world.run(SECOND * 2);
    assert_eq!((left(&world, 120), left(&world, 200)), (1, 1));
    world.kill(&[120, 200]);
    world.run(SECOND * 10);
    assert_eq!(world.count(|event| *event == Event::Stranded), 0);
    world.assert_ideal(&[10]);
}

#[test]
fn the_last_of_those_that_leave_at_once_may_not_have_heard_of_the_others() {
    let mut bench = Bench::member(20, 50, &[30, 40, 50]);
    // There was somebody between, who has left, and did not tell this node.
    for (leaver, predecessor, successors) in [(50, 35, &[20, 30, 35][..]), (30, 20, &[35, 50])] {
        let leaving = Request::Leaving {
            predecessor: peer(predecessor),
            successors: list(leaver, successors),
        };
        bench.ask(leaver, leaving);
    }
    // The list here still has 40, whom nobody has said anything of, and so the one that left names it.
    assert!(!bench.node.neighbours().successors().is_empty());
    let leaving = Request::Leaving {
        predecessor: peer(20),
        successors: list(35, &[40, 50]),
    };
    bench.ask(35, leaving);
    // It has just begun to ask that one.
    let asked = bench.asked();
    let (to, number, _) = asked.last().expect("it follows 35");
    assert_eq!(*to, 35);
    bench.late(*number);
    bench.late(*number);
    assert_eq!(around(&bench.node), (20, vec![]));
}

#[test]
fn who_leaves_tells_its_neighbours_whom_it_remembers() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    bench.handle(Input::Remember(vec![peer(77)]));
    bench.handle(Input::Leave);
    let told = bench.sent().into_iter();
    let told = told.filter(|(_, message)| matches!(message, Message::Remember(_)));
    let remember = Message::Remember(vec![peer(77)]);
    let expected = [(10, remember.clone()), (30, remember)];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn notices_to_one_that_is_leaving_mean_nothing() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    bench.handle(Input::Leave);
    bench.sent();
    bench.hear(15, Message::Notify);
    bench.hear(10, Message::Introduce(peer(25)));
    assert_eq!(bench.sent(), []);
    assert_eq!(around(&bench.node), (10, vec![30, 40]));
}
