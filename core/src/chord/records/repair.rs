//! Owner and holders compare what they have.

use std::collections::{BTreeSet, VecDeque};
use std::task::Poll;

use super::ownership::Gap;
use super::{Context, Ownership, Records, RecordsWaiter};
use crate::chord::Timer;
use crate::chord::ask::Settled;
use crate::chord::op::{Compare, Way};
use crate::chord::record_message::RecordReply;
use crate::chord::variant::Variant;
use crate::chord::{Copies, Node, jittered, limits};
use crate::protocol::Network;
use crate::record::{DigestSource, Entry};
use crate::ring::{Id, KeyRange, Neighbours, Peer};
use crate::store::Store;

/// What an owner knows of the copies of its records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Repair {
    /// Who should have copies.
    holders: Vec<Peer>,
    /// When they, or the ownership, last changed, by the wall clock in milliseconds.
    changed_at: u64,
    /// Who is still to be compared with in this round.
    todo: VecDeque<Peer>,
    current: Option<Box<Compare>>,
    /// Keys of which not all holders are known to have what is here.
    pub(super) dirty: BTreeSet<Id>,
    /// The dirty keys that this round repairs.
    running: BTreeSet<Id>,
    failed: bool,
    due: bool,
    /// All holders were compared with since they, or the ownership, last changed.
    complete: bool,
    /// The holders when they were last complete, the owner among them.
    last_complete: Vec<Id>,
}

/// An arc of which this node is a holder, because its owner said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Assignment {
    pub(super) arc: KeyRange,
    by: Peer,
    /// Repair periods since the owner last said so.
    pub(super) age: u8,
    /// Whether there was the same here as there since it said so first. All that is acknowledged
    /// later reaches this node.
    pub(super) whole: bool,
}

/// Repair periods without a word from the owner after which an assignment is forgotten: the owner
/// may have found other holders.
const FORGOTTEN: u8 = 4;

impl Repair {
    /// Who should have copies now.
    pub(super) fn set_holders<N: Network<Node>>(
        &mut self,
        holders: Vec<Peer>,
        ctx: &mut Context<'_, N>,
    ) {
        if self.holders != holders {
            self.holders = holders;
            if ctx.config.is_variant(Variant::HoldersUnrepaired) {
                return;
            }
            self.begin_anew(ctx);
        }
    }

    /// The owner begins to serve: with these, or with nobody, it is complete.
    pub(super) fn begin<N: Network<Node>>(&mut self, holders: Vec<Peer>, ctx: &mut Context<'_, N>) {
        self.set_holders(holders, ctx);
        let all = self.holders.iter().map(|holder| holder.id);
        self.last_complete = std::iter::once(ctx.me().id).chain(all).collect();
    }

    /// Nothing is known any more of what the others have.
    pub(super) fn begin_anew<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.complete = false;
        self.changed_at = ctx.net.wall_clock();
        self.todo.clear();
        if self.current.take().is_some() {
            ctx.forget(|waiter| waiter == RecordsWaiter::Repair);
        }
        self.dirty.append(&mut self.running);
        self.due = true;
    }

    /// All holders have what the owner has. As many as there should be are the set that later
    /// conditional writes need a majority of; in a small ring, those that there were first.
    fn completed(&mut self, me: Id, replicas: u8) {
        self.complete = true;
        let enough = self.holders.len() + 1 >= usize::from(replicas);
        if enough || self.last_complete.is_empty() {
            let all = self.holders.iter().map(|holder| holder.id);
            self.last_complete = std::iter::once(me).chain(all).collect();
        }
    }

    /// Whether these are more than half of the last complete set of holders.
    pub(super) fn is_majority(&self, holders: &[Id]) -> bool {
        let of = &self.last_complete;
        let among = of.iter().filter(|holder| holders.contains(holder)).count();
        among * 2 > of.len()
    }

    /// Whether all holders were compared with since they, or the ownership, last changed.
    pub(super) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether holders that were displaced have given back what they had: they take themselves for
    /// holders for a while, and then go through what is misplaced.
    pub(super) fn is_settled<N: Network<Node>>(&self, ctx: &Context<'_, N>) -> bool {
        let long = ctx.config.repair_every() * (u32::from(FORGOTTEN) * 2);
        let since = ctx.net.wall_clock().saturating_sub(self.changed_at);
        u128::from(since) >= long.as_millis()
    }

    /// Whether anything is being compared with a holder.
    pub(super) const fn is_comparing(&self) -> bool {
        self.current.is_some()
    }

    /// The keys of which not all holders are known to have what is here, as long as all that was
    /// there when they last changed is; `None` if that is not so, or there are fewer than there
    /// should be.
    fn lacking(&self, replicas: u8) -> Option<impl Iterator<Item = &Id>> {
        let enough = self.holders.len() + 1 >= usize::from(replicas);
        (self.complete && enough).then(|| self.dirty.union(&self.running))
    }

    /// Whether a key that was found damaged is still to be fetched again.
    pub(super) fn misses_any(&self, store: &impl Store) -> bool {
        let mut keys = self.dirty.union(&self.running);
        keys.any(|key| store.is_damaged(*key))
    }

    /// Whether all holders have what the owner has under a key.
    pub(super) fn is_safe(&self, key: Id) -> bool {
        self.complete && !self.dirty.contains(&key) && !self.running.contains(&key)
    }
}

