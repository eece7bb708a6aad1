//! What an owner does with a write: to all holders, then acknowledge.

use std::task::Poll;

use super::repair::digest_of;
use super::{Asker, Context, Records, RecordsWaiter};
use crate::chord::ask::Settled;
use crate::chord::op::{Replicate, Replicated};
use crate::chord::record_message::RecordReply;
use crate::chord::variant::Variant;
use crate::chord::{Node, merging};
use crate::marks::{Mark, reached};
use crate::protocol::{Condition, Network, Written};
use crate::record::{Entry, Field, Record, Stamp};
use crate::ring::Id;
use crate::store::Store as _;

/// A write on its way to the holders.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OpenWrite {
    pub(super) asker: Asker,
    /// The stamp of the requested write. A newer write may have replaced it and be replicating in
    /// its place.
    stamp: Stamp,
    conditional: bool,
    /// What was there.
    before: Option<Field>,
    /// What it made of the record.
    left: Option<Entry>,
    replicate: Replicate,
}

impl OpenWrite {
    pub(super) const fn key(&self) -> Id {
        self.replicate.key
    }
}

impl Records {
    /// Whether this very write is already replicating. If so, its outcome goes to the latest asker.
    pub(super) fn is_open(&mut self, asker: Asker, key: Id, name: &str, stamp: Stamp) -> bool {
        let same = |write: &&mut OpenWrite| write.stamp == stamp && write.replicate.is(key, name);
        let open = self.writes.values_mut().find(same);
        open.map(|write| write.asker = asker).is_some()
    }

    /// Stores a write, where `before` was, and brings it to the other holders.
    pub(super) fn replicate<N: Network<Node>>(
        &mut self,
        asker: Asker,
        stamp: Stamp,
        (key, name, field): (Id, String, Field),
        before: Option<Field>,
        condition: Condition,
        ctx: &mut Context<'_, N>,
    ) {
        let me = ctx.me().id;
        let written = Record::of(&name, field.clone());
        let merged = merging::merge(ctx.net, key, written, ctx.config.variation());
        debug_assert!(merged.beaten.is_empty(), "judged before");
        let left = digest_of(ctx.net.store(), key);
        if field.is_tombstone() && ctx.config.is_variant(Variant::DeletionForgotten) {
            ctx.net.store().remove(key);
        }
        let fewer = ctx.config.is_variant(Variant::AckedOneShort);
        let copies = (usize::from(ctx.config.replicas) - 1).saturating_sub(fewer.into());
        let others = self.others_that_stay(ctx);
        let Some(epoch) = self.serves_write(key, ctx) else {
            return;
        };
        let hand_over = self.hand_over.as_ref();
        let next_owner =
            hand_over.filter(|hand_over| hand_over.is_bringing() && hand_over.arc.contains(key));
        let next_owner = next_owner
            .filter(|_| !ctx.config.is_variant(Variant::NextOwnerUnwritten))
            .map(|hand_over| hand_over.to);
        let write = (key, name, field);
        let attempts = ctx.config.attempts;
        let replicate = Replicate::new(me, write, epoch, (others, copies), next_owner, attempts);
        self.repair.dirty.insert(key);
        let at = self.writes.put(OpenWrite {
            asker,
            stamp,
            conditional: condition != Condition::None,
            before,
            left,
            replicate,
        });
        self.arm_repair(ctx);
        self.poll_write(at, None, ctx);
    }

