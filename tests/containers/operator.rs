//! What an operator does to nodes, and what must come of it: stopping, killing, restarting all,
//! upgrading one by one, losing a volume.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use serde_json::Value;

use super::engine::engine;
use super::program::{loudly, now, until};
use super::ring::{Ring, STABILIZE_EVERY, TWO_ROUNDS, Written};

const NODES: usize = 5;
const KEYS: usize = 24;

/// Whether a node's tables name another.
fn names(status: &Value, id: &str) -> bool {
    let node = &status["nodes"][0];
    let is = |peer: &Value| peer["id"] == id;
    let among = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(is));
    is(&node["predecessor"]) || among(&node["successors"]) || among(&node["remembered"])
}

#[test]
fn docker_stop_hands_over_and_leaves_and_peers_show_it_as_left_within_two_rounds() {
    let Some(engine) = engine() else { return };
    let ring = Ring::form(&engine, &engine.image(), NODES);
    let written = ring.fill(KEYS);
    let id = ring.id(2);
    assert!(ring.records(2) > 0, "it has something to hand over");
    let others = [0, 1, 3, 4];
    let presumed_dead = || others.map(|node| ring.counter(node, "peers_presumed_dead"));
    // None, unless the machine was so slow that somebody seemed dead while the ring formed.
    let before = presumed_dead();

    let began = now();
    ring.docker(&["stop", "--time", "30"], &[2]);
    let stopped = began.elapsed();
    let (_, gone) = until("nobody knows it any more", || {
        let named = others.iter().any(|&node| names(&ring.status(node), &id));
        (!named).then_some(())
    });
    println!(
        "stopped within {stopped:?}; {gone:?} later nobody named it; presumed dead before: {before:?}"
    );
    assert!(gone <= TWO_ROUNDS, "{gone:?}");
    assert_eq!(ring.inspected(2, "{{.State.ExitCode}}"), "0");
    assert!(ring.log(2).contains("has left the ring"), "{}", ring.log(2));

    // Whoever waited for its answer in vain would say so by now.
    std::thread::sleep(TWO_ROUNDS);
    assert_eq!(presumed_dead(), before, "it has left, it has not died");
    ring.until_ideal_for(&others);
    ring.until_read(&written, &others);
}

#[test]
fn docker_kill_and_start_brings_a_node_back_with_its_identity_and_its_records() {
    let Some(engine) = engine() else { return };
    let ring = Ring::form(&engine, &engine.image(), NODES);
    let written = ring.fill(KEYS);
    let (id, records) = (ring.id(3), ring.records(3));
    assert!(records > 0, "it holds something");
    let others = [0, 1, 2, 4];

    ring.docker(&["kill"], &[3]);
    // With nobody to answer it, it shows what it has by itself.
    ring.docker(&["pause"], &others);
    ring.docker(&["start"], &[3]);
    let status = ring.status(3);
    let node = &status["nodes"][0];
    assert_eq!(node["id"], id.as_str(), "its key was kept");
    assert_eq!(status["incarnation"], 2);
    assert_eq!(node["records"], records, "its records were kept");
    assert_ne!(node["standing"], "member", "it takes no old place");
    assert_eq!(node["successors"], Value::Array(Vec::new()));
    ring.docker(&["unpause"], &others);

    let back = ring.until_ideal();
    println!("one ring again {back:?} after the others could answer");
    let all: Vec<usize> = (0..NODES).collect();
    ring.until_read(&written, &all);
}

#[test]
fn a_full_restart_of_all_nodes_at_once_comes_back_as_one_ring_with_all_data() {
    let Some(engine) = engine() else { return };
    let ring = Ring::form(&engine, &engine.image(), NODES);
    let written = ring.fill(KEYS);
    let all: Vec<usize> = (0..NODES).collect();
    let ids: Vec<String> = all.iter().map(|&node| ring.id(node)).collect();
    // As in a power cut, and as in an orderly shutdown, in which the last ones hand over to nobody.
    for end in [&["kill"][..], &["stop", "--time", "30"]] {
        ring.docker(end, &all);
        ring.docker(&["start"], &all);
        let ideal = ring.until_ideal();
        let read = ring.until_read(&written, &all);
        println!("after {end:?} one ring within {ideal:?}, all data {read:?} later");
        let again: Vec<String> = all.iter().map(|&node| ring.id(node)).collect();
        assert_eq!(again, ids, "all are who they were");
    }
}

