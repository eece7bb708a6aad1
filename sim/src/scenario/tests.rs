//! Whole files, and what they become.

use std::collections::BTreeSet;
use std::time::Duration;

use cuerda_core::chord::Config;
use serde_json::json;
use toml::de::{DeTable, DeValue};

use super::*;

mod every_key;

pub(super) const EVERY_KEY: &str = include_str!("every_key.toml");

fn metrics() -> Vec<Metric> {
    let metric = |path: &str| Metric {
        path: path.to_owned(),
        kind: match path {
            "ring.ideal" => MetricKind::Truth,
            _ => MetricKind::Number,
        },
    };
    [
        "lookups.failed_share",
        "lookups.wrong_share",
        "lookups.hops.mean",
        "ring.ideal",
        "ring.violations",
        "writes.lost",
        "writes.missing_copies",
    ]
    .map(metric)
    .to_vec()
}

fn parse_with(text: &str, overrides: &Overrides) -> Result<Scenario, Diagnostic> {
    Scenario::parse("scenarios/a test.toml", text, &metrics(), overrides)
}

pub(super) fn parse(text: &str) -> Result<Scenario, Diagnostic> {
    parse_with(text, &Overrides::default())
}

fn valid(text: &str) -> Scenario {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_short_file_has_the_documented_defaults() {
    let scenario = valid("duration = \"10m\"\nring.nodes = 4\n");
    assert_eq!(
        scenario,
        Scenario {
            name: "a test".to_owned(),
            title: "a test".to_owned(),
            world: World::Events,
            seed: 1,
            duration: seconds(600),
            quiet: None,
            known_to_fail: Vec::new(),
            checks: Checks {
                ring: true,
                lookups: true,
                records: true,
                protocol: true,
            },
            nodes: 4,
            virtual_nodes: 1,
            start: Start::Ideal,
            node: Config::default(),
            network: Network {
                latency: Latency::Fixed(Duration::from_millis(50)),
                loss: 0.0,
                duplicate: 0.0,
                broken_links: 0.0,
                tick: Duration::from_millis(5),
            },
            workloads: vec![],
            churn: vec![],
            faults: vec![],
            reseeds: vec![],
            expectations: vec![],
        }
    );
}

/// The example of the design's page on scenario files.
#[test]
fn the_example_of_the_design_is_read() {
    let scenario = valid(
        r#"
title    = "Nodes join and leave while lookups run"
world    = "events"          # default; --world overrides
seed     = 1                 # default; --seed overrides
duration = "10m"             # simulated
checks   = ["ring", "lookups", "records", "protocol"]   # default: all; [] to measure speed

[ring]
nodes = 1000                 # n0 … n999
start = "ideal"              # ideal: perfect tables at t=0 | join: one after another before t=0

[node]                       # any key of the node's configuration
successors = 20
replicas   = 3
stabilize_every = "30s"      # jittered to [0.5, 1.5] of itself
fix_fingers_every = "30s"    # every distinct finger is refreshed once in this time
request_timeout = "500ms"

[network]
latency   = { exponential = "50ms" }   # or { fixed = "20ms" }, { uniform = ["10ms", "90ms"] }
loss      = 0.0                        # share of messages
duplicate = 0.0

[[workload]]
kind = "lookup"
rate = "1/s"                 # Poisson, over the whole ring; each from a random live node
from = "0s"                  # until = end

[[workload]]
kind = "put"
rate = "1/s"
keys = 1000                  # size of the key space of put, get and mixed

[[churn]]
join  = "0.05/s"             # Poisson, over the whole ring
leave = "0.05/s"             # graceful
crash = "0/s"

[[fault]]
at    = "2m"
kind  = "crash"
nodes = "successors(key:song, 3)"
for   = "30s"                # then it ends: restart, heal. Without it, it stays
disk  = "kept"               # kept | lost, for crash

[[fault]]
at    = "5m"
kind  = "partition"
split = ["arc(0..0.5)", "rest"]
for   = "1m"

[expect]                     # any number of the report, by its path
"lookups.failed_share" = { max = 0.002 }   # min, max, or equals
"lookups.wrong_share"  = { max = 0.001 }
"lookups.hops.mean"    = { min = 3.6, max = 4.2 }
"ring.violations"      = { max = 0 }
"writes.lost"          = { max = 0 }
"#,
    );
    let expect = |metric: &str, min, max| Expectation {
        metric: metric.to_owned(),
        bound: Bound::Range { min, max },
    };
    assert_eq!(
        scenario,
        Scenario {
            name: "a test".to_owned(),
            title: "Nodes join and leave while lookups run".to_owned(),
            world: World::Events,
            seed: 1,
            duration: seconds(600),
            quiet: None,
            known_to_fail: Vec::new(),
            checks: Checks {
                ring: true,
                lookups: true,
                records: true,
                protocol: true,
            },
            nodes: 1000,
            virtual_nodes: 1,
            start: Start::Ideal,
            node: Config {
                successors: 20,
                stabilize_every: Duration::from_secs(30),
                ..Config::default()
            },
            network: Network {
                latency: Latency::Exponential(Duration::from_millis(50)),
                loss: 0.0,
                duplicate: 0.0,
                broken_links: 0.0,
                tick: Duration::from_millis(5),
            },
            workloads: vec![
                Workload {
                    kind: WorkloadKind::Lookup,
                    rate: 1.0,
                    from: Duration::ZERO,
                    until: seconds(600),
                },
                Workload {
                    kind: WorkloadKind::Records(Access {
                        keys: 1000,
                        zipf: 0.0,
                        reads: 0.0,
                        deletes: 0.0,
                        conditional: 0.0,
                        value: (100, 100),
                        lives: None,
                        reads_of_deleted: 0.0,
                        conditional_keys: None,
                        clients: 8,
                        hands_back: HandsBack::LastSeen,
                    }),
                    rate: 1.0,
                    from: Duration::ZERO,
                    until: seconds(600),
                },
            ],
            churn: vec![Churn {
                join: 0.05,
                leave: 0.05,
                crash: 0.0,
                sessions: None,
                keep: 0,
                from: Duration::ZERO,
                until: seconds(600),
            }],
            faults: vec![
                Fault {
                    lasts: Some(seconds(30)),
                    ..Fault::new(
                        seconds(120),
                        FaultKind::Crash {
                            nodes: Selector::Successors("song".to_owned(), 3),
                            disk: Disk::Kept,
                        },
                    )
                },
                Fault {
                    lasts: Some(seconds(60)),
                    ..Fault::new(
                        seconds(300),
                        FaultKind::Partition {
                            split: vec![Selector::Arc(0.0, 0.5), Selector::Rest],
                        },
                    )
                },
            ],
            reseeds: vec![],
            expectations: vec![
                expect("lookups.failed_share", None, Some(0.002)),
                expect("lookups.wrong_share", None, Some(0.001)),
                expect("lookups.hops.mean", Some(3.6), Some(4.2)),
                expect("ring.violations", None, Some(0.0)),
                expect("writes.lost", None, Some(0.0)),
            ],
        }
    );
}

#[test]
fn the_command_line_overrides_the_file() {
    let text = "seed = 1\nduration = \"1m\"\n[ring]\nnodes = 10\n\
                [[workload]]\nkind = \"lookup\"\nrate = \"0.5/s per node\"\n\
                [[fault]]\nat = \"1s\"\nkind = \"pause\"\nnodes = \"n9\"\n";
    let nodes = |nodes| Overrides {
        nodes: Some(nodes),
        seed: Some(99),
        ..Overrides::default()
    };
    let scenario = parse_with(text, &nodes(100)).unwrap();
    assert_eq!((scenario.nodes, scenario.seed), (100, 99));
    assert_eq!(scenario.workloads[0].rate, 50.0);

    let error = parse_with(text, &nodes(9)).expect_err("no n9 among nine");
    assert_eq!(error.problems()[0].line(), Some(11));
    let error = parse_with(text, &nodes(0)).expect_err("no nodes at all");
    assert_eq!(error.problems().len(), 1, "{error}");

    let world = "world = \"turmoil\"\nduration = \"1m\"\nring.nodes = 65\n";
    let events = Overrides {
        world: Some(World::Events),
        ..Overrides::default()
    };
    assert!(parse(world).is_err());
    assert_eq!(parse_with(world, &events).unwrap().world, World::Events);

    let unsaid = "duration = \"1m\"\n";
    assert!(parse(unsaid).is_err());
    assert_eq!(parse_with(unsaid, &nodes(5)).unwrap().nodes, 5);
}

#[test]
fn short_successor_lists_hold_fewer_replicas() {
    let node = |keys: &str| {
        parse(&format!(
            "duration = \"1m\"\nring.nodes = 4\n[node]\n{keys}\n"
        ))
        .map(|it| it.node)
    };
    assert_eq!(node("successors = 2").unwrap().replicas, 2);
    assert_eq!(node("successors = 4").unwrap().replicas, 3);
    assert_eq!(node("successors = 4\nreplicas = 4").unwrap().replicas, 4);
    assert!(node("successors = 2\nreplicas = 3").is_err());
}

#[test]
fn newcomers_may_be_named() {
    let fault = "[[fault]]\nat = \"2s\"\nkind = \"pause\"\nnodes = \"n4\"\n";
    for newcomers in [
        "[[churn]]\njoin = \"1/s\"\n",
        "[[fault]]\nat = \"1s\"\nkind = \"join\"\ncount = 1\n",
    ] {
        valid(&format!(
            "duration = \"1m\"\nring.nodes = 4\n{newcomers}{fault}"
        ));
    }
    let none = format!("duration = \"1m\"\nring.nodes = 4\n[[churn]]\njoin = \"0/s\"\n{fault}");
    assert!(parse(&none).is_err());
}

#[test]
fn all_problems_are_shown_at_once() {
    let text = "sed = 1\nduration = 10\n[ring]\nnods = 4\n[node]\nsuccesors = 3\n\
                [[fault]]\nat = \"90m\"\nkind = \"crush\"\n[expect]\n\"a.b\" = { mx = 1 }\n";
    let error = parse(text).expect_err("full of slips");
    let lines: Vec<usize> = error.problems().iter().filter_map(Problem::line).collect();
    assert_eq!(lines, [1, 2, 4, 6, 9, 11, 11], "{error}");
}

#[test]
fn a_table_of_latencies_comes_from_a_file_beside() {
    let text = "duration = \"1m\"\nring.nodes = 4\nnetwork.latency = { matrix = \"two.txt\" }\n";
    let read = |table: &'static str| {
        let beside = move |file: &str| {
            assert_eq!(file, "two.txt");
            Ok(table.to_owned())
        };
        Scenario::parse_with("a.toml", text, &[], &Overrides::default(), &beside)
    };
    let ms = Duration::from_millis;
    let rows = vec![vec![ms(1), ms(20)], vec![ms(30), ms(1)]];
    let scenario = read("1 20\n30 1\n").unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(scenario.network.latency, Latency::Regions(rows));
    let wrong = read("1 20\n30\n").expect_err("a number is missing");
    assert!(
        wrong
            .to_string()
            .contains("two.txt: line 2: the row has 1 numbers"),
        "{wrong}"
    );
    assert_eq!(wrong.problems()[0].line(), Some(3));
}
