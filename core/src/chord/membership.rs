//! How a node comes into a ring, falls out of it, finds back, and leaves.
//!
//! The operations ask; what is written to the neighbours because of them is written here.

use std::task::Poll;
use std::time::Duration;

use super::ask::Settled;
use super::message::Message;
use super::op::{Join, Joined, Leave, Retreat};
use super::open_requests::Waiter;
use super::phase::MembershipPhase;
use super::records::{Input, Records};
use super::variant::Variant;
use super::{Node, jittered, limits};
use crate::chord::{Event, Timer};
use crate::marks::{Mark, reached};
use crate::protocol::Network;
use crate::ring::{Neighbours, Peer, SuccessorList};
use crate::store::Store as _;

impl Node {
    pub(super) fn poll_membership(
        &mut self,
        settled: Option<(u32, Settled)>,
        net: &mut impl Network<Node>,
    ) {
        let mut ask = self
            .requests
            .ask(net, &self.config, Waiter::Membership, settled);
        match &mut self.phase {
            MembershipPhase::Joining(join) => {
                if let Poll::Ready(joined) = join.poll(&mut ask) {
                    self.joined(joined, net);
                }
            }
            MembershipPhase::Stranded(retreat) => {
                if let Poll::Ready(found) = retreat.poll(&mut ask) {
                    self.retreated(found, net);
                }
            }
            MembershipPhase::Leaving(leave) => {
                if leave.poll(&mut ask).is_ready() {
                    self.leave_when_idle(net);
                }
            }
            MembershipPhase::Outside | MembershipPhase::Member => {}
        }
    }

    /// Goes over to another phase; what the last one still waited for is given up.
    fn enter(&mut self, phase: MembershipPhase) {
        self.phase = phase;
        self.requests.forget(|waiter| waiter == Waiter::Membership);
    }

    /// It is the first of its ring; `running` is when those that it founds it among noted last that
    /// they were running.
    pub(super) fn found(&mut self, running: u64, net: &mut impl Network<Node>) {
        if matches!(
            self.phase,
            MembershipPhase::Outside | MembershipPhase::Joining(_)
        ) {
            // A member notes that it is running; what counts is when it last did before.
            let running = net.store().notes().alive.max(running);
            self.become_member(Neighbours::alone(self.me(), self.config.successors), net);
            // Nobody else serves anything there.
            self.serve_own(net);
            self.tell_records(Input::Founded(running), net);
        }
    }

    pub(super) fn join(&mut self, contacts: Vec<Peer>, net: &mut impl Network<Node>) {
        match &mut self.phase {
            MembershipPhase::Joining(join) => {
                join.add_contacts(contacts);
                self.greet_newcomers(net);
            }
            MembershipPhase::Outside => {
                let join = Join::new(self.me(), self.hello(), &self.config, contacts);
                // It has been one in an earlier life.
                let join = match net.store().notes().alive {
                    0 => join,
                    _ => join.of_member(),
                };
                self.start_joining(join, net);
            }
            MembershipPhase::Member
            | MembershipPhase::Stranded(_)
            | MembershipPhase::Leaving(_) => {}
        }
    }

    /// A joiner asks whom it has come to know since it asked last.
    pub(super) fn greet_newcomers(&mut self, net: &mut impl Network<Node>) {
        if let MembershipPhase::Joining(join) = &mut self.phase
            && join.wake()
        {
            self.poll_membership(None, net);
        }
    }

    fn start_joining(&mut self, mut join: Join, net: &mut impl Network<Node>) {
        join.meet(self.remembered.peers());
        self.enter(MembershipPhase::Joining(Box::new(join)));
        self.poll_membership(None, net);
    }

    pub(super) fn joined(&mut self, joined: Joined, net: &mut impl Network<Node>) {
        match joined {
            Joined::Member(neighbours) => {
                self.tell_records(Input::Joining, net);
                // Introduce the newcomer to its predecessor now; otherwise that one would learn of
                // it from its successor a period later, and lose it if that successor dies first.
                // In a ring of one the two are the same node.
                if neighbours.predecessor() != neighbours.successor()
                    && !self.config.is_variant(Variant::JoinerUnintroduced)
                {
                    net.send(neighbours.predecessor(), Message::Introduce(self.me()));
                }
                self.become_member(neighbours, net);
            }
            Joined::Found(running) => {
                reached(Mark::FoundedAmongOthers);
                self.found_and_seek(running, net);
            }
            // Others are to have what it leaves behind: alone it would have nobody to wait for.
            Joined::Alone if self.keeps(Records::is_about_to_leave) => {
                self.join_later(self.config.stabilize_every, net);
            }
            Joined::Alone => {
                reached(Mark::WentOnAlone);
                self.found_and_seek(0, net);
                self.tell_records(Input::WentOnAlone, net);
            }
            Joined::Later(pause) => self.join_later(pause, net),
        }
    }

    fn join_later(&mut self, pause: Duration, net: &mut impl Network<Node>) {
        if !std::mem::replace(&mut self.armed.join, true) {
            net.set_timer(Timer::Join, jittered(pause));
        }
    }

