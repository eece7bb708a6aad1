//! What the network does to messages.

use super::*;
use std::time::Duration;

const SENT: usize = 20_000;

fn delays(network: &str) -> Vec<Time> {
    let scenario = scenario(2, "");
    // Nothing waits for these, however long they take.
    let latency = format!(
        "duration = \"1s\"\n[ring]\nnodes = 2\n[node]\nrequest_timeout_max = \"1d\"\n\
         [network]\n{network}"
    );
    let read = Scenario::parse("mine.toml", &latency, &[], &Overrides::default());
    let network = read.unwrap().network;
    let world = World::new(
        &Arc::new(Scenario {
            network,
            ..scenario
        }),
        1,
    );
    world.delays(0, world.node(1).me(), SENT)
}

#[test]
fn a_fixed_latency_is_every_messages() {
    let all = delays("latency = { fixed = \"20ms\" }");
    assert_eq!(all, vec![LATENCY; SENT]);
}

#[test]
fn a_uniform_latency_fills_its_bounds_evenly() {
    let all = delays("latency = { uniform = [\"10ms\", \"90ms\"] }");
    let (least, most) = (all[0], all[SENT - 1]);
    assert!(
        (10 * MILLISECOND..10 * MILLISECOND + 100_000).contains(&least),
        "{least}"
    );
    assert!(
        (90 * MILLISECOND - 100_000..90 * MILLISECOND).contains(&most),
        "{most}"
    );
    assert!((mean(&all) / MILLISECOND as f64 - 50.0).abs() < 0.5);
    let first_half = all.iter().filter(|&&late| late < 50 * MILLISECOND).count();
    assert!((share(first_half, SENT) - 0.5).abs() < 0.02);
}

#[test]
fn an_exponential_latency_has_its_mean_and_its_tail() {
    let all = delays("latency = { exponential = \"50ms\" }");
    assert!((mean(&all) / MILLISECOND as f64 - 50.0).abs() < 1.5);
    for times in 1..4_i32 {
        let later = all
            .iter()
            .filter(|&&late| late > 50 * MILLISECOND * times as u64);
        let expected = f64::from(-times).exp();
        assert!(
            (share(later.count(), SENT) - expected).abs() < 0.02,
            "{times}"
        );
    }
}

#[test]
fn a_message_arrives_as_long_after_its_sending_as_the_latency_says() {
    let (mut world, mut log) = (world(4, ""), Log::default());
    world.go_on(3.0, &mut log);
    world.ping(0, 1, 5);
    world.go_on(4.0, &mut log);
    assert_eq!(log.reply(0, 1, 5), Some(3 * SECOND + 2 * LATENCY));
}

#[test]
fn the_stated_share_is_lost() {
    assert_eq!(delays("loss = 0.0").len(), SENT);
    assert_eq!(delays("loss = 1.0").len(), 0);
    assert!((share(delays("loss = 0.2").len(), SENT) - 0.8).abs() < 0.02);
}

#[test]
fn losses_are_counted() {
    let (mut world, mut log) = (world(4, ""), Log::default());
    world.air.loss = 1.0;
    world.go_on(5.0, &mut log);
    assert_eq!((world.delivered(), log.envelopes().count()), (0, 0));
    assert!(world.lost() > 8 && world.bytes() > world.lost());
}

#[test]
fn the_stated_share_arrives_twice_each_at_its_own_time() {
    assert!((share(delays("duplicate = 0.3").len(), SENT) - 1.3).abs() < 0.02);
    let mut all = delays("duplicate = 1.0\nlatency = { uniform = [\"10ms\", \"9h\"] }");
    assert_eq!(all.len(), 2 * SENT);
    all.dedup();
    assert_eq!(all.len(), 2 * SENT);
    // What is lost is lost with its double.
    assert!((share(delays("loss = 0.5\nduplicate = 1.0").len(), SENT) - 1.0).abs() < 0.03);
}

