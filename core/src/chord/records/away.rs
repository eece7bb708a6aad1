//! Who was away may have what all others have deleted, and forgotten that they did.
//!
//! A deletion is remembered for `tombstones_for`, and then until nobody is remembered who may have
//! missed it. A node that was away for longer, because it had stopped, was suspended or was cut off,
//! finds nobody who could tell it of the deletion. So each message about records says when the
//! latest deletion was made that its sender knows to be forgotten. Whoever hears of one that was
//! made when it was away, and that it did not know of, sets aside what it has: others have what is
//! still to be had. A ring that stopped as a whole has forgotten nothing meanwhile, and sets nothing
//! aside.
//!
//! A clock that is set looks like an absence, and those of all machines may be set together. So a
//! node that was there by its own clock was not away, whatever others show; and who sees time leap
//! remembers what was deleted around then for as long again, since others may take it for what they
//! have missed.

use super::{Context, Records};
use crate::chord::variant::Variant;
use crate::chord::{Event, Membership, Node};
use crate::protocol::Network;
use crate::record::limits::SKEW_MAX;
use crate::store::Store;

/// When a node was there, as far as it can tell. Most nodes of a large world store nothing, and know
/// nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Presence(Option<Box<Known>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Known {
    away: Away,
    /// What its own clock showed when it last noted that it is there; `None` in a new life.
    shown: Option<u64>,
    /// From when to when time leapt: an absence, or a clock that was set.
    leap: Option<(u64, u64)>,
}

/// Since when a node may have missed deletions, in milliseconds since 1970 by its wall clock; 0 if
/// it has compared with others all that it has since it was away last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Away {
    since: u64,
    /// It went on alone then: that it is there is not noted before it is back.
    alone: bool,
}

impl Presence {
    /// That of a node which noted last at this time that it is there; 0 if it never did.
    pub(super) fn since(since: u64) -> Presence {
        let mut presence = Presence::default();
        let alone = false;
        presence.set_away(Away { since, alone });
        presence
    }

    fn away(&self) -> Away {
        self.0
            .as_deref()
            .map_or(Away::default(), |known| known.away)
    }

    fn set_away(&mut self, away: Away) {
        if self.away() != away {
            self.0.get_or_insert_default().away = away;
        }
    }

    /// How much more its own clock shows than when it last noted that it is there.
    fn passed(&self, wall_clock: u64) -> Option<u64> {
        let shown = self.0.as_deref()?.shown?;
        Some(wall_clock.saturating_sub(shown))
    }

    /// It has noted at this time that it is there, and others may have `apart` before; now it is later
    /// than that.
    fn leaps(&mut self, noted: u64, apart: u64, now: u64) {
        let known = self.0.get_or_insert_default();
        let from = noted.saturating_sub(apart);
        // What was deleted around an earlier leap, others have compared since.
        let earlier = known.leap.filter(|(_, to)| *to >= from);
        let from = earlier.map_or(from, |(earlier, _)| from.min(earlier));
        known.leap = Some((from, now));
    }

    /// It is this time: a leap beyond it was of a wrong clock that has been set right.
    fn leapt_no_farther(&mut self, now: u64) {
        if let Some((_, to)) = self.0.as_deref_mut().and_then(|known| known.leap.as_mut()) {
            *to = (*to).min(now);
        }
    }

    /// Whether what was deleted then is remembered though its time is over: somebody who has seen
    /// the same leap may not have compared what it has yet, and would set all of it aside.
    pub(super) fn keeps(&self, deleted: u64, lifetime: u64, now: u64) -> bool {
        let leap = self.0.as_deref().and_then(|known| known.leap);
        leap.is_some_and(|(from, to)| {
            (from..=to).contains(&deleted) && now < to.saturating_add(lifetime)
        })
    }
}

/// Repair periods without having noted that it is there after which a node was away.
const PERIODS: u32 = 4;

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
        let counts = ctx.membership == Membership::Member && !self.presence.away().alone;
        if counts && !self.keeps_nothing(ctx) {
            let now = self.now(ctx);
            self.presence.0.get_or_insert_default().shown = Some(ctx.net.wall_clock());
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
        if alive == 0 {
            return;
        }
        let most = ctx.config.repair_every() * PERIODS;
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let now = self.now(ctx);
        self.presence.leapt_no_farther(now);
        let is_late = now.saturating_sub(alive) > most;
        // Where others' clocks leap and this one does not, this node was there.
        let own = self.presence.passed(ctx.net.wall_clock());
        let own = own.map(|passed| passed > most);
        if is_late || own == Some(true) {
            self.presence.leaps(alive, most, now);
        }
        if is_late && own != Some(false) && self.presence.away() == Away::default() {
            self.presence.set_away(Away {
                since: alive,
                alone: false,
            });
            // What it knew of others' copies is history.
            self.repair.begin_anew(ctx);
        }
    }

    /// Nobody answers any more, and the node goes on by itself. What it does meanwhile no other ring
    /// knows, nor it what they delete.
    pub(super) fn went_on_alone<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let since = match self.presence.away().since {
            0 => ctx.net.store().notes().alive,
            since => since,
        };
        self.presence.set_away(Away { since, alone: true });
    }

    /// All that it has is where it belongs, and the same there: which nobody knows who is alone.
    pub(super) fn is_back<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let alone = ctx.neighbours.successors().is_empty();
        if self.repair.is_complete() && ctx.membership == Membership::Member && !alone {
            self.presence.set_away(Away::default());
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
        let Away { since, .. } = self.presence.away();
        if since != 0 && milliseconds > since && !ctx.config.is_variant(Variant::StaleKept) {
            self.sets_aside(ctx);
        }
    }

    fn sets_aside<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.presence.set_away(Away::default());
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
