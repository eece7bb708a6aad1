//! What a sweep has come to, whoever played its seeds and in which order.

use std::collections::{BTreeMap, BTreeSet};

use cuerda_sim::report::terminal;
use cuerda_sim::report::words::grouped;
use serde_json::json;

use super::super::seeds::Seeds;
use super::super::{Exit, Failure, print, print_json, program};
use super::distribution::Distributions;
use super::outcome::Outcome;
use super::plan::Plan;

/// The outcomes so far.
#[derive(Debug)]
pub(crate) struct Summary {
    plan: Plan,
    /// What all is wanted of: the seeds, or the part of them that is this process's.
    wanted: u64,
    distributions: Distributions,
    /// Each failing seed, and why.
    failing: BTreeMap<u64, String>,
    finished: BTreeSet<u64>,
}

impl Summary {
    pub(crate) fn new(plan: Plan, wanted: u64) -> Summary {
        Summary {
            plan,
            wanted,
            distributions: Distributions::default(),
            failing: BTreeMap::new(),
            finished: BTreeSet::new(),
        }
    }

    /// Takes an outcome in. A seed that was played twice came to the same, and counts once.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        if !self.finished.insert(outcome.seed) {
            return;
        }
        if let Some(values) = &outcome.values {
            self.distributions.add(values);
        }
        if let Some(reason) = &outcome.failed {
            self.failing.insert(outcome.seed, reason.clone());
        }
    }

    /// The command that plays a seed again.
    pub(crate) fn replay(&self, seed: u64) -> String {
        terminal::replay(
            &program::words(),
            &self.plan.file,
            seed,
            self.plan.override_nodes,
            self.plan.override_world.as_deref(),
        )
    }

    /// A failing seed in a line.
    pub(crate) fn line(&self, seed: u64, reason: &str) -> String {
        format!("seed {seed}: {reason}  →  {}\n", self.replay(seed))
    }

    /// The failing seeds, each with why.
    pub(crate) const fn failing(&self) -> &BTreeMap<u64, String> {
        &self.failing
    }

    /// The seeds that were played.
    pub(crate) fn finished(&self) -> impl Iterator<Item = u64> + '_ {
        self.finished.iter().copied()
    }

    /// Tells all but the lines of failing seeds.
    pub(crate) fn tell(&self, json: bool) -> Result<(), Failure> {
        let (finished, failed) = (self.finished.len() as u64, self.failing.len() as u64);
        if !json {
            let blank = if failed == 0 { "" } else { "\n" };
            let text = text(self.plan.seeds(), self.wanted, finished, failed);
            return print(&format!("{blank}{}\n{text}", self.distributions.table()));
        }
        let failing = self.failing.iter().map(|(&seed, reason)| {
            json!({ "seed": seed, "reason": reason, "replay": self.replay(seed) })
        });
        print_json(&json!({
            "scenario": self.plan.scenario,
            "nodes": self.plan.nodes,
            "seeds": { "first": self.plan.first, "last": self.plan.last, "finished": finished },
            "passed": finished - failed,
            "failed": failed,
            "failing": failing.collect::<Vec<_>>(),
            "metrics": self.distributions.to_json(),
        }))
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        if (self.finished.len() as u64) < self.wanted {
            Exit::Incomplete
        } else if self.failing.is_empty() {
            Exit::Held
        } else {
            Exit::NotHeld
        }
    }
}

fn text(seeds: Seeds, wanted: u64, finished: u64, failed: u64) -> String {
    let passed = finished - failed;
    let verdict = if finished < wanted {
        format!(
            "INCOMPLETE  {} of {} seeds",
            grouped(finished),
            grouped(wanted)
        )
    } else if failed > 0 {
        format!("FAIL  {} seeds", grouped(finished))
    } else {
        format!("PASS  {} seeds", grouped(finished))
    };
    format!(
        "{verdict} from {}: {} passed, {} failed\n",
        seeds.first,
        grouped(passed),
        grouped(failed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_is_missing() {
        let seeds = Seeds {
            first: 5,
            last: 1004,
        };
        assert_eq!(
            [
                text(seeds, 1000, 1000, 0),
                text(seeds, 1000, 1000, 2),
                text(seeds, 1000, 17, 1)
            ],
            [
                "PASS  1,000 seeds from 5: 1,000 passed, 0 failed\n",
                "FAIL  1,000 seeds from 5: 998 passed, 2 failed\n",
                "INCOMPLETE  17 of 1,000 seeds from 5: 16 passed, 1 failed\n",
            ]
        );
    }
}
