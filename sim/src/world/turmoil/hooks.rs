//! What the world sees of a host, and does to its messages.

use std::future::Future;
use std::time::Duration;

use cuerda::host::{Fate, Hooks, Hosted};
use cuerda_core::protocol::{Event, Protocol, Wire as _};
use cuerda_core::ring::Peer;
use cuerda_core::store::Batch;

use super::net::{Shared, now};
use super::reports::{Reports, What};
use crate::world::number_of;
use crate::world::script::Broken;

/// The eyes and hands of the world in one start of a machine.
pub(super) struct Eyes<P: Protocol> {
    pub(super) net: Shared,
    pub(super) reports: Reports<P>,
    pub(super) number: u32,
    pub(super) epoch: u32,
}

impl<P: Hosted> Hooks<P> for Eyes<P> {
    fn gate(&mut self) -> impl Future<Output = ()> + Send {
        let (net, number) = (self.net.clone(), self.number);
        async move {
            // Not worth waiting for, most of the time.
            if net.lock().is_paused(number) {
                net.until(|net| !net.is_paused(number)).await;
            }
        }
    }

    fn fate(&mut self, _: &P, to: Peer, message: &P::Message) -> Fate {
        let mut net = self.net.lock();
        net.counters.sent += 1;
        if message.is_repair() {
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

    fn delivered(&mut self, _: &P, from: Peer, message: &P::Message) {
        self.net.lock().counters.delivered += 1;
        let from = number_of(from.address).unwrap_or(u32::MAX);
        let what = What::Message(from, message.clone());
        self.reports.add(self.number, self.epoch, what);
    }

    fn commit(
        &mut self,
        node: &P,
        batch: &Batch,
    ) -> impl Future<Output = Result<(), String>> + Send + use<P> + 'static {
        let (net, reports) = (self.net.clone(), self.reports.clone());
        let (number, epoch) = (self.number, self.epoch);
        let (id, batch) = (node.me().id, Box::new(batch.clone()));
        let machine = net.lock().machines[number as usize].clone();
        let torn = machine.disk_breaks == Some(Broken::Torn);
        async move {
            // Most disks are quick, and nobody has to wait for the next tick.
            if machine.disk_slow > 0 {
                tokio::time::sleep(Duration::from_nanos(machine.disk_slow)).await;
            }
            let now = net.lock().machines[number as usize].clone();
            let fails = now.disk_breaks == Some(Broken::Fails);
            if torn || fails {
                reports.add(number, epoch, What::Broke);
                return Err("the scenario breaks this disk".to_owned());
            }
            reports.add(number, epoch, What::Committed(id, batch));
            Ok(())
        }
    }

    fn on_event(&mut self, node: &P, event: &Event<P::Told>) {
        // What the world must know of a node changes only with these.
        let node = match event {
            Event::Joined
            | Event::NeighboursChanged
            | Event::Stranded
            | Event::Left
            | Event::Leaving
            | Event::PresumedDead(_)
            | Event::Told(_) => Some(Box::new(node.clone())),
            Event::Written { .. }
            | Event::Read { .. }
            | Event::Conflict(..)
            | Event::Damaged(_)
            | Event::SetAside
            | Event::ClockWrong(_)
            | Event::LeftBehind { .. }
            | Event::Lookup { .. }
            | Event::Step { .. }
            | Event::Refused(..)
            | Event::Ignored(..) => None,
        };
        let what = What::Event(event.clone(), node);
        self.reports.add(self.number, self.epoch, what);
    }

    fn wall_clock(&self) -> u64 {
        self.net.lock().wall_clock(self.number, now())
    }
}
