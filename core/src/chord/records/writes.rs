//! What an owner does with a write: to all holders, then acknowledge.

use std::task::Poll;

use super::{Asker, asking};
use crate::chord::ask::Settled;
use crate::chord::op::{Replicate, Replicated};
use crate::chord::record_message::RecordReply;
use crate::chord::{Node, merging};
use crate::protocol::Network;
use crate::protocol::{Condition, Written};
use crate::record::{Field, Record, Stamp};
use crate::ring::{Arc, Id, Peer};

/// A write on its way to the holders.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OpenWrite {
    pub(super) asker: Asker,
    /// Of the write that was asked for; what replaced it since may be on its way in its place.
    stamp: Stamp,
    conditional: bool,
    replicate: Replicate,
}

impl OpenWrite {
    pub(super) fn awaits(&self, number: u32) -> Option<Peer> {
        self.replicate.awaits(number)
    }

    pub(super) const fn key(&self) -> Id {
        self.replicate.key
    }
}

impl Node {
    /// Whether this very write is on its way already; who asked last is then told.
    pub(super) fn is_open(&mut self, asker: Asker, key: Id, name: &str, stamp: Stamp) -> bool {
        let same = |write: &&mut OpenWrite| write.stamp == stamp && write.replicate.is(key, name);
        let keeping = self.records.as_mut();
        let open = keeping.and_then(|keeping| keeping.writes.iter_mut().find(same));
        open.map(|write| write.asker = asker).is_some()
    }

    pub(super) fn open_writes(&self) -> usize {
        let keeping = self.records.as_ref();
        keeping.map_or(0, |keeping| keeping.writes.len())
    }

    /// Stores a write and brings it to the other holders.
    pub(super) fn replicate(
        &mut self,
        asker: Asker,
        stamp: Stamp,
        (key, name, field): (Id, String, Field),
        condition: Condition,
        net: &mut impl Network<Node>,
    ) {
        let me = self.me().id;
        let merged = merging::merge(net, key, Record::of(&name, field.clone()));
        debug_assert!(merged.beaten.is_empty(), "judged before");
        let copies = usize::from(self.config.replicas) - 1;
        let others = self.other_processes();
        let Some(keeping) = &mut self.records else {
            return;
        };
        let Some(number) = keeping.serves(me, key) else {
            return;
        };
        let hand_over = keeping.hand_over.as_ref();
        let next_owner =
            hand_over.filter(|hand_over| hand_over.is_bringing() && hand_over.arc.contains(key));
        let next_owner = next_owner.map(|hand_over| hand_over.to);
        let write = (key, name, field);
        let attempts = self.config.attempts;
        let replicate = Replicate::new(me, write, number, (others, copies), next_owner, attempts);
        keeping.repair.dirty.insert(key);
        keeping.writes.push(OpenWrite {
            asker,
            stamp,
            conditional: condition != Condition::None,
            replicate,
        });
        let at = keeping.writes.len() - 1;
        self.arm_repair(net);
        self.poll_write(at, None, net);
    }

    pub(super) fn poll_write(
        &mut self,
        at: usize,
        settled: Option<(u32, Settled)>,
        net: &mut impl Network<Node>,
    ) {
        let Some(keeping) = &mut self.records else {
            return;
        };
        let mut ask = asking!(self, keeping, net, settled);
        let Poll::Ready(replicated) = keeping.writes[at].replicate.poll(&mut ask) else {
            return;
        };
        let write = keeping.writes.swap_remove(at);
        match replicated {
            Replicated::Held {
                holders,
                next_owner_lacks,
            } => {
                if next_owner_lacks {
                    // What is brought to it is not all any more: begin anew.
                    keeping
                        .hand_over
                        .take_if(|hand_over| hand_over.is_bringing());
                    self.try_again(net);
                }
                self.held(&write, holders, net);
            }
            Replicated::Beaten(stamp) => {
                // A holder has something that this node lacks.
                self.repair_soon(Some(write.replicate.key));
                self.respond(write.asker, RecordReply::Beaten(stamp), net);
            }
            Replicated::Superseded(number) => {
                keeping.heard_number(number);
                self.serve_nothing(net);
                self.unsettled = true;
                self.fail_write(write.asker, net);
            }
        }
    }

    fn held(&mut self, write: &OpenWrite, holders: Vec<Id>, net: &mut impl Network<Node>) {
        let key = write.replicate.key;
        let right: Vec<Id> = self.holders().iter().map(|holder| holder.id).collect();
        let Some(keeping) = &mut self.records else {
            return;
        };
        let open = |other: &OpenWrite| other.replicate.key == key;
        if right.iter().all(|holder| holders.contains(holder)) {
            if !keeping.writes.iter().any(open) {
                keeping.repair.dirty.remove(&key);
            }
        } else {
            self.repair_soon(Some(key));
        }
        let Some(keeping) = &self.records else {
            return;
        };
        let written = Written {
            stamp: write.stamp,
            wanted: self.config.acks(),
            majority: !write.conditional || keeping.repair.is_majority(&holders),
            holders,
        };
        self.respond(write.asker, RecordReply::Written(written), net);
    }

    /// This node has let go of an arc: writes that are open there are tried again at the next.
    pub(super) fn fail_writes_on(&mut self, arc: Arc, net: &mut impl Network<Node>) {
        let Some(keeping) = &mut self.records else {
            return;
        };
        let (failed, open): (Vec<OpenWrite>, _) = std::mem::take(&mut keeping.writes)
            .into_iter()
            .partition(|write| arc.contains(write.replicate.key));
        keeping.writes = open;
        for write in failed {
            self.fail_write(write.asker, net);
        }
    }
}
