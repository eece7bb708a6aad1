//! Arcs change hands: they are claimed, handed over, or taken over from the dead.

use std::task::Poll;

use super::ownership::Gap;
use super::{Ownership, asking};
use crate::chord::Node;
use crate::chord::ask::Settled;
use crate::chord::op::{Acquire, HandOver, Handed};
use crate::protocol::Network;
use crate::ring::{Arc, Peer};

impl Node {
    /// The neighbours or the ownership changed: does what follows from that.
    pub(in crate::chord) fn settle_ownership(&mut self, net: &mut impl Network<Node>) {
        self.unsettled = false;
        let (me, predecessor) = (self.me().id, self.neighbours.predecessor());
        let (others, holders) = (self.other_processes(), self.holders());
        if !self.is_member() {
            return;
        }
        if !self.is_staying() {
            return self.go_on_handing_over(net);
        }
        let Some(keeping) = &mut self.records else {
            return;
        };
        keeping.repair.set_holders(holders);
        match Ownership::gap(keeping.ownership, me, predecessor.id) {
            Gap::None => {
                keeping.acquire = None;
                self.stop_bringing();
            }
            Gap::Acquire(arc) => {
                self.stop_bringing();
                self.acquire(arc, others, net);
            }
            Gap::Release(arc) => {
                keeping.acquire = None;
                self.hand_over(arc, predecessor, net);
            }
        }
        self.repair_now(net);
    }

    /// What is handed over before the node leaves goes to its successor.
    fn go_on_handing_over(&mut self, net: &mut impl Network<Node>) {
        let (me, successor) = (self.me().id, self.neighbours.successor());
        let ownership = self.records.as_ref().and_then(|keeping| keeping.ownership);
        if let Some(ownership) = ownership {
            self.hand_over(ownership.arc(me), successor, net);
        }
    }

    /// The ownership changed by what came in.
    pub(super) fn ownership_changed(&mut self, net: &mut impl Network<Node>) {
        if let Some(keeping) = &mut self.records {
            keeping.repair.begin_anew();
        }
        self.unsettled = true;
        self.repair_now(net);
    }

    fn stop_bringing(&mut self) {
        if let Some(keeping) = &mut self.records {
            keeping
                .hand_over
                .take_if(|hand_over| hand_over.is_bringing());
        }
    }

    // ---- taking over ----

    fn acquire(&mut self, arc: Arc, others: Vec<Peer>, net: &mut impl Network<Node>) {
        let attempts = self.config.attempts;
        let Some(keeping) = &mut self.records else {
            return;
        };
        match &mut keeping.acquire {
            Some(acquire) if acquire.arc == arc => acquire.consider(others),
            acquire => *acquire = Some(Box::new(Acquire::new(arc, others, attempts))),
        }
        self.poll_acquire(None, net);
    }

    pub(super) fn poll_acquire(
        &mut self,
        settled: Option<(u32, Settled)>,
        net: &mut impl Network<Node>,
    ) {
        let me = self.me().id;
        let Some(keeping) = &mut self.records else {
            return;
        };
        let Some(acquire) = &mut keeping.acquire else {
            return;
        };
        let arc = acquire.arc;
        let mut ask = asking!(self, keeping, net, settled);
        let Poll::Ready(number) = acquire.poll(&mut ask) else {
            return;
        };
        keeping.acquire = None;
        keeping.heard_number(number);
        let number = keeping.next_number();
        keeping.ownership =
            Ownership::extended(keeping.ownership, me, arc, number).or(keeping.ownership);
        self.ownership_changed(net);
    }

    // ---- handing over ----

    pub(super) fn hand_over(&mut self, arc: Arc, to: Peer, net: &mut impl Network<Node>) {
        let attempts = self.config.attempts;
        let Some(keeping) = &mut self.records else {
            return;
        };
        let same = |hand_over: &HandOver| hand_over.arc == arc && hand_over.to == to;
        let keep = |hand_over: &HandOver| !hand_over.is_bringing() || same(hand_over);
        if keeping.hand_over.as_deref().is_some_and(keep) || keeping.again.is_some() {
            return;
        }
        keeping.hand_over = Some(Box::new(HandOver::new(arc, to, attempts)));
        self.poll_hand_over(None, net);
    }

    pub(super) fn poll_hand_over(
        &mut self,
        mut settled: Option<(u32, Settled)>,
        net: &mut impl Network<Node>,
    ) {
        loop {
            let Some(keeping) = &mut self.records else {
                return;
            };
            let Some(hand_over) = &mut keeping.hand_over else {
                return;
            };
            let mut ask = asking!(self, keeping, net, settled.take());
            let Poll::Ready(handed) = hand_over.poll(&mut ask) else {
                return;
            };
            let arc = hand_over.arc;
            match handed {
                Handed::Brought(compared) => {
                    keeping.repair.dirty.extend(compared.changed);
                    keeping.heard_number(compared.number);
                    self.let_go(arc, net);
                }
                Handed::Superseded(number) => {
                    keeping.heard_number(number);
                    self.tell_next_owner();
                }
                Handed::Taken => {
                    keeping.hand_over = None;
                    self.unsettled = true;
                    self.handed_over(net);
                    return;
                }
                Handed::Refused { let_go } => {
                    keeping.hand_over = None;
                    if let_go {
                        self.take_back(arc, net);
                    }
                    // If it is dead, that will turn out; if not, it goes on claiming.
                    self.try_again(net);
                    return;
                }
            }
        }
    }

    /// From now on the other is to answer for the arc.
    fn let_go(&mut self, arc: Arc, net: &mut impl Network<Node>) {
        let me = self.me().id;
        let Some(keeping) = &mut self.records else {
            return;
        };
        keeping.ownership = match keeping.ownership {
            Some(ownership) if arc.end != me => Some(Ownership {
                start: arc.end,
                ..ownership
            }),
            _ => None,
        };
        self.tell_next_owner();
        self.fail_writes_on(arc, net);
    }

    /// Nobody took the arc. Should the other have done so after all, and its answer be lost, the
    /// later number decides who goes on.
    fn take_back(&mut self, arc: Arc, net: &mut impl Network<Node>) {
        let me = self.me().id;
        if let Some(keeping) = &mut self.records {
            let number = keeping.next_number();
            let back = Ownership::extended(keeping.ownership, me, arc, number);
            keeping.ownership = back.or(keeping.ownership);
        }
        self.ownership_changed(net);
    }

    fn tell_next_owner(&mut self) {
        let attempts = self.config.attempts;
        if let Some(keeping) = &mut self.records {
            let number = keeping.next_number();
            if let Some(hand_over) = &mut keeping.hand_over {
                hand_over.tell(number, attempts);
            }
        }
    }
}
