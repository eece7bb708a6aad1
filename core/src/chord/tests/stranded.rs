//! When all successors are silent.

use super::world::*;
use crate::chord::{Config, Event, Input, LookupError, Reply, Request, Timer};
use crate::ring::test_peers::peer;

const TEN: [u8; 10] = [10, 35, 60, 85, 110, 135, 160, 185, 210, 235];

fn stranded(world: &World, place: u8) -> bool {
    world.told_by(place).contains(&&Event::Stranded)
}

/// Lets time pass, and sees that nobody ever takes itself for a ring of its own.
fn run_without_loners(world: &mut World, seconds: u32) {
    let until = world.now + SECOND * seconds;
    while world.step(until) {
        for (place, node) in &world.nodes {
            let alone = node.is_member() && node.neighbours().successors().is_empty();
            assert!(!alone, "{place} is a ring of its own");
        }
    }
}

#[test]
fn it_finds_the_way_back_by_its_predecessor_alone() {
    // Without fingers, and with nobody remembered: the predecessor is all it has left.
    let config = Config {
        fix_fingers_every: NEVER,
        remembered: 0,
        ..config(2)
    };
    let mut world = World::ideal(config, &TEN);
    world.kill(&[85, 110]);
    run_without_loners(&mut world, 20);
    assert!(stranded(&world, 60));
    world.assert_ideal(&[10, 35, 60, 135, 160, 185, 210, 235]);
}

#[test]
fn it_finds_the_way_back_by_its_fingers() {
    let mut world = World::grown(
        Config {
            remembered: 0,
            ..config(2)
        },
        &TEN,
    );
    assert!(!world.node(60).fingers().entries().is_empty());
    world.kill(&[35, 85, 110]);
    run_without_loners(&mut world, 30);
    assert!(stranded(&world, 60));
    world.assert_ideal(&[10, 60, 135, 160, 185, 210, 235]);
}

#[test]
fn when_nobody_answers_it_keeps_trying_and_after_long_goes_on_alone() {
    let mut world = World::grown(config(3), &[10, 100, 200]);
    world.kill(&[100, 200]);
    // Twelve times five seconds, in pauses some of which are shorter than planned.
    run_without_loners(&mut world, 45);
    assert!(stranded(&world, 10));
    world.run(SECOND * 30);
    world.assert_ideal(&[10]);
    // It goes on looking for the others, for good.
    world.run(SECOND * 10_000);
    world.start(200, 2, Input::Found);
    world.run(SECOND * 300);
    world.assert_ideal(&[10, 200]);
}

#[test]
fn who_has_never_been_a_member_keeps_trying_and_is_never_a_ring_of_its_own() {
    let mut world = World::new(config(3));
    world.start(10, 1, Input::Join(vec![peer(100), peer(200)]));
    run_without_loners(&mut world, 600);
    // It waits for its next round, or for answers in this one.
    let asks = !world.node(10).requests.open().is_empty();
    assert_eq!(world.running(10, Timer::Join) + usize::from(asks), 1);
    // Somebody it knew starts a ring: it is found there.
    world.start(200, 2, Input::Found);
    world.run(SECOND * 10);
    world.assert_ideal(&[10, 200]);
}

#[test]
fn meanwhile_it_is_no_member_to_anybody() {
    let mut bench = Bench::member(20, 10, &[30]);
    let number = bench.begin_step();
    bench.ask(50, Request::Neighbours);
    bench.sent();
    bench.late(number);
    bench.late(number);
    assert!(bench.net.take_events().contains(&Event::Stranded));
    assert!(!bench.node.is_member());
    // Who waited for the end of its step hears it, and so do all others.
    bench.ask(60, Request::Ping);
    let not_member = Reply::NotMember;
    assert_eq!(
        bench.replied(),
        [(50, not_member.clone()), (60, not_member)]
    );
    bench.look_up(1, peer(100).id);
    assert_eq!(bench.ended(), [(1, Err(LookupError::NotMember))]);
}

