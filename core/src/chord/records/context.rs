//! What of a node and its world its records are given, for the time of one input.

use super::{Effect, RecordsWaiter};
use crate::chord::ask::{Ask, Settled};
use crate::chord::message::{Message, Reply};
use crate::chord::open_requests;
use crate::chord::record_message::{RecordReply, Stamped};
use crate::chord::remembered::Remembered;
use crate::chord::requests::Requests;
use crate::chord::variant::Variant;
use crate::chord::{Config, Membership, Node};
use crate::protocol::{Network, RequestId};
use crate::record::StampClock;
use crate::ring::{Neighbours, Peer};
use crate::store::{Notes, Store};

/// The means that records have: they read the node's tables, ask and answer through its network,
/// and collect what the node is to do for them.
#[derive(Debug)]
pub(in crate::chord) struct Context<'a, N> {
    pub(in crate::chord) neighbours: &'a Neighbours,
    pub(in crate::chord) remembered: &'a Remembered,
    pub(in crate::chord) config: &'a Config,
    /// Where the node stands towards the ring, before its records have a say in it.
    pub(in crate::chord) membership: Membership,
    pub(in crate::chord) requests: &'a mut Requests,
    pub(in crate::chord) net: &'a mut N,
    /// What the node is to do, in this order.
    pub(in crate::chord) effects: Vec<Effect>,
}

impl<N: Network<Node>> Context<'_, N> {
    /// The node as others know it.
    pub(super) const fn me(&self) -> Peer {
        self.neighbours.me()
    }

    /// The means of asking for this waiter, with this stamp clock.
    pub(super) fn ask<'b>(
        &'b mut self,
        waiter: RecordsWaiter,
        clock: &'b mut StampClock,
        settled: Option<(u32, Settled)>,
    ) -> Ask<'b, N> {
        let waiter = open_requests::Waiter::Records(waiter);
        let ask = self.requests.ask(self.net, self.config, waiter, settled);
        ask.stamped(clock)
    }

    /// Nothing of these waits any more: they were given up.
    pub(super) fn forget(&mut self, such: impl Fn(RecordsWaiter) -> bool) {
        use open_requests::Waiter::Records;
        let such = |waiter| matches!(waiter, Records(waiter) if such(waiter));
        self.requests.forget(such);
    }

    /// Sends a reply about records.
    pub(super) fn reply(&mut self, to: Peer, id: RequestId, clock: &StampClock, body: RecordReply) {
        let reply = Reply::Records(Box::new(Stamped::by(clock, self.net.wall_clock(), body)));
        self.net.send(to, Message::Reply { id, reply });
    }

    /// Puts what must survive a restart beside what is stored.
    pub(super) fn note(&mut self, change: impl FnOnce(&mut Notes)) {
        let mut notes = self.net.store().notes();
        change(&mut notes);
        self.net.store().note(notes);
    }

    /// The next nodes of other processes, as far as the successor list goes: those that share an
    /// address with a nearer one, or with this node, would be lost together with it.
    pub(super) fn other_processes(&self) -> Vec<Peer> {
        let mut others: Vec<Peer> = Vec::new();
        for peer in self.neighbours.successors().iter() {
            let told = !self.config.is_variant(Variant::ProcessesNotTold);
            let same = |other: &Peer| told && other.address == peer.address;
            if !same(&self.me()) && !others.iter().any(same) {
                others.push(*peer);
            }
        }
        others
    }
}
