//! Arcs change hands: they are claimed, handed over, or taken over from the dead.

use std::task::Poll;

use super::ownership::Gap;
use super::{Context, Ownership, Records, RecordsWaiter};
use crate::chord::ask::Settled;
use crate::chord::op::{Acquire, HandOver, Handed};
use crate::chord::variant::Variant;
use crate::chord::{Membership, Node};
use crate::marks::{Mark, reached};
use crate::protocol::Network;
use crate::ring::{KeyRange, Peer};

impl Records {
    /// The neighbours or the ownership changed: does what follows from that.
    pub(super) fn settle_ownership<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let (me, predecessor) = (ctx.me().id, ctx.neighbours.predecessor());
        // Those of this process, too: each has a store of its own, and may have the last copy.
        let others = ctx.neighbours.successors().to_vec();
        self.predecessor_is(predecessor.id);
        self.leavers.retain_among(ctx.neighbours.successors());
        let holders = self.holders(ctx);
        if ctx.membership != Membership::Member {
            return;
        }
        if !self.is_staying() {
            return self.go_on_handing_over(ctx);
        }
        self.repair.set_holders(holders, ctx);
        match Ownership::gap(self.ownership, me, predecessor.id) {
            Gap::None => {
                self.stop_acquiring(ctx);
                self.stop_bringing(ctx);
            }
            Gap::Acquire(arc) if ctx.config.is_variant(Variant::ServedUnacquired) => {
                let epoch = self.next_epoch();
                let all = Ownership::extended(self.ownership, me, arc, epoch);
                self.ownership = all.or(self.ownership);
                self.repair.begin_anew(ctx);
            }
            Gap::Acquire(arc) => {
                self.stop_bringing(ctx);
                self.acquire(arc, others, ctx);
            }
            Gap::Release(_) if ctx.config.is_variant(Variant::ArcNeverReleased) => {}
            // That one is about to leave, and takes nothing over.
            Gap::Release(_) if self.stays_for == Some(predecessor.id) => {}
            Gap::Release(arc) => {
                self.stop_acquiring(ctx);
                self.hand_over(arc, predecessor, ctx);
            }
        }
        self.repair_now(ctx);
        self.ask_to_leave(ctx);
    }

    /// Hands all that a leaving node serves to its successor.
    fn go_on_handing_over<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let (me, successor) = (ctx.me().id, ctx.neighbours.successor());
        match self.ownership {
            // The one that would have stayed is gone, and nobody else is there.
            Some(_) if successor.id == me => {
                self.stop_bringing(ctx);
                if self.hand_over.is_none() {
                    self.departure_begins_anew();
                }
            }
            Some(ownership) => self.hand_over(ownership.arc(me), successor, ctx),
            None if self.hand_over.is_none() => self.departure_begins_anew(),
            // It has let go, and tells.
            None => {}
        }
    }

    /// The ownership changed by what came in.
    pub(super) fn ownership_changed<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.repair.begin_anew(ctx);
        self.unsettled = true;
        self.repair_now(ctx);
    }

    /// Gives up handing over, unless this node has let go already.
    pub(super) fn stop_bringing<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let bringing = |hand_over: &mut Box<HandOver>| hand_over.is_bringing();
        if self.hand_over.take_if(bringing).is_some() {
            ctx.forget(|waiter| waiter == RecordsWaiter::HandOver);
        }
    }

    pub(super) fn stop_acquiring<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if self.acquire.take().is_some() {
            ctx.forget(|waiter| waiter == RecordsWaiter::Acquire);
        }
    }

    // ---- taking over ----

    fn acquire<N: Network<Node>>(
        &mut self,
        arc: KeyRange,
        others: Vec<Peer>,
        ctx: &mut Context<'_, N>,
    ) {
        let attempts = ctx.config.attempts;
        match &mut self.acquire {
            Some(acquire) if acquire.arc == arc => {
                if acquire.consider(others) {
                    ctx.forget(|waiter| waiter == RecordsWaiter::Acquire);
                }
            }
            acquire => {
                *acquire = Some(Box::new(Acquire::new(arc, others, attempts)));
                ctx.forget(|waiter| waiter == RecordsWaiter::Acquire);
            }
        }
        self.poll_acquire(None, ctx);
    }

    pub(super) fn poll_acquire<N: Network<Node>>(
        &mut self,
        settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        let me = ctx.me().id;
        let Some(acquire) = &mut self.acquire else {
            return;
        };
        let arc = acquire.arc;
        let mut ask = ctx.ask(RecordsWaiter::Acquire, &mut self.clock, settled);
        let Poll::Ready(epoch) = acquire.poll(&mut ask) else {
            return;
        };
        self.acquire = None;
        self.heard_epoch(epoch);
        let epoch = self.next_epoch();
        self.ownership = Ownership::extended(self.ownership, me, arc, epoch).or(self.ownership);
        self.doubt_taken_over(arc, ctx);
        self.ownership_changed(ctx);
    }

    // ---- handing over ----

    pub(super) fn hand_over<N: Network<Node>>(
        &mut self,
        arc: KeyRange,
        to: Peer,
        ctx: &mut Context<'_, N>,
    ) {
        let attempts = ctx.config.attempts;
        let same = |hand_over: &HandOver| hand_over.arc == arc && hand_over.to == to;
        let keep = |hand_over: &HandOver| !hand_over.is_bringing() || same(hand_over);
        if self.hand_over.as_deref().is_some_and(keep) || self.again.is_some() {
            return;
        }
        self.stop_bringing(ctx);
        self.hand_over = Some(Box::new(HandOver::new(arc, to, attempts)));
        self.poll_hand_over(None, ctx);
    }

    pub(super) fn poll_hand_over<N: Network<Node>>(
        &mut self,
        mut settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        loop {
            let Some(hand_over) = &mut self.hand_over else {
                return;
            };
            let mut ask = ctx.ask(RecordsWaiter::HandOver, &mut self.clock, settled.take());
            let Poll::Ready(handed) = hand_over.poll(&mut ask) else {
                return;
            };
            let arc = hand_over.arc;
            match handed {
                Handed::Brought(compared) => {
                    self.repair.dirty.extend(compared.changed);
                    self.heard_epoch(compared.epoch);
                    self.let_go(arc, ctx);
                }
                Handed::Superseded(epoch) => {
                    reached(Mark::HandOverSuperseded);
                    self.heard_epoch(epoch);
                    self.tell_next_owner(ctx.config.attempts);
                }
                Handed::Taken => {
                    self.hand_over = None;
                    self.unsettled = true;
                    self.handed_over(ctx);
                    return;
                }
                Handed::Refused { let_go } => {
                    reached(Mark::HandOverRefused);
                    let doubts = std::mem::take(&mut hand_over.doubts);
                    self.hand_over = None;
                    self.doubts_taken_over(&[arc], &doubts, ctx);
                    if let_go {
                        reached(Mark::TakenBack);
                        self.take_back(arc, ctx);
                    }
                    // If the receiver is dead, stabilization will find out; if it lives, it claims
                    // again.
                    self.try_again(ctx);
                    return;
                }
            }
        }
    }

    /// From now on the receiver answers for the arc.
    fn let_go<N: Network<Node>>(&mut self, arc: KeyRange, ctx: &mut Context<'_, N>) {
        let me = ctx.me().id;
        self.ownership = match self.ownership {
            Some(ownership) if arc.end != me => Some(Ownership {
                start: arc.end,
                ..ownership
            }),
            _ => None,
        };
        let doubts = self.doubts_let_go(arc);
        if let Some(hand_over) = &mut self.hand_over {
            hand_over.doubts = doubts;
        }
        self.tell_next_owner(ctx.config.attempts);
        if ctx.config.is_variant(Variant::OpenWritesKept) {
            return;
        }
        self.fail_writes(|write| arc.contains(write.key()), ctx);
    }

    /// This node serves the arc again, because nobody took it. If the receiver did take it and its
    /// answer was lost, the later epoch decides which of the two goes on.
    fn take_back<N: Network<Node>>(&mut self, arc: KeyRange, ctx: &mut Context<'_, N>) {
        let me = ctx.me().id;
        let epoch = self.next_epoch();
        let back = Ownership::extended(self.ownership, me, arc, epoch);
        self.ownership = back.or(self.ownership);
        self.ownership_changed(ctx);
    }

    fn tell_next_owner(&mut self, attempts: u8) {
        let epoch = self.next_epoch();
        if let Some(hand_over) = &mut self.hand_over {
            hand_over.tell(epoch, attempts);
        }
    }
}
