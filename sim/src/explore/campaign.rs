//! The exploration of an island of seeds: which runs there are, and what came of them.
//!
//! It goes in batches. What is played in a batch follows from the seeds and from what the batches
//! before it have found, and results are taken in in the order of the seeds; so neither the number
//! of threads nor their speed makes a difference. Nothing is taken over from one island to the next,
//! so they can be explored on several machines.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::cause::ingredients;
use super::document::Document;
use super::draw::{Subject, draw};
use super::findings::{Findings, Group};
use super::hand::Hand;
use super::mutate::{forked, mutated};
use super::shrink::{Effort, Player, reduce};
use super::trial::{Failure, Trial, attempt, impossible};
use crate::check::property::Property;
use crate::scenario::World;

/// How many runs a batch has.
pub const BATCH: u64 = 32;

/// How many neighbouring seeds an island has: enough that most of them go on from others, and few
/// enough that some dozens of machines have something to do.
pub const ISLAND: u64 = 256;

/// How a scenario came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Drawn from the seed.
    Drawn,
    /// Near one that had reached something new.
    Mutated,
    /// One that had reached something new, with other chance from that moment on.
    Forked,
}

/// A run to be played.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its seed.
    pub seed: u64,
    /// How its scenario came about.
    pub origin: Origin,
    document: Document,
    /// The seed to play it with; that of the whole story, if it is a fork.
    play_with: u64,
}

impl Task {
    /// Plays it.
    #[must_use]
    pub fn play(&self) -> Trial {
        let trial = attempt(&self.document, self.play_with);
        trial.unwrap_or_else(|| {
            let why = self.document.scenario("drawn.toml").err();
            impossible(why.map(|why| why.to_string()).unwrap_or_default())
        })
    }

    /// Its scenario.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }
}

/// What is kept of a run, for those who put the results of several machines together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its seed.
    pub seed: u64,
    /// How its scenario came about.
    pub origin: Origin,
    /// The scenario's title.
    pub title: String,
    /// How long it was.
    pub simulated_s: f64,
    /// How many events were handled.
    pub events: u64,
    /// The hash of all of them.
    pub digest: String,
    /// How many things it reached that no run of its island before it had.
    pub new: usize,
    /// The checks that failed.
    pub failed: Vec<String>,
}

/// A scenario that reached something new.
#[derive(Clone, Debug)]
struct Kept {
    document: Document,
    seed: u64,
    /// When it did first, in milliseconds of the scenario.
    moment: u64,
}

/// A failure whose cause is not known yet.
#[derive(Clone, Debug)]
struct Unexplained {
    failure: Failure,
    document: Document,
    play_with: u64,
    seed: u64,
    after_runs: u64,
    after_cpu_s: f64,
}

/// The exploration of an island under way.
#[derive(Clone, Debug)]
pub struct Campaign {
    subject: Subject,
    next: u64,
    kept: Vec<Kept>,
    unexplained: Vec<Unexplained>,
    findings: Findings,
}

impl Campaign {
    /// One that begins with this seed.
    #[must_use]
    pub fn new(subject: Subject, first: u64) -> Campaign {
        Campaign {
            subject,
            next: first,
            kept: Vec::new(),
            unexplained: Vec::new(),
            findings: Findings::default(),
        }
    }

    /// The runs of the next seeds, so many.
    pub fn tasks(&mut self, many: u64) -> Vec<Task> {
        let first = self.next;
        self.next += many;
        (first..self.next).map(|seed| self.task(seed)).collect()
    }

    fn task(&self, seed: u64) -> Task {
        // Another stream of draws than that of the scenario itself.
        let mut hand = Hand::new(!seed);
        let turn = hand.number(0, 99);
        let drawn = |origin, document, play_with| Task {
            seed,
            origin,
            document,
            play_with,
        };
        let fresh = || {
            drawn(
                Origin::Drawn,
                draw(&self.subject, seed),
                seed & i64::MAX as u64,
            )
        };
        if self.kept.is_empty() || turn < 60 {
            return fresh();
        }
        let any = |hand: &mut Hand| {
            let place = hand.number(0, self.kept.len() as u64 - 1) as usize;
            &self.kept[place]
        };
        let (one, other) = (any(&mut hand), any(&mut hand));
        if turn < 85 || self.subject.world != World::Events {
            let near = mutated(&one.document, &other.document, seed);
            return drawn(Origin::Mutated, near, seed & i64::MAX as u64);
        }
        let fork = forked(&one.document, one.moment, seed);
        match fork.scenario("fork.toml") {
            Ok(_) => drawn(Origin::Forked, fork, one.seed),
            // The moment lies behind the end, among the readings there.
            Err(_) => fresh(),
        }
    }

