//! Which of many keys a client asks for: all alike, or some far more often than others.

use std::sync::Arc;

use crate::world::Random;

/// A choice among keys that are numbered from the most popular on.
#[derive(Clone, Debug, Default)]
pub(super) struct Zipf {
    keys: u32,
    /// How likely a key is one of the first so many; empty if all are equally likely.
    sums: Arc<[f64]>,
}

impl Zipf {
    /// Key i is chosen in proportion to (i+1)^-exponent; with an exponent of 0 all are alike.
    pub(super) fn new(keys: u32, exponent: f64) -> Zipf {
        if exponent == 0.0 {
            let sums = Arc::default();
            return Zipf { keys, sums };
        }
        let mut sum = 0.0;
        let mut sums: Vec<f64> = (1..=keys)
            .map(|rank| {
                sum += libm::pow(f64::from(rank), -exponent);
                sum
            })
            .collect();
        for up_to in &mut sums {
            *up_to /= sum;
        }
        let sums = sums.into();
        Zipf { keys, sums }
    }

    /// The number of a key.
    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        if self.sums.is_empty() {
            return random.below(self.keys.into()) as u32;
        }
        let share = random.share();
        let place = self.sums.partition_point(|&up_to| up_to <= share);
        (place as u32).min(self.keys.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::RandomStream;

    #[test]
    fn keys_are_drawn_as_skewed_as_asked_for() {
        let share_of_first = |exponent| {
            let mut random = Random::new(3, RandomStream::Workload);
            let zipf = Zipf::new(100, exponent);
            let drawn = (0..20_000).map(|_| zipf.draw(&mut random));
            drawn.filter(|&key| key == 0).count() as f64 / 20_000.0
        };
        assert!((share_of_first(0.0) - 0.01).abs() < 0.005);
        // The sum of 1/i up to 100 is 5.19.
        assert!((share_of_first(1.0) - 1.0 / 5.19).abs() < 0.02);
        assert!(share_of_first(16.0) > 0.99);
    }
}
