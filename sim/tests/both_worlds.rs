//! One scenario in two worlds: nodes as values on the engine, and whole programs on simulated
//! sockets. What the protocol decides must agree; what the network underneath decides may differ,
//! within bounds that are stated here.
//!
//! Both play the same script: ids, keys looked up, faults and whom they hit are equal. The
//! programs have connections to open, and what is sent on one keeps its order; so they are slower
//! to answer, above all for the first time, and time-outs strike others.

use std::sync::Arc;

use cuerda_core::chord::Node;
use cuerda_core::ring::Id;
use cuerda_sim::report::{Report, Verdict, holds_at_any_size, judge, metrics};
use cuerda_sim::run::play_in;
use cuerda_sim::scenario::{Overrides, Scenario};
use cuerda_sim::world::{World, events, turmoil};

/// Mean hops may differ by so many.
const HOPS: f64 = 0.15;
/// The share of look-ups that fail or go wrong may differ by so much.
const MISSED: f64 = 0.01;
/// The programs may take so many times as long for a look-up, on average.
const LATENCY: f64 = 1.8;

fn scenario(name: &str, nodes: u32) -> Arc<Scenario> {
    let file = format!("{}/../scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).expect("the library has it");
    let overrides = Overrides {
        nodes: Some(nodes),
        ..Overrides::default()
    };
    let read = Scenario::parse(&file, &text, &metrics(), &overrides);
    let mut scenario = read.unwrap_or_else(|diagnostic| panic!("{diagnostic}"));
    scenario.expectations.retain(holds_at_any_size);
    assert!(!scenario.expectations.is_empty(), "{name} expects nothing");
    Arc::new(scenario)
}

/// A run, and who owns each of some keys at its end.
struct Outcome {
    report: Report,
    owners: Vec<(String, Vec<Id>)>,
}

fn outcome<W: World<Protocol = Node>>(mut world: W, scenario: &Scenario) -> Outcome {
    let mut report = play_in(&mut world, scenario);
    judge(&mut report, &scenario.expectations);
    let owners = (0..32).map(|number| {
        let name = format!("k{number}");
        let key = Id::of_key(name.as_bytes());
        // By the nodes' own belief: each owns what lies between its predecessor and itself.
        let owns = world.each_member().filter(|node| {
            let (from, me) = (node.view.predecessor().id, node.peer.id);
            from.distance_to(key) <= from.distance_to(me) && key != from
        });
        let owners: Vec<Id> = owns.map(|node| node.peer.id).collect();
        (name, owners)
    });
    Outcome {
        owners: owners.collect(),
        report,
    }
}

fn agree(name: &str, nodes: u32) {
    let scenario = scenario(name, nodes);
    let seed = scenario.seed;
    let one = outcome(events::World::new(&scenario, seed), &scenario);
    let other = outcome(turmoil::World::new(&scenario, seed), &scenario);
    for Outcome { report, owners } in [&one, &other] {
        let world = &report.world;
        assert_eq!(
            (report.verdict, &report.unmet, &report.violations),
            (Verdict::Pass, &Vec::new(), &Vec::new()),
            "{name} in {world}"
        );
        for (key, owners) in owners {
            assert_eq!(
                owners.len(),
                1,
                "{key} has one owner in {world}: {owners:?}"
            );
        }
    }
    assert_eq!(one.owners, other.owners, "{name}: who owns what");
    let (one, other) = (one.report, other.report);
    assert_eq!([&one.world, &other.world], ["events", "turmoil"]);
    assert_ne!(one.digest, other.digest);
    assert_eq!(one.lookups.issued, other.lookups.issued);
    assert_eq!(one.ring.members, other.ring.members);
    let hit = |report: &Report| -> Vec<Vec<Vec<String>>> {
        report
            .faults
            .iter()
            .map(|fault| fault.nodes.clone())
            .collect()
    };
    assert_eq!(hit(&one), hit(&other), "{name}: whom the faults hit");

    let hops = |report: &Report| report.lookups.hops.as_ref().expect("some succeed").mean;
    let missed = |report: &Report| report.lookups.missed_share.expect("they are checked");
    let latency = |report: &Report| {
        report
            .lookups
            .latency_ms
            .as_ref()
            .expect("some succeed")
            .mean
    };
    let near = |one: f64, other: f64, band: f64| (one - other).abs() <= band;
    assert!(
        near(hops(&one), hops(&other), HOPS),
        "{name}: {} and {} hops",
        hops(&one),
        hops(&other)
    );
    assert!(
        near(missed(&one), missed(&other), MISSED),
        "{name}: {} and {} missed",
        missed(&one),
        missed(&other)
    );
    let times = latency(&other) / latency(&one);
    assert!(
        (0.85..LATENCY).contains(&times),
        "{name}: {times} times as long"
    );
}

#[test]
fn a_partition() {
    agree("partition", 16);
}

#[test]
fn a_partition_in_three() {
    agree("partition-three", 16);
}

#[test]
fn a_partition_that_opens_twice() {
    agree("partition-twice", 16);
}

#[test]
fn a_few_that_are_cut_off() {
    agree("partition-uneven", 20);
}

#[test]
fn nodes_that_sleep() {
    agree("pause", 20);
}

#[test]
fn half_of_all_that_crash() {
    agree("crash-half", 24);
}