impl Records {
    /// Makes sure that the repair timer runs, if there is anything to repair, or the node holds an arc
    /// and is to note that it is there.
    pub(super) fn arm_repair<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if self.armed {
            return;
        }
        if self.knows_of_records() {
            self.note_held(ctx);
        }
        let nothing =
            self.keeps_nothing(ctx) && self.doubt.is_none() && self.clock_wrong_by.is_none();
        if !nothing {
            self.armed = true;
            self.notes_that_it_is_there(ctx);
            let every = jittered(ctx.config.repair_every());
            ctx.net.set_timer(Timer::Repair, every);
        }
    }

    /// The repair timer is due. It is armed anew when all that follows from this is done.
    pub(super) fn repair_due<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.armed = false;
        self.repair.due = true;
        for assignment in &mut self.assignments {
            assignment.age += 1;
        }
        self.assignments
            .retain(|assignment| assignment.age < FORGOTTEN);
        // Nothing else may change by which a leaver that has come back would be a holder again.
        self.unsettled |= self.leavers.age();
        self.doubt.age();
        self.note_held(ctx);
        self.tell_of_clock(ctx);
        self.ask_clocks(ctx);
        self.sweep_own(ctx);
        self.scrub(ctx);
        self.repair_now(ctx);
        self.look_for_misplaced(ctx);
    }

    /// What is known of the copies of what is served here; see [`Copies`].
    pub(in crate::chord) fn copies(
        &self,
        neighbours: &Neighbours,
        replicas: u8,
        store: &impl DigestSource,
    ) -> Copies {
        let me = neighbours.me().id;
        let gap = Ownership::gap(self.ownership, me, neighbours.predecessor().id);
        let moves = self.acquire.is_some() || self.hand_over.is_some();
        // What is being written has dirty keys that nobody has to repair, unless a round follows.
        let rests = !self.repair.due && !self.repair.is_comparing();
        let open = |key: &Id| self.writes.iter().any(|(_, write)| write.key() == *key);
        let lacking = match self.repair.lacking(replicas) {
            Some(keys) => keys.filter(|key| !(rests && open(key))).count(),
            // As many as there are: this is looked at rarely, and most often not so.
            None => {
                let own = |ownership: Ownership| ownership.arc(me);
                let arc = self.ownership.map_or_else(|| neighbours.own(), own);
                store.entries(arc).count()
            }
        };
        Copies {
            lacking: lacking as u64,
            settled: gap == Gap::None && !moves && self.doubt.is_none() && self.is_staying(),
            under_way: self.repair.is_comparing() || moves,
        }
    }

    /// Something here may differ from what the holders have.
    pub(super) fn repair_soon(&mut self, key: Option<Id>) {
        self.repair.dirty.extend(key);
        self.repair.due = true;
        self.unsettled = true;
    }

    /// Begins a round of repair, if one is due and none under way.
    pub(super) fn repair_now<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let (me, replicas) = (ctx.me().id, ctx.config.replicas);
        let repair = &mut self.repair;
        if !repair.due || repair.current.is_some() || self.ownership.is_none() {
            return;
        }
        repair.due = false;
        // A node without records could only fetch, and it did that when its ownership began.
        if ctx.net.store().is_empty() && repair.dirty.is_empty() && self.doubt.is_none() {
            return repair.completed(me, replicas);
        }
        repair.todo = repair.holders.iter().copied().collect();
        if !self.doubt.is_none() {
            // Who held what is served here may be farther along by now.
            let others = ctx.neighbours.successors().iter().copied();
            let others = others.filter(|peer| !repair.holders.contains(peer));
            repair.todo.extend(others);
        }
        repair.running = std::mem::take(&mut repair.dirty);
        repair.failed = false;
        self.next_holder(ctx);
    }

    fn next_holder<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let me = ctx.me().id;
        let attempts = ctx.config.attempts;
        let repair = &mut self.repair;
        let Some(ownership) = self.ownership else {
            return repair.begin_anew(ctx);
        };
        if let Some(holder) = repair.todo.pop_front() {
            let arc = ownership.arc(me);
            let fetches = ctx.config.is_variant(Variant::RepairOnlyFetches);
            let way = match fetches || !repair.holders.contains(&holder) {
                true => Way::Here,
                false => Way::Assign,
            };
            let mut compare = Compare::new(holder, arc, way, attempts);
            if !self.doubt.is_none() {
                compare.ask_what_is_held();
            }
            repair.current = Some(Box::new(compare));
            return self.poll_repair(None, ctx);
        }
        if repair.failed {
            repair.dirty.append(&mut repair.running);
            repair.due = true;
            return self.try_again(ctx);
        }
        // Damaged records are back, as far as any holder has them.
        for key in std::mem::take(&mut repair.running) {
            ctx.net.store().mended(key);
        }
        repair.completed(me, ctx.config.replicas);
        // What is being written is on its way to all holders by itself.
        let open = |key: &Id| self.writes.iter().any(|(_, write)| write.key() == *key);
        // What became due while this round was under way begins now, for nothing else would begin it.
        if repair.due || !repair.dirty.iter().all(open) {
            repair.due = true;
            self.unsettled = true;
        }
    }

    pub(super) fn poll_repair<N: Network<Node>>(
        &mut self,
        settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        let Some(current) = &mut self.repair.current else {
            return;
        };
        let mut ask = ctx.ask(RecordsWaiter::Repair, &mut self.clock, settled);
        let polled = current.poll(&mut ask);
        let changed = current.take_changed();
        self.changed_here(&changed);
        self.repair.dirty.extend(changed);
        let Some(current) = &self.repair.current else {
            return;
        };
        let Poll::Ready(compared) = polled else {
            return;
        };
        let peer = current.peer();
        self.repair.current = None;
        self.heard_epoch(compared.epoch);
        if compared.leaving {
            self.is_leaving(peer.id, ctx);
        }
        let counts = ctx.config.is_variant(Variant::FailedRepairCounts);
        let is_holder = self.repair.holders.contains(&peer);
        self.repair.failed |= compared.failed && is_holder && !counts;
        if !compared.failed {
            self.has_shown(peer, compared.held, ctx);
        }
        self.changed_here(&compared.changed);
        self.repair.dirty.extend(compared.changed);
        self.next_holder(ctx);
    }

    /// The records of these keys changed here, though nobody wrote: whoever the arc is being handed
    /// over to may have missed that.
    pub(super) fn changed_here(&mut self, keys: &[Id]) {
        if let Some(hand_over) = &mut self.hand_over {
            keys.iter().for_each(|key| hand_over.changed(*key));
        }
    }

    // ---- as a holder ----

    /// The owner of an arc counts this node among its holders, and has found the same here as there
    /// or not. Says whether this node holds all of it since just now.
    pub(super) fn assigned(&mut self, arc: KeyRange, by: Peer, same: bool) -> bool {
        if !self.is_staying() {
            return false;
        }
        let was = |of: &Assignment| of.by.id == by.id && of.arc == arc && of.whole;
        let was_whole = self.assignments.iter().any(was);
        self.assignments
            .retain(|assignment| assignment.by.id != by.id);
        let whole = (same || was_whole) && !self.doubt.is_of(by.id);
        if self.assignments.len() < limits::ASSIGNMENTS {
            self.assignments.push(Assignment {
                arc,
                by,
                age: 0,
                whole,
            });
        }
        whole && !was_whole
    }

    /// Which of these records k others hold, without the one that asks.
    pub(super) fn confirm<N: Network<Node>>(
        &mut self,
        from: Peer,
        entries: &[Entry],
        leaving: bool,
        ctx: &mut Context<'_, N>,
    ) -> RecordReply {
        // What it knew of the holders before it was suspended is history.
        self.was_it_away(ctx);
        let me = ctx.me().id;
        if leaving {
            self.is_leaving(from.id, ctx);
        }
        let (mut safe, mut other) = (Vec::new(), Vec::new());
        let holders = &self.repair.holders;
        let among = holders.iter().any(|holder| holder.id == from.id);
        let all = holders.len() + 1 >= usize::from(ctx.config.replicas);
        let enough = !among && (all || leaving && self.are_enough(holders.len(), ctx));
        for entry in entries {
            if self.serves(me, entry.key).is_none() {
                continue;
            }
            if digest_of(ctx.net.store(), entry.key) != Some(*entry) {
                other.push(entry.key);
            } else if enough && self.repair.is_safe(entry.key)
                || ctx.config.is_variant(Variant::DroppedIfOwned)
            {
                safe.push(entry.key);
            }
        }
        RecordReply::Confirmed { safe, other }
    }
}

/// What a store has under a key.
pub(super) fn digest_of(store: &impl Store, key: Id) -> Option<Entry> {
    store.entries(KeyRange::new(key.previous(), key)).next()
}
