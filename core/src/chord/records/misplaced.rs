//! Copies that should be elsewhere, and deletions whose time is over.

use std::task::Poll;

use super::repair::{Assignment, digest_of};
use super::{Records, asking};
use crate::chord::ask::Settled;
use crate::chord::message::{Message, Request};
use crate::chord::op::{Misplaced, Outcome};
use crate::chord::record_message::{RecordRequest, Stamped};
use crate::chord::{Membership, Node, limits, merging};
use crate::protocol::Network;
use crate::protocol::RequestId;
use crate::record::{Entry, Holdings};
use crate::ring::{Arc, Id, Peer};
use crate::store::Store;

/// How far a clock may be ahead without values ending before their time, in milliseconds: they
/// are swept so much later than they end for readers, who need no sweeping.
const SWEPT_LATER: u64 = 10 * 60 * 1000;
/// Sweeping goes by whole minutes, so that all holders do it alike.
const MINUTE: u64 = 60 * 1000;

impl Records {
    /// Whether this node neither serves the key nor holds it for an owner that it knows of.
    fn is_misplaced(&self, me: Id, key: Id) -> bool {
        let held = |assignment: &Assignment| assignment.arc.contains(key);
        self.serves(me, key).is_none() && !self.assignments.iter().any(held)
    }
}

impl Node {
    /// Looks for a record that should be elsewhere.
    pub(super) fn look_for_misplaced(&mut self, net: &mut impl Network<Node>) {
        let me = self.me().id;
        let leaving = self.standing() == Membership::Leaving;
        let Some(keeping) = &mut self.records else {
            return;
        };
        if keeping.misplaced.is_some() {
            return;
        }
        let from = keeping.next_misplaced;
        let misplaced = |entry: &Entry| match leaving {
            true => !keeping.departure.is_safe(*entry),
            false => keeping.is_misplaced(me, entry.key),
        };
        let found = net.store().entries(Arc::new(from, from)).find(misplaced);
        let Some(Entry { key, .. }) = found else {
            return self.none_misplaced(net);
        };
        keeping.misplaced = Some(Box::new(Misplaced::new(key, leaving)));
        self.seek_misplaced(key, net);
    }

    /// The owner of a misplaced record was found, or nobody.
    pub(in crate::chord) fn misplaced_sought(
        &mut self,
        first: Id,
        outcome: &Outcome,
        net: &mut impl Network<Node>,
    ) {
        let me = self.me().id;
        let leaving = self.standing() == Membership::Leaving;
        let Some(keeping) = &mut self.records else {
            return;
        };
        let Some(mut misplaced) = keeping
            .misplaced
            .take_if(|misplaced| misplaced.first == first)
        else {
            return;
        };
        let owner = match outcome.result {
            Ok(found) if found.owner.id != me => found.owner,
            // It will be known better later.
            _ => {
                keeping.next_misplaced = first;
                return self.misplaced_later(net);
            }
        };
        let free = |entry: &Entry| leaving || keeping.is_misplaced(me, entry.key);
        let arc = Arc::new(first.previous(), owner.id);
        let entries = net.store().entries(arc).filter(free);
        let entries: Vec<Entry> = entries.take(limits::FETCHED_KEYS).collect();
        keeping.next_misplaced = entries.last().map_or(first, |entry| entry.key);
        misplaced.found(owner, entries);
        keeping.misplaced = Some(misplaced);
        self.poll_misplaced(None, net);
    }

    pub(super) fn poll_misplaced(
        &mut self,
        settled: Option<(u32, Settled)>,
        net: &mut impl Network<Node>,
    ) {
        let Some(keeping) = &mut self.records else {
            return;
        };
        let Some(misplaced) = &mut keeping.misplaced else {
            return;
        };
        let mut ask = asking!(self, keeping, net, settled);
        let Poll::Ready((safe, brought)) = misplaced.poll(&mut ask) else {
            return;
        };
        keeping.misplaced = None;
        let gave = brought || !safe.is_empty();
        let leaving = self.standing() == Membership::Leaving;
        for entry in safe {
            // What changed meanwhile is asked about again.
            if digest_of(net.store(), entry.key) != Some(entry) {
                continue;
            }
            if leaving {
                // A node that leaves takes nothing off its disk.
                if let Some(keeping) = &mut self.records {
                    keeping.departure.is_safe_now(entry);
                }
            } else if self.is_misplaced(entry.key) {
                // It may have become a holder since it asked.
                net.store().remove(entry.key);
            }
        }
        if gave {
            self.look_for_misplaced(net);
        } else {
            self.misplaced_later(net);
        }
    }

