//! The harness's own score: which wrong variants of the node it notices, by what, and how soon.
//!
//! A variant counts as caught only where the unchanged node passes: by the first scenario of a seed
//! that fails with the variant and passes without. An expectation that is missed counts apart from
//! a check that was broken, because an expectation is somebody's guess at a number. It decides
//! nothing about how tasks are spread over threads, and prints nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cuerda_core::chord::Variant;

use super::play;
use crate::report::{Report, Verdict, judge};
use crate::scenario::Scenario;

/// A scenario and a seed that the unchanged node passes.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Its place among the scenarios.
    pub scenario: usize,
    /// Events handled: what it costs to play it.
    pub events: u64,
}

/// Plays a scenario under a seed with the unchanged node; `None` if it does not pass.
#[must_use]
pub fn sound(scenarios: &[Scenario], place: usize, seed: u64) -> Option<Sound> {
    let report = judged(&scenarios[place], seed, None);
    (report.verdict == Verdict::Pass).then_some(Sound {
        scenario: place,
        events: report.cost.events,
    })
}

/// How a variant was noticed.
#[derive(Clone, Debug, PartialEq)]
pub struct Catch {
    /// The check, or the number of the report that was out of its bounds.
    pub by: String,
    /// Whether it was only an expectation that was missed.
    pub expected: bool,
    /// The scenario's name.
    pub scenario: String,
    /// Simulated seconds until then: those of all scenarios played before, and in this one those
    /// until the check fired.
    pub after_s: f64,
}

/// Plays the scenarios that are sound under a seed one after another with a variant, until a check
/// notices it. Without one, the first expectation that was missed counts.
#[must_use]
pub fn hunt(scenarios: &[Scenario], sound: &[Sound], seed: u64, variant: Variant) -> Option<Catch> {
    let (mut before, mut expected) = (0.0, None);
    for Sound { scenario, .. } in sound {
        let scenario = &scenarios[*scenario];
        let run = || judged(scenario, seed, Some(variant));
        let caught = |by: String, expected: bool, at: f64| Catch {
            by,
            expected,
            scenario: scenario.name.clone(),
            after_s: before + at,
        };
        // A node that panics is noticed by everybody.
        let Ok(report) = catch_unwind(AssertUnwindSafe(run)) else {
            return Some(caught("panic".to_owned(), false, 0.0));
        };
        if let Some(violation) = report.violations.first() {
            return Some(caught(violation.check.clone(), false, violation.at_s));
        }
        if report.verdict == Verdict::Fail {
            let unmet = report.unmet.first();
            let by = unmet.map_or("verdict", |unmet| unmet.metric.as_str());
            let missed = caught(by.to_owned(), true, report.simulated_s);
            expected = expected.or(Some(missed));
        }
        before += report.simulated_s;
    }
    expected
}

fn judged(scenario: &Scenario, seed: u64, variant: Option<Variant>) -> Report {
    let mut scenario = scenario.clone();
    scenario.seed = seed;
    scenario.node.variant = variant;
    let mut report = play(&scenario, &mut |_| ());
    judge(&mut report, &scenario.expectations);
    report
}

/// What became of a variant under all seeds.
#[derive(Clone, Debug)]
pub struct Score {
    /// The variant.
    pub variant: Variant,
    /// For each seed, in their order, how it was noticed, if it was.
    pub catches: Vec<Option<Catch>>,
}

impl Score {
    /// What noticed it most often: a check, or else a number; the first of equals.
    #[must_use]
    pub fn by(&self) -> Option<&Catch> {
        let all = || self.catches.iter().flatten();
        let times = |one: &Catch| {
            let same = all().filter(|other| other.by == one.by);
            (!one.expected, same.count())
        };
        all().fold(None, |best, one| match best {
            Some(best) if times(best) >= times(one) => Some(best),
            _ => Some(one),
        })
    }

