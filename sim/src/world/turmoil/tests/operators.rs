//! What operators do to the whole program: start it again in turn, with an old disk, and with
//! clocks that are wrong.

use super::*;

#[test]
fn programs_start_again_one_after_the_other() {
    let restart = fault(
        "restart",
        "10s",
        "2s",
        "nodes = [\"n1\", \"n4\"]\napart = \"15s\"",
    );
    let (mut world, mut log) = (world(8, &restart), Log::default());
    world.go_on(80.0, &mut log);
    let crashed = |number| {
        let seen = move |seen: &Seen| *seen == Seen::Gone(number, Gone::Crashed);
        log.times(seen)
    };
    assert_eq!(crashed(1), [10 * SECOND]);
    assert_eq!(crashed(4), [25 * SECOND]);
    assert_eq!((world.incarnation(1), world.incarnation(4)), (2, 2));
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn an_old_disk_comes_back_with_the_count_of_its_starts() {
    let put = "[[workload]]\nkind = \"put\"\nrate = \"10/s\"\nkeys = 40\nuntil = \"25s\"\n";
    let restart = fault("restart", "5s", "", "nodes = \"n3\"");
    let snapshot = fault("snapshot", "30s", "", "nodes = \"n3\"\nage = \"29s\"");
    let text = [put.to_owned(), restart, snapshot].concat();
    let (mut world, mut log) = (world(8, &text), Log::default());
    world.go_on(20.0, &mut log);
    assert_eq!(world.incarnation(3), 2);
    world.go_on(90.0, &mut log);
    // It was copied before the second start, so this is the second for whoever reads the disk.
    assert_eq!(world.incarnation(3), 2);
    let joined = log.times(|seen| *seen == Seen::Joined(3));
    assert!(joined.len() == 2 && joined[1] > 31 * SECOND, "{joined:?}");
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn a_programs_clock_drifts() {
    let clock = fault("clock", "10s", "40s", "nodes = \"n3\"\ndrift = \"-500ppm\"");
    let (mut world, mut log) = (world(4, &clock), Log::default());
    for (second, behind) in [(9.0, 0), (30.0, 10), (49.9, 19), (60.0, 0)] {
        world.go_on(second, &mut log);
        let now = world.now();
        let clocks = [2, 3].map(|number| world.net.lock().wall_clock(number, now));
        assert_eq!(clocks[0] - clocks[1], behind, "at {second} s");
    }
}
