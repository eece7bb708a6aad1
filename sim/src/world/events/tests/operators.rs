//! What operators do to processes: start them again, one after the other, elsewhere, with an old
//! disk, and with clocks that are wrong.

use super::*;
use cuerda_core::store::Store as _;

/// Plays these faults of a ring of eight for so many seconds.
fn played(seconds: f64, rest: &str) -> (World, Log) {
    let (mut world, mut log) = (world(8, rest), Log::default());
    world.go_on(seconds, &mut log);
    assert_eq!(world.members(), world.acting_members());
    (world, log)
}

/// Writes of thirty keys in the first forty seconds.
const WRITES: &str = "[[workload]]\nkind = \"put\"\nrate = \"10/s\"\nkeys = 30\nuntil = \"40s\"\n";

fn crashes(log: &Log) -> Vec<(Time, u32)> {
    let crashes = log.0.iter().filter_map(|(time, seen)| match seen {
        Seen::Gone(number, Gone::Crashed) => Some((*time / SECOND, *number)),
        _ => None,
    });
    crashes.collect()
}

/// How often each machine has started.
fn starts(world: &World) -> Vec<u32> {
    world.hosts.iter().map(|host| host.incarnation).collect()
}

#[test]
fn a_process_starts_again_after_a_second_with_what_it_remembers() {
    let (world, log) = played(60.0, &fault("restart", "10s", "", "nodes = \"n3\""));
    let effect = log.effects()[0];
    assert_eq!((effect.kind, effect.hit), ("restart", 1));
    assert_eq!(effect.until, Some(11 * SECOND));
    assert_eq!(crashes(&log), [(10, 3)]);
    assert!(log.times(&Seen::Joined(3))[0] >= 11 * SECOND);
    assert_eq!(world.node(3).incarnation(), 2);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn processes_start_again_one_after_the_other() {
    let keys = "nodes = \"100%\"\napart = \"5s\"";
    let (world, log) = played(120.0, &fault("restart", "10s", "2s", keys));
    let expected: Vec<(Time, u32)> = (0..8).map(|turn| (10 + 5 * turn, turn as u32)).collect();
    assert_eq!(crashes(&log), expected);
    let each = log.effects().iter().all(|effect| effect.hit == 1);
    assert!(each && log.effects().len() == 8);
    assert_eq!(starts(&world), [2; 8]);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn a_step_passes_by_whoever_is_down_then() {
    let crash = fault("crash", "5s", "", "nodes = \"n4\"");
    let wave = fault(
        "pause",
        "4s",
        "1s",
        "nodes = [\"n2\", \"n4\"]\napart = \"3s\"",
    );
    let (_, log) = played(30.0, &format!("{wave}{crash}"));
    let hit: Vec<_> = log
        .effects()
        .iter()
        .map(|it| (it.kind, it.groups.clone()))
        .collect();
    assert_eq!(hit, [("pause", vec![vec![2]]), ("crash", vec![vec![4]])]);
}

#[test]
fn who_is_down_or_outside_can_be_named() {
    let crash = fault("crash", "5s", "", "nodes = [\"n2\", \"n5\"]");
    let start = fault("restart", "20s", "1s", "nodes = \"down\"");
    let (world, log) = played(90.0, &format!("{WRITES}{crash}{start}"));
    assert_eq!(log.effects()[1].groups, [[2, 5]]);
    assert!(world.is_ideal() && world.members() == 8);
    // Nobody could say before that they would come back.
    let gone = log
        .0
        .iter()
        .filter(|(_, seen)| matches!(seen, Seen::DisksGone(..)));
    assert_eq!(gone.count(), 0);
    // Who lost all others is no member, and runs.
    let alone = fault("partition", "5s", "40s", "split = [\"n6\", \"rest\"]");
    let again = fault("restart", "30s", "1s", "nodes = \"outside\"");
    let (world, log) = played(150.0, &format!("{alone}{again}"));
    assert_eq!(log.effects()[1].groups, [[6]]);
    assert_eq!(world.node(6).incarnation(), 2);
}

#[test]
fn who_is_down_starts_one_after_the_other_and_is_not_gone_meanwhile() {
    let crash = fault("crash", "5s", "", "nodes = [\"n2\", \"n5\", \"n6\"]");
    let start = fault("restart", "20s", "1s", "nodes = \"down\"\napart = \"20s\"");
    let (world, log) = played(150.0, &format!("{WRITES}{crash}{start}"));
    let groups: Vec<_> = log
        .effects()
        .iter()
        .map(|it| it.groups[0].clone())
        .collect();
    assert_eq!(groups, [vec![2, 5, 6], vec![2], vec![5], vec![6]]);
    let gone = log
        .0
        .iter()
        .filter(|(_, seen)| matches!(seen, Seen::DisksGone(..)));
    assert_eq!(gone.count(), 0);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn a_disk_that_nothing_starts_any_more_is_gone() {
    let crash = fault("crash", "5s", "", "nodes = [\"n2\", \"n5\"]");
    let start = fault("restart", "20s", "1s", "nodes = \"down\"");
    let late = fault("crash", "60s", "", "nodes = \"n5\"");
    let (_, log) = played(90.0, &format!("{crash}{start}{late}"));
    assert_eq!(
        log.times(&Seen::DisksGone(vec![5], DiskGone::Away)),
        [60 * SECOND]
    );
}

#[test]
fn a_process_moves_and_is_found_under_its_key_where_it_is_now() {
    let (world, log) = played(90.0, &fault("move", "10s", "", "nodes = \"n3\""));
    let me = world.node(3).me();
    assert_ne!(me.address, address_of(3));
    assert_eq!(crate::world::number_of(me.address), Some(3));
    assert_eq!(me.id, self::world(8, "").node(3).me().id);
    assert!(log.times(&Seen::Joined(3))[0] >= 11 * SECOND);
    assert!(world.is_ideal() && world.members() == 8);
    // What is sent to where it was reaches nobody.
    let before = Peer {
        address: address_of(3),
        ..me
    };
    assert!(world.delays(1, before, 20).is_empty());
    assert_eq!(world.delays(1, me, 20).len(), 20);
}

#[test]
fn an_old_disk_comes_back_with_all_that_lay_on_it() {
    let snapshot = fault("snapshot", "60s", "2s", "nodes = \"n3\"\nage = \"58s\"");
    let text = format!("{WRITES}{snapshot}");
    let stored = |world: &World, number: u32| {
        let store = world.hosts[number as usize].store.clone();
        store.map_or(0, |store| store.len())
    };
    // When it is copied, before it comes back, and after.
    let copied = stored(&played(2.0, &text).0, 3);
    let (mut world, mut log) = played(59.9, &text);
    let before = stored(&world, 3);
    assert!(0 < copied && copied < before, "{copied} of {before}");
    world.go_on(61.0, &mut log);
    assert_eq!((stored(&world, 3), world.hosts[3].up), (copied, false));
    world.go_on(200.0, &mut log);
    // The count of its starts lay there too.
    assert_eq!(world.node(3).incarnation(), 2);
    assert!(world.is_ideal() && world.members() == 8);
    let replaced = log.times(&Seen::Replaced(vec![(3, copied)]));
    assert_eq!(replaced, [60 * SECOND]);
}

/// How far ahead the clock of n3 is, as its records show.
fn ahead(world: &mut World) -> i64 {
    let right = crate::world::EPOCH_MS + world.air.now / 1_000_000;
    let shown = world.context(3, |context| context.wall_clock());
    shown.wrapping_sub(right) as i64
}

#[test]
fn a_clock_is_set_and_runs_fast_and_is_right_again() {
    let clock = fault(
        "clock",
        "10s",
        "40s",
        "nodes = \"n3\"\njump = \"-5s\"\ndrift = \"500ppm\"",
    );
    let (mut world, mut log) = played(9.0, &clock);
    for (second, expected) in [
        (10.1, -5_000),
        (30.0, -4_990),
        (49.9, -4_981),
        (51.0, 0),
        (99.0, 0),
    ] {
        world.go_on(second, &mut log);
        assert_eq!(ahead(&mut world), expected, "at {second} s");
    }
    // Without an end it goes on.
    let stays = fault("clock", "10s", "", "nodes = \"n3\"\ndrift = \"-100ppm\"");
    let (mut world, _) = played(110.0, &stays);
    assert_eq!(ahead(&mut world), -10);
}

#[test]
fn groups_and_numbers_name_nodes() {
    let groups = "[groups]\nrack1 = \"n1..n3\"\nodd = [\"n5\", \"n7\"]\n";
    let pause = |nodes: &str, at: &str| fault("pause", at, "1s", &format!("nodes = {nodes}"));
    let (_, log) = played(
        60.0,
        &[
            groups.to_owned(),
            pause("\"rack1\"", "10s"),
            pause("[\"odd\", \"rack1\", \"n5..n6\"]", "20s"),
            pause("\"machine(n2)\"", "30s"),
        ]
        .concat(),
    );
    let hit: Vec<_> = log
        .effects()
        .iter()
        .map(|it| it.groups[0].clone())
        .collect();
    assert_eq!(hit, [vec![1, 2, 3], vec![1, 2, 3, 5, 6, 7], vec![2]]);
}
