//! Ring maintenance: what a member does to keep its neighbours right, one step at a time.
//!
//! Only this file and the ways in and out of a ring (`membership.rs`) write the neighbours. A step
//! runs from its question until the answer is applied; meanwhile the node's state is undefined,
//! so questions about it wait (they are told `Busy`), and notices, candidates and departures
//! are kept until it ends.

use std::task::Poll;

use super::ask::Settled;
use super::message::{Message, Reply};
use super::op::{Heard, Rectified, Rectify, Stabilize};
use super::open_requests::Waiter;
use super::variant::Variant;
use super::{Node, limits};
use crate::chord::Event;
use crate::marks::{Mark, reached};
use crate::protocol::Network;
use crate::protocol::RequestId;
use crate::ring::{self, AfterSuccessor, Id, KeyRange, Peer, SuccessorList};

/// The running step, and what waits for its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Maintenance {
    step: Step,
    due: bool,
    /// The nearest of those that notified meanwhile.
    notifier: Option<Peer>,
    /// The nearest of those that may lie before the successor.
    candidate: Option<Peer>,
    departures: Vec<Leaver>,
    /// Where nobody is any more, as those who left said of themselves and the arc before them, and
    /// how many periods ago they did.
    deserted: Vec<(KeyRange, u8)>,
    /// Who asked for the neighbours meanwhile.
    pub(super) delayed: Vec<(Peer, RequestId)>,
}

/// Stabilization periods for which it is believed that nobody is where somebody left.
const BELIEVED: u8 = 4;

/// Zave's `status` and `saved`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Step {
    #[default]
    None,
    Stabilizing(Stabilize),
    Rectifying(Rectify),
}

/// A node that left, with its neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leaver {
    pub(super) peer: Peer,
    pub(super) predecessor: Peer,
    pub(super) successors: SuccessorList,
}

impl Maintenance {
    pub(super) const fn stabilization_due(&mut self) {
        self.due = true;
    }

    /// Whether a step of its own is under way, and its state therefore undefined.
    pub(super) const fn is_busy(&self) -> bool {
        !matches!(self.step, Step::None)
    }

    /// Takes out what a peer said when it left, if it did.
    fn leaver_of(&mut self, peer: Peer) -> Option<Leaver> {
        let departures = &mut self.departures;
        let at = departures
            .iter()
            .position(|departure| departure.peer.id == peer.id)?;
        Some(departures.remove(at))
    }

    /// A stabilization period has passed.
    pub(super) fn age(&mut self) {
        for (_, age) in &mut self.deserted {
            *age += 1;
        }
        self.deserted.retain(|(_, age)| *age < BELIEVED);
    }

    /// Whether a node with this identifier would have left a short while ago.
    fn has_left(&self, id: Id) -> bool {
        self.deserted.iter().any(|(arc, _)| arc.contains(id))
    }

    fn desert(&mut self, leaver: &Leaver) {
        let (before, left) = (leaver.predecessor.id, leaver.peer.id);
        if self.deserted.len() < usize::from(limits::SUCCESSORS) && before != left {
            self.deserted.push((KeyRange::new(before, left), 0));
        }
    }

    pub(super) fn departed(&mut self, departure: Leaver) {
        if self.departures.len() < limits::DELAYED {
            self.departures.push(departure);
        }
    }
}

impl Node {
    /// Starts what is waiting, as long as no step is under way.
    pub(super) fn maintain(&mut self, net: &mut impl Network<Node>) {
        if self.is_in_the_way() {
            reached(Mark::StepGivenUp);
            self.maintenance.step = Step::None;
            self.requests.forget(|waiter| waiter == Waiter::Maintenance);
            self.heard(Heard::Undecided, net);
        }
        while self.is_member() && !self.maintenance.is_busy() {
            self.answer_delayed(net);
            if !self.maintenance.departures.is_empty() {
                let departure = self.maintenance.departures.remove(0);
                self.apply_leaver(departure, net);
            } else if let Some(notifier) = self.maintenance.notifier.take() {
                self.rectify(notifier, net);
            } else if let Some(candidate) = self.maintenance.candidate.take() {
                self.consider(candidate, net);
            } else if std::mem::take(&mut self.maintenance.due) {
                self.stabilize(net);
            } else {
                return;
            }
        }
    }

