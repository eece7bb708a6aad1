//! The one act on records: merging what came in into what is there.

use super::variant::{Variant, Variation};
use crate::chord::Event;
use crate::chord::Node;
use crate::protocol::Network;
use crate::record::{Field, Merged, Record};
use crate::ring::Id;
use crate::store::Store;

/// What a node has under a key; nothing if that is damaged, which is told.
pub(super) fn stored(net: &mut impl Network<Node>, key: Id) -> Option<Record> {
    match net.store().get(key) {
        Ok(record) => record,
        Err(_) => {
            net.emit(Event::Damaged(key));
            None
        }
    }
}

/// Merges a record into the one that is stored, and stages what comes of it.
pub(super) fn merge(
    net: &mut impl Network<Node>,
    key: Id,
    mut record: Record,
    variation: Variation,
) -> Merged {
    let mut mine = stored(net, key).unwrap_or_default();
    if variation.is(Variant::MergedByMilliseconds) {
        record = without(record, |name, theirs| {
            let mine = mine.field(name).map(Field::stamp);
            mine.is_some_and(|mine| mine.milliseconds == theirs.stamp().milliseconds)
        });
    }
    if variation.is(Variant::TombstoneLoses) {
        record = without(record, |name, theirs| {
            let mine = mine.field(name);
            theirs.is_tombstone() && mine.is_some_and(|mine| !mine.is_tombstone())
        });
    }
    let merged = mine.merge(record);
    if !merged.changed.is_empty() {
        net.store().put(key, mine);
    }
    for conflict in &merged.conflicts {
        net.emit(Event::Conflict(key, conflict.clone()));
    }
    merged
}

/// The record without such fields.
fn without(record: Record, such: impl Fn(&str, &Field) -> bool) -> Record {
    let fields = record.fields().filter(|(name, field)| !such(name, field));
    fields
        .map(|(name, field)| (name.to_owned(), field.clone()))
        .collect()
}