    pub(super) fn poll_write<N: Network<Node>>(
        &mut self,
        at: u16,
        settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        let mut ask = ctx.ask(RecordsWaiter::Write(at), &mut self.clock, settled);
        let open = self.writes.get_mut(at);
        let polled = open.map(|write| write.replicate.poll(&mut ask));
        let Some(Poll::Ready(replicated)) = polled else {
            return;
        };
        let Some(write) = self.writes.take(at) else {
            return;
        };
        match replicated {
            Replicated::Held {
                holders,
                next_owner_lacks,
                leavers,
            } => {
                for leaver in leavers {
                    self.is_leaving(leaver, ctx);
                }
                if next_owner_lacks {
                    reached(Mark::NextOwnerLacks);
                    // The next owner now lacks this write, so the hand-over starts again.
                    self.stop_bringing(ctx);
                    self.try_again(ctx);
                }
                self.held(&write, holders, ctx);
            }
            Replicated::Ahead(ahead) => {
                take_back(&write, ctx);
                self.respond(write.asker, RecordReply::Denied(ahead.into()), ctx);
            }
            Replicated::Beaten(stamp) => {
                reached(Mark::WriteBeaten);
                // A holder has something that this node lacks.
                self.repair_soon(Some(write.replicate.key));
                self.respond(write.asker, RecordReply::Beaten(stamp), ctx);
            }
            Replicated::Superseded(epoch) => {
                reached(Mark::WriteSuperseded);
                self.heard_epoch(epoch);
                self.serve_nothing(ctx);
                self.unsettled = true;
                self.fail_write(write.asker, ctx);
            }
        }
    }

    fn held<N: Network<Node>>(
        &mut self,
        write: &OpenWrite,
        holders: Vec<Id>,
        ctx: &mut Context<'_, N>,
    ) {
        let key = write.replicate.key;
        let right: Vec<Id> = self.holders(ctx).iter().map(|holder| holder.id).collect();
        let open = |other: &OpenWrite| other.replicate.key == key;
        let forgets = ctx.config.is_variant(Variant::DirtyForgotten);
        // What was merged into it meanwhile, the holders need not have.
        let changed = digest_of(ctx.net.store(), key) != write.left;
        if forgets || !changed && right.iter().all(|holder| holders.contains(holder)) {
            if !self.writes.iter().any(|(_, write)| open(write)) {
                self.repair.dirty.remove(&key);
            }
        } else {
            self.repair_soon(Some(key));
        }
        let written = Written {
            stamp: write.stamp,
            wanted: match ctx.config.is_variant(Variant::AckedOneShort) {
                true => ctx.config.acks().saturating_sub(1).max(1),
                false => ctx.config.acks(),
            },
            majority: !write.conditional
                || self.repair.is_majority(&holders)
                || ctx.config.is_variant(Variant::MajorityNotAsked),
            holders,
        };
        self.respond(write.asker, RecordReply::Written(written), ctx);
    }

    /// Gives these open writes up: they are tried again elsewhere, or by another owner.
    pub(super) fn fail_writes<N: Network<Node>>(
        &mut self,
        such: impl Fn(&OpenWrite) -> bool,
        ctx: &mut Context<'_, N>,
    ) {
        let failed = self.writes.iter().filter(|(_, write)| such(write));
        let failed: Vec<u16> = failed.map(|(at, _)| at).collect();
        // The places are in order.
        let is_one = |at: u16| failed.binary_search(&at).is_ok();
        ctx.forget(|waiter| matches!(waiter, RecordsWaiter::Write(at) if is_one(at)));
        let writes: Vec<_> = failed
            .iter()
            .filter_map(|at| self.writes.take(*at))
            .collect();
        for write in writes {
            self.fail_write(write.asker, ctx);
        }
    }
}

/// Puts back what was there before a write that nobody else takes in: this node's clock is far ahead,
/// and what it kept of that would win over all that others write until then.
fn take_back<N: Network<Node>>(write: &OpenWrite, ctx: &mut Context<'_, N>) {
    let key = write.replicate.key;
    let Some(record) = merging::stored(ctx.net, key) else {
        return;
    };
    let is_it = |name: &str, field: &Field| {
        write.replicate.is(key, name) && field.stamp() == write.replicate.stamp()
    };
    let mut rest: Record = record
        .fields()
        .filter(|(name, field)| !is_it(name, field))
        .map(|(name, field)| (name.to_owned(), field.clone()))
        .collect();
    if rest.len() == record.len() {
        // Something newer has come in meanwhile.
        return;
    }
    if let Some(before) = write.before.clone() {
        // Nothing is under that name.
        let _ = rest.put(write.replicate.name(), before);
    }
    match rest.is_empty() {
        true => ctx.net.store().remove(key),
        false => ctx.net.store().put(key, rest),
    }
}
