//! The requests of one incarnation of a node: their numbers, who waits for them, and how long a
//! reply may take.

use std::time::Duration;

use super::config::Config;
use super::open_requests::{OpenRequests, Waiter};
use super::rtt::RoundTrips;

/// What a node knows of its requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Requests {
    round_trips: RoundTrips,
    incarnation: u32,
    /// The number of the last one, or of the last pause.
    last: u32,
    open: OpenRequests,
}

impl Requests {
    pub(super) fn new(incarnation: u32) -> Requests {
        Requests {
            round_trips: RoundTrips::default(),
            incarnation,
            last: 0,
            open: OpenRequests::default(),
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

    // ---- who waits ----

    /// A new number, under which this one waits for a reply, or for the end of a pause. Zero means
    /// "not yet asked" and is skipped on wrap-around.
    #[inline]
    pub(super) fn begin(&mut self, waiter: Waiter) -> u32 {
        self.last = self.last.wrapping_add(1).max(1);
        self.open.enter(self.last, waiter);
        self.last
    }

    /// Nobody waits under this number any more.
    #[inline]
    pub(super) fn end(&mut self, number: u32) {
        self.open.remove(number);
    }

    /// Nothing of these waits any more: they were given up.
    pub(super) fn forget(&mut self, such: impl Fn(Waiter) -> bool) {
        self.open.forget(such);
    }

    /// What waits under this number.
    #[inline]
    pub(super) fn waiter(&self, number: u32) -> Option<Waiter> {
        self.open.get(number)
    }

    /// All open ones.
    #[cfg(test)]
    pub(super) fn open(&self) -> std::collections::BTreeMap<u32, Waiter> {
        self.open.all()
    }
}