    /// Whether its step waits for a peer with a lower id, that is in a step too, while others
    /// wait for this one.
    ///
    /// Members that all stabilize at the same moment wait for each other all round the circle.
    /// In such a round somebody always waits for a lower id; that one gives its step up, which
    /// has changed nothing yet, and the others end theirs one after the other.
    fn is_in_the_way(&self) -> bool {
        let Maintenance { step, delayed, .. } = &self.maintenance;
        match step {
            Step::Stabilizing(stabilize) if !delayed.is_empty() => stabilize
                .put_off_by()
                .is_some_and(|other| other.id < self.me().id),
            _ => false,
        }
    }

    fn start(&mut self, step: Step, net: &mut impl Network<Node>) {
        self.maintenance.step = step;
        self.poll_maintenance(None, net);
    }

    pub(super) fn poll_maintenance(
        &mut self,
        settled: Option<(u32, Settled)>,
        net: &mut impl Network<Node>,
    ) {
        let mut ask = self
            .requests
            .ask(net, &self.config, Waiter::Maintenance, settled);
        match &mut self.maintenance.step {
            Step::None => {}
            Step::Stabilizing(stabilize) => {
                if let Poll::Ready(heard) = stabilize.poll(&mut ask) {
                    self.maintenance.step = Step::None;
                    self.heard(heard, net);
                }
            }
            Step::Rectifying(rectify) => {
                if let Poll::Ready(rectified) = rectify.poll(&mut ask) {
                    self.maintenance.step = Step::None;
                    if let Rectified::Replaced(dead, notifier) = rectified {
                        reached(Mark::PredecessorReplaced);
                        self.presume_dead(dead, net);
                        let forgets = self.config.is_variant(Variant::PredecessorForgotten);
                        let notifier = if forgets { self.me() } else { notifier };
                        self.neighbours.rectify_silent(notifier);
                        self.hand_on_memory(notifier, net);
                    }
                }
            }
        }
    }

    /// Drops the running step, and all that waits for its end.
    pub(super) fn stop_maintenance(&mut self) {
        self.maintenance = Maintenance::default();
        self.requests.forget(|waiter| waiter == Waiter::Maintenance);
    }

    fn stabilize(&mut self, net: &mut impl Network<Node>) {
        let attempts = match self.config.is_variant(Variant::OneSilenceKills) {
            true => 1,
            false => self.config.attempts,
        };
        let successor = self.neighbours.successor();
        if successor != self.me() {
            let step = Stabilize::from_successor(successor, attempts);
            return self.start(Step::Stabilizing(step), net);
        }
        // A ring of one is its own successor; all it can learn of is who has notified it.
        if let AfterSuccessor::AskPredecessor(candidate) = self
            .neighbours
            .after(successor, self.neighbours.predecessor())
        {
            let step = Stabilize::from_predecessor(candidate, attempts);
            self.start(Step::Stabilizing(step), net);
        }
    }

    fn heard(&mut self, heard: Heard, net: &mut impl Network<Node>) {
        match heard {
            // A ring of one has nobody else to turn to: ask who notified it again.
            Heard::Undecided => self.maintenance.due |= self.neighbours.successors().is_empty(),
            Heard::Successor(dead, None) => {
                if let Some(departure) = self.maintenance.leaver_of(dead) {
                    reached(Mark::SuccessorLeft);
                    return self.apply_leaver(departure, net);
                }
                self.presume_dead(dead, net);
                match self.neighbours.successor_silent() {
                    Some(next) => {
                        if !self.config.is_variant(Variant::SilentSuccessorUnnotified) {
                            net.send(next, Message::Notify);
                        }
                        // Many may have died together: don't wait a period for each.
                        self.maintenance.due = true;
                    }
                    None => self.strand(net),
                }
            }
            Heard::Successor(head, Some((predecessor, successors))) => {
                let successors = self.taken_over(head, successors);
                match self
                    .neighbours
                    .successor_answered(head, predecessor, &successors)
                {
                    AfterSuccessor::Notify(_)
                        if self.config.is_variant(Variant::SuccessorUnnotified) => {}
                    AfterSuccessor::Notify(successor) => net.send(successor, Message::Notify),
                    AfterSuccessor::AskPredecessor(candidate)
                        if self.config.is_variant(Variant::CandidateUnasked) =>
                    {
                        let room = self.config.successors.into();
                        let list = SuccessorList::following(candidate.id, head, &successors, room);
                        self.neighbours.candidate_answered(candidate, &list);
                        net.send(candidate, Message::Notify);
                    }
                    AfterSuccessor::AskPredecessor(candidate) => {
                        self.answer_delayed(net);
                        let step = Stabilize::from_predecessor(candidate, self.config.attempts);
                        self.start(Step::Stabilizing(step), net);
                    }
                }
            }
            Heard::Candidate(candidate, None) => {
                if self.neighbours.successors().is_empty() {
                    // The node that wanted to join this ring of one is already dead.
                    if self.neighbours.predecessor() == candidate {
                        reached(Mark::CandidateDead);
                        self.neighbours.rectify_silent(self.me());
                    }
                } else if !self.config.is_variant(Variant::SilentCandidateUnnotified) {
                    net.send(self.neighbours.successor(), Message::Notify);
                }
            }
            Heard::Candidate(candidate, Some(successors)) => {
                let displaced = self.neighbours.successor();
                if self.neighbours.candidate_answered(candidate, &successors) {
                    self.remembered.forget(candidate.id);
                    self.hand_on(displaced, candidate, net);
                    // There may be more between.
                    self.maintenance.due = true;
                }
                net.send(candidate, Message::Notify);
            }
        }
    }

