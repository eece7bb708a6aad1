//! What lies between the two ends of the stream: lines that are told and not yet written.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::{SystemTime, UNIX_EPOCH};

use super::line::Line;
use crate::host::lost_lines::LostLines;

/// A line that waits to be written.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) line: Line,
    pub(super) weight: usize,
    /// How many found no room between the one before and this.
    pub(super) missed: u64,
}

/// What both ends know of the queue.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// What waits, in bytes.
    pub(super) weight: AtomicUsize,
    /// How many lines found no room since the last that did.
    pub(super) missed: AtomicU64,
    /// All lines of the stream that were lost, for whatever reason.
    pub(super) lost: LostLines,
}

/// The wall clock in microseconds since 1970.
pub(super) fn now() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the host is what hands time over"
    )]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
