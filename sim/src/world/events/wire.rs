//! The network between the nodes: latency, loss, cuts; and the clock and timers it keeps.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use cuerda::node::{Event, Message, Network, Reply, Request, RequestId, Timer};
use cuerda::ring::{Address, Peer};

use super::letters::{Letter, Letters};
use super::queue::{Entry, Queue};
use crate::scenario::Latency;
use crate::world::random::nanoseconds;
use crate::world::{Random, Time};

/// What a queue entry is.
pub(super) mod kind {
    pub(crate) const LETTER: u16 = 0;
    pub(crate) const STABILIZE: u16 = 1;
    pub(crate) const FINGERS: u16 = 2;
    pub(crate) const REQUEST: u16 = 3;
    pub(crate) const JOIN: u16 = 4;
    pub(crate) const CONTROL: u16 = 5;
}

/// The wall clock at the world's beginning: 2026-01-01 in milliseconds.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// The address of node `number`: 10.x.y.z:4000, room for 2^24 nodes.
pub(super) fn address(number: u32) -> Address {
    let [_, x, y, z] = number.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, x, y, z), 4000)).into()
}

/// The node at this address, if it is one that [`address`] gives.
pub(super) fn number(address: Address) -> Option<u32> {
    match address.ip() {
        IpAddr::V4(ip) if address.port() == 4000 && ip.octets()[0] == 10 => {
            let [_, x, y, z] = ip.octets();
            Some(u32::from_be_bytes([0, x, y, z]))
        }
        _ => None,
    }
}

/// A fault of the network that is in force.
#[derive(Clone, Debug)]
pub(super) enum Cut {
    /// The part each node is in.
    Partition(Vec<u32>),
    /// Whether each node is among the senders, and among the receivers.
    OneWay(Vec<bool>, Vec<bool>),
    /// Nodes whose messages take longer, and by how much.
    Slow(Vec<bool>, Time),
    /// Nodes whose messages are lost, and which share.
    Loss(Vec<bool>, f64),
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) bytes: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) now: Time,
    pub(super) queue: Queue,
    pub(super) letters: Letters,
    pub(super) latency: Latency,
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    pub(super) chance: Random,
    pub(super) jitter: Random,
    /// By the index of the fault.
    pub(super) cuts: Vec<(usize, Cut)>,
    /// How many nodes there are; what is sent elsewhere is lost.
    pub(super) nodes: u32,
    pub(super) counters: Counters,
}

impl Wire {
    fn latency(&mut self) -> Time {
        match self.latency {
            Latency::Fixed(time) => nanoseconds(time),
            Latency::Uniform(from, to) => self.chance.between(from, to),
            Latency::Exponential(mean) => self.chance.exponential(nanoseconds(mean) as f64) as Time,
        }
    }

    /// What the faults in force do to a message: `None` if it does not get through, else the
    /// time they add.
    fn pass(&mut self, from: u32, to: u32) -> Option<Time> {
        let (from, to) = (from as usize, to as usize);
        let mut extra = 0;
        for (_, cut) in &self.cuts {
            match cut {
                Cut::Partition(parts) => {
                    if parts.get(from) != parts.get(to) {
                        return None;
                    }
                }
                Cut::OneWay(senders, receivers) => {
                    if holds(senders, from) && holds(receivers, to) {
                        return None;
                    }
                }
                Cut::Slow(nodes, time) => {
                    for slow in [holds(nodes, from), holds(nodes, to)] {
                        extra = u64::saturating_add(extra, *time * u64::from(slow));
                    }
                }
                Cut::Loss(nodes, share) => {
                    if (holds(nodes, from) || holds(nodes, to)) && self.chance.happens(*share) {
                        return None;
                    }
                }
            }
        }
        Some(extra)
    }

    fn send(&mut self, to: u32, letter: Letter) {
        let extra = if self.cuts.is_empty() {
            Some(0)
        } else {
            self.pass(letter.from_number, to)
        };
        let lost = to >= self.nodes || self.chance.happens(self.loss);
        let Some(extra) = extra.filter(|_| !lost) else {
            self.counters.lost += 1;
            return;
        };
        if self.chance.happens(self.duplicate) {
            let late = self.latency().saturating_add(extra);
            self.post(to, late, letter.clone());
        }
        let late = self.latency().saturating_add(extra);
        self.post(to, late, letter);
    }

