//! Nodes that stop, and nodes that stand still.

use super::super::queue::Entry;
use super::super::wire;
use super::*;
use crate::world::number_of;
use cuerda_core::chord::Timer;

const CRASH: &str = "nodes = \"n3\"";

#[test]
fn nothing_reaches_a_crashed_node_and_what_it_sent_arrives() {
    let (mut world, mut log) = (world(8, &fault("crash", "10s", "", CRASH)), Log::default());
    world.go_on(9.99, &mut log);
    world.ping(3, 4, 1);
    world.ping(4, 3, 2);
    let lost = world.lost();
    world.go_on(11.0, &mut log);
    let sent = 10 * SECOND - 10 * MILLISECOND;
    assert_eq!(log.reply(3, 4, 1), Some(sent + 2 * LATENCY));
    assert_eq!(log.reply(4, 3, 2), None);
    assert!(world.lost() >= lost + 2);
    assert_eq!(log.times(&Seen::Gone(3, Gone::Crashed)), [10 * SECOND]);
    assert!(!world.hosts[3].up && !world.is_member(3));
    let envelopes = log.envelopes();
    assert_eq!(
        envelopes
            .filter(|(sent, from, _)| *from == 3 && *sent > 10 * SECOND)
            .count(),
        0
    );
}

#[test]
fn what_was_sent_to_a_node_while_it_was_down_does_not_reach_it_later() {
    let (mut world, mut log) = (
        world(8, &fault("crash", "10s", "5s", CRASH)),
        Log::default(),
    );
    for (at, number) in [(9.99, 1), (14.99, 2), (15.001, 3)] {
        world.go_on(at, &mut log);
        world.ping(4, 3, number);
    }
    world.go_on(16.0, &mut log);
    let answered = [1, 2, 3].map(|number| log.reply(4, 3, number).is_some());
    assert_eq!(answered, [false, false, true]);
}

/// The timers that stand in the queue for a node, as they would come.
fn timers(world: &World, node: u32) -> Vec<super::super::Entry> {
    let mut fork = world.clone();
    let all = std::iter::from_fn(|| fork.air.queue.pop_before(Time::MAX));
    let of_node = all.filter(|entry| entry.node == node);
    of_node.filter(|entry| kind::is_timer(entry.kind)).collect()
}

fn is(entry: &Entry, timer: Timer) -> bool {
    wire::timer(entry) == Some(timer)
}

#[test]
fn timers_of_an_earlier_start_are_void() {
    let (mut world, mut log) = (
        world(8, &fault("crash", "10s", "100ms", CRASH)),
        Log::default(),
    );
    world.go_on(10.0, &mut log);
    let before = timers(&world, 3);
    assert!(before.iter().any(|timer| is(timer, Timer::Stabilize)));
    assert!(before.iter().any(|timer| is(timer, Timer::Fingers)));
    world.go_on(10.05, &mut log);
    let down = world.node(3).clone();
    // Even if no start follows at all.
    let mut fork = world.clone();
    fork.run_until(10 * SECOND + 99 * MILLISECOND, &mut log);
    assert_eq!(*fork.node(3), down);
    world.go_on(10.12, &mut log);
    let epoch = world.hosts[3].epoch;
    let stale: Vec<_> = timers(&world, 3)
        .into_iter()
        .filter(|timer| timer.epoch != epoch)
        .collect();
    assert!(stale.len() > 1);
    for timer in stale {
        let mut fork = world.clone();
        fork.air.queue = Queue::new(1000.0);
        fork.air.queue.push(timer);
        fork.run_until(timer.time + 1, &mut log);
        assert_eq!(fork.node(3), world.node(3), "{timer:?}");
    }
    // And each periodic timer runs but once.
    world.go_on(60.0, &mut log);
    for kind in [Timer::Stabilize, Timer::Fingers] {
        let timers = timers(&world, 3);
        let such = timers.iter().filter(|timer| is(timer, kind));
        assert_eq!(such.count(), 1, "{kind:?}");
    }
}

#[test]
fn the_clients_of_a_crashed_node_hear_nothing() {
    let busy = "[[workload]]\nkind = \"lookup\"\nrate = \"1000/s\"\nuntil = \"15s\"\n";
    let crash = fault("crash", "10s", "5s", CRASH);
    let (mut world, mut log) = (world(8, &format!("{busy}{crash}")), Log::default());
    world.go_on(9.999_999, &mut log);
    let waiting = open_lookups(&log)
        .into_iter()
        .filter(|(_, asker)| *asker == 3);
    let waiting: Vec<u64> = waiting.map(|(lookup, _)| lookup).collect();
    world.go_on(30.0, &mut log);
    let abandoned = log.0.iter().filter_map(|(time, seen)| match seen {
        Seen::Abandoned(lookup) => {
            assert_eq!(*time, 10 * SECOND);
            Some(*lookup)
        }
        _ => None,
    });
    assert_eq!(abandoned.collect::<Vec<_>>(), waiting);
    assert!(!waiting.is_empty());
    assert_eq!(open_lookups(&log).len(), 0);
}

