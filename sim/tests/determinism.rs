//! A run is a function of the scenario, the seed and the code: in two processes, in a fork of
//! the world, and however the time is cut up. Each test also shows a change that it notices.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use cuerda_sim::report::metrics;
use cuerda_sim::scenario::{Overrides, Scenario};
use cuerda_sim::world::events::World;
use cuerda_sim::world::{Nobody, SECOND, Time, World as _};
use serde_json::Value;

/// Something of everything that draws random numbers, but for faults.
const LIVELY: &str = r#"
duration = "4m"
[ring]
nodes = 60
start = "join"
[node]
successors      = 8
stabilize_every = "10s"
[network]
latency   = { exponential = "50ms" }
loss      = 0.01
duplicate = 0.01
[[workload]]
kind = "lookup"
rate = "5/s"
[[churn]]
join  = "0.1/s"
leave = "0.05/s"
crash = "0.05/s"
"#;

/// Come in the first half of the time.
const EARLY_FAULTS: &str = r#"
[[fault]]
at    = "50s"
kind  = "pause"
nodes = "10%"
for   = "20s"
[[fault]]
at    = "70s"
kind  = "partition"
split = ["30%", "rest"]
for   = "40s"
"#;

/// Comes in the second half.
const LATE_FAULT: &str = r#"
[[fault]]
at    = "3m"
kind  = "pause"
nodes = "1"
for   = "1s"
"#;

fn with(faults: &str) -> String {
    format!("{LIVELY}{faults}")
}

fn cuerda(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuerda-sim"));
    command.args(arguments).current_dir(folder);
    command
}

fn outcome(mut command: Command) -> Output {
    command
        .output()
        .expect("the program was built for this test")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file with that text, for a test of that name.
fn file(test: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("determinism");
    std::fs::create_dir_all(&folder).expect("the folder for tests can be written to");
    let file = folder.join(format!("{test}.toml"));
    std::fs::write(&file, text).expect("the folder for tests can be written to");
    file
}

/// The report that a process prints, and what of it may change from run to run.
fn report(command: Command) -> (Value, Value) {
    let output = outcome(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    let mut report: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
    let fields = report.as_object_mut().expect("a report is an object");
    let cost = fields.shift_remove("cost").expect("a report says its cost");
    (report, cost)
}

#[test]
fn two_processes_write_the_same_report() {
    let file = file("processes", &with(EARLY_FAULTS));
    let file = file.to_str().expect("the path is UTF-8");
    let arguments = ["run", file, "--json"];
    let (one, cost) = report(cuerda(&root(), &arguments));
    // What must not matter: where it runs, in which surroundings, and that a name is longer.
    let mut elsewhere = cuerda(&std::env::temp_dir(), &arguments);
    elsewhere
        .env_clear()
        .env("TZ", "Asia/Kathmandu")
        .env("LANG", "tr_TR.UTF-8");
    let (other, other_cost) = report(elsewhere);
    assert_eq!(one, other);
    assert_eq!(cost["events"], other_cost["events"]);
    assert_eq!(
        one["faults"].as_array().map(Vec::len),
        Some(2),
        "all of it was played"
    );

    let (reseeded, _) = report(cuerda(
        &root(),
        &[&arguments[..], &["--seed", "2"]].concat(),
    ));
    assert_ne!(
        one["digest"], reseeded["digest"],
        "another seed is another run"
    );
}

/// A little of everything that happens to whole programs.
const PROGRAMS: &str = r#"
world    = "turmoil"
duration = "90s"
[ring]
nodes = 8
start = "join"
[node]
successors      = 4
stabilize_every = "2s"
[network]
latency   = { exponential = "30ms" }
loss      = 0.01
duplicate = 0.01
[[workload]]
kind = "lookup"
rate = "5/s"
[[churn]]
join  = "2/min"
leave = "1/min"
crash = "1/min"
[[fault]]
at    = "10s"
kind  = "pause"
nodes = 2
for   = "5s"
[[fault]]
at    = "20s"
kind  = "partition"
split = ["30%", "rest"]
for   = "15s"
[[fault]]
at    = "40s"
kind  = "reset"
nodes = "50%"
after = 2000
for   = "10s"
[[fault]]
at    = "60s"
kind  = "crash"
nodes = 1
for   = "5s"
disk  = "lost"
"#;

#[test]
fn two_processes_run_whole_programs_the_same_way() {
    let file = file("programs", PROGRAMS);
    let file = file.to_str().expect("the path is UTF-8");
    let arguments = ["run", file, "--json"];
    let (one, cost) = report(cuerda(&root(), &arguments));
    let mut elsewhere = cuerda(&std::env::temp_dir(), &arguments);
    elsewhere.env_clear().env("TZ", "Asia/Kathmandu");
    let (other, other_cost) = report(elsewhere);
    assert_eq!(one, other);
    assert_eq!(cost["events"], other_cost["events"]);
    assert_eq!(one["world"], "turmoil");
    let faults = one["faults"].as_array().map(Vec::len);
    assert_eq!(faults, Some(4), "all of it was played");
    let (reseeded, _) = report(cuerda(
        &root(),
        &[&arguments[..], &["--seed", "2"]].concat(),
    ));
    assert_ne!(one["digest"], reseeded["digest"]);
}

#[test]
fn the_shipped_scenarios_agree_with_themselves() {
    for scenario in ["scenarios/churn.toml", "scenarios/partition.toml"] {
        let output = outcome(cuerda(&root(), &["run", scenario, "--twice"]));
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("A second process agreed"), "{said}");
    }
}

fn world(text: &str, seed: u64) -> World {
    let scenario = Scenario::parse("lively.toml", text, &metrics(), &Overrides::default());
    let scenario = scenario.unwrap_or_else(|diagnostic| panic!("{diagnostic}"));
    World::new(&Arc::new(scenario), seed)
}

/// All that can be seen of a world from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    digest: String,
    now: Time,
    events: [u64; 4],
    /// A hash of all members: printed, they fill pages.
    members: u64,
}

