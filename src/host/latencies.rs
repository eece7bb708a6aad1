//! How long things take, for those who watch a host.

use std::time::Duration;

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Distributions of times, in seconds: from a millisecond to some 16 s, each bound twice the one
/// before.
#[derive(Debug)]
pub struct Latencies {
    /// Look-ups that clients asked for and that named an owner.
    pub lookups: Histogram,
    /// Reads that clients asked for and that somebody answered.
    pub reads: Histogram,
    /// Writes that clients asked for and that were acknowledged, in part at least.
    pub writes: Histogram,
    /// Transactions, up to where they are synced.
    pub commits: Histogram,
}

impl Default for Latencies {
    fn default() -> Latencies {
        let histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        Latencies {
            lookups: histogram(),
            reads: histogram(),
            writes: histogram(),
            commits: histogram(),
        }
    }
}

impl Latencies {
    /// Each distribution's name, what it is of, and itself.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &'static str, &Histogram); 4] {
        [
            (
                "lookup_duration",
                "Time that look-ups of clients took that named an owner",
                &self.lookups,
            ),
            (
                "read_duration",
                "Time that reads of clients took that somebody answered",
                &self.reads,
            ),
            (
                "write_duration",
                "Time that writes of clients took that were acknowledged",
                &self.writes,
            ),
            (
                "commit_duration",
                "Time that it took to bring a transaction to the disk",
                &self.commits,
            ),
        ]
    }

    /// Something took so long.
    pub(crate) fn observe(of: &Histogram, took: Duration) {
        of.observe(took.as_secs_f64());
    }
}
