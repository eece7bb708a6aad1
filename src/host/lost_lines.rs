//! Lines that a process had to tell and could not: nobody reads them, or they find no room.
//!
//! What is only told may end no node and keep none from its work, so such a line is dropped where
//! it can't be written, and counted here. Status and metrics have the counts, since whoever reads
//! the lines can't see that there are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// Counts what a process could not tell. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct LostLines(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    log: AtomicU64,
    stdout: AtomicU64,
}

/// How many lines a process could not tell since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinesLost {
    /// Of the log.
    pub log: u64,
    /// Of the stream of events, and of what is printed beside it.
    pub stdout: u64,
}

impl LostLines {
    /// So many lines of the log are lost.
    pub fn add_log(&self, lines: u64) {
        self.0.log.fetch_add(lines, Relaxed);
    }

    /// So many lines of stdout are lost.
    pub fn add_stdout(&self, lines: u64) {
        self.0.stdout.fetch_add(lines, Relaxed);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> LinesLost {
        LinesLost {
            log: self.0.log.load(Relaxed),
            stdout: self.0.stdout.load(Relaxed),
        }
    }
}

impl LinesLost {
    /// Whether there are none.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.log == 0 && self.stdout == 0
    }
}