    /// The successor's list as it is taken over.
    fn taken_over(&self, head: Peer, theirs: SuccessorList) -> SuccessorList {
        let room = usize::from(self.config.successors);
        let own = self.neighbours.successors();
        match (own.split_first(), theirs.split_first()) {
            (Some((&first, tail)), _)
                if first == head && self.config.is_variant(Variant::OwnTailKept) =>
            {
                let next = tail.first().copied();
                next.map_or(theirs, |next| {
                    SuccessorList::following(head.id, next, &tail[1..], room)
                })
            }
            (_, Some((&next, rest)))
                if self.config.is_variant(Variant::ListOneShort) && room > 2 =>
            {
                SuccessorList::following(head.id, next, rest, room - 2)
            }
            _ => theirs,
        }
    }

    /// Somebody believes to be the predecessor.
    pub(super) fn notified(&mut self, from: Peer) {
        if from == self.neighbours.predecessor() {
            return;
        }
        let nearer = |other: &Peer| from.id.is_between(other.id, self.me().id);
        if self.maintenance.notifier.as_ref().is_none_or(nearer) {
            self.maintenance.notifier = Some(from);
        }
    }

    fn rectify(&mut self, notifier: Peer, net: &mut impl Network<Node>) {
        match self.neighbours.rectify(notifier) {
            ring::Rectify::Known => {}
            ring::Rectify::Adopted => {
                self.remembered.forget(notifier.id);
                self.hand_on_memory(notifier, net);
                // A ring of one has found its first successor, too.
                self.maintenance.due |= self.neighbours.successors().is_empty();
            }
            ring::Rectify::PingPredecessor
                if self.config.is_variant(Variant::PredecessorUnpinged) =>
            {
                self.neighbours.rectify_silent(notifier);
            }
            ring::Rectify::PingPredecessor
                if self.config.is_variant(Variant::PredecessorUnchecked) => {}
            ring::Rectify::PingPredecessor => {
                let predecessor = self.neighbours.predecessor();
                let step = Rectify::new(predecessor, notifier, self.config.attempts);
                self.start(Step::Rectifying(step), net);
            }
        }
    }

    /// Somebody may lie between this node and its successor: found by reunion, or named by
    /// another. It is contacted before it is adopted.
    pub(super) fn introduced(&mut self, peer: Peer) {
        if peer.id == self.me().id {
            return;
        }
        let nearer = |other: &Peer| peer.id.is_between(self.me().id, other.id);
        if self.maintenance.candidate.as_ref().is_none_or(nearer) {
            self.maintenance.candidate = Some(peer);
        }
    }

    fn consider(&mut self, candidate: Peer, net: &mut impl Network<Node>) {
        if candidate
            .id
            .is_between(self.me().id, self.neighbours.successor().id)
        {
            let step = Stabilize::from_predecessor(candidate, self.config.attempts);
            self.start(Step::Stabilizing(step), net);
        } else {
            reached(Mark::CandidateNotBetween);
            // Not adopted, it should still hear of this node: its predecessor then will, too.
            net.send(candidate, Message::Notify);
        }
    }

