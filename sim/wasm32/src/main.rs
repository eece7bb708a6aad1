//! Plays scenarios where there is no operating system, and says what came of them: `.ci/wasm32`
//! runs it in Node.js and holds its digests against those of the native program.
//!
//! A program for `wasm32-unknown-unknown` is given nothing and can only say its exit code. So the
//! scenarios are compiled in, and each call of `main` says the next byte of the result; zero is
//! the end. Elsewhere the result is printed.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use cuerda_sim::report::metrics;
use cuerda_sim::run::play;
use cuerda_sim::scenario::{Overrides, Scenario};

/// So few that they have real keys, and that it is over soon without optimization.
const NODES: u32 = 60;

/// One for the ring and look-ups, one for records.
const SCENARIOS: [(&str, &str); 2] = [
    (
        "scenarios/churn.toml",
        include_str!("../../../scenarios/churn.toml"),
    ),
    (
        "scenarios/partition-writes.toml",
        include_str!("../../../scenarios/partition-writes.toml"),
    ),
];

/// What is left to say; `None` before anything was played.
static LEFT: Mutex<Option<VecDeque<u8>>> = Mutex::new(None);

fn main() -> ExitCode {
    if cfg!(not(target_family = "wasm")) {
        print!("{}", play_all());
        return ExitCode::SUCCESS;
    }
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    let left = left.get_or_insert_with(|| VecDeque::from(play_all().into_bytes()));
    ExitCode::from(left.pop_front().unwrap_or(0))
}

/// The digest of each scenario and the arguments that play it natively, on a line.
fn play_all() -> String {
    SCENARIOS.map(|(file, text)| play_one(file, text)).concat()
}

fn play_one(file: &str, text: &str) -> String {
    let overrides = Overrides {
        nodes: Some(NODES),
        ..Overrides::default()
    };
    match Scenario::parse(file, text, &metrics(), &overrides) {
        Ok(scenario) => {
            let report = play(&scenario, &mut |_| ());
            format!("{} {file} --nodes {NODES}\n", report.digest)
        }
        Err(mistake) => format!("none, since {mistake}\n"),
    }
}
