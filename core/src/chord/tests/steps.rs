//! Maintenance: one step at a time, and what waits for its end.

use super::world::*;
use crate::chord::{Config, Event, Ignored, Input, Message, Reply, Request, Timer, limits};
use crate::ring::test_peers::peer;

#[test]
fn a_question_during_a_step_is_told_busy_and_answered_after_it() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    bench.ask(50, Request::Neighbours);
    assert_eq!(bench.replied(), [(50, Reply::Busy)]);
    // A sign of life is not a question about the state.
    bench.ask(60, Request::Ping);
    assert_eq!(bench.replied(), [(60, Reply::Pong)]);
    bench.reply(30, number, neighbours(30, 20, &[45, 10]));
    // It hears what the step brought.
    assert_eq!(bench.replied(), [(50, neighbours(20, 10, &[30, 45, 10]))]);
    bench.ask(50, Request::Neighbours);
    assert_eq!(bench.replied(), [(50, neighbours(20, 10, &[30, 45, 10]))]);
}

#[test]
fn those_that_wait_are_answered_between_the_halves_of_stabilization() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    bench.ask(50, Request::Neighbours);
    bench.sent();
    bench.reply(30, number, neighbours(30, 25, &[40, 10]));
    let sent = bench.sent();
    let answer = Message::Reply {
        id: ASKED,
        reply: neighbours(20, 10, &[30, 40, 10]),
    };
    assert_eq!(sent[0], (50, answer));
    // The second half has begun.
    assert!(matches!(
        sent[1],
        (
            25,
            Message::Request {
                request: Request::Neighbours,
                ..
            }
        )
    ));
    bench.ask(50, Request::Neighbours);
    assert_eq!(bench.replied(), [(50, Reply::Busy)]);
}

#[test]
fn no_more_questions_wait_than_there_is_room_for() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    for asker in 0..limits::DELAYED + 5 {
        bench.ask(100 + asker as u8, Request::Neighbours);
    }
    // Those that wait are told too.
    let all = 0..limits::DELAYED + 5;
    let busy: Vec<(u8, Reply)> = all.map(|asker| (100 + asker as u8, Reply::Busy)).collect();
    assert_eq!(bench.replied(), busy);
    let full = |event: &&Event| matches!(event, Event::Ignored(_, Ignored::Full));
    assert_eq!(bench.net.events.iter().filter(full).count(), 5);
    bench.reply(30, number, neighbours(30, 20, &[40, 10]));
    let answered: Vec<u8> = bench.replied().into_iter().map(|(to, _)| to).collect();
    let first: Vec<u8> = (0..limits::DELAYED)
        .map(|asker| 100 + asker as u8)
        .collect();
    assert_eq!(answered, first);
}

#[test]
fn a_circle_of_nodes_that_ask_each_other_at_the_same_instant_does_not_deadlock() {
    let config = Config {
        stabilize_every: NEVER,
        ..config(3)
    };
    let ring: Vec<u8> = (0..8).map(|at| at * 30 + 5).collect();
    let mut world = World::ideal(config, &ring);
    for &place in &ring {
        // As if all their timers came now; any input then begins the step.
        let node = world.nodes.get_mut(&place).expect("a live node");
        node.maintenance.stabilization_due();
        world.input(place, Input::Remember(vec![]));
        assert!(world.node(place).maintenance.is_busy());
    }
    // Far less than a time-out: nobody waits for one.
    world.run(SECOND / 4);
    for &place in &ring {
        assert!(
            !world.node(place).maintenance.is_busy(),
            "{place} still waits"
        );
    }
    assert_eq!(
        world.count(|event| matches!(event, Event::PresumedDead(_))),
        0
    );
    world.assert_ideal(&ring);
}

#[test]
fn who_waits_for_a_lower_id_and_is_waited_for_gives_way() {
    let mut bench = Bench::member(40, 30, &[10, 20]);
    let number = bench.begin_step();
    bench.reply(10, number, Reply::Busy);
    assert!(bench.node.maintenance.is_busy(), "nobody waits for it");
    bench.ask(30, Request::Neighbours);
    assert!(!bench.node.maintenance.is_busy());
    assert_eq!(
        bench.replied(),
        [(30, Reply::Busy), (30, neighbours(40, 30, &[10, 20]))]
    );

    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    bench.ask(10, Request::Neighbours);
    bench.reply(30, number, Reply::Busy);
    assert!(
        bench.node.maintenance.is_busy(),
        "a higher id is waited for"
    );
}

