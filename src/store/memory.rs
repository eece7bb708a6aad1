//! A store without a disk.

use std::collections::{BTreeMap, VecDeque};

use super::{Batch, Damaged, Index, Notes, Store};
use crate::record::{ArcDigest, Digest, Entry, Holdings, Record};
use crate::ring::{Arc, Id};

/// Records in memory. To a program that needs no disk it is a store; to a simulation it is the
/// disk as well: what was committed survives [`MemoryStore::crash`], and the rest does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    index: Index,
    /// What is on the simulated disk.
    disk: BTreeMap<Id, Written>,
    disk_notes: Notes,
    /// What came since, as it is read.
    staged: BTreeMap<Id, Option<Record>>,
    staged_notes: Option<Notes>,
    set_aside: bool,
    /// Batches that are on their way to the disk.
    sealed: VecDeque<Batch>,
    sealed_count: u64,
    /// What was set aside, ever.
    aside: Vec<(Id, Record)>,
}

/// A record as a disk has it: with a checksum that may turn out not to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    record: Record,
    checksum: Digest,
}

impl MemoryStore {
    /// The process has crashed: what was not committed is gone, and what is found again is what
    /// the disk has. Records that don't fit their checksum are found to be damaged when they are
    /// read.
    pub fn crash(&mut self) {
        self.staged.clear();
        self.staged_notes = None;
        self.set_aside = false;
        self.sealed.clear();
        self.index = Index::default();
        for (&key, written) in &self.disk {
            self.index.set(key, Some(written.checksum));
        }
    }

    /// Damages the record of a key on the disk, as a flipped bit would; false if there is none.
    /// A copy of it that has not reached the disk is not harmed.
    pub fn damage(&mut self, key: Id) -> bool {
        let Some(written) = self.disk.get_mut(&key) else {
            return false;
        };
        let mut bytes = written.checksum.to_bytes();
        bytes[0] ^= 1;
        written.checksum = Digest::from_bytes(bytes);
        true
    }

    /// The first batch that is on its way to the disk.
    #[must_use]
    pub fn next_batch(&self) -> Option<&Batch> {
        self.sealed.front()
    }

    /// What was set aside since the store was made.
    #[must_use]
    pub fn aside(&self) -> &[(Id, Record)] {
        &self.aside
    }

    /// What a reader would find now, without looking for damage: for a checker.
    #[must_use]
    pub fn peek(&self, key: Id) -> Option<&Record> {
        let staged = self.staged.get(&key).or_else(|| self.sealed_for(key));
        match staged {
            Some(record) => record.as_ref(),
            None if self.hides_disk() => None,
            None => self.disk.get(&key).map(|written| &written.record),
        }
    }

    fn sealed_for(&self, key: Id) -> Option<&Option<Record>> {
        if self.set_aside {
            return None;
        }
        for batch in self.sealed.iter().rev() {
            let found = batch.records.iter().rev().find(|(of, _)| *of == key);
            if let Some((_, record)) = found {
                return Some(record);
            }
            if batch.set_aside {
                return None;
            }
        }
        None
    }

    fn hides_disk(&self) -> bool {
        self.set_aside || self.sealed.iter().any(|batch| batch.set_aside)
    }
}

impl Holdings for MemoryStore {
    fn entries(&self, arc: Arc) -> impl Iterator<Item = Entry> {
        self.index.entries(arc)
    }

    fn digest(&self, arc: Arc) -> ArcDigest {
        self.index.digest(arc)
    }
}

impl Store for MemoryStore {
    fn get(&mut self, key: Id) -> Result<Option<Record>, Damaged> {
        if self.index.get(key).is_none() {
            return Ok(None);
        }
        let found = self.peek(key).cloned();
        let staged = self.staged.contains_key(&key) || self.sealed_for(key).is_some();
        let sound = |record: &Record| {
            staged
                || self
                    .disk
                    .get(&key)
                    .is_some_and(|written| written.checksum == record.digest())
        };
        if found.as_ref().is_some_and(sound) {
            return Ok(found);
        }
        self.remove(key);
        Err(Damaged(key))
    }

    fn put(&mut self, key: Id, record: Record) {
        self.index.set(key, Some(record.digest()));
        self.staged.insert(key, Some(record));
    }

    fn remove(&mut self, key: Id) {
        self.index.set(key, None);
        self.staged.insert(key, None);
    }

    fn len(&self) -> usize {
        self.index.len()
    }

    fn notes(&self) -> Notes {
        let sealed = self.sealed.iter().rev().find_map(|batch| batch.notes);
        self.staged_notes.or(sealed).unwrap_or(self.disk_notes)
    }

    fn note(&mut self, notes: Notes) {
        if notes != self.notes() {
            self.staged_notes = Some(notes);
        }
    }

    fn set_aside(&mut self) {
        let whole = Arc::new(Id::ZERO, Id::ZERO);
        let keys: Vec<Id> = self.index.entries(whole).map(|entry| entry.key).collect();
        for key in keys {
            if let Ok(Some(record)) = self.get(key) {
                self.aside.push((key, record));
            }
        }
        self.index = Index::default();
        self.staged.clear();
        self.set_aside = true;
    }

    fn seal(&mut self) -> Option<Batch> {
        if self.staged.is_empty() && self.staged_notes.is_none() && !self.set_aside {
            return None;
        }
        self.sealed_count += 1;
        let batch = Batch {
            number: self.sealed_count,
            records: std::mem::take(&mut self.staged).into_iter().collect(),
            notes: self.staged_notes.take(),
            set_aside: std::mem::take(&mut self.set_aside),
        };
        self.sealed.push_back(batch.clone());
        Some(batch)
    }

    fn committed(&mut self, number: u64) {
        while self
            .sealed
            .front()
            .is_some_and(|batch| batch.number <= number)
            && let Some(batch) = self.sealed.pop_front()
        {
            if batch.set_aside {
                self.disk.clear();
            }
            for (key, record) in batch.records {
                match record {
                    Some(record) => {
                        let checksum = record.digest();
                        self.disk.insert(key, Written { record, checksum });
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
}
