//! From when on a run is bound to fail: the same run up to a moment, and from there on with other
//! chance, many times over.

use super::document::Document;
use super::mutate::forked;
use super::shrink::Attempt;

/// A run that fails a check, and how its fate is to be looked at.
#[derive(Clone, Debug)]
pub struct Fate {
    /// What is played.
    pub document: Document,
    /// The seed with which it fails.
    pub seed: u64,
    /// The check.
    pub check: String,
    /// At how many moments it is forked.
    pub moments: u64,
    /// How often at each.
    pub forks: u64,
}

/// How often the forks of a moment failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The moment, in simulated seconds.
    pub at_s: f64,
    /// How many forks failed the check.
    pub failed: u64,
    /// How many there were.
    pub forks: u64,
}

impl Point {
    /// The share that failed.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.failed as f64 / self.forks.max(1) as f64
    }
}

impl Fate {
    /// How long the scenario is, in milliseconds; nothing if it is none.
    fn length(&self) -> u64 {
        let scenario = self.document.scenario("fate.toml");
        scenario.map_or(0, |scenario| scenario.duration.as_millis() as u64)
    }

    /// The moments, in milliseconds: evenly from the begin on, the end left out.
    fn moment(&self, place: u64) -> u64 {
        self.length() * place / self.moments.max(1)
    }

    /// How many runs there are.
    #[must_use]
    pub const fn runs(&self) -> u64 {
        self.moments * self.forks
    }

    /// One of the runs, by its number.
    #[must_use]
    pub fn run(&self, number: u64) -> Attempt {
        let (place, fork) = (number / self.forks, number % self.forks);
        // Two moments share no seed, so that points are independent.
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(number + 1);
        debug_assert!(fork < self.forks, "a remainder");
        Attempt {
            document: forked(&self.document, self.moment(place), seed),
            seed: self.seed,
            check: self.check.clone(),
        }
    }

    /// The curve, given of each run whether it failed, in the order of their numbers.
    #[must_use]
    pub fn curve(&self, failed: &[bool]) -> Vec<Point> {
        let points = failed.chunks(self.forks.max(1) as usize);
        let points = (0..).zip(points).map(|(place, forks)| Point {
            at_s: self.moment(place) as f64 / 1000.0,
            failed: forks.iter().filter(|failed| **failed).count() as u64,
            forks: forks.len() as u64,
        });
        points.collect()
    }
}

/// The first moment from which on every fork fails, if there is one.
#[must_use]
pub fn irrevocable_from(curve: &[Point]) -> Option<f64> {
    let open = curve.iter().rposition(|point| point.failed < point.forks);
    let first = open.map_or(0, |place| place + 1);
    curve.get(first).map(|point| point.at_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate() -> Fate {
        let text = "duration = \"2m\"\nring = { nodes = 3 }\n\
                    expect = { \"traffic.messages\" = { max = 1 } }\n";
        Fate {
            document: Document::read(text).unwrap(),
            seed: 4,
            check: "traffic.messages".to_owned(),
            moments: 4,
            forks: 2,
        }
    }

    #[test]
    fn moments_are_even_and_forks_differ() {
        let fate = fate();
        assert_eq!(fate.runs(), 8);
        let reseeds: Vec<_> = (0..8)
            .map(|number| {
                let scenario = fate.run(number).document.scenario("a.toml").unwrap();
                (scenario.reseeds[0].at.as_secs(), scenario.reseeds[0].seed)
            })
            .collect();
        let moments: Vec<u64> = reseeds.iter().map(|(at, _)| *at).collect();
        assert_eq!(moments, [0, 0, 30, 30, 60, 60, 90, 90]);
        let seeds: std::collections::BTreeSet<u64> =
            reseeds.iter().map(|(_, seed)| *seed).collect();
        assert_eq!(seeds.len(), 8);
    }

    #[test]
    fn what_is_bound_to_fail_fails_from_the_begin_on() {
        let fate = fate();
        let failed: Vec<bool> = (0..fate.runs())
            .map(|number| fate.run(number).failure().is_some())
            .collect();
        let curve = fate.curve(&failed);
        assert_eq!(irrevocable_from(&curve), Some(0.0));
        assert!(curve.iter().all(|point| point.share() == 1.0));
    }

    #[test]
    fn the_last_hope_counts() {
        let point = |at_s, failed| Point {
            at_s,
            failed,
            forks: 4,
        };
        let curve = [point(0.0, 4), point(1.0, 3), point(2.0, 4), point(3.0, 4)];
        assert_eq!(irrevocable_from(&curve), Some(2.0));
        assert_eq!(irrevocable_from(&curve[..2]), None);
        assert_eq!(irrevocable_from(&[]), None);
    }
}
