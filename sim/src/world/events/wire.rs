//! The network between the nodes: latency, loss, cuts; and the clock and timers it keeps.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use cuerda_core::protocol::{Event, Network, Protocol, RequestId, Timer, Wire};
use cuerda_core::ring::{Address, Id, Peer};
use cuerda_core::store::MemoryStore;

use super::envelopes::{Envelope, Envelopes};
use super::queue::{Entry, Queue};
use crate::world::paths::Paths;
use crate::world::script::network_faults::NetworkFaults;
use crate::world::{EPOCH_MS, PORT, Random, Time, number_of};

/// What a queue entry is: below 256 a timer of the node's, whose kind it is, else one of these. Its
/// lower byte goes into the digest.
pub(super) mod kind {
    pub(crate) const ENVELOPE: u16 = 0x100;
    pub(crate) const CONTROL: u16 = 0x105;
    pub(crate) const COMMIT: u16 = 0x107;
    pub(crate) const TWIN: u16 = 0x108;

    /// What of it goes into the digest.
    pub(crate) const fn digested(kind: u16) -> u64 {
        (kind & 0xff) as u64
    }

    /// Whether it is a timer of the node's.
    #[cfg(test)]
    pub(crate) const fn is_timer(kind: u16) -> bool {
        kind < ENVELOPE
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) bytes: u64,
    pub(super) repair_bytes: u64,
    /// Questions that get no answer, since it or they were lost.
    pub(super) unanswered: u64,
}

impl Counters {
    /// A message is lost.
    pub(super) fn lose(&mut self, message: &impl Wire) {
        self.lost += 1;
        let asks = message.asks().is_some() || message.answers().is_some();
        self.unanswered += u64::from(asks);
    }
}

/// The network and what is to come.
#[derive(Clone, Debug)]
pub(super) struct Air<M> {
    pub(super) now: Time,
    pub(super) queue: Queue,
    pub(super) envelopes: Envelopes<M>,
    pub(super) paths: Paths,
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    pub(super) chance: Random,
    pub(super) jitter: Random,
    pub(super) network_faults: NetworkFaults,
    /// How many nodes there are; what is sent elsewhere is lost.
    pub(super) nodes: u32,
    /// How many nodes a process has, and where there are several the ids of all nodes: those of a
    /// process share its address.
    pub(super) per_process: u32,
    pub(super) ids: Vec<Id>,
    /// Where processes are that have moved; what is sent to where they were is lost.
    pub(super) moved: BTreeMap<u32, Address>,
    pub(super) counters: Counters,
    /// What has been sent since this was last emptied, if somebody wants to know.
    pub(super) said: Option<Vec<Sent<M>>>,
}

/// A message that was sent, to whom.
#[derive(Clone, Debug)]
pub(super) struct Sent<M> {
    pub(super) to: Peer,
    pub(super) message: Said<M>,
}

/// Where a message is that was sent: in its place among those under way, or lost.
#[derive(Clone, Debug)]
pub(super) enum Said<M> {
    Posted(u32),
    Lost(M),
}

impl<M: Wire> Air<M> {
    #[inline]
    fn latency(&mut self, from: u32, to: u32) -> Time {
        self.paths.latency(from, to, &mut self.chance)
    }

    /// The node that a message to this peer reaches; one that does not exist, if it reaches nobody.
    fn receiver(&self, to: Peer) -> u32 {
        match number_of(to.address) {
            Some(process) if !self.is_at(process, to.address) => u32::MAX,
            _ => self.number_of(to).unwrap_or(u32::MAX),
        }
    }

    /// The number of a node, wherever it is now.
    pub(super) fn number_of(&self, peer: Peer) -> Option<u32> {
        let process = number_of(peer.address)?;
        if self.per_process == 1 {
            return Some(process);
        }
        let first = process.checked_mul(self.per_process)?;
        let mut siblings = first..first.checked_add(self.per_process)?;
        siblings.find(|&number| self.ids.get(number as usize) == Some(&peer.id))
    }

    /// Whether a process is at an address that is or was its own.
    fn is_at(&self, process: u32, address: Address) -> bool {
        if self.moved.is_empty() {
            return true;
        }
        match self.moved.get(&process) {
            Some(present) => *present == address,
            None => address.port() == PORT,
        }
    }