#[test]
fn messages_to_an_address_of_nobody_are_lost() {
    let cut = fault("partition", "1s", "2s", "split = [\"n0\", \"rest\"]");
    let (mut world, mut log) = (world(3, &cut), Log::default());
    let beyond = Peer {
        address: address_of(3),
        ..nobody()
    };
    for until in [0.5, 2.0, 4.0] {
        world.go_on(until, &mut log);
        let lost = world.lost();
        for to in [nobody(), beyond] {
            assert_eq!(world.delays(1, to, 3), [0; 0]);
            world.context(1, |context| context.send(to, Message::Notify));
        }
        assert_eq!(world.lost(), lost + 2);
    }
}

#[test]
fn a_cut_one_way_leaves_the_other_way_open() {
    let keys = "from = [\"n0\", \"n1\"]\nto = \"n2\"";
    let (mut world, mut log) = (
        world(4, &fault("one_way", "1s", "2s", keys)),
        Log::default(),
    );
    for (until, cut) in [(0.5, false), (2.0, true), (3.5, false)] {
        world.go_on(until, &mut log);
        for from in 0..4 {
            for to in (0..4).filter(|&to| to != from) {
                let stopped = cut && from < 2 && to == 2;
                assert_eq!(world.delay(from, to).is_none(), stopped, "n{from} to n{to}");
            }
        }
    }
    assert_eq!(log.effects()[0].groups, [vec![0, 1], vec![2]]);
}

#[test]
fn slowness_counts_at_both_ends_and_adds_up() {
    let one = fault(
        "slow",
        "1s",
        "4s",
        "nodes = [\"n0\", \"n1\"]\nextra = \"100ms\"",
    );
    let two = fault("slow", "2s", "1s", "nodes = [\"n1\"]\nextra = \"1s\"");
    let (mut world, mut log) = (world(4, &(one + &two)), Log::default());
    let mut expect = |until, extra: [(u32, u32, u64); 4]| {
        world.go_on(until, &mut log);
        for (one, other, extra) in extra {
            let late = Some(LATENCY + extra * MILLISECOND);
            assert_eq!(
                world.delay(one, other),
                late,
                "n{one} to n{other} at {until}"
            );
            assert_eq!(
                world.delay(other, one),
                late,
                "n{other} to n{one} at {until}"
            );
        }
    };
    expect(0.5, [(0, 1, 0), (0, 2, 0), (1, 2, 0), (2, 3, 0)]);
    expect(1.5, [(0, 1, 200), (0, 2, 100), (1, 2, 100), (2, 3, 0)]);
    expect(2.5, [(0, 1, 1200), (0, 2, 100), (1, 2, 1100), (2, 3, 0)]);
    expect(3.5, [(0, 1, 200), (0, 2, 100), (1, 2, 100), (2, 3, 0)]);
    expect(5.5, [(0, 1, 0), (0, 2, 0), (1, 2, 0), (2, 3, 0)]);
}

#[test]
fn the_longest_slowness_and_latency_that_can_be_named_fit_together() {
    let many = fault("slow", "1s", "", "nodes = \"100%\"\nextra = \"3650d\"").repeat(5);
    let (mut world, mut log) = (world(2, &many), Log::default());
    world.go_on(300.0, &mut log);
    let years = 10 * 365 * 24 * 3600 * SECOND;
    assert_eq!(world.delay(0, 1), Some(LATENCY + 10 * years));
}

#[test]
fn a_share_of_the_messages_to_and_from_a_node_is_lost() {
    let keys = "nodes = \"n0\"\nshare = 0.25";
    let (mut world, mut log) = (world(4, &fault("loss", "1s", "2s", keys)), Log::default());
    let arrive =
        |world: &World, from, to| share(world.delays(from, world.node(to).me(), SENT).len(), SENT);
    world.go_on(2.0, &mut log);
    assert!((arrive(&world, 0, 1) - 0.75).abs() < 0.02);
    assert!((arrive(&world, 1, 0) - 0.75).abs() < 0.02);
    assert_eq!(world.delays(1, world.node(2).me(), SENT).len(), SENT);
    world.go_on(4.0, &mut log);
    assert_eq!(world.delays(0, world.node(1).me(), SENT).len(), SENT);
}