    fn post(&mut self, to: u32, late: Time, letter: Letter) {
        let place = self.letters.put(letter);
        self.queue.push(Entry::new(
            self.now.saturating_add(late),
            to,
            kind::LETTER,
            0,
            place,
        ));
    }
}

fn holds(set: &[bool], node: usize) -> bool {
    set.get(node).copied().unwrap_or(false)
}

/// One node's view of the network while it handles an input.
pub(super) struct Port<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) me: Peer,
    pub(super) number: u32,
    pub(super) epoch: u16,
    pub(super) skew_ms: i64,
    /// The request that is being handled, and when it was sent.
    pub(super) asked: Option<(Address, RequestId, Time)>,
    pub(super) emitted: &'a mut Vec<Event>,
}

impl Network for Port<'_> {
    fn send(&mut self, to: Peer, message: Message) {
        let now = self.wire.now;
        self.wire.counters.bytes += message.wire_size() as u64;
        let asked = match (&message, &self.asked) {
            (Message::Reply { id, .. }, Some((asker, request, sent)))
                if *asker == to.address && request == id =>
            {
                Some(*sent)
            }
            _ => None,
        };
        let letter = Letter {
            from: self.me,
            from_number: self.number,
            message,
            sent: now,
            asked,
        };
        self.wire
            .send(number(to.address).unwrap_or(u32::MAX), letter);
    }

    fn set_timer(&mut self, timer: Timer, after: Range<Duration>) {
        let delay = self.wire.jitter.between(after.start, after.end);
        let (kind, value) = match timer {
            Timer::Request(number) => (kind::REQUEST, number),
            Timer::Stabilize => (kind::STABILIZE, 0),
            Timer::Fingers => (kind::FINGERS, 0),
            Timer::Join => (kind::JOIN, 0),
        };
        let time = self.wire.now.saturating_add(delay);
        self.wire
            .queue
            .push(Entry::new(time, self.number, kind, self.epoch, value));
    }

    fn emit(&mut self, event: Event) {
        self.emitted.push(event);
    }

    fn wall_clock(&self) -> u64 {
        let milliseconds = EPOCH_MS + self.wire.now / 1_000_000;
        milliseconds.saturating_add_signed(self.skew_ms)
    }
}

/// The timer that an entry stands for.
pub(super) const fn timer(entry: &Entry) -> Timer {
    match entry.kind {
        kind::STABILIZE => Timer::Stabilize,
        kind::FINGERS => Timer::Fingers,
        kind::JOIN => Timer::Join,
        _ => Timer::Request(entry.value),
    }
}

pub(super) const fn timer_name(entry: &Entry) -> &'static str {
    match entry.kind {
        kind::STABILIZE => "Stabilize",
        kind::FINGERS => "Fingers",
        kind::JOIN => "Join",
        _ => "Request",
    }
}

/// What a message is called in a report.
pub(super) const fn name(message: &Message) -> &'static str {
    match message {
        Message::Request { request, .. } => match request {
            Request::Hello(_) => "Hello?",
            Request::Ping => "Ping?",
            Request::Neighbours => "Neighbours?",
            Request::Find { confirm: false, .. } => "Find?",
            Request::Find { confirm: true, .. } => "Confirm?",
            Request::Leaving { .. } => "Leaving",
        },
        Message::Reply { reply, .. } => match reply {
            Reply::Hello(_) => "Hello",
            Reply::Refused(_) => "Refused",
            Reply::Pong => "Pong",
            Reply::Busy => "Busy",
            Reply::NotMember => "NotMember",
            Reply::Neighbours { .. } => "Neighbours",
            Reply::Owner => "Owner",
            Reply::Covered(_) => "Covered",
            Reply::Closer(_) => "Closer",
            Reply::Before(_) => "Before",
            Reply::Noted => "Noted",
        },
        Message::Notify => "Notify",
        Message::Introduce(_) => "Introduce",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_belong_together() {
        for node in [0, 1, 255, 256, 65_536, (1 << 24) - 1] {
            assert_eq!(number(address(node)), Some(node));
        }
        for elsewhere in ["127.0.0.1:4000", "10.0.0.1:4001", "[fd00::1]:4000"] {
            let elsewhere = elsewhere.parse::<SocketAddr>().unwrap().into();
            assert_eq!(number(elsewhere), None);
        }
    }
}
