//! What the world sees of a host, and does to its messages.

use std::future::Future;

use cuerda::host::{Fate, Hooks};
use cuerda::node::{Event, Message, Node};
use cuerda::ring::Peer;

use super::net::{Shared, What, now};
use crate::world::names::is_repair;
use crate::world::number_of;

/// The eyes and hands of the world in one start of a machine.
pub(super) struct Eyes {
    pub(super) net: Shared,
    pub(super) number: u32,
    pub(super) epoch: u32,
}

impl Hooks for Eyes {
    fn gate(&mut self) -> impl Future<Output = ()> + Send {
        let (net, number) = (self.net.clone(), self.number);
        async move {
            // Not worth waiting for, most of the time.
            if net.lock().is_paused(number) {
                net.until(|net| !net.is_paused(number)).await;
            }
        }
    }

    fn fate(&mut self, _: &Node, to: Peer, message: &Message) -> Fate {
        let mut net = self.net.lock();
        net.counters.sent += 1;
        if is_repair(message) {
            net.counters.repair_bytes += message.wire_size() as u64;
        }
        let to = number_of(to.address).unwrap_or(u32::MAX);
        if net.loses(self.number, to) {
            Fate::Drop
        } else if net.doubles() {
            net.counters.sent += 1;
            Fate::Double
        } else {
            Fate::Pass
        }
    }

    fn delivered(&mut self, _: &Node, from: Peer, message: &Message) {
        let mut net = self.net.lock();
        net.counters.delivered += 1;
        let from = number_of(from.address).unwrap_or(u32::MAX);
        let what = What::Message(from, message.clone());
        net.tell(self.number, self.epoch, what);
    }

    fn told(&mut self, node: &Node, event: &Event) {
        // What the world must know of a node changes only with these.
        let node = match event {
            Event::Joined
            | Event::NeighboursChanged
            | Event::Stranded
            | Event::Left
            | Event::Leaving
            | Event::PresumedDead(_) => Some(Box::new(node.clone())),
            Event::Written { .. }
            | Event::Read { .. }
            | Event::Conflict(..)
            | Event::Damaged(_)
            | Event::SetAside
            | Event::Lookup { .. }
            | Event::Refused(..)
            | Event::Ignored(..) => None,
        };
        let what = What::Event(event.clone(), node);
        self.net.lock().tell(self.number, self.epoch, what);
    }

    fn wall_clock(&self) -> u64 {
        self.net.lock().wall_clock(self.number, now())
    }
}
