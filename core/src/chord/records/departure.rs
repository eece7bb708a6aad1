//! A leaving node hands over first.

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Duration;

use super::repair::Repair;
use super::{Context, Effect, Records, RecordsWaiter};
use crate::chord::Event;
use crate::chord::ask::{Ask, Pause, Question, Settled};
use crate::chord::record_message::{RecordReply, RecordRequest};
use crate::chord::variant::Variant;
use crate::chord::{Membership, Node};
use crate::marks::{Mark, reached};
use crate::protocol::Network;
use crate::record::{Digest, DigestSource, Entry};
use crate::ring::{Id, KeyRange, Peer};
use crate::store::Store;

/// How far a node is with leaving.
///
/// 1. It asks its successor to stay until it is gone: neighbours never leave at the same moment.
///    For that it must be a member that serves what it should; one on its way into a ring, or
///    back into it, waits until it is. So does one that is alone but remembers others: they are
///    cut off, and have not left.
/// 2. It hands what it serves over to its successor, still a member of the ring. From now on it is
///    nobody's holder, and says so to owners.
/// 3. It says good-bye to its neighbours, so that others become holders in its place.
/// 4. It asks for each record that it has whether enough others that stay hold it by now, and
///    brings it to its owner if not.
/// 5. It goes when that is so for all, or when the time for it is over; then it tells how many
///    records only it may have. Nothing is taken off its disk. If all others leave as well, the last
///    one does so at once: there is nobody to wait for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Departure {
    Staying,
    /// Until the successor stays; the node is a member like others.
    Asking(TimeLeft, Asking),
    HandingOver(TimeLeft),
    Giving {
        time: TimeLeft,
        /// Until misplaced records are looked for again.
        again: Option<Pause>,
        /// What others hold by now.
        safe: BTreeMap<Id, Digest>,
    },
    Over,
}

/// How far it is with asking its successor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asking {
    /// It can't ask yet: it is no member, or does not serve what it should, or its predecessor is
    /// leaving.
    Not,
    Asks(Question),
    /// This one, the successor, can't stay now.
    Rests(Id, Pause),
}

/// A peer that did not answer in time.
struct Silent;

/// How much of the time for leaving is left. It goes by in parts: a process that was suspended, and
/// finds when it goes on that a timer is long over, has missed one part, and not all the time in
/// which it could have handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct TimeLeft {
    pause: Pause,
    /// How many parts have gone by.
    gone: u8,
}

impl TimeLeft {
    const PARTS: u8 = 12;

    /// The parts are equal but for the last, so that they make the whole.
    fn part(&self, within: Duration) -> Duration {
        let each = within / u32::from(Self::PARTS);
        match self.gone + 1 < Self::PARTS {
            true => each,
            false => within.saturating_sub(each * u32::from(Self::PARTS - 1)),
        }
    }

