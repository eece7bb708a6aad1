//! Faults that meet on the same node: nobody is hurt, and it ends in a state that makes sense.

use super::*;

/// Runs these faults of a ring of eight, and lets it rest.
fn aftermath(faults: &[String]) -> (World, Log) {
    let (mut world, mut log) = (world(8, &faults.concat()), Log::default());
    world.go_on(150.0, &mut log);
    assert_eq!(world.members(), world.acting_members());
    assert!(
        world
            .hosts
            .iter()
            .all(|host| host.paused == 0 || !host.backlog.is_empty())
    );
    (world, log)
}

fn n3(kind: &str, at: &str, lasts: &str) -> String {
    fault(kind, at, lasts, "nodes = \"n3\"")
}

#[test]
fn a_paused_node_crashes_and_wakes_where_it_is_down() {
    let (world, log) = aftermath(&[n3("pause", "10s", "10s"), n3("crash", "15s", "")]);
    let host = &world.hosts[3];
    assert_eq!((host.up, host.paused, host.backlog.len()), (false, 0, 0));
    assert!(world.is_ideal() && world.members() == 7);
    assert_eq!(log.times(&Seen::Gone(3, Gone::Crashed)), [15 * SECOND]);
}

#[test]
fn a_node_starts_again_while_it_is_paused_and_joins_when_it_wakes() {
    let (world, log) = aftermath(&[n3("pause", "10s", "30s"), n3("crash", "15s", "5s")]);
    assert!(world.is_ideal() && world.members() == 8);
    let joined = log.times(&Seen::Joined(3));
    assert!(joined.len() == 1 && joined[0] >= 40 * SECOND, "{joined:?}");
}

#[test]
fn a_crashed_node_is_gone_for_all_later_faults() {
    let later = ["pause", "leave", "crash"].map(|kind| n3(kind, "12s", "2s"));
    let slow = fault("slow", "12s", "2s", "nodes = \"n3\"\nextra = \"1s\"");
    let (world, log) = aftermath(&[n3("crash", "10s", "50s"), later.concat(), slow]);
    for effect in &log.effects()[1..] {
        assert_eq!(effect.groups, [[0; 0]], "{effect:?}");
    }
    assert_eq!(world.node(3).incarnation(), 2);
    assert!(world.is_ideal() && world.members() == 8);
    assert!(log.times(&Seen::Joined(3))[0] >= 60 * SECOND);
}

#[test]
fn a_node_that_left_is_not_crashed_and_comes_back() {
    let (world, log) = aftermath(&[n3("leave", "10s", "20s"), n3("crash", "15s", "5s")]);
    assert_eq!(log.effects()[1].groups, [[0; 0]]);
    assert_eq!(world.node(3).incarnation(), 2);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn a_crowd_that_crashed_before_it_was_to_leave() {
    let join = fault("join", "10s", "20s", "count = 3");
    let crash = fault("crash", "20s", "5s", "nodes = [\"n8\", \"n9\"]");
    let stays = fault("crash", "22s", "", "nodes = \"n10\"");
    let late = fault("crash", "27s", "30s", "nodes = \"n9\"");
    let (world, _) = aftermath(&[join, crash, stays, late]);
    // n8 came back and left; n9 came back after it should have left, and nobody told it again.
    let up = [8, 9, 10].map(|newcomer: usize| world.hosts[newcomer].up);
    assert_eq!(up, [false, true, false]);
    assert!(world.is_ideal() && world.members() == 9);
}

#[test]
fn a_crowd_that_leaves_before_it_has_joined() {
    let (world, log) = aftermath(&[fault("join", "10s", "30ms", "count = 20")]);
    assert!(world.hosts[8..].iter().all(|host| !host.up));
    assert!(world.is_ideal() && world.members() == 8);
    let joined = log
        .0
        .iter()
        .filter(|(_, seen)| matches!(seen, Seen::Joined(_)));
    assert_eq!(joined.count(), 0);
}

#[test]
fn a_crowd_that_joins_nobody() {
    let all = fault("crash", "5s", "", "nodes = \"100%\"");
    let (world, _) = aftermath(&[all, fault("join", "10s", "", "count = 4")]);
    // Their contacts are all dead, and they don't know each other.
    assert!(world.hosts[8..].iter().all(|host| host.up));
    assert_eq!(world.members(), world.acting_members());
}

#[test]
fn a_node_that_crashes_cut_off_comes_back_where_it_was() {
    let cut = fault(
        "partition",
        "10s",
        "50s",
        "split = [[\"n0\", \"n1\", \"n3\"], \"rest\"]",
    );
    let (world, log) = aftermath(&[cut, n3("crash", "20s", "5s")]);
    assert!(world.is_ideal() && world.members() == 8);
    let during = 10 * SECOND + 1..60 * SECOND;
    let side = |node: u32| [0, 1, 3].contains(&node);
    for (sent, from, to) in log.envelopes().filter(|(sent, ..)| during.contains(sent)) {
        assert_eq!(side(from), side(to), "n{from} to n{to} at {sent}");
    }
    let joined = log.times(&Seen::Joined(3));
    assert!(joined[0] < 40 * SECOND, "{joined:?}");
}

#[test]
fn faults_that_begin_and_end_at_one_instant_go_in_the_order_of_the_file() {
    let (world, log) = aftermath(&[
        n3("pause", "10s", "5s"),
        n3("crash", "10s", "5s"),
        n3("leave", "10s", "5s"),
    ]);
    let groups: Vec<_> = log
        .effects()
        .iter()
        .map(|effect| effect.groups[0].clone())
        .collect();
    assert_eq!(groups, [vec![3], vec![3], vec![]]);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn very_many_faults_at_once() {
    let slow = fault("slow", "1s", "", "nodes = \"100%\"\nextra = \"3650d\"").repeat(40);
    let pause = fault("pause", "1s", "1s", "nodes = \"n1\"").repeat(300);
    let (mut world, mut log) = (world(2, &(slow + &pause)), Log::default());
    world.go_on(10.0, &mut log);
    assert_eq!(world.hosts[1].paused, 0);
}
