//! A check of one's own on Chord: while nothing is wrong, look-ups are answered promptly.
//!
//! The built-in checks ask whether look-ups are right. This one holds them to a promise of a
//! deployment: an answer within five seconds, unless a fault is in force or is less than three
//! minutes over. It is a [`Check`]: it watches a run as the built-in checkers do, and what it finds
//! makes the run fail under its name.
//!
//! ```text
//! cargo run --release --package cuerda-sim --example prompt_lookups
//! ```

use std::process::ExitCode;

use cuerda_core::chord::Node;
use cuerda_sim::check::judged::{Check, Finding};
use cuerda_sim::report::Verdict;
use cuerda_sim::run::{Play, play_with, read};
use cuerda_sim::world::{Effect, LookupEnd, Moment, SECOND, Time, Watcher};

/// How long a look-up may take: ten peers in a row may stay silent, each for the half second after
/// which the scenario's nodes ask the next one.
const PROMISED: Time = 5 * SECOND;
/// How long after a fault it may still take longer: tables name the dead for a while.
const RECOVERY: Time = 180 * SECOND;

#[derive(Default)]
struct PromptLookups {
    faults: u32,
    calm_since: Time,
    judged: u64,
    late: Vec<Finding>,
}

impl Watcher<Node> for PromptLookups {
    fn fault_began(&mut self, at: Moment, effect: &Effect) {
        // One that stays is over as soon as it has happened: a crash, say.
        self.faults += u32::from(effect.until.is_some());
        self.calm_since = at.now + RECOVERY;
    }

    fn fault_ended(&mut self, at: Moment, _: &Effect) {
        self.faults -= 1;
        self.calm_since = at.now + RECOVERY;
    }

    fn lookup_ended(&mut self, at: Moment, end: &LookupEnd) {
        if self.faults > 0 || end.issued < self.calm_since {
            return;
        }
        self.judged += 1;
        let took = at.now - end.issued;
        if took > PROMISED {
            self.late.push(Finding {
                node: Some(end.asker),
                detail: format!("a look-up took {} ms", took / 1_000_000),
            });
        }
    }
}

impl Check<Node> for PromptLookups {
    fn name(&self) -> &'static str {
        "prompt-lookups"
    }

    fn findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.late)
    }
}

fn main() -> ExitCode {
    let text = include_str!("../scenarios/crash-half.toml");
    let scenario = read("crash-half.toml", text).expect("a shipped scenario");
    let mut prompt = PromptLookups::default();
    let play = Play::of(scenario.node.clone()).check(&mut prompt);
    let report = play_with(&scenario, play);
    for violation in &report.violations {
        println!("{}: {}", violation.check, violation.detail);
    }
    println!("{} look-ups were held to the promise", prompt.judged);
    // A check that looked at nothing has shown nothing.
    match report.verdict {
        Verdict::Pass if prompt.judged > 0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