    fn poll<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>, within: Duration) -> Poll<()> {
        while self.pause.poll(ask, self.part(within)).is_ready() {
            self.gone += 1;
            if self.gone >= Self::PARTS {
                return Poll::Ready(());
            }
            self.pause = Pause::default();
        }
        Poll::Pending
    }
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
    /// Whether the node may be counted on: it stays in the ring, or waits until it may leave.
    pub(super) const fn is_staying(&self) -> bool {
        matches!(self.departure, Departure::Staying | Departure::Asking(..))
    }

    /// Whether it was told to leave, and has not said good-bye yet.
    pub(in crate::chord) const fn is_about_to_leave(&self) -> bool {
        matches!(
            self.departure,
            Departure::Asking(..) | Departure::HandingOver(_)
        )
    }

    /// Where the node stands towards the ring: who hands over is on its way out already.
    pub(super) fn membership<N>(&self, ctx: &Context<'_, N>) -> Membership {
        match ctx.membership {
            Membership::Member if !self.is_staying() => Membership::Leaving,
            other => other,
        }
    }

    /// The node is told to leave. It goes at once if nobody is there, or if it belongs to no ring
    /// and has nothing to bring into one.
    pub(super) fn begin_departure<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if self.departure != Departure::Staying {
            return;
        }
        let is_member = ctx.membership == Membership::Member;
        if is_member && ctx.neighbours.successor() == ctx.me() && !Self::is_awaited(ctx) {
            return ctx.effects.push(Effect::SayGoodbye);
        }
        if !is_member && ctx.net.store().is_empty() {
            return ctx.effects.push(Effect::Leave);
        }
        let within = ctx.config.hand_over_within;
        let mut time = TimeLeft::default();
        let mut ask = ctx.ask(RecordsWaiter::Departure, &mut self.clock, None);
        let _ = time.poll(&mut ask, within);
        self.departure = Departure::Asking(time, Asking::Not);
        self.ask_to_leave(ctx);
    }

    /// Asks the successor to stay, if the node can leave now for all that it knows.
    pub(super) fn ask_to_leave<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let successor = ctx.neighbours.successor();
        let Departure::Asking(_, asking) = &mut self.departure else {
            return;
        };
        match asking {
            Asking::Not => {}
            // It is gone, and the next one is not asked in vain.
            Asking::Rests(asked, rest) if *asked != successor.id => {
                let ask = ctx.ask(RecordsWaiter::Departure, &mut self.clock, None);
                rest.give_up(ask);
                *asking = Asking::Not;
            }
            Asking::Asks(_) | Asking::Rests(..) => return,
        }
        let is_ready = ctx.membership == Membership::Member && self.ownership.is_some();
        if !is_ready || self.stays_for.is_some() {
            return;
        }
        if successor == ctx.me() {
            return self.leave_alone(ctx);
        }
        *asking = Asking::Asks(Question::new(successor, 1));
        self.poll_departure(None, ctx);
    }

    /// Whether somebody may come to whom the records of a node without successors can be handed over:
    /// who has just joined is its predecessor first, who fell silent may only be cut off, and who has
    /// left is not remembered.
    fn is_awaited<N: Network<Node>>(ctx: &mut Context<'_, N>) -> bool {
        let joins = ctx.neighbours.predecessor() != ctx.me();
        (joins || ctx.remembered.peers().len() > 0) && !ctx.net.store().is_empty()
    }

    /// All others have left, or are cut off. There may be nobody to wait for; then it goes, and tells
    /// what those that are to come may lack.
    fn leave_alone<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if Self::is_awaited(ctx) {
            return;
        }
        self.tell_what_is_left(ctx);
        self.departure = Departure::Over;
        ctx.forget(|waiter| waiter == RecordsWaiter::Departure);
        ctx.effects.push(Effect::SayGoodbye);
    }

    /// The successor has answered whether it stays, is no member any more, or is silent.
    fn may_leave<N: Network<Node>>(
        &mut self,
        successor: Id,
        reply: Result<Option<RecordReply>, Silent>,
        ctx: &mut Context<'_, N>,
    ) {
        let is_ready = self.stays_for.is_none() && self.ownership.is_some();
        match reply {
            Ok(Some(RecordReply::Stays(true))) if is_ready => {
                return self.begin_handing_over(ctx);
            }
            // Its good-bye is on the way.
            Ok(_) => {}
            // If it is dead, the next one is to be asked soon.
            Err(Silent) => ctx.effects.push(Effect::Stabilize),
        }
        let mut rest = Pause::default();
        let mut ask = ctx.ask(RecordsWaiter::Departure, &mut self.clock, None);
        let time = ask.timeout();
        let _ = rest.poll(&mut ask, time);
        if let Departure::Asking(_, asking) = &mut self.departure {
            *asking = Asking::Rests(successor, rest);
        }
    }

    /// It fell out of the ring. With nothing to bring back into it, it goes; else it begins anew
    /// when it is back.
    pub(super) fn leaver_stranded<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.departure_begins_anew();
        if matches!(self.departure, Departure::Asking(..)) && ctx.net.store().is_empty() {
            ctx.effects.push(Effect::Leave);
        }
    }

    /// The predecessor means to leave: whether this node stays until it is gone. Of two neighbours
    /// that both mean to leave, the one with the higher id goes first; so somebody always can.
    pub(super) fn stay_for<N>(&mut self, from: Peer, ctx: &Context<'_, N>) -> RecordReply {
        let is_first = || from.id > ctx.neighbours.me().id;
        let stays = from.id == ctx.neighbours.predecessor().id
            && match self.departure {
                Departure::Staying => true,
                Departure::Asking(..) => is_first(),
                _ => false,
            };
        if stays {
            reached(Mark::StaysForLeaver);
            self.stays_for = Some(from.id);
        }
        RecordReply::Stays(stays)
    }

    /// Nobody is waited for any more who is not the predecessor.
    pub(super) fn predecessor_is(&mut self, predecessor: Id) {
        self.stays_for.take_if(|leaver| *leaver != predecessor);
    }

    /// Hands over what is served; says good-bye at once if there is nothing to hand over.
    fn begin_handing_over<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let Departure::Asking(time, _) = &mut self.departure else {
            return;
        };
        let time = std::mem::take(time);
        let (me, successor) = (ctx.me(), ctx.neighbours.successor());
        if ctx.net.store().is_empty() || ctx.config.is_variant(Variant::ArcNotHandedOver) {
            self.departure = Departure::Over;
            ctx.forget(|waiter| waiter == RecordsWaiter::Departure);
            return ctx.effects.push(Effect::SayGoodbye);
        }
        self.departure = Departure::HandingOver(time);
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
            None => self.departure_begins_anew(),
        }
    }

    /// What it served it does not serve any more, and nobody took it over: it fell out of the ring,
    /// or another owner has come up. It must come to serve first.
    pub(super) fn departure_begins_anew(&mut self) {
        if let Departure::HandingOver(time) = &mut self.departure {
            reached(Mark::DepartureAnew);
            self.departure = Departure::Asking(std::mem::take(time), Asking::Not);
            self.unsettled = true;
        }
    }

    /// What was served is served by another now.
    pub(super) fn handed_over<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let Departure::HandingOver(time) = &mut self.departure else {
            return;
        };
        self.departure = Departure::Giving {
            time: std::mem::take(time),
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
        let is_silent = matches!(settled, Some((_, Settled::Late)));
        let mut ask = ctx.ask(RecordsWaiter::Departure, &mut self.clock, settled);
        match &mut self.departure {
            Departure::Staying | Departure::Over => {}
            Departure::Asking(time, asking) => {
                if let Poll::Ready(()) = time.poll(&mut ask, within) {
                    reached(Mark::DepartureLate);
                    return self.go_without_handing_over(ctx);
                }
                let asked = match asking {
                    Asking::Not => return,
                    Asking::Asks(question) => {
                        let leave = |_: &mut N| RecordRequest::Leave;
                        let Poll::Ready(reply) = question.poll_records(&mut ask, leave) else {
                            return;
                        };
                        Some((question.to.id, reply))
                    }
                    Asking::Rests(_, rest) => {
                        let time = ask.timeout();
                        if rest.poll(&mut ask, time).is_pending() {
                            return;
                        }
                        None
                    }
                };
                *asking = Asking::Not;
                match asked {
                    None => self.ask_to_leave(ctx),
                    Some((successor, reply)) => {
                        let reply = if is_silent { Err(Silent) } else { Ok(reply) };
                        self.may_leave(successor, reply, ctx);
                    }
                }
            }
            Departure::HandingOver(time) => {
                if let Poll::Ready(()) = time.poll(&mut ask, within) {
                    reached(Mark::HandOverLate);
                    self.go_without_handing_over(ctx);
                }
            }
            Departure::Giving { time, again, .. } => {
                let over = time.poll(&mut ask, within).is_ready();
                let now = again
                    .as_mut()
                    .is_some_and(|again| again.poll(&mut ask, within).is_ready());
                if over {
                    reached(Mark::DepartureLate);
                    self.tell_what_is_left(ctx);
                    self.end_departure(ctx);
                } else if now {
                    *again = None;
                    self.look_for_misplaced(ctx);
                }
            }
        }
    }

    /// The time is over before anybody took over what is served.
    fn go_without_handing_over<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.tell_what_is_left(ctx);
        ctx.forget(|waiter| waiter == RecordsWaiter::Departure);
        self.departure = Departure::Over;
        self.serve_nothing(ctx);
        ctx.effects.push(match ctx.membership {
            Membership::Member => Effect::SayGoodbye,
            _ => Effect::Leave,
        });
    }

    /// Others may lack these.
    fn tell_what_is_left<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let me = ctx.me().id;
        let left = self.to_hand_over(me, ctx.net.store()).unwrap_or_default();
        if left > 0 {
            ctx.net.emit(Event::LeftBehind { records: left });
        }
    }

    /// How many records others may lack of those that it has; `None` unless it is leaving.
    pub(in crate::chord) fn to_hand_over(&self, me: Id, store: &impl DigestSource) -> Option<u64> {
        if self.departure.is_over() {
            return None;
        }
        let all = store.entries(KeyRange::new(me, me));
        Some(all.filter(|entry| !self.departure.is_safe(*entry)).count() as u64)
    }

    /// No record is left that should be elsewhere.
    pub(super) fn none_misplaced<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if matches!(self.departure, Departure::Giving { .. }) {
            self.holds_nothing(ctx);
            self.end_departure(ctx);
        } else {
            self.is_back(ctx);
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
