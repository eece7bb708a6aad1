//! Look-ups as clients see them.

use super::*;
use crate::world::number_of;
use cuerda_core::ring::Id;

const BUSY: &str =
    "[[workload]]\nkind = \"lookup\"\nrate = \"50/s\"\nfrom = \"5s\"\nuntil = \"45s\"\n";

#[test]
fn they_come_at_their_rate_within_their_time_from_everywhere() {
    let (mut world, mut log) = (world(8, BUSY), Log::default());
    world.go_on(60.0, &mut log);
    let issued = log.0.iter().filter_map(|(time, seen)| match seen {
        Seen::Issued(_, asker, key) => Some((*time, *asker, *key)),
        _ => None,
    });
    let issued: Vec<(Time, u32, Id)> = issued.collect();
    // 2000 expected, the standard deviation is 45.
    assert!((1850..2150).contains(&issued.len()), "{}", issued.len());
    assert!(
        issued
            .iter()
            .all(|(at, ..)| (5 * SECOND..45 * SECOND).contains(at))
    );
    for node in 0..8 {
        let by_it = issued.iter().filter(|(_, asker, _)| *asker == node).count();
        assert!((190..310).contains(&by_it), "n{node}: {by_it}");
    }
    let first_half = issued.iter().filter(|(_, _, key)| key.high() < 1 << 63);
    assert!((share(first_half.count(), issued.len()) - 0.5).abs() < 0.05);
}

#[test]
fn each_ends_with_the_owner_after_as_many_round_trips_as_hops() {
    let (mut world, mut log) = (world(24, BUSY), Log::default());
    world.go_on(60.0, &mut log);
    let circle: Vec<(Id, u32)> = world
        .circle()
        .into_iter()
        .map(|number| (world.node(number).me().id, number))
        .collect();
    let mut ended = 0;
    for (time, seen) in &log.0 {
        if let Seen::Ended(end) = seen {
            ended += 1;
            let after = circle.iter().find(|(id, _)| *id >= end.key);
            let owner = after.unwrap_or(&circle[0]).1;
            let (named, found) = end.result.expect("the ring is ideal");
            assert_eq!(
                (named, number_of(found.owner.address)),
                (owner, Some(owner))
            );
            assert_eq!(time - end.issued, u64::from(found.hops) * 2 * LATENCY);
            assert_eq!((found.hops == 0, end.timeouts), (end.asker == owner, 0));
        }
    }
    assert!(ended > 1800 && open_lookups(&log).is_empty());
}

#[test]
fn none_is_issued_where_nobody_is_awake() {
    let crash = fault("crash", "0s", "", "nodes = [\"n0\", \"n1\"]");
    let pause =
        fault("pause", "0s", "", "nodes = \"rest\"").replace("\"rest\"", "[\"n2\", \"n3\"]");
    for ends in [
        crash.clone() + &pause,
        crash.clone() + &crash.replace("n0", "n2").replace("n1", "n3"),
    ] {
        let (mut world, mut log) = (world(4, &format!("{BUSY}{ends}")), Log::default());
        world.go_on(60.0, &mut log);
        let issued = log
            .0
            .iter()
            .filter(|(_, seen)| matches!(seen, Seen::Issued(..)));
        assert_eq!(issued.count(), 0);
    }
}
