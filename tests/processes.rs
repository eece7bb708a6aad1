//! Sixteen processes of the real program on loopback, four of which are killed and come back.
//!
//! Requires that afterwards every look-up, through every process, names the right owner within
//! five stabilization periods, and that meanwhile none hangs longer than its time-out.

mod common;

use std::time::Duration;

use common::{Process, ask, free_ports, is_ideal, start, until};
use cuerda::ring::Id;

const PROCESSES: usize = 16;
const STABILIZE_EVERY: Duration = Duration::from_secs(1);
const SETTINGS: [&str; 6] = [
    "--stabilize-every",
    "1s",
    "--fix-fingers-every",
    "1s",
    "--log",
    "warn",
];

/// The owner that a process names for a key.
fn named(process: &Process, key: &str) -> Option<Id> {
    let answer = ask(process, &["lookup", key])?;
    answer["owner"]["id"].as_str()?.parse().ok()
}

#[test]
fn a_ring_of_processes_survives_the_death_of_four_and_their_return() {
    let directory = tempfile::tempdir().expect("a directory for tests");
    let data = |number: usize| directory.path().join(number.to_string());
    let ports = free_ports(PROCESSES);
    let mut processes = Vec::new();
    for number in 0..PROCESSES {
        let join = if number == 0 { &[][..] } else { &ports[..1] };
        processes.push(start(&data(number), ports[number], join, &SETTINGS));
    }
    until("sixteen form an ideal ring", || {
        is_ideal(&processes[0], PROCESSES)
    });

    // Four others die, three of them neighbours in the ring, and no look-up hangs.
    let ids: Vec<Id> = processes.iter().map(|process| process.id).collect();
    let mut circle: Vec<usize> = (0..PROCESSES).collect();
    circle.sort_by_key(|&number| ids[0].distance_to(ids[number]));
    let killed = [circle[4], circle[5], circle[6], circle[11]];
    let alive: Vec<usize> = (0..PROCESSES)
        .filter(|number| !killed.contains(number))
        .collect();
    for number in killed {
        processes[number].child.kill().expect("it can be killed");
        processes[number].child.wait().expect("it has died");
    }
    for key in 0..20 {
        // An answer or an error, but in time: `ask` asserts that.
        named(
            &processes[alive[key % alive.len()]],
            &format!("during {key}"),
        );
    }
    for number in killed {
        let again = start(&data(number), ports[number], &ports[..1], &SETTINGS);
        assert_eq!(again.id, ids[number], "its key was kept");
        processes[number] = again;
    }

    let right = |key: &str| {
        let place = Id::of_key(key.as_bytes());
        *ids.iter()
            .min_by_key(|id| place.distance_to(**id))
            .expect("there are nodes")
    };
    // Before all are members again, some keys have right owners by chance, and others don't.
    let goes_round_all = || {
        let walk = ask(&processes[0], &["ring"]);
        walk.is_some_and(|walk| walk["members"].as_array().map_or(0, Vec::len) == PROCESSES)
    };
    // A key of each process: whoever has come back as a member owns nothing before it has taken its
    // part over, and until then look-ups name the one that still has it.
    let own: Vec<String> = ids
        .iter()
        .map(|id| {
            let mut keys = (0..).map(|number| format!("after {number}"));
            keys.find(|key| right(key) == *id)
                .expect("some key is this one's")
        })
        .collect();
    let healed = until("every process owns what it should", || {
        goes_round_all()
            && processes.iter().enumerate().all(|(number, process)| {
                let owner = (number + 1) % PROCESSES;
                named(process, &own[owner]) == Some(ids[owner])
            })
    });
    println!("every process was right again {healed:?} after the last return");
    let bound = STABILIZE_EVERY * 5;
    assert!(
        healed <= bound,
        "healed after {healed:?}, not within {bound:?}"
    );
    for (number, process) in processes.iter().enumerate() {
        for key in 0..4 {
            let key = format!("later {number} {key}");
            assert_eq!(named(process, &key), Some(right(&key)), "{key}");
        }
    }
}