    /// Takes in what came of a run. To be called in the order of the tasks.
    pub fn take(&mut self, task: &Task, trial: &Trial) -> Record {
        let (new, moment) = self.findings.take(trial);
        if let Some(moment) = moment {
            self.kept.push(Kept {
                document: task.document.clone(),
                seed: task.play_with,
                moment: moment.saturating_sub(trial.origin) / 1_000_000,
            });
        }
        let mut families = BTreeSet::new();
        for failure in &trial.failures {
            // A broken ring breaks several of its properties; the first of them tells of all.
            if !families.insert(family(&failure.check)) {
                continue;
            }
            self.unexplained.push(Unexplained {
                failure: failure.clone(),
                document: task.document.clone(),
                play_with: task.play_with,
                seed: task.seed,
                after_runs: self.findings.totals().runs,
                after_cpu_s: self.findings.cpu_s(),
            });
        }
        let title = task.document.top().get("title");
        let title = title.and_then(toml::Value::as_str).unwrap_or_default();
        Record {
            seed: task.seed,
            origin: task.origin,
            title: title.to_owned(),
            simulated_s: trial.simulated.as_secs_f64(),
            events: trial.events,
            digest: trial.digest.clone(),
            new,
            failed: trial.failures.iter().map(|it| it.check.clone()).collect(),
        }
    }

    /// Finds out what the failures taken in since the last call take. One whose scenario has all
    /// that an earlier one of the same check took counts with that.
    pub fn explain(&mut self, effort: Effort, player: &mut dyn Player) {
        for open in std::mem::take(&mut self.unexplained) {
            let check = &open.failure.check;
            let Ok(scenario) = open.document.scenario("failed.toml") else {
                continue;
            };
            let all = ingredients(&scenario);
            if self.findings.count_with(check, &all, 1) {
                continue;
            }
            let reduced = reduce(&open.document, open.play_with, check, effort, player);
            let Some(shrunk) = reduced else {
                continue;
            };
            let cause = shrunk.document.scenario("reduced.toml");
            let cause = cause.map_or(all, |scenario| ingredients(&scenario));
            self.findings.add(Group {
                check: check.clone(),
                cause,
                runs: 1,
                seed: open.seed,
                after_runs: open.after_runs,
                after_cpu_s: open.after_cpu_s,
                shrunk,
            });
        }
    }

    /// What it has come to.
    #[must_use]
    pub const fn findings(&self) -> &Findings {
        &self.findings
    }
}

/// Checks that fail together, by one name.
fn family(check: &str) -> &str {
    let is_of_ring = Property::ALL
        .iter()
        .any(|property| property.name() == check);
    match check {
        _ if is_of_ring => "the ring's properties",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::OneByOne;
    use super::*;

    fn subject() -> Subject {
        Subject {
            world: World::Events,
            about: vec!["leave".to_owned(), "mixed".to_owned()],
        }
    }

    /// Plays so many seeds; results are handed over as they would come from several threads.
    fn played(many: u64, batch: u64) -> (Vec<Record>, String) {
        let mut campaign = Campaign::new(subject(), 1);
        let mut records = Vec::new();
        let effort = Effort { seeds: 1, runs: 8 };
        for _ in 0..many / batch {
            let tasks = campaign.tasks(batch);
            let mut trials: Vec<_> = tasks.iter().rev().map(Task::play).collect();
            trials.reverse();
            for (task, trial) in tasks.iter().zip(trials) {
                records.push(campaign.take(task, &trial));
            }
            campaign.explain(effort, &mut OneByOne);
        }
        let groups = campaign.findings().groups().iter();
        let groups: Vec<String> = groups
            .map(|group| format!("{} by {} {}", group.check, group.cause(), group.runs))
            .collect();
        (records, groups.join("\n"))
    }

    #[test]
    fn what_is_no_scenario_is_a_failed_run() {
        let mut campaign = Campaign::new(subject(), 1);
        let mut task = campaign.tasks(1).remove(0);
        task.document.set("duration", "soon");
        let trial = task.play();
        let failure = &trial.failures[0];
        assert!(
            failure.check == "drawn" && failure.detail.contains("soon"),
            "{failure:?}"
        );
        campaign.take(&task, &trial);
        let totals = campaign.findings().totals();
        assert_eq!((totals.runs, totals.failed), (1, 1));
    }

    #[test]
    fn the_same_seeds_find_the_same() {
        let first = played(12, 4);
        assert_eq!(first, played(12, 4));
        assert_eq!(first.0.len(), 12);
        assert!(first.0[0].new > 50, "{:?}", first.0[0]);
        let origins: Vec<Origin> = first.0.iter().map(|record| record.origin).collect();
        assert!(origins[..4].iter().all(|origin| *origin == Origin::Drawn));
        assert!(origins[4..].iter().any(|origin| *origin != Origin::Drawn));
    }

    #[test]
    fn a_fork_is_the_same_up_to_its_moment_and_goes_another_way_from_there() {
        let document = draw(&subject(), 5);
        let trial = attempt(&document, 5).unwrap();
        let late = trial.simulated.as_millis() as u64;
        let fork = |at: u64, seed| attempt(&forked(&document, at, seed), 5).unwrap();
        let digest = |at: u64, seed| fork(at, seed).digest;
        assert_eq!(digest(late / 2, 1), digest(late / 2, 1));
        assert_ne!(digest(late / 2, 1), digest(late / 2, 2));
        // At the very end nothing is left to go another way.
        assert_eq!(fork(late - 1, 1).failures, trial.failures);
    }
}
