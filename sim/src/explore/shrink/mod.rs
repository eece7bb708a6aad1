//! Delta debugging: the smallest document that still fails the same check.
//!
//! Candidates are documents with something left out or made rounder, and only those that are
//! scenarios are played. What a document leaves out shifts no stream of chance, yet moves what
//! happens after it; so each candidate is tried with a few seeds, the one that failed last first.
//!
//! ```text
//!   mod.rs      the search: which candidates are accepted
//!   passes.rs   the candidates, from coarse to fine
//!   places.rs   where something stands in a document
//! ```

mod passes;
mod places;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::document::Document;
use super::promise::is_promised;
use super::trial::{Failure, attempt, attempt_at, last_fault, settling};
use crate::scenario::{FaultKind, Scenario};

/// That a fault hit nobody is never what a document is about.
const MISSED: &str = "faults: missed";

/// A document to be played with a seed, to see whether a check fails.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What is played.
    pub document: Document,
    /// With which seed.
    pub seed: u64,
    /// The check.
    pub check: String,
}

impl Attempt {
    /// Plays it; what failed, if it is that check.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let failures = attempt_at(&self.check, &self.document, self.seed)?.failures;
        let missed = failures.iter().any(|failure| failure.check == MISSED);
        if missed && self.check != MISSED {
            return None;
        }
        failures
            .into_iter()
            .find(|failure| failure.check == self.check)
    }
}

/// Who plays attempts: one after the other, or on all cores.
pub trait Player {
    /// The first of these that fails, by its place, with what failed. The answer must not depend
    /// on which of them was played first.
    fn first(&mut self, attempts: &[Attempt]) -> Option<(usize, Failure)>;

    /// Whether no more is to be played: what was found so far is the result.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// Plays them one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneByOne;

impl Player for OneByOne {
    fn first(&mut self, attempts: &[Attempt]) -> Option<(usize, Failure)> {
        let failures = attempts.iter().map(Attempt::failure);
        failures
            .enumerate()
            .find_map(|(place, failure)| failure.map(|failure| (place, failure)))
    }
}

/// How long to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// With how many seeds each candidate is tried.
    pub seeds: u64,
    /// How many runs there are at most.
    pub runs: u64,
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shrunk {
    /// The smallest that was found, or the document as it was.
    pub document: Document,
    /// The seed with which it fails.
    pub seed: u64,
    /// How it fails.
    pub failure: Failure,
    /// How many runs it took.
    pub runs: u64,
}

/// Makes a document that fails a check with a seed smaller. `None` if it does not fail it.
pub fn shrink(
    document: &Document,
    seed: u64,
    check: &str,
    effort: Effort,
    player: &mut dyn Player,
) -> Option<Shrunk> {
    let mut search = Search::begin(document, seed, check, effort, player)?;
    while search.left() > 0 && search.all_passes() {}
    Some(search.end())
}

/// The same, leaving out whole faults, workloads and churn, and how long deletions are remembered:
/// enough to know what it takes.
pub fn reduce(
    document: &Document,
    seed: u64,
    check: &str,
    effort: Effort,
    player: &mut dyn Player,
) -> Option<Shrunk> {
    let mut search = Search::begin(document, seed, check, effort, player)?;
    while search.left() > 0 && search.fewer_entries() {}
    search.no_setting("tombstones_for");
    Some(search.end())
}

/// A search under way.
struct Search<'a> {
    document: Document,
    seed: u64,
    check: String,
    failure: Failure,
    /// Whether the check is about what must come true in the end, so that the end must be late.
    in_the_end: bool,
    /// Whether the document asks for nothing that nobody promised, so that smaller ones must not.
    promised: bool,
    effort: Effort,
    /// How many runs there were.
    runs: u64,
    player: &'a mut dyn Player,
}