    /// Sends a message. `peer` is whom it is for, if somebody wants to know what is said.
    pub(super) fn send(&mut self, to: u32, peer: Option<Peer>, envelope: Envelope<M>) {
        let bytes = envelope.message.wire_size() as u64;
        self.counters.bytes += bytes;
        if envelope.message.is_repair() {
            self.counters.repair_bytes += bytes;
        }
        let extra = if self.network_faults.is_empty() {
            Some(0)
        } else {
            let chance = &mut self.chance;
            self.network_faults.pass(envelope.from_number, to, chance)
        };
        let from = envelope.from_number;
        let cut = to >= self.nodes || self.paths.is_broken(from, to);
        let lost = cut || self.chance.happens(self.loss);
        let Some(extra) = extra.filter(|_| !lost) else {
            self.counters.lose(&envelope.message);
            self.note(peer, Said::Lost(envelope.message));
            return;
        };
        if self.chance.happens(self.duplicate) {
            let late = self.latency(from, to).saturating_add(extra);
            self.post(to, late, envelope.clone());
        }
        let late = self.latency(from, to).saturating_add(extra);
        let place = self.post(to, late, envelope);
        self.note(peer, Said::Posted(place));
    }

    #[inline]
    fn note(&mut self, peer: Option<Peer>, message: Said<M>) {
        if let (Some(said), Some(to)) = (&mut self.said, peer) {
            said.push(Sent { to, message });
        }
    }

    // A call would copy each message once more.
    #[inline(always)]
    fn post(&mut self, to: u32, late: Time, envelope: Envelope<M>) -> u32 {
        let place = self.envelopes.put(envelope);
        self.queue.push(Entry::new(
            self.now.saturating_add(late),
            to,
            kind::ENVELOPE,
            0,
            place,
        ));
        place
    }
}

/// Messages that are kept back, each with its receiver's number.
pub(super) type Kept<M> = Vec<(u32, Envelope<M>)>;

/// One node's view of the network while it handles an input.
pub(super) struct NodeContext<'a, P: Protocol> {
    pub(super) air: &'a mut Air<P::Message>,
    pub(super) me: Peer,
    pub(super) number: u32,
    pub(super) epoch: u16,
    /// By how much its wall clock is ahead.
    pub(super) ahead_ms: i64,
    /// The request that is being handled, and when it was sent.
    pub(super) asked: Option<(Address, RequestId, Time)>,
    pub(super) emitted: &'a mut Vec<Event<P::Told>>,
    pub(super) store: &'a mut Option<Box<MemoryStore>>,
    /// Where messages that depend on the store are kept back, if the disk is not at once ready.
    pub(super) kept: Option<&'a mut Kept<P::Message>>,
}

impl<P: Protocol> Network<P> for NodeContext<'_, P> {
    type Store = MemoryStore;

    fn send(&mut self, to: Peer, message: P::Message) {
        let now = self.air.now;
        let asked = match &self.asked {
            Some((asker, request, sent))
                if message.answers().as_ref() == Some(request) && *asker == to.address =>
            {
                Some(*sent)
            }
            _ => None,
        };
        let envelope = Envelope {
            from: self.me,
            from_number: self.number,
            message,
            sent: now,
            asked,
        };
        let number = self.air.receiver(to);
        match &mut self.kept {
            Some(kept) if envelope.message.depends_on_store() => kept.push((number, envelope)),
            _ => {
                let peer = self.air.said.is_some().then_some(to);
                self.air.send(number, peer, envelope);
            }
        }
    }

    fn set_timer(&mut self, timer: P::Timer, after: Range<Duration>) {
        let delay = self.air.jitter.between(after.start, after.end);
        let (kind, value) = timer.pack();
        let time = self.air.now.saturating_add(delay);
        self.air.queue.push(Entry::new(
            time,
            self.number,
            kind.into(),
            self.epoch,
            value,
        ));
    }

    fn emit(&mut self, event: Event<P::Told>) {
        self.emitted.push(event);
    }

    fn wall_clock(&self) -> u64 {
        wall_clock(self.air.now, self.ahead_ms)
    }

    /// Made when it is first needed: very large rings store nothing.
    fn store(&mut self) -> &mut MemoryStore {
        self.store.get_or_insert_default()
    }
}

/// The timer that an entry stands for, if it is one.
#[inline]
pub(super) fn timer<T: Timer>(entry: &Entry) -> Option<T> {
    let kind = u8::try_from(entry.kind).ok()?;
    Some(T::unpack(kind, entry.value))
}

/// What a clock shows that is off by so many milliseconds.
pub(super) fn wall_clock(now: Time, skew_ms: i64) -> u64 {
    (EPOCH_MS + now / 1_000_000).saturating_add_signed(skew_ms)
}
