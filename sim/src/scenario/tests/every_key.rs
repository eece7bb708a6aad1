//! The example that has every key: read as it says, and none missing.

use super::*;

#[test]
fn every_key_is_read_as_it_says() {
    let scenario = valid(EVERY_KEY);
    assert_eq!(scenario.quiet, Some(seconds(1800)));
    assert_eq!(scenario.known_to_fail, ["at-most-one-ring"]);
    let last = scenario.expectations.last().expect("there are some");
    let allowed = Bound::Among(vec!["writes.missing_copies".to_owned()]);
    assert_eq!((last.metric.as_str(), &last.bound), ("unchecked", &allowed));
    assert_eq!(scenario.node.probe_every_max, Some(seconds(60)));
    assert_eq!(scenario.workloads[0].rate, 0.5);
    assert_eq!(scenario.workloads[0].until, seconds(3000));
    assert_eq!(scenario.workloads[1].rate, 10.0);
    let put = Access {
        keys: 1000,
        zipf: 0.9,
        reads: 0.0,
        deletes: 0.1,
        conditional: 0.05,
        value: (10, 1024),
        lives: Some(seconds(600)),
        reads_of_deleted: 0.0,
        conditional_keys: Some(3),
        clients: 20,
        hands_back: HandsBack::OwnClock(seconds(600)),
    };
    let get = Access {
        zipf: 0.0,
        reads: 1.0,
        deletes: 0.0,
        conditional: 0.0,
        value: (100, 100),
        lives: None,
        reads_of_deleted: 0.2,
        conditional_keys: None,
        clients: 8,
        hands_back: HandsBack::Nothing,
        ..put
    };
    let mixed = Access {
        reads: 0.9,
        reads_of_deleted: 0.0,
        hands_back: HandsBack::LastSeen,
        ..get
    };
    let hot = Popularity {
        keys: 10,
        zipf: 1.2,
    };
    assert_eq!(scenario.workloads[2].kind, WorkloadKind::KeyLookup(hot));
    let kinds: Vec<WorkloadKind> = scenario.workloads[3..].iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [put, get, mixed].map(WorkloadKind::Records));
    assert!(scenario.writes());
    let node = &scenario.node;
    assert_eq!((node.acks, node.repair_every), (Some(3), Some(seconds(60))));
    let churn = &scenario.churn[0];
    assert_eq!(
        (churn.leave, churn.crash),
        (2.0 / 3600.0 * 100.0, 1.0 / 600.0)
    );
    let mean = seconds(3600);
    let sessions = Sessions {
        session: Lengths::Weibull { shape: 0.5, mean },
        absence: Some(Lengths::Exponential { mean }),
        ends: SessionEnd::Crash,
    };
    assert_eq!(scenario.churn[1].sessions, Some(sessions));
    assert_eq!((scenario.churn[0].keep, scenario.churn[1].keep), (0, 8));
    let kinds: Vec<&FaultKind> = scenario.faults.iter().map(|fault| &fault.kind).collect();
    let (node, share) = (Selector::Node, Selector::Share);
    let odd = Selector::List(vec![node(1), node(3), Selector::Range(5, 7)]);
    let expected = [
        FaultKind::Crash {
            nodes: Selector::Successors("song".to_owned(), 3),
            disk: Disk::Lost,
        },
        FaultKind::Restart {
            nodes: share(1.0),
            disk: Disk::Kept,
        },
        FaultKind::Restart {
            nodes: Selector::List(vec![Selector::Down, Selector::Outside]),
            disk: Disk::Kept,
        },
        FaultKind::Move {
            nodes: Selector::Range(10, 19),
        },
        FaultKind::Snapshot {
            nodes: Selector::Range(40, 44),
            age: seconds(30),
        },
        FaultKind::Twin {
            nodes: Selector::Machine(3),
        },
        FaultKind::Pause {
            nodes: Selector::List(vec![
                node(7),
                Selector::Owner("song".to_owned()),
                Selector::Count(5),
                share(0.2),
            ]),
        },
        FaultKind::Pause {
            nodes: Selector::Count(2),
        },
        FaultKind::Partition {
            split: vec![
                Selector::Arc(0.9, 0.4),
                Selector::List(vec![node(1), node(2)]),
                Selector::Rest,
            ],
        },
        FaultKind::OneWay {
            from: node(3),
            to: Selector::List(vec![node(4), Selector::Rest]),
        },
        FaultKind::Slow {
            nodes: Selector::Count(3),
            extra: Duration::from_millis(200),
        },
        FaultKind::SlowLink {
            from: Selector::Range(10, 19),
            to: odd.clone(),
            extra: Duration::from_millis(50),
        },
        FaultKind::Loss {
            nodes: share(0.1),
            share: 0.5,
        },
        FaultKind::Reset {
            nodes: Selector::Count(2),
            after: 1000,
        },
        FaultKind::Skew {
            nodes: node(5),
            by_ms: -1500,
        },
        FaultKind::Clock {
            nodes: odd.clone(),
            jump_ms: 3 * 3_600_000,
            drift_ppm: 200,
        },
        FaultKind::Disk {
            nodes: share(0.05),
            what: DiskFault::Flip(3),
        },
        FaultKind::Disk {
            nodes: node(6),
            what: DiskFault::Slow(Duration::from_millis(20)),
        },
        FaultKind::Leave {
            nodes: Selector::Arc(0.0, 0.01),
        },
        FaultKind::Join { count: 50 },
    ];
    assert_eq!(kinds, expected.iter().collect::<Vec<_>>());
    let loss = |fault: &&Fault| matches!(fault.kind, FaultKind::Loss { .. });
    let loss = scenario.faults.iter().find(loss);
    assert_eq!(loss.map(|fault| fault.lasts), Some(None));
    let (wave, once) = (&scenario.faults[1], &scenario.faults[2]);
    assert_eq!(
        (wave.apart, wave.lasts),
        (Some(seconds(10)), Some(seconds(5)))
    );
    assert_eq!((once.apart, once.lasts), (None, Some(seconds(1))));
    let (drawn, until) = (&scenario.faults[7], &scenario.faults[10]);
    assert_eq!((drawn.at, drawn.before), (seconds(120), Some(seconds(480))));
    assert_eq!((drawn.times(), until.times()), (5, 3));
    assert_eq!(drawn.last_beginning(), seconds(480 + 240));
    assert_eq!(until.last_beginning(), seconds(32 * 60));
    assert_eq!(
        scenario.expectations[2].bound,
        Bound::Equals(json!(true)),
        "in the order of the file"
    );
}

