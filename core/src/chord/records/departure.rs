//! A leaving node hands over first.

use std::collections::BTreeMap;
use std::task::Poll;

use super::repair::Repair;
use super::{Context, Effect, Records, RecordsWaiter};
use crate::chord::ask::{Pause, Settled};
use crate::chord::variant::Variant;
use crate::chord::{Membership, Node};
use crate::marks::{Mark, reached};
use crate::protocol::Network;
use crate::record::{Digest, Entry};
use crate::ring::Id;
use crate::store::Store;

/// How far a node is with leaving.
///
/// 1. It hands what it serves over to its successor, still a member of the ring.
/// 2. It says good-bye to its neighbours, so that others become holders in its place.
/// 3. It asks for each record that it has whether enough others hold it by now, and brings it to
///    its owner if not.
/// 4. It goes when that is so for all, or when the time for it is over. Nothing is taken off its
///    disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Departure {
    Staying,
    HandingOver(Pause),
    Giving {
        pause: Pause,
        /// Until misplaced records are looked for again.
        again: Option<Pause>,
        /// What others hold by now.
        safe: BTreeMap<Id, Digest>,
    },
    Over,
}

impl Departure {
    /// Whether there is nothing to wait for: the node does not leave, or has done all that it can.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Departure::Staying | Departure::Over)
    }

    pub(super) fn is_safe(&self, entry: Entry) -> bool {
        match self {
            Departure::Giving { safe, .. } => safe.get(&entry.key) == Some(&entry.digest),
            _ => false,
        }
    }

    pub(super) fn is_safe_now(&mut self, entry: Entry) {
        if let Departure::Giving { safe, .. } = self {
            safe.insert(entry.key, entry.digest);
        }
    }
}

impl Records {
    /// Whether the node means to stay in the ring.
    pub(super) fn is_staying(&self) -> bool {
        self.departure == Departure::Staying
    }

    /// Whether it hands over before it says good-bye.
    pub(in crate::chord) const fn is_handing_over(&self) -> bool {
        matches!(self.departure, Departure::HandingOver(_))
    }

    /// Where the node stands towards the ring: who hands over is on its way out already.
    pub(super) fn membership<N>(&self, ctx: &Context<'_, N>) -> Membership {
        match ctx.membership {
            Membership::Member if !self.is_staying() => Membership::Leaving,
            other => other,
        }
    }

    /// Begins to hand over; says good-bye at once if there is nothing to hand over, or nobody to
    /// take it.
    pub(super) fn begin_departure<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let (me, successor) = (ctx.me(), ctx.neighbours.successor());
        let keeps = ctx.config.is_variant(Variant::ArcNotHandedOver);
        if ctx.net.store().is_empty() || successor == me || keeps {
            return ctx.effects.push(Effect::SayGoodbye);
        }
        let within = ctx.config.hand_over_within;
        let mut pause = Pause::default();
        let mut ask = ctx.ask(RecordsWaiter::Departure, &mut self.clock, None);
        let _ = pause.poll(&mut ask, within);
        self.departure = Departure::HandingOver(pause);
        self.acquire = None;
        self.hand_over = None;
        self.again = None;
        ctx.forget(|waiter| {
            matches!(
                waiter,
                RecordsWaiter::Acquire | RecordsWaiter::HandOver | RecordsWaiter::Again
            )
        });
        match self.ownership {
            Some(ownership) => self.hand_over(ownership.arc(me.id), successor, ctx),
            None => self.handed_over(ctx),
        }
    }

    /// What was served is served by another now.
    pub(super) fn handed_over<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let Departure::HandingOver(pause) = &mut self.departure else {
            return;
        };
        self.departure = Departure::Giving {
            pause: std::mem::take(pause),
            again: None,
            safe: BTreeMap::new(),
        };
        self.repair = Repair::default();
        self.assignments.clear();
        self.misplaced = None;
        ctx.forget(|waiter| matches!(waiter, RecordsWaiter::Repair | RecordsWaiter::Misplaced));
        ctx.effects.push(Effect::SayGoodbye);
        if ctx.config.is_variant(Variant::LeaverGoesFirst) {
            return self.end_departure(ctx);
        }
        self.look_for_misplaced(ctx);
    }

    pub(super) fn poll_departure<N: Network<Node>>(
        &mut self,
        settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        let within = ctx.config.hand_over_within;
        let mut ask = ctx.ask(RecordsWaiter::Departure, &mut self.clock, settled);
        match &mut self.departure {
            Departure::Staying | Departure::Over => {}
            Departure::HandingOver(pause) => {
                if let Poll::Ready(()) = pause.poll(&mut ask, within) {
                    reached(Mark::HandOverLate);
                    self.departure = Departure::Over;
                    self.serve_nothing(ctx);
                    ctx.effects.push(Effect::SayGoodbye);
                }
            }
            Departure::Giving { pause, again, .. } => {
                let over = pause.poll(&mut ask, within).is_ready();
                let now = again
                    .as_mut()
                    .is_some_and(|again| again.poll(&mut ask, within).is_ready());
                if over {
                    reached(Mark::DepartureLate);
                    self.end_departure(ctx);
                } else if now {
                    *again = None;
                    self.look_for_misplaced(ctx);
                }
            }
        }
    }

    /// No record is left that should be elsewhere.
    pub(super) fn none_misplaced<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if matches!(self.departure, Departure::Giving { .. }) {
            self.end_departure(ctx);
        }
    }

    fn end_departure<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.departure = Departure::Over;
        ctx.forget(|waiter| waiter == RecordsWaiter::Departure);
        ctx.effects.push(Effect::LeaveWhenIdle);
    }

    /// What is left could not be given away now. A node that stays looks again after a period.
    pub(super) fn misplaced_later<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let mut ask = ctx.ask(RecordsWaiter::Departure, &mut self.clock, None);
        if let Departure::Giving { again, .. } = &mut self.departure
            && again.is_none()
        {
            let mut pause = Pause::default();
            let time = ask.timeout();
            let _ = pause.poll(&mut ask, time);
            *again = Some(pause);
        }
    }
}
