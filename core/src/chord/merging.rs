//! The one act on records: merging what came in into what is there.

use crate::chord::Event;
use crate::chord::Node;
use crate::protocol::Network;
use crate::record::{Merged, Record};
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
pub(super) fn merge(net: &mut impl Network<Node>, key: Id, record: Record) -> Merged {
    let mut mine = stored(net, key).unwrap_or_default();
    let merged = mine.merge(record);
    if !merged.changed.is_empty() {
        net.store().put(key, mine);
    }
    for conflict in &merged.conflicts {
        net.emit(Event::Conflict(key, conflict.clone()));
    }
    merged
}
