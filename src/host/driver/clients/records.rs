//! Reads and writes that clients have asked for, and pages of what the host's nodes hold.
//!
//! A page is bounded, so that whoever copies a large store does not keep the nodes from their
//! work: between two pages the driver turns to everything else.

use std::collections::BTreeMap;

use super::FIRST_TOKEN;
use crate::host::counters::Counters;
use crate::host::driver::Host;
use crate::host::handle::{Returns, Wrote};
use crate::host::hooks::Hooks;
use crate::host::hosted::Hosted;
use crate::host::latencies::Latencies;
use crate::host::limits;
use crate::host::sockets::Sockets;
use crate::host::status::{Exported, HeldKey, Page};
use tokio::time::Instant;

use cuerda_core::protocol::{AccessError, Denied, Fetched, Input, Write, Written};
use cuerda_core::record::limits::{NAME_BYTES, VALUE_BYTES};
use cuerda_core::record::{LimitError, Stamp};
use cuerda_core::ring::{Id, KeyRange};
use cuerda_core::store::Store;

/// What a reading is answered with: what was found, and the wall clock then.
pub(in crate::host) type Answered = Result<Fetched, AccessError>;

/// Open reads and writes. Each ends, because the node that is asked always reports an outcome.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// With when they began.
    writes: BTreeMap<u64, (Instant, Returns<Wrote>)>,
    reads: BTreeMap<u64, (Instant, Returns<Answered>)>,
    next: u64,
}

impl Records {
    fn next_token(&mut self) -> u64 {
        self.next += 1;
        FIRST_TOKEN | self.next
    }
}

/// Refuses what is too long for the message that carries it to the owner.
fn check(write: &Write) -> Result<(), LimitError> {
    let value_bytes = write
        .value
        .as_ref()
        .map_or(0, |value| value.as_bytes().len());
    if write.name.len() > NAME_BYTES {
        return Err(LimitError::NameBytes(write.name.len()));
    }
    if value_bytes > VALUE_BYTES {
        return Err(LimitError::ValueBytes(value_bytes));
    }
    Ok(())
}

impl<P: Hosted, S: Sockets, H: Hooks<P>> Host<P, S, H> {
    pub(super) fn write(&mut self, key: Id, write: Write, returns: Returns<Wrote>) {
        Counters::add(&self.counters.writes);
        if let Err(error) = check(&write) {
            Counters::add(&self.counters.writes_denied);
            let _ = returns.send(Err(Denied::Limit(error).into()));
            return;
        }
        let token = self.clients.records.next_token();
        let open = (self.now, returns);
        self.clients.records.writes.insert(token, open);
        self.hand(self.nearest(key), Input::Write { token, key, write });
    }

    pub(super) fn read(&mut self, key: Id, past: Stamp, returns: Returns<Answered>) {
        Counters::add(&self.counters.reads);
        let token = self.clients.records.next_token();
        let open = (self.now, returns);
        self.clients.records.reads.insert(token, open);
        self.hand(self.nearest(key), Input::Read { token, key, past });
    }

    /// A write ended. Those of a harness are not counted here, nor told to anybody.
    pub(in crate::host::driver) fn written(
        &mut self,
        token: u64,
        result: Result<Written, AccessError>,
    ) {
        let Some((began, returns)) = self.clients.records.writes.remove(&token) else {
            return;
        };
        let counters = &self.counters;
        if result.is_ok() {
            Latencies::observe(&counters.latencies.writes, self.now - began);
        }
        match &result {
            Ok(written) if written.is_complete() => {}
            Ok(_) => Counters::add(&counters.writes_partial),
            Err(AccessError::Denied(_)) => Counters::add(&counters.writes_denied),
            Err(_) => Counters::add(&counters.writes_failed),
        }
        // Whoever asked may be gone.
        let _ = returns.send(result);
    }

    /// A reading ended.
    pub(in crate::host::driver) fn has_read(
        &mut self,
        token: u64,
        result: Result<Fetched, AccessError>,
    ) {
        let Some((began, returns)) = self.clients.records.reads.remove(&token) else {
            return;
        };
        if result.is_ok() {
            Latencies::observe(&self.counters.latencies.reads, self.now - began);
        }
        match &result {
            Ok(fetched) if fetched.authoritative => {}
            Ok(_) => Counters::add(&self.counters.reads_uncertain),
            Err(AccessError::Uncertain | AccessError::Denied(Denied::Uncertain)) => {
                Counters::add(&self.counters.reads_uncertain);
            }
            Err(_) => Counters::add(&self.counters.reads_failed),
        }
        let _ = returns.send(result);
    }

    /// The keys that a node holds, after this one; none for an index that the host does not
    /// have.
    pub(super) fn keys(&mut self, node: u8, after: Option<Id>) -> Page<HeldKey> {
        let Some(of) = self.nodes.get(usize::from(node)) else {
            return Page::default();
        };
        let store = self.disk.store(node);
        let (keys, next) = following(store, after, limits::KEYS_PAGE);
        let items = keys.into_iter().map(|key| HeldKey {
            key,
            own: of.owns(key),
        });
        Page {
            items: items.collect(),
            next,
        }
    }

    /// The records that a node holds, after this key, as many as fit into a page.
    pub(super) fn export(&mut self, node: u8, after: Option<Id>) -> Page<Exported> {
        if usize::from(node) >= self.nodes.len() {
            return Page::default();
        }
        let store = self.disk.store(node);
        let (keys, next) = following(store, after, limits::EXPORT_PAGE);
        let items = keys.into_iter().map(|key| Exported {
            key,
            // A damaged key is still listed, so that the backup can say that it lacks it.
            record: store.get(key).ok().flatten(),
        });
        Page {
            items: items.collect(),
            next,
        }
    }
}

/// The keys after this one in their order, at most so many, and where to go on.
fn following(store: &impl Store, after: Option<Id>, most: usize) -> (Vec<Id>, Option<Id>) {
    // After the last point of the circle comes the first one.
    let rest = match after {
        Some(Id::MAX) => return (Vec::new(), None),
        Some(after) => KeyRange::new(after, Id::MAX),
        None => KeyRange::new(Id::MAX, Id::MAX),
    };
    let mut keys = store.entries(rest).map(|entry| entry.key);
    let page: Vec<Id> = keys.by_ref().take(most).collect();
    let next = keys.next().and(page.last().copied());
    (page, next)
}

#[cfg(test)]
mod tests;
