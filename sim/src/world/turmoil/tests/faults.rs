//! What the scenario does to the network and to machines that run the whole program.

use super::*;

const WORK: &str = "[[workload]]\nkind = \"lookup\"\nrate = \"20/s\"\n";

fn world_with(fault: &str) -> (World, Log) {
    (world(8, &format!("{WORK}{fault}")), Log::default())
}

/// Envelopes handled in this time, that these want.
fn envelopes(log: &Log, from: f64, until: f64, wanted: impl Fn(u32, u32) -> bool) -> usize {
    let time = |seconds: f64| (seconds * SECOND as f64) as Time;
    let range = time(from)..time(until);
    let envelopes = log.envelopes();
    envelopes
        .filter(|(at, one, other)| range.contains(at) && wanted(*one, *other))
        .count()
}

#[test]
fn nothing_crosses_a_partition_and_the_halves_reunite() {
    let split = "split = [[\"n0\", \"n2\", \"n4\", \"n6\"], \"rest\"]";
    let (mut world, mut log) = world_with(&fault("partition", "10s", "30s", split));
    world.go_on(39.9, &mut log);
    let across = |one: u32, other: u32| one % 2 != other % 2;
    assert_eq!(envelopes(&log, 10.03, 39.9, across), 0);
    assert!(envelopes(&log, 0.0, 10.0, across) > 100);
    assert!(envelopes(&log, 20.0, 39.0, |one, other| one % 2 == other % 2) > 100);
    // Each half has closed its own ring.
    for node in world.each_member() {
        let next = crate::world::number_of(node.view.successor().address).unwrap();
        assert_eq!(next % 2, node.number % 2);
    }
    world.go_on(100.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
    assert!(envelopes(&log, 40.0, 100.0, across) > 100);
}

#[test]
fn a_short_partition_delays_and_loses_nothing() {
    // Shorter than the least time-out of a request.
    let split = "split = [[\"n0\", \"n2\", \"n4\", \"n6\"], \"rest\"]";
    let (mut world, mut log) = world_with(&fault("partition", "10s", "100ms", split));
    world.go_on(30.0, &mut log);
    assert!(log.times(|seen| matches!(seen, Seen::Dead(..))).is_empty());
    assert!(world.is_ideal() && world.lost() < 10, "{}", world.lost());
}

#[test]
fn one_way_stops_one_way() {
    let way = "from = \"n3\"\nto = \"rest\"";
    let way = way.replace(
        "\"rest\"",
        "[\"n0\", \"n1\", \"n2\", \"n4\", \"n5\", \"n6\", \"n7\"]",
    );
    let (mut world, mut log) = world_with(&fault("one_way", "10s", "20s", &way));
    world.go_on(29.9, &mut log);
    assert_eq!(envelopes(&log, 10.03, 29.9, |from, _| from == 3), 0);
    let heard = envelopes(&log, 10.03, 29.9, |_, to| to == 3);
    assert!(
        heard > 0,
        "it hears what goes by connections that are open: {heard}"
    );
    world.go_on(90.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn who_sleeps_handles_nothing_and_then_all() {
    let (mut world, mut log) = world_with(&fault("pause", "10s", "3s", "nodes = \"n3\""));
    world.go_on(13.0, &mut log);
    assert_eq!(envelopes(&log, 10.001, 13.0, |_, to| to == 3), 0);
    assert!(world.is_member(3), "it knows of nothing");
    assert!(
        !log.times(|seen| matches!(seen, Seen::Dead(_, 3, true)))
            .is_empty()
    );
    world.go_on(13.2, &mut log);
    let woken = envelopes(&log, 13.0, 13.2, |_, to| to == 3);
    assert!(woken > 5, "what came meanwhile: {woken}");
    world.go_on(60.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn loss_and_duplication_have_their_share() {
    let lossy = world_of("loss = 0.1\n");
    let share = lossy.lost() as f64 / (lossy.lost() + lossy.delivered()) as f64;
    assert!((share - 0.1).abs() < 0.02, "{share}");
    // Each double is answered, once more: of 100 requests 110 arrive, and 121 replies.
    let (plain, double) = (world_of(""), world_of("duplicate = 0.1\n"));
    let more = double.delivered() as f64 / plain.delivered() as f64;
    assert!((1.08..1.25).contains(&more), "{more}");
    assert!(double.is_ideal());
}

fn world_of(network: &str) -> World {
    let rest = format!("{FIXED}{network}{WORK}");
    let mut world = World::new(&Arc::new(scenario(8, &rest)), 1);
    world.go_on(60.0, &mut Log::default());
    world
}

#[test]
fn loss_hits_those_it_names() {
    let keys = "nodes = [\"n3\", \"n4\"]\nshare = 1.0";
    let (mut world, mut log) = world_with(&fault("loss", "10s", "20s", keys));
    world.go_on(29.9, &mut log);
    let theirs = |one, other| [one, other].iter().any(|end| [3, 4].contains(end));
    assert_eq!(envelopes(&log, 10.03, 29.9, theirs), 0);
    assert!(envelopes(&log, 10.03, 29.9, |one, other| !theirs(one, other)) > 100);
}

#[test]
fn slow_machines_take_longer() {
    let (mut world, mut log) = world_with(&fault(
        "slow",
        "10s",
        "20s",
        "nodes = \"n3\"\nextra = \"50ms\"",
    ));
    world.go_on(29.0, &mut log);
    let mean = |from: Time, until: Time| {
        let took = log.0.iter().filter_map(|(time, seen)| match seen {
            Seen::Ended(end) if (from * SECOND..until * SECOND).contains(time) => {
                let asked = end.result.ok().filter(|(_, found)| found.hops == 1);
                asked.map(|_| time - end.issued)
            }
            _ => None,
        });
        let took: Vec<Time> = took.collect();
        took.iter().sum::<Time>() / took.len() as Time / MILLISECOND
    };
    // One question in four or so is to or from the slow one, and takes 100 ms more.
    assert!((40..50).contains(&mean(1, 10)), "{}", mean(1, 10));
    assert!((55..90).contains(&mean(11, 29)), "{}", mean(11, 29));
}

#[test]
fn skewed_clocks_are_off_by_that_and_only_meanwhile() {
    let (mut world, mut log) = world_with(&fault(
        "skew",
        "10s",
        "20s",
        "nodes = \"n3\"\nby = \"-1500ms\"",
    ));
    let clock = |world: &World, number| world.net.lock().wall_clock(number, world.now());
    world.go_on(9.0, &mut log);
    assert_eq!(clock(&world, 3), clock(&world, 4));
    world.go_on(20.0, &mut log);
    assert_eq!(clock(&world, 3) + 1500, clock(&world, 4));
    world.go_on(31.0, &mut log);
    assert_eq!(clock(&world, 3), clock(&world, 4));
}

#[test]
fn connections_that_break_in_a_frame_are_opened_again() {
    let keys = "nodes = \"n3\"\nafter = 2000";
    let (mut world, mut log) = world_with(&fault("reset", "10s", "20s", keys));
    world.go_on(60.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
    let malformed: u64 = world
        .machines
        .iter()
        .filter_map(|machine| machine.slot.handle())
        .map(|handle| {
            let counters = handle.counters();
            counters
                .frames_malformed
                .load(std::sync::atomic::Ordering::Relaxed)
        })
        .sum();
    assert_eq!(malformed, 0, "half a frame is no frame");
    let opened: u64 = world.machines[3].slot.handle().map_or(0, |handle| {
        let counters = handle.counters();
        counters
            .connections_opened
            .load(std::sync::atomic::Ordering::Relaxed)
    });
    assert!(opened > 3, "{opened}");
    assert!(envelopes(&log, 31.0, 60.0, |one, other| one == 3 || other == 3) > 50);
}