#[test]
fn coming_back_before_its_timers_were_due_starts_no_second_ones() {
    let mut bench = Bench::member(20, 10, &[30]);
    bench.handle(Input::Resume);
    bench.timer(Timer::Stabilize);
    let (_, number, _) = bench.question();
    bench.net.timers.clear();
    bench.late(number);
    bench.late(number);
    // The one just lost is tried once more, being the nearest; then its predecessor answers.
    let number = loop {
        let (to, number, _) = *bench
            .asked()
            .last()
            .expect("it asks until somebody answers");
        if to == 10 {
            break number;
        }
        assert_eq!(to, 30);
        bench.late(number);
    };
    bench.reply(10, number, neighbours(10, 15, &[20]));
    assert!(bench.node.is_member());
    assert_eq!(around(&bench.node), (10, vec![10]));
    let periodic = |(timer, _): &&(Timer, _)| matches!(timer, Timer::Stabilize | Timer::Fingers);
    assert_eq!(bench.net.timers.iter().filter(periodic).count(), 0);
}

#[test]
fn a_member_that_is_told_to_resume_twice_has_its_timers_once() {
    let mut bench = Bench::member(20, 10, &[30]);
    bench.handle(Input::Resume);
    bench.handle(Input::Resume);
    for timer in [Timer::Stabilize, Timer::Fingers] {
        assert_eq!(
            bench
                .net
                .timers
                .iter()
                .filter(|(set, _)| *set == timer)
                .count(),
            1
        );
    }
}

#[test]
fn many_ways_out_and_back_in_leave_one_timer_of_each_kind() {
    // The world itself asserts that no periodic timer runs twice.
    let mut world = World::grown(config(2), &TEN);
    for round in 2..6 {
        world.kill(&[85, 110]);
        world.run(SECOND * 4);
        world.start(85, round, Input::Join(vec![peer(10)]));
        world.input(160, Input::Leave);
        world.run(SECOND / 20);
        world.input(160, Input::Join(vec![peer(10)]));
        world.start(110, round, Input::Join(vec![peer(235)]));
        world.run(SECOND * 15);
        world.assert_ideal(&TEN);
    }
    for place in TEN {
        assert_eq!(world.running(place, Timer::Stabilize), 1);
        assert_eq!(world.running(place, Timer::Fingers), 1);
    }
}

#[test]
fn it_asks_those_it_only_remembers_the_nearest_ahead_first() {
    let mut bench = Bench::member(20, 10, &[30]);
    let number = bench.begin_step();
    bench.handle(Input::Remember(vec![peer(99), peer(200), peer(60)]));
    bench.late(number);
    bench.late(number);
    let mut order = Vec::new();
    bench.sent();
    for number in number + 1..number + 4 {
        bench.late(number);
        bench.late(number);
        order.extend(bench.asked().last().map(|(to, _, _)| *to));
    }
    assert_eq!(order, [60, 99, 200]);
    bench.reply(200, number + 4, neighbours(200, 180, &[230]));
    let (to, number, _) = bench.question();
    assert_eq!(to, 180);
    bench.late(number);
    bench.late(number);
    assert!(bench.node.is_member());
    assert_eq!(around(&bench.node), (10, vec![200, 230]));
}

#[test]
fn giving_up_a_join_and_beginning_anew_leaves_one_timer() {
    // The world itself asserts it after every input.
    let mut world = World::new(config(3));
    world.start(10, 1, Input::Join(vec![peer(200)]));
    for _ in 0..20 {
        // The pauses have grown longer than a round of greetings takes.
        world.run(SECOND * 5);
        world.input(10, Input::Leave);
        world.input(10, Input::Join(vec![peer(200)]));
    }
    world.run(SECOND * 3);
    assert!(!world.node(10).is_member());
    world.start(200, 1, Input::Found);
    world.run(SECOND * 10);
    world.assert_ideal(&[10, 200]);
}
