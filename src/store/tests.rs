//! What every store must do.

use super::*;
use crate::record::{Field, Stamp};
use crate::ring::Arc;

fn record(value: &'static str) -> Record {
    Record::of("", Field::new(Stamp::ZERO, None, value, None))
}

#[test]
fn what_was_not_committed_is_lost_in_a_crash_and_nothing_else() {
    let mut store = MemoryStore::default();
    let (a, b) = (Id::of_key(b"a"), Id::of_key(b"b"));
    store.put(a, record("1"));
    let first = store.seal().expect("staged");
    store.put(b, record("2"));
    store.put(a, record("3"));
    let _second = store.seal().expect("staged");
    assert_eq!(store.get(a), Ok(Some(record("3"))));
    store.committed(first.number);
    store.crash();
    assert_eq!(store.get(a), Ok(Some(record("1"))));
    assert_eq!(store.get(b), Ok(None));
    assert_eq!(store.len(), 1);
}

#[test]
fn a_damaged_record_is_told_once_and_gone_from_the_index() {
    let mut store = MemoryStore::default();
    let key = Id::of_key(b"a");
    store.put(key, record("1"));
    let batch = store.seal().expect("staged");
    store.committed(batch.number);
    assert!(store.damage(key));
    assert_eq!(store.get(key), Err(Damaged(key)));
    assert_eq!(store.get(key), Ok(None));
    let whole = Arc::new(Id::ZERO, Id::ZERO);
    assert_eq!(store.digest(whole).records(), 0);
}
