//! Draws lengths of time: whole ones, and what is left of one that is under way.
//!
//! A node that is there at a moment is more likely in a long session than in a short one. What is
//! left of it then, the *residual* length, has the density (1 − F(x)) / mean, where F is the
//! distribution of whole lengths.

use super::{Random, Time, nanoseconds};
use crate::scenario::Lengths;

/// A whole length.
pub(super) fn whole(lengths: Lengths, random: &mut Random) -> Time {
    let time = match lengths {
        Lengths::Exponential { mean } => random.exponential(nanoseconds(mean) as f64),
        Lengths::Weibull { shape, mean } => {
            let scale = nanoseconds(mean) as f64 / libm::tgamma(1.0 + 1.0 / shape);
            scale * libm::pow(random.exponential(1.0), 1.0 / shape)
        }
        Lengths::Pareto { shape, mean } => {
            let least = nanoseconds(mean) as f64 * (shape - 1.0) / shape;
            least * libm::pow(1.0 - random.share(), -1.0 / shape)
        }
    };
    time as Time
}

/// What is left of a length that is under way.
pub(super) fn residual(lengths: Lengths, random: &mut Random) -> Time {
    let time = match lengths {
        // It has no memory.
        Lengths::Exponential { mean } => random.exponential(nanoseconds(mean) as f64),
        // The integral of 1 − F up to x is that of a Gamma distribution's density with 1/shape
        // up to (x/scale)^shape.
        Lengths::Weibull { shape, mean } => {
            let scale = nanoseconds(mean) as f64 / libm::tgamma(1.0 + 1.0 / shape);
            scale * libm::pow(gamma(1.0 / shape, random), 1.0 / shape)
        }
        // Even up to the least length, a power beyond.
        Lengths::Pareto { shape, mean } => {
            let mean = nanoseconds(mean) as f64;
            let least = mean * (shape - 1.0) / shape;
            let tail = 1.0 - random.share();
            if tail * shape > 1.0 {
                (1.0 - tail) * mean
            } else {
                least * libm::pow(tail * shape, -1.0 / (shape - 1.0))
            }
        }
    };
    time as Time
}

/// A number from the Gamma distribution with this shape and a scale of 1, by the method of
/// Marsaglia and Tsang (2000).
fn gamma(shape: f64, random: &mut Random) -> f64 {
    if shape < 1.0 {
        // A greater shape, taken back by a power.
        let boost = libm::pow(1.0 - random.share(), 1.0 / shape);
        return gamma(shape + 1.0, random) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(random);
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        let u = 1.0 - random.share();
        if libm::log(u) < x * x / 2.0 + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

/// A number from the standard normal distribution, by the method of Box and Muller (1958).
fn normal(random: &mut Random) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - random.share()));
    radius * libm::cos(2.0 * std::f64::consts::PI * random.share())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::world::RandomStream;

    const HOUR: Duration = Duration::from_secs(3600);
    const COUNT: usize = 40_000;

    /// In hours, sorted.
    fn drawn(draw: impl Fn(&mut Random) -> Time) -> Vec<f64> {
        let mut random = Random::new(5, RandomStream::Sessions);
        let mut all: Vec<f64> = (0..COUNT)
            .map(|_| draw(&mut random) as f64 / nanoseconds(HOUR) as f64)
            .collect();
        all.sort_unstable_by(f64::total_cmp);
        all
    }

    fn mean(all: &[f64]) -> f64 {
        all.iter().sum::<f64>() / all.len() as f64
    }

    fn near(value: f64, expected: f64, within: f64) {
        assert!(
            (value - expected).abs() <= within * expected,
            "{value}, not {expected}"
        );
    }

    #[test]
    fn lengths_have_their_means_and_their_medians() {
        let mean_of = |lengths| mean(&drawn(|random| whole(lengths, random)));
        let median = |lengths| drawn(|random| whole(lengths, random))[COUNT / 2];
        near(mean_of(Lengths::Exponential { mean: HOUR }), 1.0, 0.02);
        near(
            median(Lengths::Exponential { mean: HOUR }),
            std::f64::consts::LN_2,
            0.03,
        );
        let weibull = |shape| Lengths::Weibull { shape, mean: HOUR };
        near(mean_of(weibull(0.5)), 1.0, 0.05);
        near(mean_of(weibull(3.0)), 1.0, 0.02);
        // With a shape of a half the scale is half of the mean, and Γ(3) is 2.
        near(
            median(weibull(0.5)),
            0.5 * std::f64::consts::LN_2.powi(2),
            0.05,
        );
        let pareto = Lengths::Pareto {
            shape: 3.0,
            mean: HOUR,
        };
        near(mean_of(pareto), 1.0, 0.03);
        near(drawn(|random| whole(pareto, random))[0], 2.0 / 3.0, 0.01);
        near(median(pareto), 2.0 / 3.0 * 2_f64.powf(1.0 / 3.0), 0.02);
    }

    #[test]
    fn what_is_left_has_half_the_mean_square_over_the_mean() {
        let left = |lengths| mean(&drawn(|random| residual(lengths, random)));
        near(left(Lengths::Exponential { mean: HOUR }), 1.0, 0.02);
        // E[X²] of a Weibull distribution is scale²·Γ(1 + 2/shape).
        for (shape, within) in [(0.5, 0.08), (0.8, 0.05), (2.0, 0.02), (5.0, 0.02)] {
            let lengths = Lengths::Weibull { shape, mean: HOUR };
            let scale = 1.0 / libm::tgamma(1.0 + 1.0 / shape);
            let square = scale * scale * libm::tgamma(1.0 + 2.0 / shape);
            near(left(lengths), square / 2.0, within);
        }
        // Of a Pareto one least²·shape/(shape − 2).
        let shape = 4.0;
        let lengths = Lengths::Pareto { shape, mean: HOUR };
        let least = (shape - 1.0) / shape;
        near(
            left(lengths),
            least * least * shape / (shape - 2.0) / 2.0,
            0.03,
        );
    }

    /// The share of what is left that is below the least whole length is exactly its part of the
    /// mean.
    #[test]
    fn what_is_left_is_even_up_to_the_least_length() {
        let lengths = Lengths::Pareto {
            shape: 2.0,
            mean: HOUR,
        };
        let left = drawn(|random| residual(lengths, random));
        let below = |hours: f64| left.partition_point(|&time| time < hours) as f64 / COUNT as f64;
        near(below(0.25), 0.25, 0.03);
        near(below(0.5), 0.5, 0.03);
        // Beyond, the chance of more than x is least²/x.
        near(1.0 - below(1.0), 0.25, 0.03);
    }
}
