//! What the world owes by its description and does not do yet: these tests fail.

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
fn a_paused_node_handles_no_order_either() {
    let pause = fault("pause", "10s", "10s", "nodes = \"n3\"");
    let leave = fault("leave", "12s", "", "nodes = \"n3\"");
    let (mut world, mut log) = (world(8, &(pause + &leave)), Log::default());
    world.go_on(19.9, &mut log);
    let during = 10 * SECOND + 1..20 * SECOND;
    let sent = log
        .letters()
        .filter(|(sent, from, _)| *from == 3 && during.contains(sent));
    assert_eq!(sent.count(), 0);
}

#[test]
fn what_came_before_the_wake_is_handled_before_what_comes_with_it() {
    let pause = fault("pause", "10s", "3s", "nodes = \"n3\"");
    let (mut world, mut log) = (world(8, &pause), Log::default());
    world.go_on(12.0, &mut log);
    world.ping(4, 3, 1);
    world.go_on(12.98, &mut log);
    world.ping(4, 3, 2);
    world.go_on(14.0, &mut log);
    let place = |number: u32| {
        let which = format!("incarnation: 99, number: {number} }}");
        let mut lines = log.lines();
        lines.position(|(_, line)| line.starts_with("n3 -> n4: Reply") && line.contains(&which))
    };
    assert!(place(1) < place(2), "{:?} {:?}", place(1), place(2));
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