#[test]
fn a_rolling_upgrade_from_the_previous_image_loses_nothing() {
    let Some(engine) = engine() else { return };
    let next = engine.image_of("next");
    let previous = std::env::var("CUERDA_PREVIOUS_IMAGE").unwrap_or_else(|_| {
        loudly(
            "rolling upgrade: CUERDA_PREVIOUS_IMAGE names no image of a previous release, so both \
             images have the same program. This shows that replacing all containers one by one \
             under writes loses nothing; it does not show that two releases get along",
        );
        engine.image()
    });
    for image in [&previous, &next] {
        let said = engine.docker(&["run", "--rm", "--label", &engine.label(), image, "version"]);
        loudly(&format!("rolling upgrade: {image} is {said}"));
    }
    let ring = Ring::form(&engine, &previous, NODES);
    let written = Mutex::new(ring.fill(KEYS));
    let stop = AtomicBool::new(false);
    let (acknowledged, refused) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&stop, &ring, &written));
        // Whatever goes wrong here, the writer must not go on for ever.
        let went = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for node in 0..NODES {
                ring.docker(&["stop", "--time", "30"], &[node]);
                ring.docker(&["rm"], &[node]);
                ring.create(node, &next);
                ring.until_ideal();
            }
        }));
        stop.store(true, SeqCst);
        let counts = writer.join().expect("the writer does not panic");
        went.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        counts
    });
    println!("{acknowledged} writes were acknowledged meanwhile, {refused} were not");
    assert!(acknowledged > 0, "the ring went on working");
    let all: Vec<usize> = (0..NODES).collect();
    for &node in &all {
        assert_eq!(ring.inspected(node, "{{.Config.Image}}"), next);
    }
    ring.until_read(
        &written.into_inner().expect("nobody panicked with it"),
        &all,
    );
}

/// Writes new keys through all nodes in turn, and notes those that were acknowledged.
fn write_until(stop: &AtomicBool, ring: &Ring<'_>, written: &Mutex<Written>) -> (usize, usize) {
    let (mut acknowledged, mut refused) = (0, 0);
    for number in 0.. {
        if stop.load(SeqCst) {
            break;
        }
        let (key, value) = (format!("during-{number}"), format!("{number} of many"));
        if ring.put(number % NODES, &key, &value) {
            acknowledged += 1;
            let mut written = written.lock().expect("nobody panics with it");
            written.insert(key, value);
        } else {
            refused += 1;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    (acknowledged, refused)
}

#[test]
fn a_node_whose_volume_was_lost_comes_back_empty_and_is_filled() {
    let Some(engine) = engine() else { return };
    let image = engine.image();
    let ring = Ring::form(&engine, &image, NODES);
    let written = ring.fill(KEYS);
    let id = ring.id(1);
    ring.docker(&["kill"], &[1]);
    ring.docker(&["rm"], &[1]);
    engine.docker(&["volume", "rm", &ring.volume(1)]);

    // What it has by itself is nothing: the others can't fill it yet.
    let others = [0, 2, 3, 4];
    ring.docker(&["pause"], &others);
    ring.create(1, &image);
    let status = ring.status(1);
    let new = status["nodes"][0]["id"].as_str().expect("an id").to_owned();
    assert_ne!(new, id, "its key was lost with the volume");
    assert_eq!(status["incarnation"], 1);
    assert_eq!(status["nodes"][0]["records"], 0);
    ring.docker(&["unpause"], &others);

    let back = ring.until_ideal();
    let (count, filled) = until("it holds a copy of all that it should", || {
        let held = ring.held(1);
        let mut wanted = 0;
        for key in written.keys() {
            let (place, holders) = ring.holders(0, key)?;
            if holders.contains(&new) {
                wanted += 1;
                if !held.contains(&place) {
                    return None;
                }
            }
        }
        Some(wanted)
    });
    println!("one ring after {back:?}; {filled:?} later the new node held its {count} keys");
    assert!(count > 0, "three of five hold each of {KEYS} keys");
    assert!(
        back + filled < STABILIZE_EVERY * 60,
        "repair takes no minute"
    );
    let all: Vec<usize> = (0..NODES).collect();
    ring.until_read(&written, &all);
}
