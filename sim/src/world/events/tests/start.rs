//! How the ring comes about.

use super::*;
use crate::scenario::Start;

fn by_joining(nodes: u32, rest: &str) -> Arc<Scenario> {
    let start = Start::Join;
    Arc::new(Scenario {
        start,
        ..scenario(nodes, rest)
    })
}

#[test]
fn an_ideal_start_is_ideal_at_time_zero() {
    for nodes in [1, 2, 3, 5, 6, 40] {
        let world = world(nodes, "");
        assert_eq!(
            (world.now(), world.origin(), world.members()),
            (0, 0, nodes as usize)
        );
        assert_eq!(
            (world.handled(), world.delivered(), world.acting_members()),
            (0, 0, nodes as usize)
        );
        assert!(world.is_ideal());
    }
}

#[test]
fn joining_one_after_another_ends_in_an_ideal_ring_before_time_zero() {
    for nodes in [1, 2, 3, 5, 6, 40] {
        let join = fault("join", "0s", "", "count = 1");
        let work = "[[workload]]\nkind = \"lookup\"\nrate = \"10/s\"\nuntil = \"1s\"\n";
        let (mut world, mut log) = (
            World::new(&by_joining(nodes, &format!("{join}{work}")), 1),
            Log::default(),
        );
        assert!(world.is_ideal(), "{nodes}");
        assert_eq!(
            (world.members(), world.acting_members()),
            (nodes as usize, nodes as usize)
        );
        let origin = world.origin();
        assert!(origin > SECOND && world.now() == origin);
        assert_eq!(
            (world.handled(), world.delivered(), world.bytes()),
            (0, 0, 0)
        );
        // The scenario's times count from there.
        world.go_on(5.0, &mut log);
        assert_eq!(
            log.0
                .iter()
                .find(|(_, seen)| matches!(seen, Seen::Began(_)))
                .unwrap()
                .0,
            origin
        );
        let issued: Vec<Time> = log
            .0
            .iter()
            .filter(|(_, seen)| matches!(seen, Seen::Issued(..)))
            .map(|(time, _)| *time)
            .collect();
        let first = origin..origin + SECOND;
        assert!(!issued.is_empty() && issued.iter().all(|time| first.contains(time)));
    }
}

#[test]
fn a_ring_comes_about_in_a_lossy_network_too() {
    let scenario = by_joining(20, "loss = 0.05\n");
    let worlds: Vec<World> = (1..=6).map(|seed| World::new(&scenario, seed)).collect();
    assert!(worlds.iter().all(|world| world.members() == 20));
    // At any moment somebody alive may be presumed dead.
    let ideal = worlds.iter().filter(|world| world.is_ideal()).count();
    assert!(ideal >= 4, "{ideal} of {}", worlds.len());
}

#[test]
fn a_world_of_one_node_works() {
    let work = "[[workload]]\nkind = \"lookup\"\nrate = \"10/s\"\n";
    let join = fault("join", "10s", "", "count = 2");
    let (mut world, mut log) = (world(1, &format!("{work}{join}")), Log::default());
    world.go_on(9.9, &mut log);
    assert_eq!((world.delivered(), world.lost()), (0, 0));
    assert!(
        log.lines()
            .filter(|(_, line)| line.contains("Stabilize"))
            .count()
            > 5
    );
    let mut ended = 0;
    for (time, seen) in &log.0 {
        if let Seen::Ended(end) = seen {
            ended += 1;
            let (owner, found) = end.result.expect("it owns all keys");
            assert_eq!((owner, found.hops, *time), (0, 0, end.issued));
        }
    }
    assert!((50..150).contains(&ended), "{ended}");
    assert!(open_lookups(&log).is_empty());
    world.go_on(40.0, &mut log);
    assert!(world.is_ideal() && world.members() == 3);
}

#[test]
#[should_panic(expected = "1 to 16777216 nodes fit a world")]
fn more_nodes_than_addresses_are_refused() {
    let nodes = super::super::NODES_MAX + 1;
    let _ = World::new(
        &Arc::new(Scenario {
            nodes,
            ..scenario(1, "")
        }),
        1,
    );
}

#[test]
#[should_panic(expected = "1 to 16777216 nodes fit a world")]
fn no_nodes_are_refused() {
    let _ = World::new(
        &Arc::new(Scenario {
            nodes: 0,
            ..scenario(1, "")
        }),
        1,
    );
}
