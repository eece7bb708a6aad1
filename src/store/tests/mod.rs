//! What every store must do: one suite for all of them.
//!
//! A store is tested with the disk under it, as a [`Lab`]: something that can be committed to,
//! can crash, and can be damaged.

mod format;
mod laws;
mod model;
mod sqlite;

use super::*;
use crate::record::{Field, Stamp};

/// A store on a disk that does what a test says.
trait Lab: Sized {
    type Store: Store;

    /// An empty disk.
    fn new() -> Self;
    fn store(&mut self) -> &mut Self::Store;
    /// Brings the first of the batches that are on their way to the disk. The store is not told.
    fn write(&mut self, batch: &Batch);
    /// The process dies and starts again.
    fn crash(&mut self);
    /// Damages the record of a key on the disk.
    fn damage(&mut self, key: Id);
    /// What was set aside, in the order of the keys.
    fn aside(&mut self) -> Vec<(Id, Record)>;
}

/// Memory, which is its own disk.
struct InMemory {
    store: MemoryStore,
}

impl Lab for InMemory {
    type Store = MemoryStore;

    fn new() -> InMemory {
        let store = MemoryStore::default();
        InMemory { store }
    }

    fn store(&mut self) -> &mut MemoryStore {
        &mut self.store
    }

    fn write(&mut self, batch: &Batch) {
        assert_eq!(self.store.next_batch(), Some(batch));
        self.store.committed(batch.number);
    }

    fn crash(&mut self) {
        self.store.crash();
    }

    fn damage(&mut self, key: Id) {
        assert!(self.store.damage(key));
    }

    fn aside(&mut self) -> Vec<(Id, Record)> {
        self.store.aside().to_vec()
    }
}

/// The suite, for each kind of store.
macro_rules! for_each_store {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $test() { super::$test::<super::super::InMemory>(); })*
        }
        mod sqlite {
            $(#[test] fn $test() { super::$test::<super::super::sqlite::InFile>(); })*
        }
    };
}
use for_each_store;

fn record(value: &str) -> Record {
    field("", value, 1)
}

/// A record of one field, written in this millisecond.
fn field(name: &str, value: &str, milliseconds: u64) -> Record {
    let stamp = Stamp {
        milliseconds,
        counter: 7,
        node: Id::of_key(b"writer"),
    };
    Record::of(name, Field::new(stamp, None, value.to_owned(), None))
}

fn key(number: u8) -> Id {
    Id::of_key(&[number])
}

/// Seals and commits, as whoever runs a node does.
fn commit<L: Lab>(lab: &mut L) {
    if let Some(batch) = lab.store().seal() {
        lab.write(&batch);
        lab.store().committed(batch.number);
    }
}
