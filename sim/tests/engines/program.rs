//! The harness's program: what its image is made from, and what it says when it does a whole sweep
//! by itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub(crate) use super::tools::{loudly, run, said, skipped};

/// What builds the image.
pub(crate) const BUILD: &str = "docker/sweep/image";

/// The folder of the project.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent();
    root.expect("the package lies in the project's root")
        .to_owned()
}

/// The program; the image takes what it is linked with along.
pub(crate) fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| PathBuf::from(env!("CARGO_BIN_EXE_cuerda-sim")))
}

/// A ring in which some seeds look more up than they should.
const SCENARIO: &str = r#"# Small, and not always right.
title = "Few look-ups"
duration = "20s"
ring = { nodes = 9 }
workload = [{ kind = "lookup", rate = "2/s" }]
expect = { "lookups.issued" = { max = 40 } }
"#;

/// What is swept in these tests.
pub(crate) const SWEEP: [&str; 4] = ["sweep", "scenarios/small.toml", "--seeds", "3..15"];

/// A fresh folder with a scenario and a place for records.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("engines")
        .join(name);
    // What an earlier run of the test left there.
    let _ = std::fs::remove_dir_all(&folder);
    for inner in ["scenarios", "records"] {
        std::fs::create_dir_all(folder.join(inner)).expect("the folder for tests can be written");
    }
    let scenario = folder.join("scenarios/small.toml");
    std::fs::write(scenario, SCENARIO).expect("the folder for tests can be written");
    folder
}

/// The program in this folder.
pub(crate) fn sim(folder: &Path, arguments: &[&str]) -> Output {
    run(Command::new(binary()).args(arguments).current_dir(folder))
}

/// An exit code and what was printed.
pub(crate) type Ended = (Option<i32>, String);

/// How it ended.
pub(crate) fn ended(output: &Output) -> Ended {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

/// One shard more than there is, as if a job engine had taken a task for dead.
pub(crate) fn play_once_more(folder: &Path) {
    let more = ["--shard", "1/4", "--record", "records/again.jsonl"];
    let output = sim(folder, &[&SWEEP[..], &more].concat());
    assert!(folder.join("records/again.jsonl").exists(), "{output:?}");
}

/// A driver, in this folder, for four shards of the sweep.
pub(crate) fn drive(folder: &Path, start: &[&str], options: &[&str]) -> Output {
    let (first, rest) = start.split_first().expect("a driver has a name");
    run(Command::new(root().join(first))
        .args(rest)
        .args(["--shards", "4", "--records", "records"])
        .args(options)
        .arg("--")
        .args(SWEEP)
        .env("HOME", folder)
        .current_dir(folder))
}

/// Holds the report of a driver, and of the records it left, against that of one process. `alone`
/// is how that one is called where the driver merges.
pub(crate) fn same_as_alone(folder: &Path, driven: &Output, alone: &Ended) {
    let words = String::from_utf8_lossy(&driven.stderr);
    assert_eq!(ended(driven), *alone, "{words}");
    let failed = alone.1.lines().filter(|line| line.starts_with("seed "));
    let failed = failed.count();
    assert!((1..12).contains(&failed), "some fail: {}", alone.1);
    let (merge, json) = (["merge", "records"], ["--json"]);
    for more in [&[][..], &json] {
        let alone = ended(&sim(folder, &[&SWEEP[..], more].concat()));
        let merged = ended(&sim(folder, &[&merge[..], more].concat()));
        assert_eq!(merged, alone);
        assert_eq!(alone.0, Some(1));
    }
    let records = std::fs::read_dir(folder.join("records")).expect("it is there");
    let names = records.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: Vec<String> = names.filter(|name| name.ends_with(".jsonl")).collect();
    assert_eq!(names.len(), 4 + 1, "{names:?}");
}
