//! What an exploration has come to: what was reached, and what failed by what cause.
//!
//! Islands of seeds are explored by themselves, here or elsewhere, and their findings are fused in
//! the order of the islands. Who played them, and how often, makes no difference.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::cause::in_words;
use super::document::Document;
use super::novelty::Feature;
use super::shrink::{Effort, Player, Shrunk, shrink};
use super::trial::Trial;
use crate::world::Time;

/// Failures of one check by one cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The check.
    pub check: String,
    /// What it takes.
    pub cause: BTreeSet<String>,
    /// How many runs failed so.
    pub runs: u64,
    /// The seed of the first.
    pub seed: u64,
    /// How many runs there had been by then.
    pub after_runs: u64,
    /// How much processor time they had taken.
    pub after_cpu_s: f64,
    /// The smallest document so far.
    pub shrunk: Shrunk,
}

impl Group {
    /// What it takes, in words.
    #[must_use]
    pub fn cause(&self) -> String {
        in_words(&self.cause)
    }
}

/// Counts of a whole exploration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Runs played.
    pub runs: u64,
    /// Of these, runs in which a check failed.
    pub failed: u64,
    /// Simulated seconds.
    pub simulated_s: f64,
    /// Events handled.
    pub events: u64,
    /// Runs to find out what failures take, and to make them small.
    pub shrinking_runs: u64,
}

/// What an island has come to, or several of them together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    totals: Totals,
    cpu_s: f64,
    #[serde(with = "as_pairs")]
    reached: BTreeMap<Feature, u64>,
    groups: Vec<Group>,
}

impl Findings {
    /// Counts a run in; how many things it reached first, and when the first of them.
    pub(super) fn take(&mut self, trial: &Trial) -> (usize, Option<Time>) {
        self.totals.runs += 1;
        self.totals.simulated_s += trial.simulated.as_secs_f64();
        self.totals.events += trial.events;
        self.totals.failed += u64::from(!trial.failures.is_empty());
        self.cpu_s += trial.cpu_s;
        let mut new = 0;
        let mut moment = None;
        for (feature, at) in &trial.reached {
            let count = self.reached.entry(feature.clone()).or_default();
            *count += 1;
            if *count == 1 {
                new += 1;
                moment = Some(moment.map_or(*at, |first: Time| first.min(*at)));
            }
        }
        (new, moment)
    }

    /// Counts so many runs with the first group that failed the same check by no more than this.
    /// Whether there is one.
    pub(super) fn count_with(&mut self, check: &str, all: &BTreeSet<String>, runs: u64) -> bool {
        let known = |group: &&mut Group| group.check == check && group.cause.is_subset(all);
        let group = self.groups.iter_mut().find(known);
        group.map(|group| group.runs += runs).is_some()
    }

    /// A failure that has been made smaller, to find out what it takes.
    pub(super) fn add(&mut self, mut group: Group) {
        // As it is read from a record, so that whoever makes it small goes the same way.
        if let Ok(again) = Document::read(&group.shrunk.document.text()) {
            group.shrunk.document = again;
        }
        self.totals.shrinking_runs += group.shrunk.runs;
        let same = |one: &&mut Group| one.check == group.check && one.cause == group.cause;
        match self.groups.iter_mut().find(same) {
            Some(known) => known.runs += group.runs,
            None => self.groups.push(group),
        }
    }

    /// Takes in what a later island has come to. A failure that has all that an earlier one of the
    /// same check took counts with that, as within an island.
    pub fn fuse(&mut self, later: Findings) {
        for mut group in later.groups {
            if !self.count_with(&group.check, &group.cause, group.runs) {
                group.after_runs += self.totals.runs;
                group.after_cpu_s += self.cpu_s;
                self.groups.push(group);
            }
        }
        for (feature, runs) in later.reached {
            *self.reached.entry(feature).or_default() += runs;
        }
        self.totals.runs += later.totals.runs;
        self.totals.failed += later.totals.failed;
        self.totals.simulated_s += later.totals.simulated_s;
        self.totals.events += later.totals.events;
        self.totals.shrinking_runs += later.totals.shrinking_runs;
        self.cpu_s += later.cpu_s;
    }

