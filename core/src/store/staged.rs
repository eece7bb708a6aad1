//! What a node has written and what may not be on the disk yet: the part that all stores share.
//!
//! For those who write a store of their own: keep a [`Staged`], answer reads by [`Staged::find`],
//! and let `calls_on_staged!` fill in the rest of [`super::Store`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Batch, Index, Notes};
use crate::record::{Digest, Record};
use crate::ring::Id;

/// Changes on their way to the disk, over an index of what a reader finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    index: Index,
    /// What each of these keys has once the batch of this number is on the disk.
    pending: BTreeMap<Id, (u64, Option<Record>)>,
    /// Keys that changed since the last batch.
    changed: BTreeSet<Id>,
    /// Keys whose records were found to be damaged, and have not come back.
    damaged: BTreeSet<Id>,
    notes: Notes,
    notes_changed: bool,
    /// All that was there before is set aside by the next batch.
    set_aside: bool,
    sealed: u64,
    /// Batches that are on their way to the disk.
    on_their_way: VecDeque<Batch>,
}

/// Where a reader has to look for a record.
#[derive(Debug, PartialEq, Eq)]
pub enum RecordLocation<'a> {
    /// Nowhere.
    Nothing,
    /// It is here.
    Here(&'a Record),
    /// On the disk, where it should have this digest.
    OnDisk(Digest),
}

impl Staged {
    /// A store as it was found on the disk.
    #[must_use]
    pub fn over(index: Index, notes: Notes) -> Staged {
        Staged {
            index,
            notes,
            ..Staged::default()
        }
    }

    /// The same after a crash that left this on the disk. The batches go on being counted, so
    /// that none of before is taken for one of after.
    pub fn crash(&mut self, index: Index, notes: Notes) {
        let sealed = self.sealed;
        *self = Staged {
            sealed,
            ..Staged::over(index, notes)
        };
    }

    /// What a reader finds under which keys.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Where the record of a key is to be looked for.
    #[must_use]
    pub fn find(&self, key: Id) -> RecordLocation<'_> {
        let Some(digest) = self.index.get(key) else {
            return RecordLocation::Nothing;
        };
        match self.pending.get(&key) {
            Some((_, Some(record))) => RecordLocation::Here(record),
            Some((_, None)) => RecordLocation::Nothing,
            None => RecordLocation::OnDisk(digest),
        }
    }

    /// Stages what a key has from now on. A record without fields is the same as none.
    pub fn set(&mut self, key: Id, record: Option<Record>) {
        let record = record.filter(|record| !record.is_empty());
        self.index.set(key, record.as_ref().map(Record::digest));
        self.pending.insert(key, (self.sealed + 1, record));
        self.changed.insert(key);
    }

    /// The record of this key is damaged on the disk: it has none any more.
    pub fn lose(&mut self, key: Id) {
        self.set(key, None);
        self.damaged.insert(key);
    }

    /// What was damaged under the key has come back, or will not.
    pub fn mended(&mut self, key: Id) {
        self.damaged.remove(&key);
    }

    /// Whether what the key had is damaged and has not come back.
    #[must_use]
    pub fn is_damaged(&self, key: Id) -> bool {
        self.damaged.contains(&key)
    }

    /// What is noted for the next start.
    #[must_use]
    pub fn notes(&self) -> Notes {
        self.notes
    }

    /// Stages what is noted for the next start.
    pub fn note(&mut self, notes: Notes) {
        self.notes_changed |= notes != self.notes;
        self.notes = notes;
    }

    /// Stages that all records are taken out of the way; see [`super::Store::set_aside`].
    pub fn set_aside(&mut self) {
        self.index = Index::default();
        self.pending.clear();
        self.changed.clear();
        self.damaged.clear();
        self.set_aside = true;
    }

    /// Closes the batch of all that was staged since the last; `None` if nothing was.
    pub fn seal(&mut self) -> Option<Batch> {
        if self.changed.is_empty() && !self.notes_changed && !self.set_aside {
            return None;
        }
        self.sealed += 1;
        let changed = std::mem::take(&mut self.changed).into_iter();
        let record = |key| {
            self.pending
                .get(&key)
                .and_then(|(_, record)| record.clone())
        };
        let batch = Batch {
            number: self.sealed,
            records: changed.map(|key| (key, record(key))).collect(),
            notes: std::mem::take(&mut self.notes_changed).then_some(self.notes),
            set_aside: std::mem::take(&mut self.set_aside),
        };
        self.on_their_way.push_back(batch.clone());
        Some(batch)
    }

    /// The first batch that is on its way to the disk.
    #[must_use]
    pub fn next_batch(&self) -> Option<&Batch> {
        self.on_their_way.front()
    }

    /// All batches up to the one with this number are on the disk: takes out the first of them
    /// that was not known to be.
    pub fn committed(&mut self, number: u64) -> Option<Batch> {
        let next = self.on_their_way.front()?.number;
        let batch = (next <= number).then(|| self.on_their_way.pop_front())??;
        for (key, _) in &batch.records {
            // Not what was written to the key since.
            if self
                .pending
                .get(key)
                .is_some_and(|(number, _)| *number == batch.number)
            {
                self.pending.remove(key);
            }
        }
        Some(batch)
    }
}

/// The calls of a [`Store`](super::Store) that concern what is staged and nothing else, for a type
/// with a field `staged`.
#[macro_export]
macro_rules! calls_on_staged {
    () => {
        fn is_damaged(&self, key: $crate::ring::Id) -> bool {
            self.staged.is_damaged(key)
        }

        fn mended(&mut self, key: $crate::ring::Id) {
            self.staged.mended(key);
        }

        fn put(&mut self, key: $crate::ring::Id, record: $crate::record::Record) {
            self.staged.set(key, Some(record));
        }

        fn remove(&mut self, key: $crate::ring::Id) {
            self.staged.set(key, None);
        }

        fn len(&self) -> usize {
            self.staged.index().len()
        }

        fn notes(&self) -> $crate::store::Notes {
            self.staged.notes()
        }

        fn note(&mut self, notes: $crate::store::Notes) {
            self.staged.note(notes);
        }

        fn set_aside(&mut self) {
            self.staged.set_aside();
        }

        fn seal(&mut self) -> Option<$crate::store::Batch> {
            self.staged.seal()
        }
    };
}