fn look_at(world: &World) -> Seen {
    let mut members = DefaultHasher::new();
    for member in world.each_member() {
        member.number.hash(&mut members);
        world.node(member.number).hash(&mut members);
    }
    Seen {
        digest: world.digest().to_string(),
        now: world.now(),
        events: [
            world.handled(),
            world.delivered(),
            world.lost(),
            world.bytes(),
        ],
        members: members.finish(),
    }
}

/// Plays up to that time after t = 0.
fn play(world: &mut World, seconds: u64) {
    world.run_until(world.origin() + seconds * SECOND, &mut Nobody);
}

const HALF: u64 = 120;
const END: u64 = 240;

#[test]
fn a_fork_goes_the_same_way_and_leaves_the_original_alone() {
    let mut world = world(&with(EARLY_FAULTS), 1);
    play(&mut world, HALF);
    let mut fork = world.clone();
    let half = look_at(&world);
    assert_eq!(look_at(&fork), half);

    play(&mut fork, END);
    assert_eq!(look_at(&world), half, "what happens in a fork stays there");
    assert_ne!(look_at(&fork), half, "something happens in the second half");

    play(&mut world, END);
    assert_eq!(look_at(&fork), look_at(&world));
}

#[test]
fn a_run_does_not_depend_on_how_its_time_is_cut() {
    let mut in_one = world(&with(EARLY_FAULTS), 1);
    play(&mut in_one, END);
    let mut in_steps = world(&with(EARLY_FAULTS), 1);
    for second in 1..=END {
        play(&mut in_steps, second);
    }
    assert_eq!(look_at(&in_one), look_at(&in_steps));
}

#[test]
fn worlds_part_at_the_first_difference_and_not_before() {
    let mut one = world(LIVELY, 1);
    let mut other = world(&with(LATE_FAULT), 1);
    play(&mut one, HALF);
    play(&mut other, HALF);
    assert_eq!(
        look_at(&one),
        look_at(&other),
        "a fault to come changes nothing before it"
    );
    let mut fork = other.clone();
    for world in [&mut one, &mut other, &mut fork] {
        play(world, END);
    }
    assert_eq!(look_at(&other), look_at(&fork), "each has the fault");
    assert_ne!(one.digest(), other.digest(), "one paused node shows");

    let mut reseeded = world(LIVELY, 2);
    play(&mut reseeded, END);
    assert_ne!(
        one.digest(),
        reseeded.digest(),
        "another seed is another run"
    );
}
