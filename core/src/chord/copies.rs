//! Whether the records that a node serves are where they should be: what an operator asks before he
//! stops the next node.

use serde::{Deserialize, Serialize};

use super::Node;
use super::records::Records;
use crate::record::DigestSource;

/// What a node knows of the copies of the records that it serves.
///
/// It speaks for the keys of its own arc alone; each of the others has an owner who speaks for it.
/// That a holder is gone is known when the node's neighbours are others, not before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Copies {
    /// Keys of which not as many nodes as should hold them are known to have what is here.
    pub lacking: u64,
    /// Whether it serves exactly the keys that it should, and has all that there is of them. If not,
    /// it is on the way into the ring or out of it, takes an arc over or hands one over, or waits
    /// for those that held its keys before the whole ring had stopped.
    pub settled: bool,
    /// Whether records are being compared, or brought from one node to another.
    pub under_way: bool,
}

impl Copies {
    /// Whether all is where it should be, as far as this node knows.
    #[must_use]
    pub const fn are_complete(&self) -> bool {
        self.lacking == 0 && self.settled
    }
}

impl Node {
    /// What it knows of the copies of the records that it serves, of which this is its store.
    #[must_use]
    pub fn copies(&self, store: &impl DigestSource) -> Copies {
        if !self.is_member() {
            return Copies::default();
        }
        let records = self.records.as_deref();
        let copies =
            |records: &Records| records.copies(&self.neighbours, self.config.replicas, store);
        records.map_or_else(Copies::default, copies)
    }
    /// How many of the records in this, its store, others may lack; `None` unless it was told to
    /// leave, and waits until they have them.
    #[must_use]
    pub fn to_hand_over(&self, store: &impl DigestSource) -> Option<u64> {
        let records = self.records.as_deref()?;
        records.to_hand_over(self.me().id, store)
    }
}
