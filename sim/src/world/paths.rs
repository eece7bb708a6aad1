//! How long messages are under way from one machine to another, and which pairs never reach each
//! other. Faults come on top of it, and are not known here.

use std::time::Duration;

use super::{Random, RandomStream, Time, nanoseconds};
use crate::scenario::{Latency, Network};

/// The paths between all machines.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    latency: Latency,
    /// How many nodes a machine has: they lie in one place.
    per_machine: u32,
    /// Where machines lie on a square of side 1, as far as that was asked for.
    places: Vec<(f64, f64)>,
    /// Where those lie of which nobody has asked.
    chance: Random,
    /// Which share of pairs never reach each other, and what decides which.
    broken: f64,
    key: u64,
}

impl Paths {
    /// Paths between machines with so many nodes each, numbered one after the other.
    pub(super) fn new(network: &Network, per_machine: u32, seed: u64) -> Paths {
        Paths {
            latency: network.latency.clone(),
            per_machine: per_machine.max(1),
            places: Vec::new(),
            chance: Random::new(seed, RandomStream::Places),
            broken: network.broken_links,
            key: Random::new(seed, RandomStream::Links).bits(),
        }
    }

    /// No pair is kept apart any more.
    pub(super) const fn mend(&mut self) {
        self.broken = 0.0;
    }

    /// How long a message from one node to another is under way that is sent now.
    #[inline]
    pub(super) fn latency(&mut self, from: u32, to: u32, chance: &mut Random) -> Time {
        match self.latency {
            Latency::Fixed(time) => nanoseconds(time),
            Latency::Uniform(from, to) => chance.between(from, to),
            Latency::Exponential(mean) => chance.exponential(nanoseconds(mean) as f64) as Time,
            Latency::Plane(across) => self.distance(from, to, across),
            Latency::Regions(ref regions) => {
                let machine = |number: u32| (number / self.per_machine) as usize;
                let region = |number: u32| machine(number) % regions.len();
                nanoseconds(regions[region(from)][region(to)])
            }
        }
    }

    fn distance(&mut self, from: u32, to: u32, across: Duration) -> Time {
        let each = self.per_machine;
        let (from, to) = (self.place(from / each), self.place(to / each));
        let squares = (from.0 - to.0) * (from.0 - to.0) + (from.1 - to.1) * (from.1 - to.1);
        // The diagonal of the square is the root of 2.
        (libm::sqrt(squares / 2.0) * nanoseconds(across) as f64) as Time
    }

    /// Where a machine lies; the same whoever is asked about before.
    fn place(&mut self, number: u32) -> (f64, f64) {
        let number = number as usize;
        while self.places.len() <= number {
            let place = (self.chance.share(), self.chance.share());
            self.places.push(place);
        }
        self.places[number]
    }

    /// Whether two nodes never reach each other.
    #[inline]
    pub(super) fn is_broken(&self, one: u32, other: u32) -> bool {
        self.broken > 0.0 && {
            let (one, other) = (one / self.per_machine, other / self.per_machine);
            one != other && self.is_drawn(one.min(other), one.max(other))
        }
    }

    /// Drawn for each pair by itself, so that a machine more changes no other pair.
    fn is_drawn(&self, lesser: u32, greater: u32) -> bool {
        let pair = (u64::from(lesser) << 32) | u64::from(greater);
        let bits = mixed(mixed(self.key ^ pair).wrapping_add(self.key));
        ((bits >> 11) as f64 / (1_u64 << 53) as f64) < self.broken
    }
}

/// Spreads a number evenly over all numbers: a step of `SplitMix64` (Steele, Lea and Flood, 2014).
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(latency: Latency, broken_links: f64, seed: u64) -> (Paths, Random) {
        let network = Network {
            latency,
            loss: 0.0,
            duplicate: 0.0,
            broken_links,
            tick: Duration::from_millis(5),
        };
        let paths = Paths::new(&network, 1, seed);
        (paths, Random::new(seed, RandomStream::Network))
    }

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn regions_are_filled_in_turn_and_have_a_way_for_each_direction() {
        let rows = vec![vec![ms(2), ms(80)], vec![ms(70), ms(3)]];
        let (mut paths, mut chance) = paths(Latency::Regions(rows), 0.0, 1);
        let mut took = |from, to| paths.latency(from, to, &mut chance) / 1_000_000;
        assert_eq!(
            [took(0, 2), took(0, 1), took(1, 0), took(3, 5)],
            [2, 80, 70, 3]
        );
    }

    #[test]
    fn distances_are_those_of_a_square() {
        let (mut paths, mut chance) = paths(Latency::Plane(ms(90)), 0.0, 1);
        let mut took = |from, to| paths.latency(from, to, &mut chance);
        // Asked about in another order, the places are the same.
        let (far, near) = (took(40, 7), took(0, 1));
        let mut again = self::paths(Latency::Plane(ms(90)), 0.0, 1).0;
        assert_eq!(again.latency(1, 0, &mut chance), near);
        assert_eq!(again.latency(7, 40, &mut chance), far);
        let mut sum = 0;
        for from in 0..60 {
            for to in 0..60 {
                let time = again.latency(from, to, &mut chance);
                assert!(time <= 90_000_000 && (from != to || time == 0));
                let detour = again.latency(from, 30, &mut chance);
                let detour = detour + again.latency(30, to, &mut chance);
                assert!(time <= detour + 2, "n{from} to n{to}");
                sum += time;
            }
        }
        // Two points of a unit square are 0.5214 apart on average, the diagonal 1.4142.
        let mean = sum as f64 / 3600.0 / 1e6;
        assert!(
            (mean - 90.0 * 0.5214 / std::f64::consts::SQRT_2).abs() < 4.0,
            "{mean} ms"
        );
    }

    #[test]
    fn as_many_links_are_broken_as_asked_for_both_ways_and_for_good() {
        let (some, _) = paths(Latency::Fixed(ms(1)), 0.1, 5);
        let pairs = (0..200).flat_map(|one| (0..one).map(move |other| (one, other)));
        let broken = pairs
            .clone()
            .filter(|&(one, other)| some.is_broken(one, other));
        let broken: Vec<(u32, u32)> = broken.collect();
        assert!(
            (1800..2180).contains(&broken.len()),
            "{} of 19900",
            broken.len()
        );
        assert!(
            broken
                .iter()
                .all(|&(one, other)| some.is_broken(other, one))
        );
        // Spread over all: nobody has them all, and everybody some.
        for number in 0..200 {
            let own = broken
                .iter()
                .filter(|(one, other)| [*one, *other].contains(&number));
            assert!((3..45).contains(&own.count()), "n{number}");
        }
        let (other_seed, _) = paths(Latency::Fixed(ms(1)), 0.1, 6);
        let both = broken
            .iter()
            .filter(|&&(one, other)| other_seed.is_broken(one, other));
        assert!(both.count() < broken.len() / 2);
        let (all, _) = paths(Latency::Fixed(ms(1)), 1.0, 5);
        assert!(all.is_broken(0, 1) && !all.is_broken(1, 1));
    }
}
