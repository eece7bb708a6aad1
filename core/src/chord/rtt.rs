//! How long to wait for a reply.

use std::time::Duration;

use super::config::Config;

/// The round trips that a node has measured, smoothed over all its peers as TCP does for one
/// connection (RFC 6298): a mean and a mean deviation, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct RoundTrips {
    mean: u32,
    deviation: u32,
}

impl RoundTrips {
    /// Takes one more measurement in.
    pub(super) fn measured(&mut self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        if *self == RoundTrips::default() {
            *self = RoundTrips {
                mean: took,
                deviation: took / 2,
            };
            return;
        }
        let off = self.mean.abs_diff(took);
        self.deviation = self.deviation - self.deviation / 4 + off / 4;
        self.mean = self.mean - self.mean / 8 + took / 8;
    }

    /// The time after which an asked node counts as silent: the configured floor, which
    /// measurements may lengthen up to the configured maximum and never shorten.
    pub(super) fn timeout(&self, config: &Config) -> Duration {
        let measured = u64::from(self.mean) + 4 * u64::from(self.deviation);
        Duration::from_micros(measured)
            .min(config.request_timeout_max)
            .max(config.request_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_timeout_stays_within_its_bounds(took in prop::collection::vec(any::<u64>(), 0..50)) {
            let config = Config::default();
            let mut trips = RoundTrips::default();
            for micros in took {
                trips.measured(Duration::from_micros(micros));
                let timeout = trips.timeout(&config);
                prop_assert!(timeout >= config.request_timeout);
                prop_assert!(timeout <= config.request_timeout_max);
            }
        }
    }

    #[test]
    fn slow_peers_lengthen_it_and_quick_ones_do_not_shorten_it() {
        let config = Config::default();
        let mut trips = RoundTrips::default();
        assert_eq!(trips.timeout(&config), config.request_timeout);
        for _ in 0..100 {
            trips.measured(Duration::from_millis(5));
        }
        assert_eq!(trips.timeout(&config), config.request_timeout);
        for _ in 0..100 {
            trips.measured(Duration::from_millis(900));
        }
        assert!(
            trips.timeout(&config) > Duration::from_millis(850),
            "{trips:?}"
        );
    }
}