    fn apply_leaver(&mut self, departure: Leaver, net: &mut impl Network<Node>) {
        self.maintenance.desert(&departure);
        let Leaver {
            peer,
            predecessor,
            successors,
        } = departure;
        self.fingers.remove(peer.id);
        self.remembered.forget(peer.id);
        if self.neighbours.predecessor().id == peer.id {
            self.neighbours.rectify_silent(predecessor);
        }
        if self.neighbours.successor().id != peer.id {
            return self.neighbours.departed(peer.id);
        }
        let next = self.after_departed(&successors);
        match next {
            Some(_) if self.config.is_variant(Variant::DepartureUnheeded) => {}
            Some(next) => {
                net.send(next, Message::Notify);
                self.maintenance.due = true;
            }
            None => {
                reached(Mark::AllLeft);
                self.neighbours.all_left();
            }
        }
    }

    /// The successor has left. Its own list says best who comes next: those behind it in the list here
    /// may have left before it.
    fn after_departed(&mut self, successors: &SuccessorList) -> Option<Peer> {
        let me = self.me().id;
        // Of those who leave side by side, the last may not have heard of the others.
        let is_there = |peer: &Peer| peer.id != me && !self.maintenance.has_left(peer.id);
        match successors.split_first() {
            Some((&head, rest)) if head.id != me && successors.iter().any(is_there) => {
                if self.neighbours.successors().len() == 1 {
                    reached(Mark::LastSuccessorLeft);
                }
                self.neighbours.follow(head, rest);
                Some(head)
            }
            // It knew of no others than this node that have not left; unless somebody has joined
            // between, there are none.
            _ => {
                let predecessor = self.neighbours.predecessor();
                let joined = (predecessor.id != me).then_some(predecessor)?;
                self.neighbours.follow(joined, &[]);
                Some(joined)
            }
        }
    }

    /// Counts a peer as dead: no table names it any more, but it is remembered.
    pub(super) fn presume_dead(&mut self, peer: Peer, net: &mut impl Network<Node>) {
        net.emit(Event::PresumedDead(peer));
        self.fingers.remove(peer.id);
        self.remember(peer);
    }

    /// A new predecessor may have joined since others were cut off: it is told of them, so that they
    /// are looked for as long as the ring lasts, and not only by those who were there.
    pub(super) fn hand_on_memory(&self, to: Peer, net: &mut impl Network<Node>) {
        let peers: Vec<Peer> = self
            .remembered
            .peers()
            .filter(|peer| peer.id != to.id)
            .collect();
        if !peers.is_empty() && to != self.me() {
            net.send(to, Message::Remember(peers));
        }
    }

    /// Another node remembers these.
    pub(super) fn inherits(&mut self, peers: Vec<Peer>) {
        let is_known = |peer: &Peer| {
            peer.id == self.me().id
                || peer.id == self.neighbours.predecessor().id
                || self
                    .neighbours
                    .successors()
                    .iter()
                    .any(|other| other.id == peer.id)
        };
        let unknown: Vec<Peer> = peers.into_iter().filter(|peer| !is_known(peer)).collect();
        for peer in unknown {
            self.remembered
                .inherit(self.me().id, peer, self.config.remembered);
        }
    }

    pub(super) fn remember(&mut self, peer: Peer) {
        if peer.id != self.me().id {
            self.remembered
                .add(self.me().id, peer, self.config.remembered);
        }
    }

    /// The state is defined again: answer those that waited for it.
    fn answer_delayed(&mut self, net: &mut impl Network<Node>) {
        for (peer, id) in std::mem::take(&mut self.maintenance.delayed) {
            net.send(
                peer,
                Message::Reply {
                    id,
                    reply: self.neighbours_reply(),
                },
            );
        }
    }

    /// The state no longer is that of a member: those that waited need not wait longer.
    pub(super) fn refuse_delayed(&mut self, net: &mut impl Network<Node>) {
        for (peer, id) in std::mem::take(&mut self.maintenance.delayed) {
            net.send(
                peer,
                Message::Reply {
                    id,
                    reply: Reply::NotMember,
                },
            );
        }
    }
}
