//! The requests of one incarnation of a node: their numbers, and how long a reply may take.

use std::time::Duration;

use super::ask::{Ask, Settled};
use super::config::Config;
use super::rtt::RoundTrips;
use crate::chord::Node;
use crate::protocol::Network;

/// What a node knows of its requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Requests {
    round_trips: RoundTrips,
    incarnation: u32,
    /// The number of the last one.
    last: u32,
}

impl Requests {
    pub(super) fn new(incarnation: u32) -> Requests {
        Requests {
            round_trips: RoundTrips::default(),
            incarnation,
            last: 0,
        }
    }

    /// Counts the node's starts.
    pub(super) const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The number of the last request.
    pub(super) const fn last(&self) -> u32 {
        self.last
    }

    /// A reply took this long.
    #[inline]
    pub(super) fn measured(&mut self, took: Duration) {
        self.round_trips.measured(took);
    }

    /// How long a reply may take.
    pub(super) fn timeout(&self, config: &Config) -> Duration {
        self.round_trips.timeout(config)
    }

    /// The means of asking, for the time of one input: what came in with it is `settled`.
    #[inline]
    pub(super) fn ask<'a, N: Network<Node>>(
        &'a mut self,
        net: &'a mut N,
        config: &Config,
        settled: Option<(u32, Settled)>,
    ) -> Ask<'a, N> {
        let timeout = self.timeout(config);
        Ask::new(net, self.incarnation, &mut self.last, timeout, settled)
    }
}