#[test]
fn a_step_that_only_hears_busy_is_given_up_and_nobody_presumed_dead() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    bench.reply(30, number, Reply::Busy);
    for _ in 0..=limits::BUSY_WAITS {
        assert!(bench.node.maintenance.is_busy());
        bench.late(number);
    }
    assert!(!bench.node.maintenance.is_busy());
    assert_eq!(around(&bench.node), (10, vec![30, 40]));
    assert_eq!(bench.net.events, []);
}

#[test]
fn of_those_that_notify_during_a_step_the_nearest_is_heard_after_it() {
    let mut bench = Bench::member(50, 10, &[60, 70]);
    let number = bench.begin_step();
    for from in [30, 20, 40, 35] {
        bench.hear(from, Message::Notify);
        assert_eq!(around(&bench.node).0, 10);
    }
    bench.reply(60, number, neighbours(60, 50, &[70, 10]));
    assert_eq!(around(&bench.node).0, 40);
    assert!(bench.net.events.contains(&Event::NeighboursChanged));
}

#[test]
fn a_farther_notifier_waits_for_the_step_too_and_then_for_a_ping() {
    let mut bench = Bench::member(50, 10, &[60, 70]);
    let number = bench.begin_step();
    bench.hear(5, Message::Notify);
    assert_eq!(bench.sent(), []);
    bench.reply(60, number, neighbours(60, 50, &[70, 10]));
    let (to, _, request) = bench.question();
    assert_eq!((to, request), (10, Request::Ping));
}

#[test]
fn a_silent_successor_is_dropped_after_its_attempts_and_the_next_notified() {
    let mut bench = Bench::member(20, 10, &[30, 40, 50]);
    let number = bench.begin_step();
    bench.late(number);
    assert_eq!(bench.question(), (30, number, Request::Neighbours));
    assert_eq!(around(&bench.node).1, [30, 40, 50]);
    assert_eq!(bench.net.events, []);
    bench.late(number);
    assert_eq!(around(&bench.node).1, [40, 50]);
    assert_eq!(
        bench.net.events,
        [Event::PresumedDead(peer(30)), Event::NeighboursChanged]
    );
    assert_eq!(bench.node.remembered().collect::<Vec<_>>(), [peer(30)]);
    let sent = bench.sent();
    assert_eq!(sent[0], (40, Message::Notify));
    // Without waiting for the next period: many may have died together.
    assert!(matches!(
        sent[1],
        (
            40,
            Message::Request {
                request: Request::Neighbours,
                ..
            }
        )
    ));
}

#[test]
fn a_predecessor_is_replaced_by_a_farther_one_only_after_its_silence() {
    let mut bench = Bench::member(50, 10, &[60, 70]);
    bench.hear(5, Message::Notify);
    let (to, number, request) = bench.question();
    assert_eq!((to, request), (10, Request::Ping));
    bench.reply(10, number, Reply::Pong);
    assert_eq!(around(&bench.node).0, 10);

    bench.hear(5, Message::Notify);
    let (_, number, _) = bench.question();
    bench.late(number);
    assert_eq!(around(&bench.node).0, 10);
    assert_eq!(bench.question(), (10, number, Request::Ping));
    bench.late(number);
    assert_eq!(around(&bench.node).0, 5);
    assert_eq!(
        bench.net.events,
        [Event::PresumedDead(peer(10)), Event::NeighboursChanged]
    );
}

#[test]
fn a_candidate_is_contacted_before_it_is_adopted_and_told_so_if_it_is_not() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    bench.hear(10, Message::Introduce(peer(25)));
    assert_eq!(around(&bench.node).1, [30, 40]);
    let (to, number, request) = bench.question();
    assert_eq!((to, request), (25, Request::Neighbours));
    bench.late(number);
    bench.late(number);
    assert_eq!(around(&bench.node).1, [30, 40]);
    // Its silence is nobody's death: it never was a neighbour.
    assert_eq!(bench.net.events, []);
    assert!(bench.sent().contains(&(30, Message::Notify)));
    bench.hear(10, Message::Introduce(peer(35)));
    assert_eq!(bench.sent(), [(35, Message::Notify)]);
}

#[test]
fn the_death_of_neighbours_is_repaired_in_a_living_ring() {
    let mut world = World::grown(config(3), &[10, 40, 80, 120, 160, 200, 240]);
    world.kill(&[80, 120]);
    world.run(SECOND * 10);
    world.assert_ideal(&[10, 40, 160, 200, 240]);
    assert_eq!(world.count(|event| *event == Event::Stranded), 0);
}

#[test]
fn a_timer_that_comes_late_starts_no_second_step() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    bench.begin_step();
    bench.timer(Timer::Stabilize);
    assert_eq!(bench.asked(), []);
}
