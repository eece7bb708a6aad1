//! All chance in a world: ChaCha8 streams split from one seed by purpose.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::Time;

/// What a stream of random numbers is for. Each purpose has its own, so that adding a fault
/// does not shift the look-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RandomStream {
    /// Keys of nodes, and so their places.
    Ids = 1,
    /// Latency, loss and duplication.
    Network = 2,
    /// The jitter of timers.
    Timers = 3,
    /// Who looks up what, and when.
    Workload = 4,
    /// Who comes and goes, and when.
    Churn = 5,
    /// Whom a fault hits.
    Faults = 6,
    /// Through whom a node joins.
    Contacts = 7,
    /// Keys of nodes that lost theirs.
    Keys = 8,
    /// Where reads from connections end.
    Splits = 9,
    /// Who reads and writes which record, and when.
    Records = 10,
    /// When a fault begins that does so at a drawn moment.
    FaultTimes = 20,
    /// Where machines lie, if messages take the longer the farther they go.
    Places = 21,
    /// Which pairs of machines never reach each other.
    Links = 22,
    /// How long sessions last, and absences.
    Sessions = 23,
    /// What an exploration draws: whole scenarios, and what becomes of them.
    Exploration = 32,
}

/// One stream.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of this seed for this purpose.
    #[must_use]
    pub fn new(seed: u64, stream: RandomStream) -> Random {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..14].copy_from_slice(b"cuerda");
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream as u64);
        Random(generator)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills the bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// Evenly from 0 to `end`, which is not reached; 0 if `end` is 0. The bias is below
    /// `end`·2⁻⁶⁴.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// Evenly from 0 to 1, which is not reached.
    pub fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability. Certainty costs no number.
    pub fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && (probability >= 1.0 || self.share() < probability)
    }

    /// Exponentially distributed with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -libm::log(1.0 - self.share()) * mean
    }

    /// Evenly between two durations, in nanoseconds; the first if the second is not greater.
    pub fn between(&mut self, from: Duration, to: Duration) -> Time {
        let (from, to) = (nanoseconds(from), nanoseconds(to));
        if to > from {
            from + self.below(to - from)
        } else {
            from
        }
    }

    /// One of these, if there are any.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len() as u64) as usize).copied()
    }
}

/// A duration as simulated time; what is too long for 64 bits (584 years) is cut.
pub(crate) fn nanoseconds(duration: Duration) -> Time {
    u64::try_from(duration.as_nanos()).unwrap_or(Time::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_purpose_make_one_stream() {
        let first = |seed, stream| Random::new(seed, stream).bits();
        assert_eq!(first(1, RandomStream::Ids), first(1, RandomStream::Ids));
        assert_ne!(first(1, RandomStream::Ids), first(2, RandomStream::Ids));
        assert_ne!(first(1, RandomStream::Ids), first(1, RandomStream::Network));
        // The same on every machine and after every upgrade: reports depend on it.
        assert_eq!(first(1, RandomStream::Ids), 16_720_380_434_902_644_525);
    }

    #[test]
    fn the_distributions_have_their_means() {
        let mut random = Random::new(7, RandomStream::Network);
        let count = 100_000;
        let mut mean = |draw: &mut dyn FnMut(&mut Random) -> f64| {
            (0..count).map(|_| draw(&mut random)).sum::<f64>() / f64::from(count)
        };
        assert!((mean(&mut |r| r.exponential(50.0)) - 50.0).abs() < 1.0);
        assert!((mean(&mut |r| r.share()) - 0.5).abs() < 0.01);
        assert!((mean(&mut |r| r.below(10) as f64) - 4.5).abs() < 0.05);
        assert!((mean(&mut |r| f64::from(u8::from(r.happens(0.2)))) - 0.2).abs() < 0.01);
    }

    #[test]
    fn bounds_hold() {
        let mut random = Random::new(7, RandomStream::Network);
        let (from, to) = (Duration::from_nanos(5), Duration::from_nanos(8));
        for _ in 0..1000 {
            assert!((5..8).contains(&random.between(from, to)));
            assert_eq!(random.between(to, from), 8);
            assert_eq!(random.below(0), 0);
            assert!(!random.happens(0.0) && random.happens(1.0));
        }
        assert_eq!(random.pick::<u8>(&[]), None);
    }
}
