//! Copies that should be elsewhere.

use std::task::Poll;

use super::repair::{Assignment, digest_of};
use super::{Context, Effect, Records, RecordsWaiter};
use crate::chord::ask::Settled;
use crate::chord::op::{Misplaced, Outcome};
use crate::chord::variant::Variant;
use crate::chord::{Membership, Node, limits};
use crate::marks::{Mark, reached};
use crate::protocol::Network;
use crate::record::{DigestSource as _, Entry};
use crate::ring::{Id, KeyRange};
use crate::store::Store;

impl Records {
    /// Whether this node neither serves the key nor holds it for an owner that it knows of.
    fn is_misplaced(&self, me: Id, key: Id) -> bool {
        let held = |assignment: &Assignment| assignment.arc.contains(key);
        self.serves(me, key).is_none() && !self.assignments.iter().any(held)
    }

    /// Looks for a record that should be elsewhere.
    pub(super) fn look_for_misplaced<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let me = ctx.me().id;
        let leaving = self.membership(ctx) == Membership::Leaving;
        let keeps = !leaving && ctx.config.is_variant(Variant::MisplacedKept);
        if self.misplaced.is_some() || keeps {
            return;
        }
        let from = self.next_misplaced;
        let misplaced = |entry: &Entry| match leaving {
            true => !self.departure.is_safe(*entry),
            false => self.is_misplaced(me, entry.key),
        };
        let found = ctx
            .net
            .store()
            .entries(KeyRange::new(from, from))
            .find(misplaced);
        let Some(Entry { key, .. }) = found else {
            return self.none_misplaced(ctx);
        };
        self.misplaced = Some(Box::new(Misplaced::new(key, leaving)));
        ctx.effects.push(Effect::SeekMisplaced(key));
    }

    /// The owner of a misplaced record was found, or nobody.
    pub(super) fn misplaced_sought<N: Network<Node>>(
        &mut self,
        first: Id,
        outcome: &Outcome,
        ctx: &mut Context<'_, N>,
    ) {
        let me = ctx.me().id;
        let leaving = self.membership(ctx) == Membership::Leaving;
        let Some(mut misplaced) = self.misplaced.take_if(|misplaced| misplaced.first == first)
        else {
            return;
        };
        let owner = match outcome.result {
            Ok(found) if found.owner.id != me => found.owner,
            // No other owner is known yet; try again later.
            _ => {
                reached(Mark::MisplacedUnowned);
                self.next_misplaced = first;
                return self.misplaced_later(ctx);
            }
        };
        let free = |entry: &Entry| leaving || self.is_misplaced(me, entry.key);
        let arc = KeyRange::new(first.previous(), owner.id);
        let entries = ctx.net.store().entries(arc).filter(free);
        let entries: Vec<Entry> = entries.take(limits::FETCHED_KEYS).collect();
        self.next_misplaced = entries.last().map_or(first, |entry| entry.key);
        misplaced.found(owner, entries);
        self.misplaced = Some(misplaced);
        self.poll_misplaced(None, ctx);
    }

    pub(super) fn poll_misplaced<N: Network<Node>>(
        &mut self,
        settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        let Some(misplaced) = &mut self.misplaced else {
            return;
        };
        let mut ask = ctx.ask(RecordsWaiter::Misplaced, &mut self.clock, settled);
        let Poll::Ready((safe, brought)) = misplaced.poll(&mut ask) else {
            return;
        };
        self.misplaced = None;
        let me = ctx.me().id;
        let gave = brought || !safe.is_empty();
        let leaving = self.membership(ctx) == Membership::Leaving;
        for entry in safe {
            // The record changed after the question was sent: ask about it again later.
            if digest_of(ctx.net.store(), entry.key) != Some(entry) {
                reached(Mark::MisplacedChanged);
                continue;
            }
            if leaving {
                // A node that leaves takes nothing off its disk.
                self.departure.is_safe_now(entry);
            } else if self.is_misplaced(me, entry.key) {
                // Checked again, since this node may have become a holder since it asked.
                ctx.net.store().remove(entry.key);
            }
        }
        if gave {
            self.look_for_misplaced(ctx);
        } else {
            self.misplaced_later(ctx);
        }
    }
}
