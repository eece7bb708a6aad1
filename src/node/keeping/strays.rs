//! Copies that should be elsewhere, and deletions whose time is over.

use std::task::Poll;

use super::asking;
use super::repair::{Charge, digest_of};
use crate::node::ask::Settled;
use crate::node::message::{Message, Request, RequestId};
use crate::node::network::Network;
use crate::node::op::{Outcome, Stray};
use crate::node::record_message::{RecordRequest, Stamped};
use crate::node::{Node, Standing, limits, merging};
use crate::record::{Entry, Holdings};
use crate::ring::{Arc, Id, Peer};
use crate::store::Store;

/// How far a clock may be ahead without values ending before their time, in milliseconds: they
/// are swept so much later than they end for readers, who need no sweeping.
const SWEPT_LATER: u64 = 10 * 60 * 1000;
/// Sweeping goes by whole minutes, so that all holders do it alike.
const MINUTE: u64 = 60 * 1000;

impl Node {
    /// Looks for a record that this node neither serves nor holds for an owner that it knows of.
    pub(super) fn look_for_strays(&mut self, net: &mut impl Network) {
        let me = self.me().id;
        let leaving = self.standing() == Standing::Leaving;
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        if keeping.stray.is_some() {
            return;
        }
        let from = keeping.next_stray;
        let own = keeping.tenure.map(|tenure| tenure.arc(me));
        let charges = &keeping.charges;
        let stray = |entry: &Entry| {
            let held = |charge: &Charge| charge.arc.contains(entry.key);
            let served = own.is_some_and(|own| own.contains(entry.key));
            leaving && !keeping.farewell.is_safe(*entry)
                || !leaving && !served && !charges.iter().any(held)
        };
        let found = net.store().entries(Arc::new(from, from)).find(stray);
        let Some(Entry { key, .. }) = found else {
            return self.no_strays(net);
        };
        keeping.stray = Some(Stray::new(key, leaving));
        self.seek_stray(key, net);
    }

    /// The owner of a stray was found, or nobody.
    pub(in crate::node) fn stray_sought(&mut self, outcome: &Outcome, net: &mut impl Network) {
        let me = self.me().id;
        let attempts = limits::FETCHED_KEYS;
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let Some(stray) = &mut keeping.stray else {
            return;
        };
        let owner = match outcome.result {
            Ok(found) if found.owner.id != me => found.owner,
            // It will be known better later.
            _ => {
                keeping.next_stray = stray.first;
                keeping.stray = None;
                return self.strays_later(net);
            }
        };
        let own = keeping.tenure.map(|tenure| tenure.arc(me));
        let charges = &keeping.charges;
        let free = |entry: &Entry| {
            let held = |charge: &Charge| charge.arc.contains(entry.key);
            !own.is_some_and(|own| own.contains(entry.key)) && !charges.iter().any(held)
        };
        let arc = Arc::new(stray.first.previous(), owner.id);
        let entries = net.store().entries(arc).filter(free).take(attempts);
        let entries: Vec<Entry> = entries.collect();
        keeping.next_stray = entries.last().map_or(stray.first, |entry| entry.key);
        stray.found(owner, entries);
        self.poll_stray(None, net);
    }

    pub(super) fn poll_stray(&mut self, settled: Option<(u32, Settled)>, net: &mut impl Network) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let Some(stray) = &mut keeping.stray else {
            return;
        };
        let mut ask = asking!(self, keeping, net, settled);
        let Poll::Ready(safe) = stray.poll(&mut ask) else {
            return;
        };
        keeping.stray = None;
        let gave = !safe.is_empty();
        let leaving = self.standing() == Standing::Leaving;
        for entry in safe {
            // What changed meanwhile is asked about again.
            if digest_of(net.store(), entry.key) != Some(entry) {
                continue;
            }
            if leaving {
                // A node that leaves takes nothing off its disk.
                if let Some(keeping) = &mut self.keeping {
                    keeping.farewell.is_safe_now(entry);
                }
            } else {
                net.store().remove(entry.key);
            }
        }
        if gave {
            self.look_for_strays(net);
        } else {
            self.strays_later(net);
        }
    }

    // ---- deletions whose time is over ----

    /// Makes tombstones of what has expired, and forgets those that all holders have, after their
    /// lifetime, when no former holder may come back with something older.
    pub(super) fn sweep_own(&mut self, net: &mut impl Network) {
        let me = self.me().id;
        let Some(arc) = self.keeping.as_ref().and_then(|keeping| keeping.tenure) else {
            return;
        };
        let now = net.wall_clock();
        let swept = now.saturating_sub(SWEPT_LATER) / MINUTE * MINUTE;
        let lifetime = u64::try_from(self.config.tombstones_for.as_millis()).unwrap_or(u64::MAX);
        let quiet = self.remembered.peers().len() == 0;
        let keys: Vec<Id> = net
            .store()
            .entries(arc.arc(me))
            .map(|entry| entry.key)
            .collect();
        let mut forgotten = Vec::new();
        for key in keys {
            let Some(mut record) = merging::stored(net, key) else {
                continue;
            };
            let safe = quiet && self.keeping.as_ref().is_some_and(|k| k.repair.is_safe(key));
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

    /// Who does not hear it gives the tombstones back when it is next compared with, and they are
    /// forgotten again.
    fn tell_holders_to_forget(
        &mut self,
        tombstones: Vec<(Id, String, crate::record::Stamp)>,
        net: &mut impl Network,
    ) {
        let holders: Vec<Peer> = self.holders();
        let Some(keeping) = &self.keeping else {
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
