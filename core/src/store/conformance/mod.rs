//! What every store must do: one suite for all implementations of [`Store`].
//!
//! A store is tested with the disk under it, as a [`Lab`]: something that can be committed to,
//! can crash, and can be damaged. [`crate::store_conformance!`] makes a test of each law.

#[doc(hidden)]
pub mod laws;
#[doc(hidden)]
pub mod model;

#[cfg(test)]
use super::MemoryStore;
use super::{Batch, Damaged, Notes, Store};
use crate::record::{Field, Record, Stamp};
use crate::ring::Id;

/// A store on a disk that does what a test says.
pub trait Lab: Sized {
    /// What is tested.
    type Store: Store;

    /// An empty disk.
    fn new() -> Self;
    /// The store on it.
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
#[cfg(test)]
struct InMemory {
    store: MemoryStore,
}

#[cfg(test)]
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

/// The suite for one kind of store: a test of each law.
///
/// ```ignore
/// mod conformance {
///     cuerda_core::store_conformance!(super::OnMyDisk);
/// }
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($lab:ty) => {
        $crate::store_conformance!(
            $lab;
            laws:
            what_was_not_committed_is_lost_in_a_crash_and_nothing_else,
            what_is_staged_is_read_at_once,
            batches_are_counted_and_hold_what_changed,
            a_batch_is_told_to_be_committed_later_than_the_next_is_sealed,
            a_damaged_record_is_told_once_and_gone_from_the_index,
            a_start_does_not_see_damage_that_nobody_has_read,
            a_damaged_record_can_be_written_again,
            a_fresh_copy_hides_the_damage,
            records_set_aside_are_gone_and_kept,
            notes_are_found_again,
            every_field_comes_back_as_it_was,
            a_record_without_fields_is_none,
            ;
            model:
            any_history_ends_as_the_model_says,
        );
    };
    ($lab:ty; $($module:ident: $($law:ident,)*);*) => {
        $($(
            #[test]
            fn $law() {
                $crate::store::conformance::$module::$law::<$lab>();
            }
        )*)*
    };
}

/// A record of one plain field with this value.
#[must_use]
pub fn record(value: &str) -> Record {
    field("", value, 1)
}

/// A record of one field, written in this millisecond.
#[must_use]
pub fn field(name: &str, value: &str, milliseconds: u64) -> Record {
    let stamp = Stamp {
        milliseconds,
        counter: 7,
        node: Id::of_key(b"writer"),
    };
    Record::of(name, Field::new(stamp, None, value.to_owned(), None))
}

/// A key by its number.
#[must_use]
pub fn key(number: u8) -> Id {
    Id::of_key(&[number])
}

/// Seals and commits, as whoever runs a node does.
pub fn commit<L: Lab>(lab: &mut L) {
    if let Some(batch) = lab.store().seal() {
        lab.write(&batch);
        lab.store().committed(batch.number);
    }
}

#[cfg(test)]
mod tests {
    crate::store_conformance!(super::InMemory);
}
