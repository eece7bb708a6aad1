//! Where a node that has found nothing can't say that nothing is there.
//!
//! When a whole ring has stopped, somebody founds it again, and serves all keys at once. Most of
//! what was acknowledged is on nodes that are still on their way back: until one of those that held
//! an arc has brought what it has, nobody knows what there is on it. So each node notes of which
//! arc it holds all that is acknowledged, finds that again when it starts, and says so to whoever
//! is in doubt. It does so as soon as it has heard a stamp, which says that something is stored
//! somewhere in its ring: that there is nothing on an arc must be known to somebody, too.

use super::{Context, Records};
use crate::chord::record_message::{Doubts, Held};
use crate::chord::{Node, limits};
use crate::protocol::Network;
use crate::record::Stamp;
use crate::ring::{Id, KeyRange, Peer};
use crate::store::Store;

/// Arcs of which this node does not know yet all that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Doubt {
    arcs: Vec<KeyRange>,
    /// When the ring was last known to be running, in milliseconds since 1970: who held an arc
    /// only before that does not know what came later. 0 if it was never in doubt; else it came
    /// with a ring that was founded again, and what it takes over from the dead may not be all
    /// there either.
    since: u64,
    /// What it held itself before it was started, or before its ring fell silent.
    before: Option<Held>,
    /// Whether it was running before: so may its whole ring have been.
    returned: bool,
    /// Owners that have said lately that they are in doubt, and how many repair periods ago: what
    /// they have is not all there is.
    others: Vec<(Id, u8)>,
}

/// Repair periods after which an owner that says nothing more of it is in doubt no more.
const BELIEVED: u8 = 3;
/// How much earlier than others a node may have noted last that it is running, in milliseconds,
/// besides a few repair periods: clocks differ.
const APART: u64 = 60 * 1000;
/// So many repair periods.
const PERIODS: u32 = 4;

impl Doubt {
    /// That of a node which held this before it was started.
    pub(super) const fn of(before: Option<Held>, returned: bool) -> Doubt {
        Doubt {
            arcs: Vec::new(),
            since: 0,
            before,
            returned,
            others: Vec::new(),
        }
    }

    /// Whether an owner knows that it lacks some of what it serves.
    pub(super) fn is_of(&self, owner: Id) -> bool {
        self.others.iter().any(|(other, _)| *other == owner)
    }

    /// A repair period has passed.
    pub(super) fn age(&mut self) {
        for (_, age) in &mut self.others {
            *age += 1;
        }
        self.others.retain(|(_, age)| *age < BELIEVED);
    }

    pub(super) const fn is_none(&self) -> bool {
        self.arcs.is_empty()
    }

    /// Whether something may be under the key that is not known here.
    pub(super) fn is_about(&self, key: Id) -> bool {
        self.arcs.iter().any(|arc| arc.contains(key))
    }

    fn add(&mut self, arc: KeyRange) {
        self.remove(arc);
        self.arcs.push(arc);
    }

    fn remove(&mut self, arc: KeyRange) {
        let arcs = std::mem::take(&mut self.arcs).into_iter();
        self.arcs = arcs.flat_map(|doubted| doubted.without(arc)).collect();
    }

    /// What of it lies on an arc.
    fn within(&self, arc: KeyRange) -> Vec<KeyRange> {
        let shared = |doubted: &KeyRange| doubted.intersection(arc);
        self.arcs.iter().flat_map(shared).collect()
    }
}

impl Records {
    /// Of what is served here without knowing all that there is.
    pub(in crate::chord) fn in_doubt(&self) -> &[KeyRange] {
        &self.doubt.arcs
    }

    /// Of these arcs this node knows only what it held itself before it was started.
    fn doubt<N>(&mut self, arcs: &[KeyRange], since: u64, ctx: &Context<'_, N>) {
        self.doubt.since = self.doubt.since.max(since);
        arcs.iter().for_each(|arc| self.doubt.add(*arc));
        if let Some(before) = self.doubt.before {
            self.knows(ctx.neighbours.me(), before, ctx);
        }
    }

