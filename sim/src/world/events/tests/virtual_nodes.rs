//! Several nodes of one process: they share a key, an address and a fate.

use super::*;
use cuerda_core::ring::Address;
use std::collections::BTreeSet;

/// Twelve nodes, three of each of four processes.
fn played(seconds: f64, rest: &str) -> (World, Log) {
    let mut scenario = scenario(12, rest);
    scenario.virtual_nodes = 3;
    let mut world = World::new(&Arc::new(scenario), 1);
    let mut log = Log::default();
    world.go_on(seconds, &mut log);
    assert_eq!(world.members(), world.acting_members());
    (world, log)
}

fn addresses(world: &World, numbers: std::ops::Range<u32>) -> BTreeSet<Address> {
    numbers
        .map(|number| world.node(number).me().address)
        .collect()
}

#[test]
fn the_nodes_of_a_process_have_one_address_and_places_of_their_own() {
    let (world, log) = played(60.0, "[[workload]]\nkind = \"lookup\"\nrate = \"5/s\"\n");
    assert_eq!(addresses(&world, 0..12).len(), 4);
    for first in [0, 3, 6, 9] {
        assert_eq!(addresses(&world, first..first + 3).len(), 1);
    }
    let ids: BTreeSet<_> = (0..12).map(|number| world.node(number).me().id).collect();
    assert_eq!(ids.len(), 12);
    assert!(world.is_ideal() && world.members() == 12);
    // Whom a look-up names is known among those at its address.
    let named = log.0.iter().filter_map(|(_, seen)| match seen {
        Seen::Ended(end) => Some(end.result.unwrap()),
        _ => None,
    });
    let named: Vec<_> = named.collect();
    assert!(named.len() > 200);
    for (number, found) in named {
        assert_eq!(world.node(number).me(), found.owner);
    }
}

#[test]
fn what_happens_to_a_process_happens_to_all_its_nodes() {
    for (kind, keys) in [
        ("crash", ""),
        ("restart", ""),
        ("move", ""),
        ("leave", ""),
        ("pause", ""),
        ("skew", "\nby = \"5s\""),
        ("slow", "\nextra = \"1ms\""),
    ] {
        let (mut world, mut log) = played(
            12.0,
            &fault(kind, "10s", "20s", &format!("nodes = \"n4\"{keys}")),
        );
        assert_eq!(log.effects()[0].groups, [[3, 4, 5]], "{kind}");
        let up: Vec<bool> = (3..6).map(|number| world.hosts[number].up).collect();
        let stops = ["crash", "restart", "move", "leave"].contains(&kind);
        assert_eq!(up, [!stops; 3], "{kind}");
        world.go_on(150.0, &mut log);
        assert!(world.is_ideal() && world.members() == 12, "{kind}");
        let here = addresses(&world, 3..6);
        assert_eq!(here.len(), 1);
        assert_eq!(here.contains(&address_of(1)), kind != "move");
    }
}

#[test]
fn a_machine_is_all_nodes_of_a_process_and_holders_are_different_processes() {
    let rest = [
        fault("pause", "10s", "1s", "nodes = \"machine(n7)\""),
        fault("pause", "20s", "1s", "nodes = \"successors(key:song, 4)\""),
        fault(
            "restart",
            "30s",
            "1s",
            "nodes = [\"n0\", \"n1\", \"n11\"]\napart = \"5s\"",
        ),
        fault(
            "partition",
            "60s",
            "10s",
            "split = [\"n2\", [\"n1\", \"n3\"], \"rest\"]",
        ),
    ];
    let (world, log) = played(120.0, &rest.concat());
    let groups: Vec<_> = log
        .effects()
        .iter()
        .map(|effect| effect.groups.clone())
        .collect();
    let all: Vec<u32> = (0..12).collect();
    assert_eq!(groups[0], [[6, 7, 8]]);
    assert_eq!(groups[1], std::slice::from_ref(&all));
    assert_eq!(groups[2..4], [vec![vec![0, 1, 2]], vec![vec![9, 10, 11]]]);
    let rest: Vec<u32> = (6..12).collect();
    assert_eq!(groups[4], [vec![0, 1, 2], vec![3, 4, 5], rest]);
    assert!(world.is_ideal());
}

#[test]
fn processes_join_and_twins_run_whole() {
    let join = fault("join", "10s", "", "count = 2");
    let twin = fault("twin", "60s", "5s", "nodes = \"n13\"");
    let (world, log) = played(63.0, &[join, twin].concat());
    let effects = log.effects();
    assert_eq!(effects[0].groups, [(12..18).collect::<Vec<u32>>()]);
    assert_eq!(addresses(&world, 12..18).len(), 2);
    assert_eq!(effects[1].groups, [vec![12, 13, 14], vec![18, 19, 20]]);
    for (one, other) in [(12, 18), (13, 19), (14, 20)] {
        assert_eq!(world.node(one).me().id, world.node(other).me().id);
    }
    assert_eq!(addresses(&world, 18..21), BTreeSet::from([address_of(6)]));
}

#[test]
fn holders_of_a_write_are_different_processes() {
    let put = "[[workload]]\nkind = \"put\"\nrate = \"20/s\"\nkeys = 60\nuntil = \"40s\"\n";
    let (world, _) = played(60.0, put);
    let mut held = std::collections::BTreeMap::<_, Vec<u32>>::new();
    for number in 0..12 {
        use cuerda_core::record::DigestSource as _;
        let whole = cuerda_core::ring::KeyRange::new(
            cuerda_core::ring::Id::ZERO,
            cuerda_core::ring::Id::ZERO,
        );
        let store = world.hosts[number as usize].store.as_ref();
        for entry in store.into_iter().flat_map(|store| store.entries(whole)) {
            held.entry(entry.key).or_default().push(number / 3);
        }
    }
    assert_eq!(held.len(), 60);
    for (key, processes) in held {
        let different: BTreeSet<u32> = processes.iter().copied().collect();
        assert_eq!((processes.len(), different.len()), (2, 2), "{key:?}");
    }
}
