//! What was violated: the first violations described, and all of them counted.

use std::collections::BTreeMap;

use super::tally::name;
use crate::report::Violation;
use crate::world::Moment;

/// As many violations are described; all are counted.
const DESCRIBED: usize = 20;

/// The violations of a run.
#[derive(Debug, Default)]
pub(super) struct Violations {
    described: Vec<Violation>,
    /// How many there were, by the name of the check.
    counts: BTreeMap<String, u64>,
}

impl Violations {
    /// Takes one down, found at so many simulated seconds.
    pub(super) fn add(
        &mut self,
        at_s: f64,
        at: Moment,
        check: String,
        detail: String,
        node: Option<u32>,
    ) {
        if self.described.len() < DESCRIBED {
            self.described.push(Violation {
                at_s,
                check: check.clone(),
                detail,
                node: node.map(name),
                cause: at.cause.to_string(),
            });
        }
        self.count(&check);
    }

    /// Counts one that is described elsewhere.
    pub(super) fn count(&mut self, check: &str) {
        *self.counts.entry(check.to_owned()).or_default() += 1;
    }

    /// How many there were, by the name of the check.
    pub(super) const fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// Those described since they were taken last.
    pub(super) fn take_described(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.described)
    }
}