    /// How many seeds have to be played until it is noticed: the median over the seed to begin
    /// with, after the last of which the first comes again.
    #[must_use]
    pub fn seeds(&self) -> Option<usize> {
        let count = self.catches.len();
        let until = |from: usize| {
            let caught = |step: &usize| self.catches[(from + step) % count].is_some();
            (0..count).find(caught).map(|step| step + 1)
        };
        median((0..count).filter_map(until).collect())
    }

    /// The median of the simulated seconds until it is noticed, under the seeds that notice it.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        let all = self.catches.iter().flatten();
        let whole = all.map(|one| (one.after_s * 1000.0).round() as u64);
        median(whole.collect()).map(|ms| ms as f64 / 1000.0)
    }
}

/// The one in the middle, of an even number the lower of the two; `None` of none.
#[must_use]
pub fn median<T: Ord + Copy>(mut all: Vec<T>) -> Option<T> {
    all.sort_unstable();
    let middle = all.len().checked_sub(1)? / 2;
    all.get(middle).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::read;

    fn caught(by: &str, expected: bool, after_s: f64) -> Option<Catch> {
        Some(Catch {
            by: by.to_owned(),
            expected,
            scenario: "churn".to_owned(),
            after_s,
        })
    }

    fn score(catches: Vec<Option<Catch>>) -> Score {
        let variant = Variant::CandidateUnasked;
        Score { variant, catches }
    }

    #[test]
    fn a_check_counts_more_than_an_expectation_and_often_more_than_once() {
        let by = |catches| score(catches).by().map(|one| one.by.clone());
        assert_eq!(by(vec![None, None]), None);
        let missed = caught("lookups.failed_share", true, 1.0);
        let lost = caught("lost", false, 1.0);
        let stale = caught("stale", false, 1.0);
        assert_eq!(
            by(vec![None, missed.clone()]).as_deref(),
            Some("lookups.failed_share")
        );
        assert_eq!(
            by(vec![missed.clone(), missed, lost.clone()]).as_deref(),
            Some("lost")
        );
        assert_eq!(
            by(vec![lost, stale.clone(), stale]).as_deref(),
            Some("stale")
        );
    }

    #[test]
    fn medians_are_over_where_one_begins_and_over_what_was_found() {
        let (hit, late) = (caught("lost", false, 10.0), caught("lost", false, 99.5));
        assert_eq!(score(vec![None; 3]).seeds(), None);
        assert_eq!(score(vec![None; 3]).seconds(), None);
        let rare = score(vec![None, None, hit.clone(), None]);
        // From the four places 3, 2, 1 and 4 seeds.
        assert_eq!((rare.seeds(), rare.seconds()), (Some(2), Some(10.0)));
        let often = score(vec![hit.clone(), late, hit]);
        assert_eq!((often.seeds(), often.seconds()), (Some(1), Some(10.0)));
    }

    #[test]
    fn a_variant_is_caught_where_the_unchanged_node_passes_and_only_there() {
        let text = |failing: &str| {
            format!(
                "duration = \"3m\"\n[ring]\nnodes = 24\n[node]\nsuccessors = 4\n\
                 stabilize_every = \"5s\"\n[[fault]]\nat = \"20s\"\nkind = \"crash\"\nnodes = 3\n\
                 for = \"1m\"\n[expect]\n\"ring.members\" = {{ max = {failing} }}\n"
            )
        };
        let scenario = |failing| read("small.toml", &text(failing)).expect("it is valid");
        let scenarios = [scenario("1"), scenario("24")];
        let places: Vec<Sound> = (0..2).filter_map(|at| sound(&scenarios, at, 1)).collect();
        assert_eq!(places.iter().map(|it| it.scenario).collect::<Vec<_>>(), [1]);
        let caught = hunt(&scenarios, &places, 1, Variant::StrandedFounds);
        assert_eq!(caught, None, "nobody is stranded here");
        let caught = hunt(&scenarios, &places, 1, Variant::JoinTakesHeadOnly);
        assert!(caught.is_some_and(|one| !one.expected && one.after_s > 20.0));
    }
}
