//! The real program, from outside: exploring, shrinking, and when a failure became certain.

#[cfg(unix)]
mod stopped;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Too many messages are delivered, whatever else goes on.
const FAILS: &str = r#"
title = "Too many messages"
duration = "5m"
ring = { nodes = 9 }
node = { stabilize_every = "2s", found_after = "10s" }
workload = [{ kind = "lookup", rate = "2/s" }]
fault = [{ at = "30s", kind = "pause", nodes = "n3", for = "5s" }]
expect = { "traffic.messages" = { max = 100 } }
"#;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("cli_explore")
        .join(name);
    // What an earlier run of the test left there.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the folder for tests can be written to");
    std::fs::write(folder.join("fails.toml"), FAILS).expect("the folder can be written to");
    folder
}

fn cuerda(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cuerda-sim"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program was built for this test")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("all that is printed is UTF-8")
}

fn lines(output: &Output) -> Vec<Value> {
    let parsed = |line| serde_json::from_str(line).expect("each line is an object");
    said(&output.stdout).lines().map(parsed).collect()
}

#[test]
fn the_same_seeds_find_the_same_on_any_number_of_cores() {
    let folder = folder("cores");
    let explore = |jobs| {
        let arguments = ["explore", "--seeds", "1..41", "--effort", "6", "--json"];
        cuerda(&folder, &[&arguments[..], &["--jobs", jobs]].concat())
    };
    let (one, three) = (explore("1"), explore("3"));
    assert_eq!(said(&one.stdout), said(&three.stdout));
    let lines = lines(&one);
    let runs: Vec<&Value> = lines
        .iter()
        .filter(|line| line.get("origin").is_some())
        .collect();
    assert_eq!(runs.len(), 40);
    let of = |origin: &str| runs.iter().any(|run| run["origin"] == origin);
    assert!(
        of("drawn") && of("mutated"),
        "the second batch goes on from the first"
    );
    assert_eq!(
        lines.last().map(|last| &last["totals"]["runs"]),
        Some(&40.into())
    );
}

/// One process, two, and one of them twice: the reports are the same, byte by byte.
#[test]
fn the_islands_of_several_processes_come_to_what_they_do_in_one() {
    let folder = folder("islands");
    // Islands of two, two and one; the first two fail.
    let seeds = ["--seeds", "1..6", "--island", "2", "--about", "restart"];
    let begin = [&["explore"], &seeds[..]].concat();
    let explore = |more: &[&str]| cuerda(&folder, &[&begin[..], more].concat());
    let whole = |more: &[&str]| {
        let output = explore(&[&["--effort", "3"], more].concat());
        (output.status.code(), said(&output.stdout))
    };
    let part = |shard: &str, record: &str| {
        let output = explore(&["--shard", shard, "--record", record, "--verdict-later"]);
        let words = said(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words}");
    };
    std::fs::create_dir(folder.join("records")).expect("the folder can be written to");
    part("1/2", "records");
    part("0/2", "records");
    part("1/2", "records/again.jsonl");
    let merge = |more: &[&str]| {
        let begin = ["merge", "records", "--effort", "3"];
        let output = cuerda(&folder, &[&begin[..], more].concat());
        (output.status.code(), said(&output.stdout))
    };
    let text = whole(&["--out", "alone"]);
    assert_eq!(text.0, Some(1), "{}", text.1);
    assert_eq!(merge(&["--out", "merged"]), text);
    let json = whole(&["--json"]);
    assert_eq!(merge(&["--json"]), json);
    let files = |name: &str| -> BTreeMap<String, String> {
        let files = std::fs::read_dir(folder.join(name)).expect("it has been made");
        let paths = files.map(|file| file.expect("it can be read").path());
        let read = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).expect("it was written");
            let name = path.file_name().expect("it has one");
            (name.to_string_lossy().into_owned(), text)
        };
        paths.map(read).collect()
    };
    assert!(!files("alone").is_empty());
    assert_eq!(files("merged"), files("alone"));
    // What is missing is named, and what there is is told.
    std::fs::remove_file(folder.join("records/0-of-2.jsonl")).expect("it was written");
    let output = cuerda(&folder, &["merge", "records", "--effort", "0"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(said(&output.stderr).contains("no record has the seeds 1..=2"));
    assert!(said(&output.stdout).contains("2 runs: "));
    // An exploration goes on with what it has recorded.
    let more = ["--record", "records/again.jsonl", "--resume"];
    assert_eq!(
        whole(&[&more[..], &["--json"]].concat()),
        whole(&["--json"])
    );
}

#[test]
fn what_was_found_fails_again_by_itself() {
    let folder = folder("again");
    let arguments = ["explore", "--seeds", "1..25", "--about", "restart"];
    let output = cuerda(
        &folder,
        &[&arguments[..], &["--effort", "6", "--out", "found"]].concat(),
    );
    let text = said(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let files = std::fs::read_dir(folder.join("found")).expect("it has been made");
    let mut played = 0;
    for file in files {
        let path = file.expect("it can be read").path();
        let name = path.to_string_lossy().into_owned();
        let output = cuerda(&folder, &["run", &name, "--json"]);
        assert_eq!(output.status.code(), Some(1), "{name} passes");
        played += 1;
    }
    assert!(played > 0, "{text}");
}

#[test]
fn what_fails_becomes_small_and_still_fails() {
    let folder = folder("small");
    let output = cuerda(
        &folder,
        &["shrink", "fails.toml", "--tries", "2", "-o", "small.toml"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", said(&output.stderr));
    let small = std::fs::read_to_string(folder.join("small.toml")).expect("it was written");
    assert!(small.lines().count() < 10, "{small}");
    assert!(!small.contains("fault"), "{small}");
    let again = cuerda(&folder, &["run", "small.toml"]);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again.stdout));
    // What does not fail can't be made small.
    let other = cuerda(&folder, &["shrink", "fails.toml", "--check", "lost"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(
        said(&other.stderr).contains("does not fail"),
        "{}",
        said(&other.stderr)
    );
}

#[test]
fn what_is_bound_to_fail_is_said_to_be() {
    let folder = folder("fate");
    let arguments = [
        "irrevocable",
        "fails.toml",
        "--moments",
        "3",
        "--forks",
        "2",
    ];
    let output = cuerda(&folder, &[&arguments[..], &["--svg", "fate.svg"]].concat());
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(said(&output.stdout));
    let svg = std::fs::read_to_string(folder.join("fate.svg")).expect("it was drawn");
    assert!(svg.starts_with("<svg"));
    // A failure that is not there has no moment from which it is certain.
    let other = cuerda(&folder, &["irrevocable", "fails.toml", "--check", "lost"]);
    assert_eq!(other.status.code(), Some(2), "{}", said(&other.stdout));
    assert!(said(&other.stderr).contains("does not fail"));
}

#[cfg(unix)]
#[test]
fn whoever_is_stopped_twice_says_what_it_has_found() {
    let folder = folder("stopped");
    let output = stopped::twice(&folder, &["explore", "--for", "10m", "--effort", "0"]);
    let text = said(&output.stdout);
    assert!(
        text.contains(" of simulated time, "),
        "{text}{}",
        said(&output.stderr)
    );
}
