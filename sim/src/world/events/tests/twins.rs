//! Processes that run with the key of others: who notices it, who stops, and who is no twin.

use super::*;
use cuerda_core::chord::Input;
use cuerda_core::store::Store as _;

use crate::world::script::Orders as _;

/// Writes of thirty keys in the first forty seconds.
const WRITES: &str = "[[workload]]\nkind = \"put\"\nrate = \"10/s\"\nkeys = 30\nuntil = \"40s\"\n";

/// Plays these faults of a ring of eight for so many seconds.
fn played(seconds: f64, rest: &str) -> (World, Log) {
    let (mut world, mut log) = (world(8, rest), Log::default());
    world.go_on(seconds, &mut log);
    (world, log)
}

/// A second process with n3's key, which will be n8.
fn twin(at: &str) -> String {
    fault("twin", at, "", "nodes = \"n3\"")
}

fn up(world: &World) -> Vec<u32> {
    let hosts = (0..).zip(&world.hosts);
    let up = hosts.filter(|(_, host)| host.up);
    up.map(|(number, _)| number).collect()
}

/// All of the ring of eight but one of them, and perhaps one more.
fn all_but(missing: u32, more: Option<u32>) -> Vec<u32> {
    let others = (0..8).filter(|&number| number != missing);
    others.chain(more).collect()
}

#[test]
fn the_younger_of_two_with_one_key_stops() {
    let (mut world, mut log) = played(50.001, &format!("{WRITES}{}", twin("50s")));
    assert_eq!(
        (log.effects()[0].groups.clone(), log.effects()[0].hit),
        (vec![vec![3], vec![8]], 1)
    );
    let (one, other) = (world.node(3).me(), world.node(8).me());
    assert_eq!(one.id, other.id);
    assert_ne!(one.address, other.address);
    assert!(world.hosts[3].up && world.hosts[8].up);
    let begun = log.times(&Seen::Replaced(vec![(
        8,
        world.hosts[3].store.as_ref().unwrap().len(),
    )]));
    assert_eq!(
        begun,
        [50 * SECOND],
        "it begins with all that the other has"
    );
    // Whom it asks has a connection with n3.
    world.go_on(51.5, &mut log);
    assert_eq!(up(&world), all_but(8, None));
    world.go_on(80.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn which_of_two_is_younger_is_told_by_their_clocks() {
    // When it started again, n3's clock was ahead; its twin's is not.
    let clock = fault("clock", "10s", "", "nodes = \"n3\"\njump = \"1h\"");
    let restart = fault("restart", "20s", "1s", "nodes = \"n3\"");
    let (world, _) = played(80.0, &[clock, restart, twin("50s")].concat());
    assert_eq!(up(&world), all_but(3, Some(8)));
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn a_twin_is_noticed_as_soon_as_the_other_answers() {
    // n3 is suspended: nobody can tell whether it was started again elsewhere.
    let pause = fault("pause", "49s", "20s", "nodes = \"n3\"");
    let (mut world, mut log) = played(68.0, &[pause, twin("50s")].concat());
    assert!(world.hosts[3].up && world.hosts[8].up);
    world.go_on(75.0, &mut log);
    assert_eq!(up(&world), all_but(8, None));
    world.go_on(120.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn twins_that_have_no_peer_in_common_live_until_they_have() {
    let partition = fault("partition", "30s", "30s", "split = [\"n3\", \"rest\"]");
    let (mut world, mut log) = played(59.0, &[partition, twin("31s")].concat());
    assert!(world.hosts[3].up && world.hosts[8].up);
    world.go_on(75.0, &mut log);
    assert_eq!(up(&world), all_but(8, None));
    world.go_on(150.0, &mut log);
    assert!(world.is_ideal() && world.members() == 8);
}

#[test]
fn who_was_started_again_here_or_elsewhere_is_no_twin() {
    let moved = fault("move", "10s", "1s", "nodes = [\"n3\", \"n4\"]");
    let again = fault("restart", "30s", "1s", "nodes = [\"n4\", \"n5\"]");
    let back = fault("clock", "29s", "", "nodes = \"n5\"\njump = \"-1h\"");
    // Only where a key will be started twice does anybody look.
    let text = [moved, again, back, twin("200s")].concat();
    let (world, log) = played(190.0, &text);
    assert_eq!(up(&world), (0..8).collect::<Vec<u32>>());
    assert!(world.is_ideal() && world.members() == 8);
    let stopped = log
        .0
        .iter()
        .filter(|(_, seen)| matches!(seen, Seen::Gone(..)));
    assert_eq!(
        stopped.count(),
        4,
        "those that were started again, and nobody else"
    );
}

#[test]
fn a_ring_of_one_with_a_twin_does_not_stop_the_harness() {
    let twin = fault("twin", "10s", "", "nodes = \"n0\"");
    let (mut one, mut log) = (world(1, &format!("{WRITES}{twin}")), Log::default());
    one.go_on(100.0, &mut log);
    assert!(one.hosts[0].up && !one.hosts[1].up);
    one.order(0, Input::Leave, "leave", &mut log);
    one.go_on(200.0, &mut log);
    assert_eq!(one.members(), one.acting_members());
    assert_eq!(one.node(1).me().id, one.node(0).me().id);
}
