//! Deletions whose time is over, and values that have expired.

use super::{Context, Records};
use crate::chord::message::Message;
use crate::chord::record_message::{RecordNotice, Stamped};
use crate::chord::variant::Variant;
use crate::chord::{Node, limits, merging};
use crate::protocol::Network;
use crate::record::{DigestSource as _, Stamp};
use crate::ring::{Id, KeyRange};
use crate::store::Store as _;

/// How far a clock may be ahead without values ending before their time, in milliseconds: they
/// are swept so much later than they end for readers, who need no sweeping.
const SWEPT_LATER: u64 = 10 * 60 * 1000;
/// Sweeping goes by whole minutes, so that all holders do it alike.
const MINUTE: u64 = 60 * 1000;

impl Records {
    /// Makes tombstones of what has expired, and forgets those that all holders have, after their
    /// lifetime, when no former holder may come back with something older.
    pub(super) fn sweep_own<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let me = ctx.me().id;
        let Some(ownership) = self.ownership else {
            return;
        };
        self.was_it_away(ctx);
        let now = self.now(ctx);
        let swept = now.saturating_sub(SWEPT_LATER) / MINUTE * MINUTE;
        let lifetime = match ctx.config.is_variant(Variant::TombstonesInSeconds) {
            true => u128::from(ctx.config.tombstones_for.as_secs()),
            false => ctx.config.tombstones_for.as_millis(),
        };
        let lifetime = u64::try_from(lifetime).unwrap_or(u64::MAX);
        // A node that was away for longer sets its records aside when it comes back, so only nodes
        // lost within so many periods count.
        let periods =
            ctx.config.tombstones_for.as_nanos() / ctx.config.stabilize_every.as_nanos().max(1);
        let quiet = !ctx.remembered.any_since(periods)
            && self.doubt.is_none()
            && self.repair.is_settled(ctx)
            && self.holders(ctx).len() + 1 >= usize::from(ctx.config.replicas);
        let keys = self.next_to_sweep(ownership.arc(me), ctx);
        let mut forgotten = Vec::new();
        for key in keys {
            let Some(mut record) = merging::stored(ctx.net, key) else {
                // The index had it.
                self.found_damaged(key, ctx);
                continue;
            };
            let safe = quiet && self.repair.is_safe(key)
                || ctx.config.is_variant(Variant::TombstonesUnconfirmed);
            let expired = record.expire(swept);
            let stamps: Vec<_> = record
                .fields()
                .map(|(name, field)| (name.to_owned(), field.stamp()))
                .collect();
            let gone = record.collect(now, lifetime, |_, stamp| {
                safe && !self.presence.keeps(stamp.milliseconds, lifetime, now)
            });
            if expired.is_empty() && gone.is_empty() {
                continue;
            }
            let stamps = stamps.into_iter().filter(|(name, _)| gone.contains(name));
            forgotten.extend(stamps.map(|(name, stamp)| (key, name, stamp)));
            if record.is_empty() {
                ctx.net.store().remove(key);
            } else {
                ctx.net.store().put(key, record);
            }
            if !expired.is_empty() {
                self.repair_soon(Some(key));
            }
        }
        if let Some(last) = forgotten
            .iter()
            .map(|(_, _, stamp)| stamp.milliseconds)
            .max()
        {
            self.has_forgotten(last, ctx);
        }
        for part in forgotten.chunks(limits::FETCHED_KEYS) {
            self.tell_holders_to_forget(part, ctx);
        }
    }

    /// The next keys of an arc to sweep: some in each period, so that all have their turn.
    fn next_to_sweep<N: Network<Node>>(
        &mut self,
        arc: KeyRange,
        ctx: &mut Context<'_, N>,
    ) -> Vec<Id> {
        let from = self
            .next_sweep
            .filter(|from| arc.contains(*from) && *from != arc.end);
        let rest = KeyRange::new(from.unwrap_or(arc.start), arc.end);
        let entries = ctx.net.store().entries(rest).take(limits::SWEPT_KEYS);
        let keys: Vec<Id> = entries.map(|entry| entry.key).collect();
        self.next_sweep = keys
            .last()
            .copied()
            .filter(|_| keys.len() == limits::SWEPT_KEYS);
        keys
    }

    /// Tells the holders to forget these tombstones too. A holder that misses this gives them back
    /// at the next comparison, and they are forgotten again.
    fn tell_holders_to_forget<N: Network<Node>>(
        &self,
        tombstones: &[(Id, String, Stamp)],
        ctx: &mut Context<'_, N>,
    ) {
        for holder in self.holders(ctx) {
            let body = RecordNotice::Forget(tombstones.to_vec());
            let notice = Box::new(Stamped::by(&self.clock, ctx.net.wall_clock(), body));
            ctx.net.send(holder, Message::Records(notice));
        }
    }
}
