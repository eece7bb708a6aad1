//! Whatever a scenario asks for, the world's books are right.

use super::*;
use crate::scenario::{
    Churn, Disk, Fault, FaultKind, Latency, Selector, Start, Workload, WorkloadKind,
};
use proptest::prelude::*;
use std::time::Duration;

fn selector() -> impl Strategy<Value = Selector> {
    let one = prop_oneof![
        (0..12_u32).prop_map(Selector::Node),
        (0..12_u32).prop_map(Selector::Count),
        (0.0..=1.0).prop_map(Selector::Share),
        Just(Selector::Owner("song".into())),
        (0..12_u32).prop_map(|count| Selector::Successors("song".into(), count)),
        (0.0..=1.0, 0.0..=1.0).prop_map(|(from, to)| Selector::Arc(from, to)),
    ];
    let list = prop::collection::vec(one.clone(), 1..4);
    prop_oneof![
        3 => one,
        1 => (list, any::<bool>()).prop_map(|(mut list, rest)| {
            list.extend(rest.then_some(Selector::Rest));
            Selector::List(list)
        }),
    ]
}

fn milliseconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let kind = prop_oneof![
        (selector(), any::<bool>()).prop_map(|(nodes, kept)| FaultKind::Crash {
            nodes,
            disk: if kept { Disk::Kept } else { Disk::Lost }
        }),
        selector().prop_map(|nodes| FaultKind::Pause { nodes }),
        prop::collection::vec(selector(), 2..4).prop_map(|split| FaultKind::Partition { split }),
        (selector(), selector()).prop_map(|(from, to)| FaultKind::OneWay { from, to }),
        (selector(), milliseconds(0..9000))
            .prop_map(|(nodes, extra)| FaultKind::Slow { nodes, extra }),
        (selector(), 0.0..=1.0).prop_map(|(nodes, share)| FaultKind::Loss { nodes, share }),
        (selector(), any::<i64>()).prop_map(|(nodes, by_ms)| FaultKind::Skew { nodes, by_ms }),
        selector().prop_map(|nodes| FaultKind::Leave { nodes }),
        (1..9_u32).prop_map(|count| FaultKind::Join { count }),
    ];
    // Whole seconds, so that some begin and end at one instant.
    let at = (0..30_u64).prop_map(Duration::from_secs);
    let lasts = prop::option::of(prop_oneof![
        milliseconds(1..100),
        (1..30_u64).prop_map(Duration::from_secs)
    ]);
    (at, lasts, kind).prop_map(|(at, lasts, kind)| Fault {
        lasts,
        may_miss: true,
        ..Fault::new(at, kind)
    })
}

fn any_scenario() -> impl Strategy<Value = Scenario> {
    let latency = prop_oneof![
        milliseconds(0..300).prop_map(Latency::Fixed),
        (milliseconds(0..300), milliseconds(0..300))
            .prop_map(|(one, two)| Latency::Uniform(one, two)),
        milliseconds(0..300).prop_map(Latency::Exponential),
    ];
    let rate = || prop_oneof![Just(0.0), 0.0..0.5];
    let churn = (rate(), rate(), rate()).prop_map(|(join, leave, crash)| Churn {
        join,
        leave,
        crash,
        sessions: None,
        keep: 0,
        from: Duration::from_secs(3),
        until: Duration::from_secs(30),
    });
    let share = || prop_oneof![4 => Just(0.0), 1 => 0.0..0.5];
    (
        (1..10_u32, any::<bool>(), 1..6_u8, 0..4_u8),
        (latency, share(), share()),
        prop::option::of(churn),
        prop::collection::vec(any_fault(), 0..9),
    )
        .prop_map(
            |(
                (nodes, joins, successors, remembered),
                (latency, loss, duplicate),
                churn,
                faults,
            )| {
                let mut scenario = scenario(nodes, "");
                scenario.start = if joins { Start::Join } else { Start::Ideal };
                scenario.node.successors = successors;
                scenario.node.replicas = 1;
                scenario.node.remembered = remembered;
                scenario.network = crate::scenario::Network {
                    latency,
                    loss,
                    duplicate,
                    ..scenario.network
                };
                scenario.workloads.push(Workload {
                    kind: WorkloadKind::Lookup,
                    rate: 10.0,
                    from: Duration::ZERO,
                    until: Duration::from_secs(50),
                });
                scenario.churn.extend(churn);
                scenario.faults = faults;
                scenario
            },
        )
}

/// Members as a watcher would count them.
fn told_members(start: &World, log: &Log) -> std::collections::BTreeSet<u32> {
    let mut members: std::collections::BTreeSet<u32> =
        start.each_member().map(|node| node.number).collect();
    for (_, seen) in &log.0 {
        match seen {
            Seen::Joined(number) => assert!(members.insert(*number), "n{number} is one"),
            Seen::Gone(number, _) => assert!(members.remove(number), "n{number} is none"),
            _ => {}
        }
    }
    members
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn the_books_are_right_whatever_happens(scenario in any_scenario(), seed: u64) {
        let (scenario, mut log) = (Arc::new(scenario), Log::default());
        let mut world = World::new(&scenario, seed);
        let start = world.clone();
        for second in 1..=60 {
            world.go_on(f64::from(second), &mut log);
            prop_assert_eq!(world.members(), world.acting_members());
        }
        let told = told_members(&start, &log);
        let mut members: Vec<u32> = world.each_member().map(|node| node.number).collect();
        members.sort_unstable();
        prop_assert_eq!(&told.into_iter().collect::<Vec<_>>(), &members);
        let mut circle = world.circle();
        circle.sort_unstable();
        prop_assert_eq!(circle, members);
        for asker in open_lookups(&log).into_values() {
            // Who went away took its look-ups along.
            prop_assert!(world.hosts[asker as usize].up);
        }
        let times = log.0.iter().map(|(time, _)| *time);
        prop_assert!(times.is_sorted());
        let mut again = World::new(&scenario, seed);
        again.go_on(60.0, &mut Log::default());
        prop_assert_eq!(again.digest(), world.digest());
    }
}