    /// Makes what fails small, for each group, and tells of each when it is done. Those that are left
    /// when somebody stops it stay as they are.
    pub fn shrink(&mut self, effort: Effort, player: &mut dyn Player, mut done: impl FnMut()) {
        for group in &mut self.groups {
            if player.is_stopped() {
                return;
            }
            let Shrunk { document, seed, .. } = &group.shrunk;
            if let Some(shrunk) = shrink(document, *seed, &group.check, effort, player) {
                self.totals.shrinking_runs += shrunk.runs;
                group.shrunk = shrunk;
            }
            done();
        }
    }

    /// The failures, by check and cause, in the order in which they were found.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// All that was reached, and in how many runs.
    #[must_use]
    pub const fn reached(&self) -> &BTreeMap<Feature, u64> {
        &self.reached
    }

    /// The processor time of all runs, those to make failures small left out.
    #[must_use]
    pub const fn cpu_s(&self) -> f64 {
        self.cpu_s
    }

    /// The counts.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }
}

/// A map as a list, since keys of JSON are text.
mod as_pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Feature;

    pub(super) fn serialize<S: Serializer>(
        reached: &BTreeMap<Feature, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(reached)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Feature, u64>, D::Error> {
        let pairs = Vec::<(Feature, u64)>::deserialize(from)?;
        Ok(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::novelty::Shape;
    use crate::explore::trial::{Expects, Failure};
    use cuerda_core::marks::Mark;
    use toml::Value;

    fn group(check: &str, cause: &[&str], runs: u64, after_runs: u64) -> Group {
        let text = "duration = \"5m\"\nring = { nodes = 9 }\n";
        Group {
            check: check.to_owned(),
            cause: cause.iter().map(|&word| word.to_owned()).collect(),
            runs,
            seed: 7,
            after_runs,
            after_cpu_s: 0.1,
            shrunk: Shrunk {
                document: Document::read(text).unwrap(),
                seed: 7,
                failure: Failure {
                    check: check.to_owned(),
                    at_s: 1.0 / 3.0,
                    detail: "it fails".to_owned(),
                    expects: Some(Expects {
                        bound: "max".into(),
                        value: Value::Integer(3),
                    }),
                },
                runs: 4,
            },
        }
    }

    fn island(groups: Vec<Group>) -> Findings {
        let handled = Feature::Handled {
            what: "Notify".into(),
            standing: "member".into(),
            fault: "nothing".into(),
        };
        let reached = [
            Feature::Branch(Mark::Stranded),
            handled,
            Feature::Shape(Shape::default()),
        ];
        Findings {
            totals: Totals {
                runs: 10,
                failed: groups.len() as u64,
                simulated_s: 0.7,
                events: 1000,
                shrinking_runs: 9,
            },
            cpu_s: 0.3,
            reached: reached.into_iter().map(|feature| (feature, 2)).collect(),
            groups,
        }
    }

    fn shown(findings: &Findings) -> Vec<String> {
        let groups = findings.groups().iter();
        groups
            .map(|it| {
                format!(
                    "{} by {}, {} from {}",
                    it.check,
                    it.cause(),
                    it.runs,
                    it.after_runs
                )
            })
            .collect()
    }

    #[test]
    fn islands_are_fused_in_their_order_by_check_and_cause() {
        let mut whole = Findings::default();
        whole.fuse(island(vec![group("lost", &["leave"], 3, 4)]));
        whole.fuse(island(vec![
            group("lost", &["leave", "churn"], 2, 5),
            group("lost", &["churn"], 1, 6),
            group("copies", &["leave"], 1, 7),
        ]));
        // It takes less than what was found before, which stays as it is.
        whole.fuse(island(vec![group("copies", &[], 1, 1)]));
        assert_eq!(
            shown(&whole),
            [
                "lost by leave, 5 from 4",
                "lost by churn, 1 from 16",
                "copies by leave, 1 from 17",
                "copies by nothing, 1 from 21",
            ]
        );
        let totals = whole.totals();
        assert_eq!((totals.runs, totals.failed, totals.events), (30, 5, 3000));
        assert!(whole.reached().values().all(|runs| *runs == 6));
    }

    #[test]
    fn findings_are_read_as_they_were_written() {
        let findings = island(vec![group("lost", &["leave", "churn"], 3, 4)]);
        let text = serde_json::to_string(&findings).unwrap();
        let again: Findings = serde_json::from_str(&text).unwrap();
        assert_eq!(again, findings);
        assert!(serde_json::from_str::<Findings>(&text.replace("stranded", "astray")).is_err());
    }
}