/// Sides as they were told at a time, by node.
fn told_sides(log: &Log) -> Vec<(Time, Option<Vec<u32>>)> {
    let sides = log.0.iter().filter_map(|(time, seen)| match seen {
        Seen::Sides(sides) => Some((*time, sides.clone())),
        _ => None,
    });
    sides.collect()
}

#[test]
fn no_message_crosses_a_partition_and_all_do_after_it() {
    let split = "split = [[\"n0\", \"n3\"], [\"n1\"], \"rest\"]";
    let (mut world, mut log) = (
        world(8, &fault("partition", "10s", "5s", split)),
        Log::default(),
    );
    world.go_on(60.0, &mut log);
    let side = |node: u32| match node {
        0 | 3 => 0,
        1 => 1,
        _ => 2,
    };
    let during = |sent: &Time| (10 * SECOND + 1..15 * SECOND).contains(sent);
    let crossing = |within: bool| {
        let envelopes = log.envelopes();
        envelopes.filter(move |(sent, from, to)| during(sent) == within && side(*from) != side(*to))
    };
    assert_eq!(crossing(true).collect::<Vec<_>>(), []);
    assert!(crossing(false).count() > 100);
    let inside = log
        .envelopes()
        .filter(|(sent, ..)| (10 * SECOND..15 * SECOND).contains(sent));
    assert!(inside.count() > 20);
    let sides: Vec<u32> = (0..8).map(side).collect();
    assert_eq!(
        told_sides(&log),
        [(10 * SECOND, Some(sides)), (15 * SECOND, None)]
    );
    assert!(world.is_ideal());
}

#[test]
fn two_partitions_at_once_cross() {
    let halves = fault(
        "partition",
        "1s",
        "4s",
        "split = [[\"n0\", \"n1\"], \"rest\"]",
    );
    let odd = fault(
        "partition",
        "2s",
        "2s",
        "split = [[\"n0\", \"n2\"], [\"n1\", \"n3\"]]",
    );
    let (mut world, mut log) = (world(4, &(halves + &odd)), Log::default());
    let mut together = |until| -> Vec<(u32, u32)> {
        world.go_on(until, &mut log);
        let pairs = (0..4).flat_map(|one| (0..4).map(move |other| (one, other)));
        let pairs = pairs.filter(|(one, other)| one < other);
        pairs
            .filter(|&(one, other)| world.delay(one, other).is_some())
            .collect()
    };
    assert_eq!(together(1.5), [(0, 1), (2, 3)]);
    assert_eq!(together(2.5), []);
    assert_eq!(together(4.5), [(0, 1), (2, 3)]);
    assert_eq!(together(5.5).len(), 6);
    let told = told_sides(&log);
    let counts = told.iter().map(|(time, sides)| {
        let mut sides = sides.clone().unwrap_or_default();
        sides.sort_unstable();
        sides.dedup();
        (time / SECOND, sides.len())
    });
    assert_eq!(counts.collect::<Vec<_>>(), [(1, 2), (2, 4), (4, 2), (5, 0)]);
}

#[test]
fn newcomers_are_on_the_side_of_their_contact() {
    let cut = fault(
        "partition",
        "5s",
        "40s",
        "split = [\"arc(0..0.5)\", \"rest\"]",
    );
    let join = fault("join", "6s", "", "count = 12");
    let (mut world, mut log) = (world(16, &(cut + &join)), Log::default());
    world.go_on(44.0, &mut log);
    let sides = told_sides(&log).pop().unwrap().1.unwrap();
    assert_eq!(sides.len(), 28);
    let newcomers = &sides[16..];
    assert!(
        newcomers.contains(&0) && newcomers.contains(&1),
        "{newcomers:?}"
    );
    let mut by_newcomers = [0; 2];
    for (sent, from, to) in log.envelopes().filter(|(sent, ..)| *sent > 5 * SECOND) {
        let side = sides[from as usize];
        assert_eq!(side, sides[to as usize], "n{from} to n{to} at {sent}");
        by_newcomers[side as usize] += u32::from(from >= 16);
    }
    assert!(
        by_newcomers.iter().all(|&envelopes| envelopes > 100),
        "{by_newcomers:?}"
    );
    assert_eq!(world.members(), 28);
    world.go_on(90.0, &mut log);
    assert!(world.is_ideal());
}

