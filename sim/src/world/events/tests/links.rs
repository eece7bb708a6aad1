//! Links that differ: by distance and region, by direction, and those that are broken.

use super::*;

/// A world in which nothing waits for messages, however long they take.
fn far(nodes: u32, network: &str, rest: &str) -> World {
    let text = format!(
        "duration = \"400s\"\n[ring]\nnodes = {nodes}\n[node]\nsuccessors = 4\n\
         replicas = 2\nstabilize_every = \"1s\"\nrequest_timeout = \"200ms\"\nfound_after = \"5s\"\n\
         [network]\n{network}\n{rest}"
    );
    let read = Scenario::parse("mine.toml", &text, &[], &Overrides::default());
    World::new(&Arc::new(read.unwrap_or_else(|wrong| panic!("{wrong}"))), 1)
}

#[test]
fn messages_take_as_long_as_their_regions_say() {
    let world = far(
        6,
        "latency = { regions = [[\"2ms\", \"80ms\", \"9ms\"], [\"70ms\", \"3ms\", \"9ms\"], \
         [\"9ms\", \"9ms\", \"9ms\"]] }",
        "",
    );
    let took = |from, to| world.delay(from, to).map(|time| time / MILLISECOND);
    assert_eq!(
        [took(0, 3), took(0, 1), took(4, 3), took(5, 2)],
        [2, 80, 70, 9].map(Some)
    );
}

#[test]
fn messages_take_the_longer_the_farther_they_go() {
    let mut world = far(12, "latency = { plane = \"90ms\" }", "");
    let times: Vec<Time> = (1..12).filter_map(|to| world.delay(0, to)).collect();
    assert!(
        times
            .iter()
            .all(|time| (1..=90 * MILLISECOND).contains(time)),
        "{times:?}"
    );
    assert!(times.iter().max() > times.iter().min().map(|least| least * 3).as_ref());
    for to in 1..12 {
        assert_eq!(world.delay(0, to), world.delay(to, 0));
    }
    world.go_on(60.0, &mut Log::default());
    assert!(world.is_ideal() && world.members() == 12);
}

#[test]
fn broken_links_carry_nothing_and_the_ring_lives_with_them() {
    let mut world = far(20, "latency = { fixed = \"20ms\" }\nbroken_links = 0.1", "");
    let mut broken = 0;
    for one in 0..20 {
        for other in 0..one {
            assert_eq!(world.delay(one, other), world.delay(other, one));
            broken += u32::from(world.delay(one, other).is_none());
        }
    }
    assert!((8..32).contains(&broken), "{broken} of 190");
    let mut log = Log::default();
    world.go_on(100.0, &mut log);
    let whole = far(20, "latency = { fixed = \"20ms\" }", "");
    let carried = |world: &World, log: &Log| {
        log.envelopes()
            .all(|(_, from, to)| world.delay(from, to).is_some())
    };
    assert!(carried(&world, &log) && log.envelopes().count() > 1000);
    assert!(whole.delay(0, 1).is_some());
    assert!(world.members() > 10, "{}", world.members());
}

#[test]
fn a_link_is_slow_or_lossy_in_one_direction() {
    let slow = fault(
        "slow",
        "10s",
        "40s",
        "from = [\"n1\", \"n2\"]\nto = \"n3\"\nextra = \"1s\"",
    );
    let loss = fault(
        "loss",
        "10s",
        "40s",
        "from = \"n4\"\nto = \"n5\"\nshare = 0.25",
    );
    let text = [slow, loss].concat();
    let (mut world, mut log) = (world(6, &text), Log::default());
    world.go_on(20.0, &mut log);
    let hit: Vec<u32> = log.effects().iter().map(|effect| effect.hit).collect();
    assert_eq!(hit, [2, 1]);
    assert_eq!(log.effects()[0].groups, [vec![1, 2], vec![3]]);
    assert_eq!(
        [world.delay(1, 3), world.delay(2, 3)],
        [Some(LATENCY + SECOND); 2]
    );
    for (from, to) in [(3, 1), (1, 2), (4, 3), (1, 4)] {
        assert_eq!(world.delay(from, to), Some(LATENCY), "n{from} to n{to}");
    }
    let arrived = world.delays(4, world.node(5).me(), 4000).len();
    assert!((2900..3100).contains(&arrived), "{arrived} of 4000");
    assert_eq!(world.delays(5, world.node(4).me(), 400).len(), 400);
    world.go_on(60.0, &mut log);
    assert_eq!(world.delay(1, 3), Some(LATENCY));
    assert_eq!(world.delays(4, world.node(5).me(), 400).len(), 400);
}