#[test]
fn a_paused_node_handles_nothing_and_then_all_in_order() {
    let pause = fault("pause", "10s", "3s", "nodes = \"n3\"");
    let (mut world, mut log) = (world(8, &pause), Log::default());
    world.go_on(9.99, &mut log);
    world.ping(4, 3, 1);
    world.ping(3, 4, 2);
    world.go_on(10.0, &mut log);
    let before = world.node(3).clone();
    let start = log.0.len();
    world.go_on(12.999_999, &mut log);
    assert_eq!(*world.node(3), before);
    assert!(world.hosts[3].up && world.is_member(3));
    let delivered = world.delivered();
    // What came, envelopes and timers, comes again in the same order when it wakes.
    let for_it = |line: &str| line.contains("-> n3:") || line.starts_with("n3: ");
    let lines = |log: &Log, from: usize, at: Option<Time>| -> Vec<String> {
        let lines = log.0[from..].iter().filter_map(|(time, seen)| match seen {
            Seen::Line(line) if at.is_none_or(|at| at == *time) => Some(line.clone()),
            _ => None,
        });
        lines.filter(|line| for_it(line)).collect()
    };
    let came = lines(&log, start, None);
    assert!(came.iter().any(|line| line.contains("timer")));
    assert!(came.iter().any(|line| line.contains("->")));
    let woken = log.0.len();
    world.go_on(13.000_001, &mut log);
    assert_eq!(lines(&log, woken, Some(13 * SECOND)), came);
    assert_ne!(*world.node(3), before);
    let envelopes = came.iter().filter(|line| line.contains("->")).count() as u64;
    assert_eq!(world.delivered(), delivered + envelopes);
    world.go_on(14.0, &mut log);
    assert_eq!(log.reply(4, 3, 1), Some(13 * SECOND + LATENCY));
    // The sender of this one slept when the reply came: it counts when it wakes.
    assert!(log.reply(3, 4, 2).is_some());
}

#[test]
fn a_node_wakes_when_the_last_of_its_pauses_ends() {
    let pauses = fault("pause", "10s", "3s", "nodes = \"n3\"")
        + &fault("pause", "11s", "5s", "nodes = [\"n3\", \"n4\"]")
        + &fault("pause", "12s", "1s", "nodes = \"n3\"");
    let (mut world, mut log) = (world(8, &pauses), Log::default());
    world.go_on(10.0, &mut log);
    let before = world.node(3).clone();
    for at in [12.5, 13.5, 15.999_999] {
        world.go_on(at, &mut log);
        assert_eq!(*world.node(3), before, "at {at}");
        assert!(!world.hosts[3].backlog.is_empty());
    }
    world.go_on(16.5, &mut log);
    assert_ne!(*world.node(3), before);
    assert_eq!(
        (world.hosts[3].paused, world.hosts[3].backlog.len()),
        (0, 0)
    );
    world.go_on(60.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn clients_ask_no_paused_node() {
    let busy = "[[workload]]\nkind = \"lookup\"\nrate = \"100/s\"\n";
    let pause = fault("pause", "10s", "10s", "nodes = [\"n3\", \"n4\"]");
    let (mut world, mut log) = (world(8, &format!("{busy}{pause}")), Log::default());
    world.go_on(19.9, &mut log);
    let asked = |from: Time| {
        let issued = log.0.iter().filter_map(move |(time, seen)| match seen {
            Seen::Issued(_, asker, _) => (*time >= from).then_some(*asker),
            _ => None,
        });
        issued.filter(|asker| [3, 4].contains(asker)).count()
    };
    assert!(asked(0) > 100);
    assert_eq!(asked(10 * SECOND), 0);
}

#[test]
fn the_presumption_of_death_is_told_with_the_truth() {
    let dead = fault("crash", "10s", "", CRASH);
    let asleep = fault("pause", "10s", "20s", "nodes = \"n5\"");
    let (mut world, mut log) = (world(8, &(dead + &asleep)), Log::default());
    world.go_on(29.0, &mut log);
    let mut told = std::collections::BTreeMap::new();
    for (_, seen) in &log.0 {
        if let Seen::Told(_, Event::PresumedDead(peer), about) = seen {
            let number = number_of(peer.address).unwrap();
            let about = about.unwrap();
            *told.entry((number, (about.number, about.up))).or_insert(0) += 1;
        }
    }
    assert_eq!(
        told.keys().copied().collect::<Vec<_>>(),
        [(3, (3, false)), (5, (5, true))]
    );
}
