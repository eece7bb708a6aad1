//! How a run went, interval by interval.

use std::time::Duration;

use crate::world::{SECOND, Time};

/// What happened in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// When it ended, in simulated time since t = 0.
    pub end: Duration,
    /// Members then.
    pub members: u64,
    /// Violations found in it.
    pub violations: u64,
    /// Look-ups, writes and readings that failed in it.
    pub failures: u64,
    /// Bytes sent in it.
    pub bytes: u64,
}

/// Sums since the beginning of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) violations: u64,
    pub(super) failures: u64,
    pub(super) bytes: u64,
}

/// A series being written down.
#[derive(Debug, Default)]
pub(super) struct Series {
    intervals: Vec<Interval>,
    before: Sums,
}

impl Series {
    /// An interval ends, so many nanoseconds after t = 0.
    pub(super) fn add(&mut self, end: Time, members: u64, sums: Sums) {
        let before = std::mem::replace(&mut self.before, sums);
        self.intervals.push(Interval {
            end: Duration::from_nanos(end),
            members,
            violations: sums.violations - before.violations,
            failures: sums.failures - before.failures,
            bytes: sums.bytes.saturating_sub(before.bytes),
        });
    }

    pub(super) fn into_intervals(self) -> Vec<Interval> {
        self.intervals
    }
}

/// A series as a table of comma-separated values, with a heading.
#[must_use]
pub fn comma_separated(series: &[Interval]) -> String {
    let mut text = "at_s,members,violations,failures,bytes\n".to_owned();
    for interval in series {
        let at = interval.end.as_nanos() as f64 / SECOND as f64;
        text += &format!(
            "{at},{},{},{},{}\n",
            interval.members, interval.violations, interval.failures, interval.bytes
        );
    }
    text
}