impl<'a> Search<'a> {
    fn begin(
        document: &Document,
        seed: u64,
        check: &str,
        effort: Effort,
        player: &'a mut dyn Player,
    ) -> Option<Search<'a>> {
        let first = Attempt {
            document: document.clone(),
            seed,
            check: check.to_owned(),
        };
        let (_, failure) = player.first(std::slice::from_ref(&first))?;
        let scenario = document.scenario("shrunk.toml");
        let fair = scenario.as_ref().is_ok_and(is_fair);
        Some(Search {
            document: document.clone(),
            seed,
            check: check.to_owned(),
            failure,
            in_the_end: fair && check.contains('.'),
            promised: scenario.as_ref().is_ok_and(is_promised),
            effort,
            runs: 1,
            player,
        })
    }

    fn end(self) -> Shrunk {
        Shrunk {
            document: self.document,
            seed: self.seed,
            failure: self.failure,
            runs: self.runs,
        }
    }

    /// How many runs there may still be.
    fn left(&self) -> u64 {
        match self.player.is_stopped() {
            true => 0,
            false => self.effort.runs.saturating_sub(self.runs),
        }
    }

    /// Takes a changed document instead, if it fails in the same way.
    fn accept(&mut self, change: impl FnOnce(&mut Document)) -> bool {
        let mut document = self.document.clone();
        change(&mut document);
        let left = self.left();
        if document == self.document || left == 0 {
            return false;
        }
        let Ok(scenario) = document.scenario("shrunk.toml") else {
            return false;
        };
        let unfair = self.in_the_end && !is_fair(&scenario);
        if unfair || (self.promised && !is_promised(&scenario)) {
            return false;
        }
        let seeds = (0..self.effort.seeds.min(left)).map(|more| self.seed.wrapping_add(more));
        let attempts: Vec<Attempt> = seeds
            .map(|seed| Attempt {
                document: document.clone(),
                // A file says seeds of 63 bits.
                seed: seed & i64::MAX as u64,
                check: self.check.clone(),
            })
            .collect();
        let found = self.player.first(&attempts);
        let played = found
            .as_ref()
            .map_or(attempts.len(), |(place, _)| place + 1);
        self.runs += played as u64;
        let Some((place, failure)) = found else {
            return false;
        };
        (self.document, self.seed, self.failure) = (document, attempts[place].seed, failure);
        true
    }
}

/// Whether a ring has the time to settle after the last fault, and all that keeps it from doing so
/// ends.
fn is_fair(scenario: &Scenario) -> bool {
    let ends = scenario.faults.iter().all(|fault| {
        let stays_harmless = matches!(
            fault.kind,
            FaultKind::Crash { .. }
                | FaultKind::Leave { .. }
                | FaultKind::Join { .. }
                | FaultKind::Restart { .. }
                | FaultKind::Move { .. }
                | FaultKind::Snapshot { .. }
                | FaultKind::Clock { .. }
                | FaultKind::Skew { .. }
                | FaultKind::Disk { .. }
        );
        stays_harmless || fault.lasts.is_some()
    });
    ends && scenario.duration >= last_fault(scenario) + settling(scenario)
}

/// Makes of a document that fails a file that anybody can play: with its seed, what it shows, and
/// what must be expected for the run to fail.
#[must_use]
pub fn written(shrunk: &Shrunk, title: &str, comment: Vec<String>) -> Document {
    let mut document = shrunk.document.clone();
    document.set("title", title);
    if let Ok(seed) = i64::try_from(shrunk.seed) {
        document.set("seed", Value::Integer(seed));
    }
    let failure = &shrunk.failure;
    match &failure.expects {
        Some(expects) => document.expect(&failure.check, &expects.bound, expects.value.clone()),
        None => known_to_fail(&mut document, shrunk.seed),
    }
    document.comment(comment);
    document
}

/// Says by which checks a document fails, and what can't be looked at because of them. A number that
/// is not as expected is no check, and says so itself.
fn known_to_fail(document: &mut Document, seed: u64) {
    let Some(trial) = attempt(document, seed) else {
        return;
    };
    let checks = trial.failures.into_iter().map(|failure| failure.check);
    let checks = checks.filter(|check| !check.contains('.'));
    let mut checks: Vec<Value> = checks.map(Value::from).collect();
    match checks.len() {
        0 => {}
        1 => document.set("known_to_fail", checks.remove(0)),
        _ => document.set("known_to_fail", Value::Array(checks)),
    }
    if !trial.unchecked.is_empty()
        && let Some(expected) = document.section("expect")
    {
        let unchecked = trial.unchecked.into_iter().map(Value::from).collect();
        expected.insert("unchecked".to_owned(), Value::Array(unchecked));
    }
}

