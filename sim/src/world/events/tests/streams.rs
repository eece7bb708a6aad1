//! The same seed, the same world; and one purpose's chance does not shift another's.

use super::*;
use cuerda_core::ring::Id;

const WORK: &str = "[[workload]]\nkind = \"lookup\"\nrate = \"20/s\"\n";
const CHURN: &str = "[[churn]]\njoin = \"0.5/s\"\nleave = \"0.2/s\"\ncrash = \"0.2/s\"\n";

fn busy() -> String {
    let cut = fault("partition", "10s", "10s", "split = [\"30%\", \"rest\"]");
    let pause = fault("pause", "12s", "10s", "nodes = 3");
    format!("loss = 0.01\nduplicate = 0.01\n{WORK}{CHURN}{cut}{pause}")
}

fn run(rest: &str, seed: u64) -> (World, Log) {
    let mut world = World::new(&Arc::new(scenario(20, rest)), seed);
    let mut log = Log::default();
    world.go_on(40.0, &mut log);
    (world, log)
}

#[test]
fn a_seed_makes_one_world() {
    let ((one, first), (other, second)) = (run(&busy(), 5), run(&busy(), 5));
    assert_eq!(one.digest(), other.digest());
    assert_eq!(
        (one.handled(), one.delivered(), one.lost()),
        (other.handled(), other.delivered(), other.lost())
    );
    assert!(first == second);
    assert_ne!(run(&busy(), 6).0.digest(), one.digest());
}

#[test]
fn who_watches_and_in_how_many_parts_changes_nothing() {
    let (whole, _) = run(&busy(), 5);
    let mut parts = World::new(&Arc::new(scenario(20, &busy())), 5);
    for part in 1..=4000 {
        parts.run_until(part * 10 * MILLISECOND, &mut crate::world::Nobody);
    }
    assert_eq!(parts.digest(), whole.digest());
}

#[test]
fn a_fork_goes_the_same_way_until_something_else_is_done_to_it() {
    let (mut world, mut log) = (
        World::new(&Arc::new(scenario(20, &busy())), 5),
        Log::default(),
    );
    world.go_on(13.0, &mut log);
    let (mut fork, mut other) = (world.clone(), world.clone());
    let mut logs = [log.clone(), log];
    world.go_on(40.0, &mut logs[0]);
    fork.go_on(40.0, &mut logs[1]);
    assert_eq!(world.digest(), fork.digest());
    assert!(logs[0] == logs[1]);
    assert_eq!(world.digest(), run(&busy(), 5).0.digest());
    other.ping(0, 1, 1);
    other.go_on(40.0, &mut logs[1]);
    assert_ne!(other.digest(), world.digest());
}

/// The look-ups: when, by whom, for what.
fn asked(log: &Log) -> Vec<(Time, u32, Id)> {
    let issued = log.0.iter().filter_map(|(time, seen)| match seen {
        Seen::Issued(_, asker, key) => Some((*time, *asker, *key)),
        _ => None,
    });
    issued.collect()
}

#[test]
fn faults_do_not_shift_the_lookups() {
    let plain = asked(&run(WORK, 5).1);
    assert!(plain.len() > 600);
    let faults = [
        fault("partition", "10s", "300ms", "split = [\"30%\", \"rest\"]"),
        fault("slow", "3s", "", "nodes = 5\nextra = \"50ms\""),
        fault("loss", "4s", "5s", "nodes = 5\nshare = 0.01"),
        fault("one_way", "4s", "100ms", "from = 1\nto = 2"),
        fault("skew", "5s", "", "nodes = 7\nby = \"5s\""),
    ];
    for fault in &faults {
        // Nobody is stranded: the askers are the same too.
        let (world, log) = run(&format!("{WORK}{fault}"), 5);
        assert_eq!(world.members(), 20);
        assert!(asked(&log) == plain, "{fault}");
    }
    for network in ["loss = 0.001\n", "duplicate = 0.5\n"] {
        assert!(
            asked(&run(&format!("{network}{WORK}"), 5).1) == plain,
            "{network}"
        );
    }
}

#[test]
fn those_who_come_and_go_shift_the_askers_but_neither_times_nor_keys() {
    let times_and_keys = |rest: &str| -> Vec<(Time, Id)> {
        let asked = asked(&run(&format!("{WORK}{rest}"), 5).1).into_iter();
        asked.map(|(time, _, key)| (time, key)).collect()
    };
    let plain = times_and_keys("");
    let crash = fault("crash", "5s", "5s", "nodes = 10");
    let join = fault("join", "5s", "5s", "count = 10");
    for rest in [CHURN, &crash, &join] {
        assert!(times_and_keys(rest) == plain, "{rest}");
    }
}

#[test]
fn work_shifts_neither_ids_nor_churn_nor_the_faults_choice() {
    let cut = fault("partition", "0s", "1s", "split = [7, \"rest\"]");
    let rest = format!("{CHURN}{cut}");
    let ((idle, quiet), (busy, loud)) = (run(&rest, 5), run(&format!("{WORK}{rest}"), 5));
    let ids =
        |world: &World| -> Vec<Id> { world.hosts.iter().map(|host| host.node.me().id).collect() };
    assert_eq!(ids(&idle), ids(&busy));
    assert!(idle.hosts.len() > 20);
    let choice = |log: &Log| log.effects()[0].groups.clone();
    assert_eq!(choice(&quiet), choice(&loud));
    let churn = |log: &Log| -> Vec<Time> {
        let lines = log.lines().filter(|(_, line)| line.starts_with("Churn"));
        lines.map(|(time, _)| time).collect()
    };
    assert_eq!(churn(&quiet), churn(&loud));
    assert!(churn(&quiet).len() > 20);
}

#[test]
fn the_ids_go_with_the_seed_and_start_alike_for_any_number_of_nodes() {
    let ids = |nodes, seed| -> Vec<Id> {
        let world = World::new(&Arc::new(scenario(nodes, "")), seed);
        world.hosts.iter().map(|host| host.node.me().id).collect()
    };
    assert_eq!(ids(5, 1), ids(9, 1)[..5]);
    assert_ne!(ids(5, 1), ids(5, 2));
}
