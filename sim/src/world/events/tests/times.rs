//! Faults that come at drawn moments, and again and again.

use super::*;

/// When the faults of this scenario began and ended, in nanoseconds, and whom they hit.
fn played(seed: u64, rest: &str) -> (World, Log) {
    let mut world = World::new(&Arc::new(scenario(8, rest)), seed);
    let mut log = Log::default();
    world.go_on(200.0, &mut log);
    (world, log)
}

fn began(log: &Log) -> Vec<Time> {
    let began = log.0.iter().filter_map(|(time, seen)| match seen {
        Seen::Began(_) => Some(*time),
        _ => None,
    });
    began.collect()
}

const PAUSE: &str = "[[fault]]\nkind = \"pause\"\nnodes = 2\n";

#[test]
fn a_moment_that_is_drawn_lies_where_it_may_and_differs_from_seed_to_seed() {
    let drawn = format!("{PAUSE}at = [\"20s\", \"60s\"]\nfor = \"1s\"\n");
    let mut times: Vec<Time> = (1..=6)
        .map(|seed| {
            let (_, log) = played(seed, &drawn);
            let times = began(&log);
            assert_eq!(times, began(&played(seed, &drawn).1), "the same again");
            times[0]
        })
        .collect();
    let bounds = 20 * SECOND..60 * SECOND;
    assert!(times.iter().all(|time| bounds.contains(time)), "{times:?}");
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 6);
    assert!(times[5] - times[0] > 10 * SECOND, "{times:?}");
}

#[test]
fn a_drawn_moment_shifts_nothing_else() {
    let work = "[[workload]]\nkind = \"lookup\"\nrate = \"5/s\"\n";
    let issued = |rest: &str| {
        let (_, log) = played(3, &format!("{work}{rest}"));
        let issued = log.0.iter().filter_map(|(time, seen)| match seen {
            Seen::Issued(_, asker, key) if *time < 150 * SECOND => Some((*time, *asker, *key)),
            _ => None,
        });
        issued.collect::<Vec<_>>()
    };
    let slow = "[[fault]]\nkind = \"slow\"\nnodes = \"n1\"\nextra = \"1ms\"\n\
                at = [\"20s\", \"60s\"]\n";
    let plain = issued("");
    assert!(plain.len() > 500);
    assert_eq!(plain, issued(slow));
}

#[test]
fn a_fault_comes_again_so_many_times_and_chooses_anew_each_time() {
    let (_, log) = played(
        1,
        &format!("{PAUSE}at = \"10s\"\nevery = \"15s\"\ntimes = 6\nfor = \"2s\"\n"),
    );
    let times: Vec<Time> = (0..6).map(|turn| (10 + 15 * turn) * SECOND).collect();
    assert_eq!(began(&log), times);
    let effects = log.effects();
    assert!(
        effects
            .iter()
            .all(|effect| effect.hit == 2 && effect.index == 0)
    );
    let numbers: Vec<usize> = effects.iter().map(|effect| effect.occurrence).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    assert!(
        effects
            .iter()
            .any(|effect| effect.groups != effects[0].groups)
    );
}

#[test]
fn a_fault_comes_again_until_then() {
    let until = |until: &str| {
        let keys = format!("at = \"10s\"\nevery = \"20s\"\nuntil = \"{until}\"\nfor = \"2s\"\n");
        began(&played(1, &format!("{PAUSE}{keys}")).1)
    };
    let seconds = |times: &[u64]| times.iter().map(|time| time * SECOND).collect::<Vec<_>>();
    assert_eq!(until("70s"), seconds(&[10, 30, 50]));
    assert_eq!(until("71s"), seconds(&[10, 30, 50, 70]));
}

#[test]
fn each_time_ends_for_itself() {
    // Always two of them are in force at a time, and none in the end.
    let cut = "[[fault]]\nkind = \"partition\"\nsplit = [\"n1\", \"rest\"]\n\
               at = \"10s\"\nevery = \"10s\"\ntimes = 4\nfor = \"15s\"\n";
    let (world, log) = played(1, cut);
    let over = log.0.iter().filter_map(|(time, seen)| match seen {
        Seen::Over(effect) => Some((*time / SECOND, effect.occurrence)),
        _ => None,
    });
    assert_eq!(
        over.collect::<Vec<_>>(),
        [(25, 0), (35, 1), (45, 2), (55, 3)]
    );
    let healed = log.times(&Seen::Sides(None));
    assert_eq!(healed, [55 * SECOND]);
    assert!(world.is_ideal() && world.members() == 8);
}
