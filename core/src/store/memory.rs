//! A store without a disk.

use std::collections::BTreeMap;

use super::staged::{RecordLocation, Staged};
use super::{Batch, Damaged, Index, Notes, Store};
use crate::calls_on_staged;
use crate::record::{Digest, DigestSource, Entry, RangeDigest, Record};
use crate::ring::{Id, KeyRange};

/// Records in memory. To a program that needs no disk it is a store; to a simulation it is the
/// disk as well: what was committed survives [`MemoryStore::crash`], and the rest does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    staged: Staged,
    /// What is on the simulated disk.
    disk: BTreeMap<Id, Written>,
    disk_notes: Notes,
    /// What was set aside, ever.
    aside: Vec<(Id, Record)>,
}

/// A record as a disk has it: with the digest that was written beside it, which it may not fit any more.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    record: Record,
    digest: Digest,
    /// A bit of the record has flipped. The digest has not: a start finds the same index.
    rotten: bool,
}

impl MemoryStore {
    /// The process has crashed: what was not committed is gone, and what is found again is what
    /// the disk has. Records that have rotted are found to be damaged when they are read: a start
    /// reads their digests only.
    pub fn crash(&mut self) {
        let mut index = Index::default();
        for (&key, written) in &self.disk {
            index.set(key, Some(written.digest));
        }
        self.staged.crash(index, self.disk_notes);
    }

    /// Damages the record of a key on the disk, as a flipped bit would; false if there is none.
    /// A copy of it that has not reached the disk is not harmed.
    pub fn damage(&mut self, key: Id) -> bool {
        let Some(written) = self.disk.get_mut(&key) else {
            return false;
        };
        written.rotten = true;
        true
    }

    /// The first batch that is on its way to the disk.
    #[must_use]
    pub fn next_batch(&self) -> Option<&Batch> {
        self.staged.next_batch()
    }

    /// What was set aside since the store was made.
    #[must_use]
    pub fn aside(&self) -> &[(Id, Record)] {
        &self.aside
    }

    /// What a reader would find now, without looking for damage: for a checker.
    #[must_use]
    pub fn peek(&self, key: Id) -> Option<&Record> {
        match self.staged.find(key) {
            RecordLocation::Nothing => None,
            RecordLocation::Here(record) => Some(record),
            RecordLocation::OnDisk(_) => self.disk.get(&key).map(|written| &written.record),
        }
    }

    fn write(&mut self, batch: Batch) {
        if batch.set_aside {
            let disk = std::mem::take(&mut self.disk).into_iter();
            let sound = disk.filter(|(_, written)| !written.rotten);
            self.aside
                .extend(sound.map(|(key, written)| (key, written.record)));
        }
        for (key, record) in batch.records {
            match record {
                Some(record) => {
                    let written = Written {
                        digest: record.digest(),
                        record,
                        rotten: false,
                    };
                    self.disk.insert(key, written);
                }
                None => {
                    self.disk.remove(&key);
                }
            }
        }
        if let Some(notes) = batch.notes {
            self.disk_notes = notes;
        }
    }
}

impl DigestSource for MemoryStore {
    fn entries(&self, arc: KeyRange) -> impl Iterator<Item = Entry> {
        self.staged.index().entries(arc)
    }

    fn digest(&self, arc: KeyRange) -> RangeDigest {
        self.staged.index().digest(arc)
    }
}

impl Store for MemoryStore {
    fn get(&mut self, key: Id) -> Result<Option<Record>, Damaged> {
        match self.staged.find(key) {
            RecordLocation::Nothing => return Ok(None),
            RecordLocation::Here(record) => return Ok(Some(record.clone())),
            RecordLocation::OnDisk(_) => {}
        }
        let sound = |written: &&Written| !written.rotten;
        if let Some(written) = self.disk.get(&key).filter(sound) {
            return Ok(Some(written.record.clone()));
        }
        self.staged.lose(key);
        Err(Damaged(key))
    }

    calls_on_staged!();

    fn committed(&mut self, number: u64) {
        while let Some(batch) = self.staged.committed(number) {
            self.write(batch);
        }
    }
}