/// A length of time that ends in as many zeros as it can, near to this one and not above it.
fn rounder(time: Duration) -> Vec<Duration> {
    let milliseconds = time.as_millis() as u64;
    let grains = [60_000, 30_000, 10_000, 5_000, 1_000, 100].into_iter();
    let rounded = grains.map(|grain| Duration::from_millis(milliseconds / grain * grain));
    let mut rounded: Vec<Duration> = rounded
        .filter(|rounded| !rounded.is_zero() && *rounded < time)
        .collect();
    rounded.dedup();
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring of which all but one leave at once, among much that has nothing to do with it.
    const PLANTED: &str = r#"
        title = "Planted"
        duration = "5m"
        ring = { nodes = 12, start = "join" }
        node = { successors = 6, stabilize_every = "2s", found_after = "20s", attempts = 3 }
        network = { latency = { uniform = ["10ms", "60ms"] }, duplicate = 0.01 }
        workload = [
          { kind = "lookup", rate = "2/s" },
          { kind = "mixed", rate = "10/s", keys = 30, reads = 0.5 },
        ]
        fault = [
          { at = "20s", kind = "pause", nodes = "n3", for = "5s", may_miss = true },
          { at = "50s", kind = "skew", nodes = 3, by = "2s" },
          { at = "61s", kind = "slow", nodes = 1, extra = "30ms", for = "17s" },
        ]
        [expect]
        "traffic.messages" = { max = 100 }
    "#;

    const CHECK: &str = "traffic.messages";
    const EFFORT: Effort = Effort {
        seeds: 2,
        runs: 120,
    };

    fn planted(player: &mut dyn Player) -> Shrunk {
        let document = Document::read(PLANTED).unwrap();
        shrink(&document, 3, CHECK, EFFORT, player).unwrap()
    }

    #[test]
    fn a_planted_failure_becomes_a_few_lines() {
        let shrunk = planted(&mut OneByOne);
        let file = written(&shrunk, "Too many messages", Vec::new());
        insta::assert_snapshot!(file.text());
        assert!(shrunk.runs <= EFFORT.runs);
        // It fails by itself, and by nothing else.
        let again = attempt(&file, shrunk.seed).unwrap();
        let checks: Vec<&str> = again.failures.iter().map(|it| it.check.as_str()).collect();
        assert_eq!(checks, [CHECK]);
    }

    #[test]
    fn what_does_not_fail_is_not_shrunk() {
        let document = Document::read(PLANTED).unwrap();
        let effort = Effort { seeds: 1, runs: 9 };
        assert!(shrink(&document, 3, "lost", effort, &mut OneByOne).is_none());
    }

    /// Somebody stops it after so many runs.
    struct StoppedAfter(u64);

    impl Player for StoppedAfter {
        fn first(&mut self, attempts: &[Attempt]) -> Option<(usize, Failure)> {
            let found = OneByOne.first(attempts);
            let played = found
                .as_ref()
                .map_or(attempts.len(), |(place, _)| place + 1);
            self.0 = self.0.saturating_sub(played as u64);
            found
        }

        fn is_stopped(&self) -> bool {
            self.0 == 0
        }
    }

    #[test]
    fn who_is_stopped_has_what_it_had_come_to() {
        let stopped = planted(&mut StoppedAfter(4));
        assert!((4..6).contains(&stopped.runs), "what runs is finished");
        let whole = planted(&mut OneByOne);
        assert!(whole.runs > stopped.runs && whole.document != stopped.document);
    }

    #[test]
    fn rounder_times_are_shorter_and_not_nothing() {
        let rounded = rounder(Duration::from_millis(61_500));
        assert_eq!(rounded, [60, 61].map(Duration::from_secs));
        assert!(rounder(Duration::from_millis(100)).is_empty());
    }
}