    fn is_misplaced(&self, key: Id) -> bool {
        let keeping = self.records.as_ref();
        keeping.is_some_and(|keeping| keeping.is_misplaced(self.me().id, key))
    }

    // ---- deletions whose time is over ----

    /// Makes tombstones of what has expired, and forgets those that all holders have, after their
    /// lifetime, when no former holder may come back with something older.
    pub(super) fn sweep_own(&mut self, net: &mut impl Network<Node>) {
        let me = self.me().id;
        let Some(arc) = self.records.as_ref().and_then(|keeping| keeping.ownership) else {
            return;
        };
        let now = net.wall_clock();
        let swept = now.saturating_sub(SWEPT_LATER) / MINUTE * MINUTE;
        let lifetime = u64::try_from(self.config.tombstones_for.as_millis()).unwrap_or(u64::MAX);
        // One that was away for longer has its records set aside when it comes back.
        let periods =
            self.config.tombstones_for.as_nanos() / self.config.stabilize_every.as_nanos().max(1);
        let quiet = !self.remembered.any_since(periods)
            && self.holders().len() + 1 >= usize::from(self.config.replicas);
        let keys = self.next_to_sweep(arc.arc(me), net);
        let mut forgotten = Vec::new();
        for key in keys {
            let Some(mut record) = merging::stored(net, key) else {
                continue;
            };
            let safe = quiet && self.records.as_ref().is_some_and(|k| k.repair.is_safe(key));
            let expired = record.expire(swept);
            let stamps: Vec<_> = record
                .fields()
                .map(|(name, field)| (name.to_owned(), field.stamp()))
                .collect();
            let gone = record.collect(now, lifetime, |_, _| safe);
            if expired.is_empty() && gone.is_empty() {
                continue;
            }
            let stamps = stamps.into_iter().filter(|(name, _)| gone.contains(name));
            forgotten.extend(stamps.map(|(name, stamp)| (key, name, stamp)));
            if record.is_empty() {
                net.store().remove(key);
            } else {
                net.store().put(key, record);
            }
            if !expired.is_empty() {
                self.repair_soon(Some(key));
            }
        }
        for part in forgotten.chunks(limits::FETCHED_KEYS) {
            self.tell_holders_to_forget(part.to_vec(), net);
        }
    }

    /// Some of the keys on an arc, so that all have their turn in some periods.
    fn next_to_sweep(&mut self, arc: Arc, net: &mut impl Network<Node>) -> Vec<Id> {
        let Some(keeping) = &mut self.records else {
            return Vec::new();
        };
        let from = keeping
            .next_sweep
            .filter(|from| arc.contains(*from) && *from != arc.end);
        let rest = Arc::new(from.unwrap_or(arc.start), arc.end);
        let entries = net.store().entries(rest).take(limits::SWEPT_KEYS);
        let keys: Vec<Id> = entries.map(|entry| entry.key).collect();
        keeping.next_sweep = keys
            .last()
            .copied()
            .filter(|_| keys.len() == limits::SWEPT_KEYS);
        keys
    }

    /// Who does not hear it gives the tombstones back when it is next compared with, and they are
    /// forgotten again.
    fn tell_holders_to_forget(
        &mut self,
        tombstones: Vec<(Id, String, crate::record::Stamp)>,
        net: &mut impl Network<Node>,
    ) {
        let holders: Vec<Peer> = self.holders();
        let Some(keeping) = &self.records else {
            return;
        };
        let clock = keeping.clock.latest();
        for holder in holders {
            let body = RecordRequest::Forget(tombstones.clone());
            let request = Request::Records(Box::new(Stamped { clock, body }));
            // Not waited for: no request has this number.
            let id = RequestId {
                incarnation: self.incarnation,
                number: 0,
            };
            net.send(holder, Message::Request { id, request });
        }
    }
}