/// The example names all there is; a key that is added must be added there too.
#[test]
fn the_example_of_every_key_misses_none() {
    fn keys_below(value: &DeValue, keys: &mut BTreeSet<String>) {
        match value {
            DeValue::Table(table) => {
                for (key, value) in table {
                    keys.insert(key.get_ref().to_string());
                    keys_below(value.get_ref(), keys);
                }
            }
            DeValue::Array(items) => {
                for item in items.iter() {
                    keys_below(item.get_ref(), keys);
                }
            }
            _ => {}
        }
    }
    let document = DeTable::parse(EVERY_KEY).unwrap();
    let keys_of = |section: &str| {
        let mut keys = BTreeSet::new();
        match section {
            "" => keys.extend(
                document
                    .get_ref()
                    .keys()
                    .map(|key| key.get_ref().to_string()),
            ),
            section => keys_below(document.get_ref()[section].get_ref(), &mut keys),
        }
        keys
    };
    let fault_keys = schema::keys_of_all(schema::FAULT_COMMON, schema::FAULTS);
    let workload_keys = schema::keys_of_all(schema::WORKLOAD_COMMON, schema::WORKLOADS);
    for (section, keys) in [
        ("", schema::TOP),
        ("ring", schema::RING),
        ("node", schema::NODE),
        ("network", schema::NETWORK),
        ("workload", &workload_keys),
        ("churn", schema::CHURN),
        ("fault", &fault_keys),
        ("expect", &["min", "max", "equals"]),
    ] {
        let present = keys_of(section);
        for key in keys {
            assert!(present.contains(*key), "[{section}] {key}");
        }
    }
    for (section, known) in [("fault", schema::FAULTS), ("workload", schema::WORKLOADS)] {
        let mut kinds: Vec<&str> = document.get_ref()[section]
            .get_ref()
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item.get_ref()["kind"].get_ref().as_str().unwrap())
            .collect();
        kinds.dedup();
        let known: Vec<&str> = known.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, known);
    }
}