    /// A node, which may be this one, held an arc up to itself, and all that it has is here.
    fn knows<N>(&mut self, peer: Peer, held: Held, ctx: &Context<'_, N>) {
        if is_late(held, self.doubt.since, ctx) {
            self.doubt.remove(KeyRange::new(held.start, peer.id));
        }
    }

    /// The ring is founded again. It was last known to be running at this time, which may be 0 if
    /// nothing was ever stored in it as far as is known.
    pub(super) fn founded_again<N: Network<Node>>(
        &mut self,
        running: u64,
        ctx: &mut Context<'_, N>,
    ) {
        let me = ctx.neighbours.me().id;
        if running != 0 {
            // It may have been running all the time, and stranded: what it noted since it was started
            // is later then.
            let notes = ctx.net.store().notes();
            let held = notes.held.map(|start| Held {
                start,
                at: notes.alive,
            });
            let later = |held: &Held| self.doubt.before.is_none_or(|before| before.at < held.at);
            self.doubt.before = held.filter(later).or(self.doubt.before);
            self.doubt(&[KeyRange::new(me, me)], running, ctx);
        }
    }

    /// An arc was taken over from the dead. In a ring that was founded again they may have been in
    /// doubt, and who takes over before anything was handed to it does not know of that.
    pub(super) fn doubt_taken_over<N>(&mut self, arc: KeyRange, ctx: &Context<'_, N>) {
        if self.doubt.since != 0 || self.doubt.returned {
            self.doubt(&[arc], 0, ctx);
        }
    }

    /// Arcs were handed over with these doubts.
    pub(super) fn doubts_taken_over<N>(
        &mut self,
        arcs: &[KeyRange],
        doubts: &Doubts,
        ctx: &Context<'_, N>,
    ) {
        if arcs.is_empty() {
            return;
        }
        let within = |arc: &KeyRange| {
            let within = doubts.arcs.iter().map(|doubted| doubted.intersection(*arc));
            within.flatten().collect::<Vec<_>>()
        };
        let within: Vec<KeyRange> = arcs.iter().flat_map(within).collect();
        // Also without doubts of its own it knows now that others may have some.
        self.doubt.since = self.doubt.since.max(doubts.since);
        if !within.is_empty() {
            self.doubt(&within, doubts.since, ctx);
        }
    }

    /// Somebody else answers for an arc from now on: with these doubts.
    pub(super) fn doubts_let_go(&mut self, arc: KeyRange) -> Doubts {
        let arcs = self.doubt.within(arc);
        self.doubt.remove(arc);
        let since = self.doubt.since;
        Doubts { arcs, since }
    }

    /// A node has shown all that it has of what is served here, and held this.
    pub(super) fn has_shown<N>(&mut self, peer: Peer, held: Option<Held>, ctx: &Context<'_, N>) {
        if let Some(held) = held
            && !self.doubt.is_none()
        {
            self.knows(peer, held, ctx);
        }
    }

    // ---- what it holds itself ----

