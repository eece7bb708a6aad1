//! How soon drawn scenarios notice wrong variants of the node.
//!
//! The scenarios of the seeds 1, 2, … are drawn and played one after the other until one fails that
//! the unchanged node passes, by the same judgement. What the unchanged node does is found out once,
//! for all variants. Where one begins is chance, so it is done from several seeds on; after the last
//! seed comes the first.

use std::collections::BTreeMap;

use cuerda_core::chord::Variant;

use super::document::Document;
use super::draw::{Subject, draw};
use super::trial::{attempt, attempt_changed};
use crate::scenario::World;

/// From so many seeds on it is tried.
const STARTS: usize = 5;

/// The scenario of a seed, and what the unchanged node makes of it.
#[derive(Clone, Debug)]
pub struct Drawn {
    document: Document,
    seed: u64,
    /// Whether the unchanged node passes: only then it can notice anything.
    pub passes: bool,
    /// How long it is, in simulated seconds.
    seconds: f64,
}

impl Drawn {
    /// Draws the scenario of a seed and plays it with the unchanged node.
    #[must_use]
    pub fn of(seed: u64) -> Drawn {
        let (world, about) = (World::Events, Vec::new());
        let document = draw(&Subject { world, about }, seed);
        let trial = attempt(&document, seed);
        Drawn {
            seed,
            passes: trial
                .as_ref()
                .is_some_and(|trial| trial.failures.is_empty()),
            seconds: trial.map_or(0.0, |trial| trial.simulated.as_secs_f64()),
            document,
        }
    }

    /// The check that notices a variant here, and when.
    fn notices(&self, variant: Variant) -> Option<(String, f64)> {
        let told = |scenario: &mut crate::scenario::Scenario| scenario.node.variant = Some(variant);
        let trial = attempt_changed(&self.document, self.seed, told)?;
        let first = trial.failures.into_iter().next()?;
        Some((first.check, first.at_s))
    }
}

/// How a variant was noticed, beginning with some seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The check.
    pub by: String,
    /// The seed of the scenario that noticed it.
    pub seed: u64,
    /// How many seeds it took, those counted whose scenarios the unchanged node fails.
    pub seeds: usize,
    /// How many simulated seconds, counted likewise.
    pub after_s: f64,
}

/// Plays the scenarios with a variant, from each start until it is noticed. One entry for each
/// start, or none at all if nothing notices it.
#[must_use]
pub fn explore(drawn: &[Drawn], variant: Variant) -> Vec<Notice> {
    let mut known = BTreeMap::new();
    let many = STARTS.min(drawn.len());
    let starts = (0..many).map(|start| start * drawn.len() / many);
    let noticed = starts.map(|start| {
        first(drawn, start, |place| {
            let played = known.entry(place);
            played
                .or_insert_with(|| drawn[place].notices(variant))
                .clone()
        })
    });
    noticed.map_while(|notice| notice).collect()
}

/// The first place, from this one on, at which a variant is noticed.
fn first(
    drawn: &[Drawn],
    start: usize,
    mut notices: impl FnMut(usize) -> Option<(String, f64)>,
) -> Option<Notice> {
    let mut before = 0.0;
    for step in 0..drawn.len() {
        let place = (start + step) % drawn.len();
        let here = &drawn[place];
        if here.passes
            && let Some((by, at_s)) = notices(place)
        {
            return Some(Notice {
                by,
                seed: here.seed,
                seeds: step + 1,
                after_s: before + at_s,
            });
        }
        before += here.seconds;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, passes: bool) -> Drawn {
        Drawn {
            document: Document::new(),
            seed,
            passes,
            seconds: 100.0,
        }
    }

    #[test]
    fn a_seed_that_the_unchanged_node_fails_notices_nothing_and_counts() {
        let all = [drawn(1, true), drawn(2, false), drawn(3, true)];
        let notices = |place| (place > 0).then(|| ("lost".to_owned(), 7.0));
        let notice = |seed, seeds, after_s| {
            let by = "lost".to_owned();
            Some(Notice {
                by,
                seed,
                seeds,
                after_s,
            })
        };
        assert_eq!(first(&all, 0, notices), notice(3, 3, 207.0));
        assert_eq!(first(&all, 2, notices), notice(3, 1, 7.0));
        assert_eq!(first(&all, 0, |_| None), None);
        assert_eq!(first(&all[1..2], 0, notices), None);
    }

    #[test]
    fn drawn_scenarios_notice_a_plain_mistake_and_each_time_alike() {
        let drawn: Vec<Drawn> = (1..=6).map(Drawn::of).collect();
        assert!(drawn.iter().any(|drawn| drawn.passes));
        let found = explore(&drawn, Variant::SuccessorUnnotified);
        assert!(!found.is_empty());
        assert_eq!(found, explore(&drawn, Variant::SuccessorUnnotified));
    }
}
