//! Situations in which the world once did less than it describes.

use super::*;

#[test]
fn a_pause_does_not_shift_the_lookups() {
    let work = "[[workload]]\nkind = \"lookup\"\nrate = \"20/s\"\n";
    let keys = |rest: &str| {
        let (mut world, mut log) = (world(20, &format!("{work}{rest}")), Log::default());
        world.go_on(30.0, &mut log);
        let issued = log.0.iter().filter_map(|(time, seen)| match seen {
            Seen::Issued(_, _, key) => Some((*time, *key)),
            _ => None,
        });
        issued.collect::<Vec<_>>()
    };
    assert!(keys("") == keys(&fault("pause", "10s", "100ms", "nodes = 10")));
}

#[test]
fn who_is_still_leaving_at_the_end_of_the_fault_comes_back_too() {
    let leave = fault("leave", "10s", "10ms", "nodes = \"n3\"");
    let (mut world, mut log) = (world(8, &leave), Log::default());
    world.go_on(60.0, &mut log);
    assert_eq!(world.members(), 8);
}

#[test]
fn a_newcomer_without_a_side_can_be_a_contact() {
    let cut = fault("partition", "1s", "", "split = [\"n0\", \"rest\"]");
    let crash = fault("crash", "2s", "", "nodes = \"n0\"");
    let first = fault("join", "3s", "", "count = 2");
    let later = fault("join", "30s", "", "count = 1");
    let (mut world, mut log) = (world(1, &(cut + &crash + &first + &later)), Log::default());
    world.go_on(29.0, &mut log);
    assert_eq!(world.members(), 2);
    world.go_on(60.0, &mut log);
    assert_eq!(world.members(), 3);
}

#[test]
fn a_large_ring_comes_back_as_one() {
    for disk in ["kept", "lost"] {
        let keys = format!("nodes = \"100%\"\ndisk = \"{disk}\"");
        let crash = fault("crash", "10s", "5s", &keys);
        let (mut world, mut log) = (world(12, &crash), Log::default());
        world.go_on(200.0, &mut log);
        assert_eq!(world.members(), 12, "{disk}");
        assert!(world.is_ideal(), "{disk}");
    }
}

#[test]
fn a_ring_of_one_comes_back() {
    let crash = fault("crash", "10s", "5s", "nodes = \"n0\"");
    let (mut world, mut log) = (world(1, &crash), Log::default());
    world.go_on(100.0, &mut log);
    assert_eq!(world.members(), 1);
}