    /// The ring of this node has fallen silent: what it held in it, nobody knows but this node, and
    /// in the next ring it notes something else. Where it is in doubt, it had said so before.
    pub(super) fn remember_held<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if !self.doubt.is_none() || self.ownership.is_none() {
            return;
        }
        let me = ctx.me().id;
        let notes = ctx.net.store().notes();
        let Some(start) = notes.held else {
            return;
        };
        let at = notes.alive;
        let held = Held { start, at };
        // A part of the ring may have gone on for a moment, and noted less.
        let before = self
            .doubt
            .before
            .filter(|before| is_late(*before, at, ctx) && is_more(me, *before, held));
        self.doubt.before = Some(before.unwrap_or(held));
    }

    /// What this node can say it holds to an owner in doubt.
    pub(super) fn holds<N: Network<Node>>(
        &mut self,
        owner: Id,
        ctx: &mut Context<'_, N>,
    ) -> Option<Held> {
        self.doubt.others.retain(|(other, _)| *other != owner);
        if self.doubt.others.len() < limits::ASSIGNMENTS {
            self.doubt.others.push((owner, 0));
        }
        let before = self.doubt.before;
        // Before it serves anything, what it has noted is of a ring that was.
        if !self.doubt.is_none() || self.ownership.is_none() {
            return before;
        }
        let (me, at) = (ctx.me().id, self.now(ctx));
        let held = ctx.net.store().notes().held;
        let Some(held) = held.map(|start| Held { start, at }) else {
            return before;
        };
        // Of what it holds for those who are in doubt it can't note that this is all.
        let since = self.doubt.since;
        let more = |before: &Held| {
            since != 0 && is_late(*before, since, ctx) && is_more(me, *before, held)
        };
        Some(before.filter(more).unwrap_or(held))
    }

    /// Whether anything was ever stored in the ring, as far as this node has heard.
    pub(super) fn knows_of_records(&self) -> bool {
        self.clock.latest() != Stamp::ZERO
    }

    /// Notes which arc up to itself this node holds as a whole: what it serves, and before that
    /// what its owners, one after the other, have found to be the same here as there. A node that
    /// is in doubt goes on saying what it held before.
    pub(super) fn note_held<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if let Some(held) = self.now_held(ctx)
            && ctx.net.store().notes().held != held
        {
            ctx.note(|notes| notes.held = held);
            // When it held that counts as much.
            self.notes_that_it_is_there(ctx);
        }
    }

    /// Where the arc starts that this node holds as a whole up to itself, if it holds any; `None` if
    /// that can't be told now.
    fn now_held<N: Network<Node>>(&self, ctx: &mut Context<'_, N>) -> Option<Option<Id>> {
        let me = ctx.me().id;
        let ownership = self.ownership?;
        if !self.doubt.is_none() || !self.is_staying() {
            return None;
        }
        let mut start = ownership.start;
        for _ in 0..ctx.config.replicas {
            let before = self
                .assignments
                .iter()
                .find(|of| of.whole && of.arc.end == start);
            match before {
                _ if start == me => break,
                Some(of) if of.arc.contains(me) => start = me,
                Some(of) => start = of.arc.start,
                None => break,
            }
        }
        // What was found damaged is missing, and after a start nobody would know of it.
        let misses = self.repair.misses_any(ctx.net.store());
        Some((!misses).then_some(start))
    }

    /// All that this node held is elsewhere, or out of the way.
    pub(super) fn holds_nothing<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.doubt.before = None;
        if ctx.net.store().notes().held.is_some() {
            ctx.note(|notes| notes.held = None);
        }
    }
}

/// Whether this was noted no earlier than that time, but for what clocks and notes differ.
fn is_late<N>(held: Held, since: u64, ctx: &Context<'_, N>) -> bool {
    let apart = ctx.config.repair_every() * PERIODS;
    let apart = u64::try_from(apart.as_millis()).unwrap_or(u64::MAX);
    held.at.saturating_add(apart).saturating_add(APART) >= since
}

/// Whether one of two arcs up to a node begins farther back: the whole circle begins at the node.
fn is_more(me: Id, one: Held, other: Held) -> bool {
    let length = |held: Held| (held.start == me, held.start.distance_to(me));
    length(one) > length(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::test_peers::peer;

    fn arc(start: u8, end: u8) -> KeyRange {
        KeyRange::new(peer(start).id, peer(end).id)
    }

    #[test]
    fn what_one_held_is_in_doubt_no_more_and_the_rest_is() {
        let mut doubt = Doubt::default();
        doubt.add(arc(50, 50));
        doubt.remove(arc(20, 40));
        assert!(doubt.is_about(peer(20).id) && doubt.is_about(peer(60).id));
        assert!(!doubt.is_about(peer(30).id) && !doubt.is_about(peer(40).id));
        assert_eq!(doubt.within(arc(10, 30)), [arc(10, 20)]);
        doubt.remove(arc(40, 20));
        assert!(doubt.is_none());
    }

    #[test]
    fn who_held_the_whole_circle_held_more_than_who_held_an_arc() {
        let me = peer(40).id;
        let held = |start: u8| Held {
            start: peer(start).id,
            at: 1,
        };
        assert!(is_more(me, held(20), held(30)) && !is_more(me, held(30), held(20)));
        assert!(is_more(me, held(50), held(20)));
        assert!(is_more(me, held(40), held(50)) && !is_more(me, held(50), held(40)));
        assert!(!is_more(me, held(20), held(20)));
    }
}
