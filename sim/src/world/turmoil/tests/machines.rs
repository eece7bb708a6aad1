//! Machines that run the whole program: how they start, stop and come back.

use super::*;
use crate::world::turmoil::reports::{Report, What};
use cuerda::host::Ended;

const WORK: &str = "[[workload]]\nkind = \"lookup\"\nrate = \"5/s\"\n";

#[test]
fn an_ideal_ring_stays_ideal_and_answers() {
    let (mut world, mut log) = (world(8, WORK), Log::default());
    assert!(world.is_ideal() && world.members() == 8);
    world.go_on(30.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
    assert!(log.times(|seen| matches!(seen, Seen::Gone(..))).is_empty());
    let mut circle: Vec<(Id, u32)> = world
        .each_member()
        .map(|node| (node.peer.id, node.number))
        .collect();
    circle.sort_unstable();
    let mut ended = 0;
    for (_, seen) in &log.0 {
        if let Seen::Ended(end) = seen {
            ended += 1;
            let after = circle.iter().find(|(id, _)| *id >= end.key);
            let owner = after.unwrap_or(&circle[0]).1;
            assert_eq!(end.result.expect("all are there").0, owner);
        }
    }
    assert!((100..200).contains(&ended), "{ended}");
    assert!(world.delivered() > 1000 && world.bytes() > 50_000);
    // Those under way.
    assert!(world.lost() < 10, "{}", world.lost());
}

#[test]
fn a_ring_comes_about_by_joining() {
    let rest = format!("{FIXED}[[fault]]\nkind = \"join\"\nat = \"10s\"\ncount = 3\n");
    let mut joining = scenario(6, &rest);
    joining.start = crate::scenario::Start::Join;
    let (mut world, mut log) = (World::new(&Arc::new(joining), 1), Log::default());
    assert!(world.origin() > 0 && world.origin() == world.now());
    assert!(world.is_ideal() && world.members() == 6);
    assert_eq!((world.delivered(), world.handled()), (0, 0));
    world.go_on(40.0, &mut log);
    assert!(world.is_ideal() && world.members() == 9);
    let joined = log.times(|seen| matches!(seen, Seen::Joined(6..=8)));
    assert!(
        joined
            .iter()
            .all(|&time| time > world.origin() + 10 * SECOND)
    );
    assert_eq!(joined.len(), 3);
}

#[test]
fn a_crash_is_silence_until_peers_lose_patience() {
    let crash = fault("crash", "10s", "20s", "nodes = \"n3\"");
    let (mut world, mut log) = (world(8, &format!("{WORK}{crash}")), Log::default());
    world.go_on(29.0, &mut log);
    let gone = |seen: &Seen| matches!(seen, Seen::Gone(3, Gone::Crashed));
    assert_eq!(log.times(gone), [10 * SECOND]);
    let dead = log.times(|seen| matches!(seen, Seen::Dead(_, 3, false)));
    // Two requests in a row must have met silence: no polite end told of the crash.
    assert!(!dead.is_empty());
    assert!(dead[0] >= 10 * SECOND + 2 * 200 * MILLISECOND, "{dead:?}");
    let silent = 10 * SECOND + 5 * MILLISECOND..30 * SECOND;
    let spoke = |(time, from, to): (Time, u32, u32)| {
        silent.contains(&time) && (to == 3 || from == 3 && time > 10 * SECOND + 30 * MILLISECOND)
    };
    assert!(!log.envelopes().any(spoke));
    assert!(world.is_ideal() && world.members() == 7);
    let id = world.id(3);
    world.go_on(60.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
    assert_eq!(world.incarnation(3), 2);
    assert_eq!(world.id(3), id, "its key lay on the disk");
    let joined = log.times(|seen| *seen == Seen::Joined(3));
    assert!(
        joined[0] > 30 * SECOND && joined[0] < 40 * SECOND,
        "{joined:?}"
    );
}

#[test]
fn who_lost_the_disk_comes_back_at_the_same_address_with_another_key() {
    let crash = fault("crash", "10s", "5s", "nodes = \"n3\"\ndisk = \"lost\"");
    let (mut world, mut log) = (world(8, &format!("{WORK}{crash}")), Log::default());
    let before = world.peer(3);
    world.go_on(60.0, &mut log);
    let after = world.peer(3);
    assert_eq!(before.address, after.address);
    assert_ne!(before.id, after.id);
    assert!(world.is_ideal() && world.members() == 8);
    // Nobody takes it for the one it was.
    for node in world.each_member() {
        let (number, neighbours) = (node.number, node.view);
        let known = neighbours
            .successors()
            .iter()
            .copied()
            .chain([neighbours.predecessor()]);
        assert!(
            known.into_iter().all(|peer| peer.id != before.id),
            "n{number}"
        );
    }
}

#[test]
fn a_graceful_leaver_says_good_bye_and_is_gone() {
    let leave = fault("leave", "10s", "20s", "nodes = [\"n3\", \"n4\"]");
    let (mut world, mut log) = (world(8, &format!("{WORK}{leave}")), Log::default());
    world.go_on(29.0, &mut log);
    for number in [3, 4] {
        let gone = |seen: &Seen| *seen == Seen::Gone(number, Gone::Left);
        let gone = log.times(gone);
        assert!(
            gone.len() == 1 && (10 * SECOND..12 * SECOND).contains(&gone[0]),
            "{gone:?}"
        );
        assert!(!world.is_up(number) && !world.is_member(number));
    }
    assert!(world.is_ideal() && world.members() == 6);
    // The others were told, and did not have to find out.
    let dead = log.times(|seen| matches!(seen, Seen::Dead(_, 3 | 4, _)));
    assert!(dead.len() <= 2, "{dead:?}");
    world.go_on(60.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn churn_comes_and_goes() {
    let churn = "[[churn]]\njoin = \"0.3/s\"\nleave = \"0.15/s\"\ncrash = \"0.15/s\"\nuntil = \
                 \"60s\"\n";
    let (mut world, mut log) = (world(12, &format!("{WORK}{churn}")), Log::default());
    world.go_on(120.0, &mut log);
    let count = |wanted: &dyn Fn(&Seen) -> bool| log.times(wanted).len();
    let (joined, left, crashed) = (
        count(&|seen| matches!(seen, Seen::Joined(12..))),
        count(&|seen| matches!(seen, Seen::Gone(_, Gone::Left))),
        count(&|seen| matches!(seen, Seen::Gone(_, Gone::Crashed))),
    );
    // 18, 9 and 9 expected.
    assert!((8..30).contains(&joined), "{joined}");
    assert!(
        (2..20).contains(&left) && (2..20).contains(&crashed),
        "{left}, {crashed}"
    );
    assert!(world.is_ideal());
    let issued = count(&|seen| matches!(seen, Seen::Issued(_)));
    let over = count(&|seen| matches!(seen, Seen::Ended(_) | Seen::Abandoned(_)));
    assert!(issued - over < 10, "{issued} issued, {over} over");
}

#[test]
fn the_same_seed_is_the_same_run_however_its_time_is_cut() {
    let rest = format!("{FIXED}loss = 0.01\n{WORK}");
    let play = |seed, ends: &[f64]| {
        let mut world = World::new(&Arc::new(scenario(6, &rest)), seed);
        for &end in ends {
            world.go_on(end, &mut Log::default());
        }
        world.digest()
    };
    assert_eq!(play(1, &[20.0]), play(1, &[0.001, 7.7777, 13.0, 20.0]));
    assert_ne!(play(1, &[20.0]), play(2, &[20.0]));
    assert_ne!(play(1, &[20.0]), play(1, &[19.0]));
}

#[test]
fn a_program_that_panics_breaks_the_world() {
    let mut world = world(4, WORK);
    world.go_on(1.0, &mut Log::default());
    // What its hooks read is taken away from the last machine.
    world.net.lock().machines.pop();
    world.run_until(10 * SECOND, &mut Log::default());
    let why = world.broken().expect("a program panicked");
    assert!(why.contains("panicked"), "{why}");
    let now = world.now();
    world.run_until(20 * SECOND, &mut Log::default());
    assert_eq!(world.now(), now, "it does not go on");
}

#[test]
fn a_program_that_ends_or_cannot_start_breaks_the_world() {
    for (what, word) in [
        (What::Ended(Ended::Stopped), "stopped"),
        (What::Failed("no port".to_owned()), "no port"),
    ] {
        let mut world = world(2, "");
        let report = Report {
            at: world.now(),
            number: 1,
            epoch: 1,
            what,
        };
        world.hear(report, &mut Log::default());
        let why = world.broken().expect("nobody told it to");
        assert!(why.contains(word) && why.contains("n1"), "{why}");
    }
}

#[test]
fn a_program_that_is_told_to_stop_breaks_the_world() {
    let mut world = world(2, "");
    world.go_on(1.0, &mut Log::default());
    let handle = world.machines[1].slot.handle().expect("it runs");
    // On a machine of its own, that is no node's.
    world.sim.host("10.1.0.0", move || {
        let handle = handle.clone();
        async move {
            handle.stop().await?;
            std::future::pending().await
        }
    });
    world.run_until(5 * SECOND, &mut Log::default());
    let why = world.broken().expect("n1 stopped");
    assert!(why.contains("n1 stopped"), "{why}");
}