#[test]
fn a_skewed_clock_is_off_by_so_much_and_nothing_else() {
    let skews = fault("skew", "1s", "10s", "nodes = \"n1\"\nby = \"-5s\"")
        + &fault("skew", "2s", "", "nodes = [\"n1\", \"n2\"]\nby = \"700ms\"");
    let (mut skewed, mut log) = (world(3, &skews), Log::default());
    let mut clocks = |until| {
        skewed.go_on(until, &mut log);
        [0, 1, 2].map(|node| skewed.context(node, |context| context.wall_clock()))
    };
    let start = 1_767_225_600_000;
    assert_eq!(clocks(0.5), [start + 500; 3]);
    assert_eq!(clocks(1.5), [start + 1500, start - 3500, start + 1500]);
    assert_eq!(clocks(3.0), [start + 3000, start - 1300, start + 3700]);
    assert_eq!(
        clocks(20.0),
        [start + 20_000, start + 20_700, start + 20_700]
    );
    let (mut right, mut other) = (world(3, ""), Log::default());
    right.go_on(20.0, &mut other);
    let envelopes = |log: &Log| log.envelopes().collect::<Vec<_>>();
    assert_eq!(envelopes(&log), envelopes(&other));
}

#[test]
fn only_the_reply_to_the_request_at_hand_knows_when_that_was_sent() {
    let (mut world, mut log) = (world(2, ""), Log::default());
    world.go_on(3.0, &mut log);
    let (asker, number) = (world.node(1).me(), 7);
    let id = RequestId::of_node(1, number);
    let sent = 2 * SECOND;
    let mut fork = world.clone();
    fork.air.queue = Queue::new(1000.0);
    fork.context(0, |context| {
        context.asked = Some((asker.address, id, sent));
        let other = RequestId::of_node(1, 8);
        let reply = cuerda_core::chord::Reply::Pong;
        for (to, id) in [(asker, id), (asker, other), (nobody(), id)] {
            context.send(
                to,
                Message::Reply {
                    id,
                    reply: reply.clone(),
                },
            );
        }
    });
    let mut asked = Vec::new();
    while let Some(entry) = fork.air.queue.pop_before(Time::MAX) {
        asked.push(fork.air.envelopes.take(entry.value).asked);
    }
    assert_eq!(asked, [Some(sent), None]);
}

#[test]
fn a_timer_comes_within_its_range() {
    let mut world = world(1, "");
    world.air.queue = Queue::new(1000.0);
    let (from, to) = (Duration::from_millis(500), Duration::from_millis(1500));
    for _ in 0..1000 {
        world.context(0, |context| {
            context.set_timer(cuerda_core::chord::Timer::Join, from..to);
        });
    }
    let due = std::iter::from_fn(|| world.air.queue.pop_before(Time::MAX));
    let due: Vec<Time> = due.map(|entry| entry.time).collect();
    assert!(
        due.iter()
            .all(|due| (SECOND / 2..SECOND * 3 / 2).contains(due))
    );
    assert!((mean(&due) / SECOND as f64 - 1.0).abs() < 0.05);
    // An empty range means exactly its start.
    world.context(0, |context| {
        context.set_timer(cuerda_core::chord::Timer::Join, to..to);
    });
    assert_eq!(
        world.air.queue.pop_before(Time::MAX).unwrap().time,
        1_500_000_000
    );
}