    /// Others may found a ring at the same time, or be in one that was out of reach: remembered, they
    /// are probed, and reunion makes one ring of all.
    fn found_and_seek(&mut self, running: u64, net: &mut impl Network<Node>) {
        if let MembershipPhase::Joining(join) = &self.phase {
            let contacts: Vec<Peer> = join.contacts().collect();
            // If there is no room for all, those that the node was told to ask stay.
            for peer in contacts.into_iter().rev() {
                self.remember(peer);
            }
        }
        self.found(running, net);
    }

    pub(super) fn become_member(&mut self, neighbours: Neighbours, net: &mut impl Network<Node>) {
        self.neighbours = neighbours;
        self.enter(MembershipPhase::Member);
        self.tell_records(Input::Joined, net);
        // A joiner stabilizes and notifies at once.
        self.hurry = limits::HURRIED_ROUNDS;
        self.stop_maintenance();
        if !self.config.is_variant(Variant::JoinerWaits) {
            self.maintenance.stabilization_due();
        }
        net.emit(Event::Joined);
        net.emit(Event::NeighboursChanged);
        self.arm_stabilize(net);
        self.arm_fingers(net);
        self.fill_fingers(net);
    }

    pub(super) fn resume(&mut self, net: &mut impl Network<Node>) {
        if self.is_member() {
            self.serve_own(net);
            if !std::mem::replace(&mut self.armed.stabilize, true) {
                net.set_timer(
                    Timer::Stabilize,
                    Duration::ZERO..self.config.stabilize_every,
                );
            }
            if !std::mem::replace(&mut self.armed.fingers, true) {
                net.set_timer(Timer::Fingers, Duration::ZERO..self.finger_period());
            }
        }
    }

    pub(super) fn leave(&mut self, net: &mut impl Network<Node>) {
        match self.phase {
            MembershipPhase::Leaving(_) => {}
            MembershipPhase::Member => {
                if !self.tell_records(Input::Leave, net) {
                    self.say_goodbye(net);
                }
            }
            MembershipPhase::Joining(_) | MembershipPhase::Stranded(_) => {
                reached(Mark::LeftOutside);
                if !self.tell_records(Input::Leave, net) {
                    self.left(net);
                }
            }
            MembershipPhase::Outside => self.left(net),
        }
    }

    /// What it served is handed over, or there was nothing: its neighbours may know.
    pub(super) fn say_goodbye(&mut self, net: &mut impl Network<Node>) {
        net.emit(Event::Leaving);
        self.refuse_delayed(net);
        self.hand_on_memory(self.neighbours.predecessor(), net);
        if self.neighbours.predecessor() != self.neighbours.successor() {
            self.hand_on_memory(self.neighbours.successor(), net);
        }
        // A step that went on could notify those who are told now, or strand the leaver.
        self.stop_maintenance();
        let leave = Leave::new(&self.neighbours, self.config.attempts);
        self.enter(MembershipPhase::Leaving(Box::new(leave)));
        self.poll_membership(None, net);
    }

    /// Goes, if all that should know do, and no client waits for an answer any more.
    pub(super) fn leave_when_idle(&mut self, net: &mut impl Network<Node>) {
        if let MembershipPhase::Leaving(leave) = &self.phase
            && leave.is_done()
            && !self.queries.has_clients()
            && !self.keeps(Records::hold_back)
        {
            self.left(net);
        }
    }

    pub(super) fn left(&mut self, net: &mut impl Network<Node>) {
        self.enter(MembershipPhase::Outside);
        self.stop_maintenance();
        self.stop_queries(net);
        self.tell_records(Input::Left, net);
        // That is the last word: who its neighbours were does not matter any more.
        self.neighbours.take_changed();
        net.emit(Event::Left);
    }

    /// The last successor fell silent.
    pub(super) fn strand(&mut self, net: &mut impl Network<Node>) {
        reached(Mark::Stranded);
        net.emit(Event::Stranded);
        self.tell_records(Input::Stranded, net);
        self.refuse_delayed(net);
        self.stop_maintenance();
        if matches!(self.phase, MembershipPhase::Outside) {
            // It was leaving, and had nothing to bring back.
            return;
        }
        if self.config.is_variant(Variant::StrandedFounds) {
            let alone = Neighbours::alone(self.me(), self.config.successors);
            self.become_member(alone, net);
            return self.serve_own(net);
        }
        let retreat = Retreat::new(self.me().id, self.config.attempts, self.known());
        self.enter(MembershipPhase::Stranded(Box::new(retreat)));
        self.poll_membership(None, net);
    }

    pub(super) fn retreated(
        &mut self,
        found: Option<(Peer, SuccessorList)>,
        net: &mut impl Network<Node>,
    ) {
        match found {
            Some((successor, behind)) => {
                reached(Mark::FoundBack);
                let mut neighbours = self.neighbours.clone();
                neighbours.follow(successor, &behind);
                self.become_member(neighbours, net);
            }
            None => {
                reached(Mark::JoinedAgain);
                let join = Join::new(self.me(), self.hello(), &self.config, self.known());
                self.start_joining(join.of_member(), net);
            }
        }
    }

    /// All peers it has heard from and may hear from again.
    pub(super) fn known(&self) -> Vec<Peer> {
        let fingers = self.fingers.entries().iter().map(|finger| finger.peer);
        let remembered = self.remembered.peers();
        fingers
            .chain(remembered)
            .chain([self.neighbours.predecessor()])
            .collect()
    }
}
