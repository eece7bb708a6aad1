//! Nodes that start again, leave, come back, or are new.

use super::*;

#[test]
fn a_restarted_node_has_its_id_and_a_new_incarnation_and_no_tables() {
    for disk in ["kept", "lost"] {
        let keys = format!("nodes = \"n3\"\ndisk = \"{disk}\"");
        let crash = fault("crash", "10s", "5s", &keys);
        let (mut world, mut log) = (world(8, &crash), Log::default());
        world.go_on(10.0, &mut log);
        let before = world.node(3).clone();
        assert_eq!(before.incarnation(), 1);
        // One nanosecond after its start nobody has answered it yet.
        world.run_until(15 * SECOND + 1, &mut log);
        let after = world.node(3);
        assert_eq!((after.me(), after.incarnation()), (before.me(), 2));
        assert!(!after.is_member() && after.neighbours().successors().is_empty());
        assert_eq!(after.neighbours().predecessor(), after.me());
        assert_eq!(after.fingers().entries(), []);
        world.go_on(60.0, &mut log);
        assert!(world.is_ideal() && world.members() == 8, "{disk}");
        assert_eq!(log.times(&Seen::Joined(3)).len(), 1);
    }
}

#[test]
fn remembered_peers_are_on_the_disk() {
    for (disk, kept) in [("kept", true), ("lost", false)] {
        // n5 dies first, so that n3 has somebody to remember.
        let first = fault("crash", "5s", "", "nodes = \"n5\"");
        let keys = format!("nodes = \"100%\"\ndisk = \"{disk}\"");
        let second = fault("crash", "20s", "5s", &keys);
        let (mut world, mut log) = (world(6, &(first + &second)), Log::default());
        world.go_on(24.9, &mut log);
        let (dead, remembers) = (world.node(5).me(), |world: &World, node: u32| {
            world.node(node).remembered().collect::<Vec<_>>()
        });
        let before: Vec<_> = (0..5).map(|node| remembers(&world, node)).collect();
        assert!(before.iter().any(|peers| peers.contains(&dead)));
        world.run_until(25 * SECOND + 1, &mut log);
        for (node, before) in (0..5).zip(before) {
            let now = remembers(&world, node);
            // Its neighbours are on the disk as well.
            let all = before.iter().all(|peer| now.contains(peer)) && now.len() > before.len();
            assert_eq!((all, now.is_empty()), (kept, !kept), "n{node}, disk {disk}");
        }
    }
}

#[test]
fn a_whole_ring_comes_back_as_one() {
    for lost in ["kept", "lost"] {
        let keys = format!("nodes = \"100%\"\ndisk = \"{lost}\"");
        let (mut world, mut log) = (
            world(4, &fault("crash", "10s", "5s", &keys)),
            Log::default(),
        );
        world.go_on(12.0, &mut log);
        assert_eq!(world.members(), 0);
        world.go_on(200.0, &mut log);
        assert_eq!(world.members(), 4, "{lost}");
        assert!(world.is_ideal(), "{lost}");
    }
}

#[test]
fn a_leaving_node_stops_when_it_has_taken_leave() {
    let leave = fault("leave", "10s", "20s", "nodes = [\"n3\", \"n4\"]");
    let (mut world, mut log) = (world(8, &leave), Log::default());
    world.go_on(12.0, &mut log);
    assert_eq!(world.members(), 6);
    for node in [3, 4] {
        let gone = log.times(&Seen::Gone(node, Gone::Left));
        assert!(gone.len() == 1 && gone[0] > 10 * SECOND, "{gone:?}");
        assert!(!world.hosts[node as usize].up);
    }
    world.go_on(29.0, &mut log);
    assert!(world.is_ideal());
    // Nobody had to find out.
    let told = log.0.iter().map(|(_, seen)| seen);
    let dead = |seen: &&Seen| matches!(seen, Seen::Told(_, Event::PresumedDead(_), _));
    assert_eq!(told.filter(dead).count(), 0);
    world.go_on(60.0, &mut log);
    assert_eq!(world.node(3).incarnation(), 2);
    let back = log.times(&Seen::Joined(3))[0];
    assert!((30 * SECOND..32 * SECOND).contains(&back), "{back}");
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn a_joining_crowd_comes_at_one_instant_and_leaves_at_the_end() {
    let (mut world, mut log) = (
        world(8, &fault("join", "10s", "30s", "count = 5")),
        Log::default(),
    );
    world.go_on(39.9, &mut log);
    assert_eq!(log.effects()[0].groups, [vec![8, 9, 10, 11, 12]]);
    assert_eq!(log.effects()[0].until, Some(40 * SECOND));
    for newcomer in 8..13 {
        let joined = log.times(&Seen::Joined(newcomer));
        assert!(joined.len() == 1 && joined[0] < 15 * SECOND, "{joined:?}");
    }
    assert!(world.is_ideal() && world.members() == 13);
    world.go_on(80.0, &mut log);
    for newcomer in 8..13 {
        let gone = log.times(&Seen::Gone(newcomer, Gone::Left));
        assert!(
            gone.len() == 1 && (40 * SECOND..45 * SECOND).contains(&gone[0]),
            "{gone:?}"
        );
        assert!(!world.hosts[newcomer as usize].up);
    }
    assert!(world.is_ideal() && world.members() == 8);
    assert!(
        log.0
            .iter()
            .any(|(at, seen)| *at == 40 * SECOND && matches!(seen, Seen::Over(_)))
    );
}

#[test]
fn churn_comes_and_goes_as_often_as_it_says() {
    let churn = "[[churn]]\njoin = \"0.5/s\"\nleave = \"0.3/s\"\ncrash = \"0.2/s\"\n\
                 from = \"100s\"\nuntil = \"300s\"\n";
    let (mut world, mut log) = (world(50, churn), Log::default());
    world.go_on(390.0, &mut log);
    let count = |wanted: &dyn Fn(&Seen) -> bool| {
        let times = log.0.iter().filter(|(_, seen)| wanted(seen));
        let times: Vec<Time> = times.map(|(time, _)| *time).collect();
        assert!(
            times
                .iter()
                .all(|at| (100 * SECOND..310 * SECOND).contains(at))
        );
        times.len()
    };
    let left = count(&|seen| matches!(seen, Seen::Gone(_, Gone::Left)));
    let crashed = count(&|seen| matches!(seen, Seen::Gone(_, Gone::Crashed)));
    let joined = count(&|seen| matches!(seen, Seen::Joined(number) if *number >= 50));
    // Within about three standard deviations of 100, 60 and 40.
    assert!(
        (70..=130).contains(&joined) && joined <= world.hosts.len() - 50,
        "{joined}"
    );
    assert!((37..=83).contains(&left), "{left}");
    assert!((21..=59).contains(&crashed), "{crashed}");
    assert_eq!(world.members(), 50 + joined - left - crashed);
    assert!(world.is_ideal());
}
