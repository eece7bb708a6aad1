//! When a whole ring starts anew, somebody must be first.

use super::world::*;
use crate::chord::{Config, Event, Input, Reply, Timer};
use crate::ring::test_peers::peers;

const FOUR: [u8; 4] = [10, 60, 120, 200];

fn restarted(places: &[u8]) -> World {
    let mut world = World::grown(config(3), &FOUR);
    world.kill(&FOUR);
    world.run(SECOND);
    world.told.clear();
    for &place in places {
        world.start(place, 2, Input::Join(peers(&FOUR)));
    }
    world
}

#[test]
fn after_found_after_the_lowest_founds_and_the_others_join() {
    let mut world = restarted(&FOUR);
    let start = world.now;
    world.run(SECOND * 60);
    world.assert_ideal(&FOUR);
    let joined = |(_, _, event): &&(_, _, Event)| *event == Event::Joined;
    let order: Vec<_> = world.told.iter().filter(joined).collect();
    assert_eq!(order.len(), 4);
    assert_eq!(order[0].1, 10);
    // The sum of pauses, each of which may be cut to its half by jitter.
    assert!(order[0].0 - start >= SECOND * 5 / 2, "{:?}", order[0]);
}

#[test]
fn the_lowest_that_is_there_founds_when_the_lowest_of_all_is_not() {
    let mut world = restarted(&FOUR[1..]);
    world.run(SECOND * 60);
    world.assert_ideal(&FOUR[1..]);
    let joined: Vec<u8> = world
        .told
        .iter()
        .filter(|(_, _, event)| *event == Event::Joined)
        .map(|(_, by, _)| *by)
        .collect();
    assert_eq!((joined.len(), joined[0]), (3, 60));
    // The late one joins and founds nothing.
    world.start(10, 2, Input::Join(peers(&FOUR)));
    world.run(SECOND * 20);
    world.assert_ideal(&FOUR);
}

#[test]
fn those_that_were_told_of_different_ones_found_one_ring() {
    let mut world = World::new(config(3));
    // Each knows one, and nobody the lowest but the last.
    for (at, place) in FOUR.iter().enumerate() {
        let next = FOUR[(at + 3) % 4..].iter().take(1).copied();
        let contacts: Vec<u8> = next.collect();
        world.start(*place, 1, Input::Join(peers(&contacts)));
    }
    world.run(SECOND * 60);
    world.assert_ideal(&FOUR);
    let joined = |(_, _, event): &&(_, _, Event)| *event == Event::Joined;
    let order: Vec<u8> = world
        .told
        .iter()
        .filter(joined)
        .map(|told| told.1)
        .collect();
    assert_eq!((order.len(), order[0]), (4, 10));
    let silent = |(_, _, event): &(_, _, Event)| matches!(event, Event::PresumedDead(_));
    assert!(!world.told.iter().any(silent), "two rings were founded");
}

#[test]
fn who_has_moved_is_found_by_those_that_it_calls() {
    let mut world = World::new(config(3));
    // Only one of them knows where the others are now; these know only where nobody is.
    world.start(60, 2, Input::Join(peers(&[10])));
    world.start(120, 2, Input::Join(peers(&[11])));
    world.start(200, 2, Input::Join(peers(&[60, 120])));
    world.run(SECOND * 60);
    world.assert_ideal(&[60, 120, 200]);
}

#[test]
fn who_waits_for_one_that_hears_nobody_founds_in_the_end() {
    let mut bench = Bench::outside(200);
    bench.handle(Input::Join(peers(&[10])));
    let mut rounds = 0;
    while !bench.node.is_member() {
        let (to, number, _) = bench.question();
        let hello = bench.hello();
        let contacts = Vec::new();
        bench.reply(
            to,
            number,
            Reply::Joining {
                hello,
                running: 0,
                contacts,
            },
        );
        bench.timer(Timer::Join);
        rounds += 1;
    }
    assert!((10..60).contains(&rounds), "{rounds}");
}

#[test]
fn who_reaches_nobody_founds_nothing_however_long_it_waits() {
    let mut world = restarted(&FOUR[..1]);
    world.run(SECOND * 600);
    assert!(!world.node(10).is_member());
    // It goes on trying, and is there when another comes.
    world.start(200, 2, Input::Found);
    world.run(SECOND * 20);
    world.assert_ideal(&[10, 200]);
}

#[test]
fn a_node_that_comes_back_joins_anew_though_others_still_name_its_earlier_life() {
    let mut world = World::grown(config(3), &FOUR);
    world.kill(&[120]);
    world.start(120, 2, Input::Join(peers(&FOUR)));
    world.run(SECOND * 20);
    world.assert_ideal(&FOUR);
    assert_eq!(world.node(120).incarnation(), 2);
}

#[test]
fn who_comes_back_before_anybody_has_missed_it_is_a_member_as_soon_as_a_new_one() {
    // So that nobody looks after a neighbour just then.
    let seldom = Config {
        stabilize_every: SECOND * 20,
        ..config(3)
    };
    // In milliseconds.
    let takes = |place: u8, is_new: bool| {
        let mut world = World::ideal(seldom.clone(), &FOUR);
        world.run(SECOND);
        if !is_new {
            world.kill(&[place]);
        }
        let others: Vec<u8> = FOUR.into_iter().filter(|other| *other != place).collect();
        world.start(place, 2, Input::Join(peers(&others)));
        let mut steps = 0_u64;
        while !world.node(place).is_member() {
            world.run(SECOND / 1000);
            steps += 1;
            assert!(steps < 10_000, "it comes back at once");
        }
        steps
    };
    for place in FOUR {
        let (new, back) = (takes(place + 1, true), takes(place, false));
        let round_trip = LATENCY.as_millis() as u64 * 2;
        assert!(back <= new + round_trip, "{place}: {back} and {new} ms");
    }
}
