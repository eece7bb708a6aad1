//! Where a node keeps its records: a trait and the stores that have it.
//!
//! ```text
//!   node ── get, put, remove ──▶ Store ── seal ──▶ Batch ──▶ disk
//!     reads what it has written    ▲                          │
//!     itself at once               └────────── committed ─────┘
//! ```
//!
//! The calls of a [`Store`] never wait: what a node writes is *staged*, and readable to it at
//! once. Whoever runs the node closes a [`Batch`] after some inputs, brings it to the disk in a
//! way that suits it, and says when it is there; until then it keeps back every message and
//! event that may depend on it ([`crate::protocol::Wire::depends_on_store`],
//! [`crate::protocol::Event::depends_on_store`]). Batches are committed in their order, each whole
//! or not at all. A crash loses what was not committed and nothing else.
//!
//! Nothing here knows who owns a key, how many copies there should be, or what time it is.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod index;
mod memory;
pub mod staged;

pub use index::Index;
pub use memory::MemoryStore;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::hint::Hint;
use crate::record::{DigestSource, Record};
use crate::ring::Id;

/// What a node asks of the place where its records are.
pub trait Store: DigestSource {
    /// The record of a key; `None` if there is none.
    ///
    /// # Errors
    /// If what is there is not what was written. From then on the key is one without a record,
    /// so that the comparison with other nodes brings it back.
    fn get(&mut self, key: Id) -> Result<Option<Record>, Damaged>;

    /// Whether what the key had was found to be damaged and has not [come back](Store::mended):
    /// "this is all" would then be a lie, also when something has been put there since.
    fn is_damaged(&self, key: Id) -> bool;

    /// Whatever was damaged under the key has come back, or will not: what is there now is all
    /// that there is.
    fn mended(&mut self, key: Id);

    /// Stages this record in the place of what the key has.
    fn put(&mut self, key: Id, record: Record);

    /// Stages that the key has nothing any more.
    fn remove(&mut self, key: Id);

    /// How many keys have a record.
    fn len(&self) -> usize;

    /// Whether no key has a record.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the node noted for its next start, as staged.
    fn notes(&self) -> Notes;

    /// Stages what the node notes for its next start.
    fn note(&mut self, notes: Notes);

    /// Takes all records out of the way, as if there had been none, but keeps them where an
    /// operator can find them: they are so old that merging them could bring deleted fields back.
    /// What was staged since the last batch is forgotten, since no batch can hold both.
    fn set_aside(&mut self);

    /// Closes the batch of all that was staged since the last; `None` if nothing was.
    fn seal(&mut self) -> Option<Batch>;

    /// All batches up to the one with this number are on the disk.
    fn committed(&mut self, number: u64);
}

/// What a node finds again after a restart, besides its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notes {
    /// The mark of its stamp clock, in milliseconds ([`crate::record::StampClock`]).
    pub mark: u64,
    /// When it was last known to be running, by its wall clock in milliseconds since 1970; 0 if
    /// it never was.
    pub alive: u64,
    /// The latest deletion that it knew to be forgotten by all who held it, in milliseconds since
    /// 1970; 0 for none.
    #[serde(default)]
    pub forgotten: u64,
    /// Where the arc starts of which it held all that was acknowledged, if it held any: from there
    /// up to itself; the whole circle if it is itself. When a whole ring has stopped, who has
    /// brought that back knows what there is on the arc, and others don't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Id>,
    /// The key up to which it has read what it holds to see whether it has rotted, if it has begun
    /// to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scrubbed: Option<Id>,
}

/// Changes that go to the disk together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Counts the batches of a store since its start, from 1.
    pub number: u64,
    /// What each key has from now on; `None` for nothing.
    pub records: Vec<(Id, Option<Record>)>,
    /// The notes, if they changed.
    pub notes: Option<Notes>,
    /// All records that were there before are set aside, and then the others written.
    pub set_aside: bool,
}

/// A record that is not what was written: its checksum says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record of key {0} is damaged on this node's disk")]
pub struct Damaged(pub Id);

impl Hint for Damaged {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let hint = "it is fetched again from another holder, but check the disk: others may follow";
        Some(hint.into())
    }
}
