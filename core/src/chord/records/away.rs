//! Who was away may have what all others have deleted, and forgotten that they did.
//!
//! A deletion is remembered for `tombstones_for`, and then until nobody is remembered who may have
//! missed it. A node that was away for longer, because it had stopped, was suspended or was cut off,
//! finds nobody who could tell it of the deletion. So each message about records says when the
//! latest deletion was made that its sender knows to be forgotten. Whoever hears of one that was
//! made when it was away, and that it did not know of, sets aside what it has: others have what is
//! still to be had. A ring that stopped as a whole has forgotten nothing meanwhile, and sets nothing
//! aside.

use super::{Context, Records};
use crate::chord::variant::Variant;
use crate::chord::{Event, Membership, Node};
use crate::protocol::Network;
use crate::record::limits::SKEW_MAX;
use crate::store::Store;

/// Since when a node may have missed deletions, in milliseconds since 1970 by its wall clock; 0 if
/// it has compared with others all that it has since it was away last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Away {
    since: u64,
    /// It went on alone then: that it is there is not noted before it is back.
    alone: bool,
}

/// Repair periods without having noted that it is there after which a node was away.
const PERIODS: u32 = 4;

impl Away {
    pub(super) const fn since(since: u64) -> Away {
        let alone = false;
        Away { since, alone }
    }
}

impl Records {
    /// The node joins a ring that went on without it.
    pub(super) fn joins<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if ctx.config.is_variant(Variant::FreshSetAside) && !ctx.net.store().is_empty() {
            self.sets_aside(ctx);
        }
    }

    /// A member notes now and then that it is there: what it holds, it compares with others.
    pub(super) fn notes_that_it_is_there<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.was_it_away(ctx);
        let counts = ctx.membership == Membership::Member && !self.away.alone;
        if counts && !self.keeps_nothing(ctx) {
            let now = self.now(ctx);
            ctx.note(|notes| notes.alive = now);
        }
    }

    /// Whether it has neither a record nor an arc of which it is known to hold all that there is, be it
    /// nothing: then nobody will ever ask when it was there.
    pub(super) fn keeps_nothing<N: Network<Node>>(&self, ctx: &mut Context<'_, N>) -> bool {
        let store = ctx.net.store();
        store.is_empty() && store.notes().held.is_none()
    }

    /// Looks whether more time has passed than a running member lets pass between two notes.
    pub(super) fn was_it_away<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let alive = ctx.net.store().notes().alive;
        let most = ctx.config.repair_every() * PERIODS;
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let gap = self.now(ctx).saturating_sub(alive);
        if alive != 0 && gap > most && self.away == Away::default() {
            self.away = Away::since(alive);
            // What it knew of others' copies is history.
            self.repair.begin_anew(ctx);
        }
    }

    /// Nobody answers any more, and the node goes on by itself. What it does meanwhile no other ring
    /// knows, nor it what they delete.
    pub(super) fn went_on_alone<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let since = match self.away.since {
            0 => ctx.net.store().notes().alive,
            since => since,
        };
        self.away = Away { since, alone: true };
    }

    /// All that it has is where it belongs, and the same there: which nobody knows who is alone.
    pub(super) fn is_back<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let alone = ctx.neighbours.successors().is_empty();
        if self.repair.is_complete() && ctx.membership == Membership::Member && !alone {
            self.away = Away::default();
        }
    }

    /// This node and its holders have forgotten deletions up to this one.
    pub(super) fn has_forgotten<N: Network<Node>>(
        &mut self,
        milliseconds: u64,
        ctx: &mut Context<'_, N>,
    ) {
        if milliseconds > self.clock.forgotten() {
            self.clock.forget(milliseconds);
            ctx.note(|notes| notes.forgotten = milliseconds);
        }
    }

    /// Another node knows that deletions up to this one are forgotten.
    pub(super) fn hears_forgotten<N: Network<Node>>(
        &mut self,
        milliseconds: u64,
        ctx: &mut Context<'_, N>,
    ) {
        if milliseconds <= self.clock.forgotten() {
            return;
        }
        let lifetime = u64::try_from(ctx.config.tombstones_for.as_millis()).unwrap_or(u64::MAX);
        // No correct node forgets what is younger; one that says so must not spoil what others have.
        let oldest = self.now(ctx).saturating_add(SKEW_MAX);
        if milliseconds > oldest.saturating_sub(lifetime) {
            return;
        }
        self.was_it_away(ctx);
        self.has_forgotten(milliseconds, ctx);
        let Away { since, .. } = self.away;
        if since != 0 && milliseconds > since && !ctx.config.is_variant(Variant::StaleKept) {
            self.sets_aside(ctx);
        }
    }

    fn sets_aside<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.away = Away::default();
        if ctx.net.store().is_empty() {
            return;
        }
        ctx.net.store().set_aside();
        self.holds_nothing(ctx);
        ctx.net.emit(Event::SetAside);
        // What it served is served by others by now, or has to be fetched from them.
        self.serve_nothing(ctx);
        self.assignments.clear();
        self.unsettled = true;
    }
}
