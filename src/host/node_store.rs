//! The store of a node of a host, wherever it is.

use std::sync::{self, Mutex, MutexGuard, PoisonError};

use crate::host::sqlite::{SqliteStore, StoreError};
use cuerda_core::record::{DigestSource, Entry, RangeDigest, Record};
use cuerda_core::ring::{Id, KeyRange};
use cuerda_core::store::{Batch, Damaged, MemoryStore, Notes, Store};

/// A node's records: in memory, in memory that outlives the host, or in a file.
#[derive(Debug)]
pub(super) enum NodeStore {
    Memory(MemoryStore),
    Shared(sync::Arc<Mutex<MemoryStore>>),
    File(SqliteStore),
}

/// The same for each kind.
macro_rules! each {
    ($node_store:expr, $store:ident => $what:expr) => {
        match $node_store {
            NodeStore::Memory($store) => $what,
            NodeStore::File($store) => $what,
            NodeStore::Shared(shared) => {
                #[allow(unused_mut, reason = "some calls change nothing")]
                let mut $store = lock(shared);
                $what
            }
        }
    };
}

fn lock(shared: &Mutex<MemoryStore>) -> MutexGuard<'_, MemoryStore> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NodeStore {
    /// Takes out what is wrong with the disk itself, if a reading has shown anything.
    pub(super) fn take_trouble(&mut self) -> Option<StoreError> {
        match self {
            NodeStore::File(store) => store.take_trouble(),
            NodeStore::Memory(_) | NodeStore::Shared(_) => None,
        }
    }

    /// Whether there is any.
    pub(super) const fn has_trouble(&self) -> bool {
        match self {
            NodeStore::File(store) => store.has_trouble(),
            NodeStore::Memory(_) | NodeStore::Shared(_) => false,
        }
    }
}

impl DigestSource for NodeStore {
    fn entries(&self, arc: KeyRange) -> impl Iterator<Item = Entry> {
        let entries: Box<dyn Iterator<Item = Entry> + '_> = match self {
            NodeStore::Memory(store) => Box::new(store.entries(arc)),
            NodeStore::File(store) => Box::new(store.entries(arc)),
            // Nothing borrowed may outlive the lock.
            NodeStore::Shared(shared) => {
                let entries: Vec<Entry> = lock(shared).entries(arc).collect();
                Box::new(entries.into_iter())
            }
        };
        entries
    }

    fn digest(&self, arc: KeyRange) -> RangeDigest {
        each!(self, store => store.digest(arc))
    }
}

impl Store for NodeStore {
    fn get(&mut self, key: Id) -> Result<Option<Record>, Damaged> {
        each!(self, store => store.get(key))
    }

    fn is_damaged(&self, key: Id) -> bool {
        each!(self, store => store.is_damaged(key))
    }

    fn mended(&mut self, key: Id) {
        each!(self, store => store.mended(key));
    }

    fn put(&mut self, key: Id, record: Record) {
        each!(self, store => store.put(key, record));
    }

    fn remove(&mut self, key: Id) {
        each!(self, store => store.remove(key));
    }

    fn len(&self) -> usize {
        each!(self, store => store.len())
    }

    fn notes(&self) -> Notes {
        each!(self, store => store.notes())
    }

    fn note(&mut self, notes: Notes) {
        each!(self, store => store.note(notes));
    }

    fn set_aside(&mut self) {
        each!(self, store => store.set_aside());
    }

    fn seal(&mut self) -> Option<Batch> {
        each!(self, store => store.seal())
    }

    fn committed(&mut self, number: u64) {
        each!(self, store => store.committed(number));
    }
}
