//! Data directories that are not as their node left them: what a start says.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::process::{Running, command, cuerda, said, text, until};

/// A node that keeps its data here, killed once it has stored something and noted that it has.
fn killed(data: &Path) {
    let mut node = Running::node(&["--replicas", "1", "--data", text(data)]);
    node.ring_of(1);
    for key in 0..20 {
        node.ask(&["put", &key.to_string(), "la la"], 0);
    }
    until("a note that there are records", || {
        let state = fs::read_to_string(data.join("state.json")).ok()?;
        let state: Value = serde_json::from_str(&state).ok()?;
        (state["records"] == true).then_some(())
    });
    node.signal(Signal::SIGKILL);
    node.end();
}

/// The log of a start, which must go well, and how many keys the node has then.
fn log_of_a_start(data: &Path) -> (String, u64) {
    let mut node = Running::node(&["--replicas", "1", "--data", text(data), "--log", "warn"]);
    node.ring_of(1);
    let records = node.ask(&["status"], 0)["nodes"][0]["records"].as_u64();
    node.signal(Signal::SIGTERM);
    let (code, _, log) = node.end();
    assert_eq!(code, Some(0), "{log}");
    (log, records.expect("a number"))
}

#[test]
fn a_start_after_a_kill_has_all_and_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    killed(folder.path());
    let (log, records) = log_of_a_start(folder.path());
    assert_eq!(records, 20);
    assert!(!log.contains("ERROR") && !log.contains("-wal"), "{log}");
}

#[test]
fn a_damaged_log_of_the_records_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    killed(folder.path());
    let file = folder.path().join("records.db-wal");
    let mut log = fs::read(&file).expect("it was killed");
    let middle = log.len() / 2;
    log[middle] ^= 1;
    fs::write(&file, log).expect("there is room");
    let (log, records) = log_of_a_start(folder.path());
    assert!(log.contains("ERROR") && log.contains("DAMAGED"), "{log}");
    assert!(records < 20, "{records}");
    let (log, _) = log_of_a_start(folder.path());
    assert!(!log.contains("DAMAGED"), "it is told once: {log}");
}

#[test]
fn records_that_are_gone_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    killed(folder.path());
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(folder.path().join(format!("records.db{ending}"))).expect("it is there");
    }
    let (log, records) = log_of_a_start(folder.path());
    assert!(log.contains("ERROR") && log.contains("GONE"), "{log}");
    assert_eq!(records, 0);
}

#[test]
fn records_that_were_cut_short_and_states_of_later_releases_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    killed(folder.path());
    // So that all of it is in the file itself.
    log_of_a_start(folder.path());
    let records = folder.path().join("records.db");
    let file = fs::File::options()
        .write(true)
        .open(&records)
        .expect("it is there");
    let length = file.metadata().expect("it is there").len();
    file.set_len(length / 2 / 4096 * 4096)
        .expect("it is a file");
    let start = [
        "node",
        "run",
        "--dev",
        "--listen",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
    ];
    let start = [&start[..], &["--data", text(folder.path())]].concat();
    let output = cuerda(&start);
    let words = said(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(
        words.contains("damaged") && words.contains("records.db"),
        "{words}"
    );

    let state = folder.path().join("state.json");
    let later = "{\"format\": 2, \"incarnation\": 7, \"peers\": []}";
    fs::write(&state, later).expect("there is room");
    let output = command(&start)
        .output()
        .expect("the program was built for this test");
    let words = said(&output.stderr);
    assert_ne!(output.status.code(), Some(0), "{words}");
    assert!(words.contains("later release"), "{words}");
    assert_eq!(fs::read_to_string(&state).expect("it is there"), later);
}
