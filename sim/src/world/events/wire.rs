//! The network between the nodes: latency, loss, cuts; and the clock and timers it keeps.

use std::ops::Range;
use std::time::Duration;

use cuerda_core::chord::{Event, Message, Network, Node, RequestId, Timer, Wire as _};
use cuerda_core::ring::{Address, Peer};
use cuerda_core::store::MemoryStore;

use super::letters::{Letter, Letters};
use super::queue::{Entry, Queue};
use crate::scenario::Latency;
use crate::world::script::cuts::Cuts;
use crate::world::{EPOCH_MS, Random, Time, nanoseconds, number_of};

/// What a queue entry is.
pub(super) mod kind {
    pub(crate) const LETTER: u16 = 0;
    pub(crate) const STABILIZE: u16 = 1;
    pub(crate) const FINGERS: u16 = 2;
    pub(crate) const REQUEST: u16 = 3;
    pub(crate) const JOIN: u16 = 4;
    pub(crate) const CONTROL: u16 = 5;
    pub(crate) const REPAIR: u16 = 6;
    pub(crate) const COMMIT: u16 = 7;
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
    pub(super) fn lose(&mut self, message: &Message) {
        self.lost += 1;
        let asks = matches!(message, Message::Request { .. } | Message::Reply { .. });
        self.unanswered += u64::from(asks);
    }
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
    pub(super) cuts: Cuts,
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

    pub(super) fn send(&mut self, to: u32, letter: Letter) {
        let bytes = letter.message.wire_size() as u64;
        self.counters.bytes += bytes;
        if letter.message.is_repair() {
            self.counters.repair_bytes += bytes;
        }
        let extra = if self.cuts.is_empty() {
            Some(0)
        } else {
            let chance = &mut self.chance;
            self.cuts.pass(letter.from_number, to, chance)
        };
        let lost = to >= self.nodes || self.chance.happens(self.loss);
        let Some(extra) = extra.filter(|_| !lost) else {
            self.counters.lose(&letter.message);
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
    pub(super) store: &'a mut Option<Box<MemoryStore>>,
    /// Where messages that depend on the store are kept back, if the disk is not at once ready.
    pub(super) kept: Option<&'a mut Vec<(u32, Letter)>>,
}

impl Network<Node> for Port<'_> {
    type Store = MemoryStore;

    fn send(&mut self, to: Peer, message: Message) {
        let now = self.wire.now;
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
        let to = number_of(to.address).unwrap_or(u32::MAX);
        match &mut self.kept {
            Some(kept) if letter.message.depends_on_store() => kept.push((to, letter)),
            _ => self.wire.send(to, letter),
        }
    }

    fn set_timer(&mut self, timer: Timer, after: Range<Duration>) {
        let delay = self.wire.jitter.between(after.start, after.end);
        let (kind, value) = match timer {
            Timer::Request(number) => (kind::REQUEST, number),
            Timer::Stabilize => (kind::STABILIZE, 0),
            Timer::Fingers => (kind::FINGERS, 0),
            Timer::Join => (kind::JOIN, 0),
            Timer::Repair => (kind::REPAIR, 0),
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

    /// Made when it is first needed: very large rings store nothing.
    fn store(&mut self) -> &mut MemoryStore {
        self.store.get_or_insert_default()
    }
}

/// The timer that an entry stands for.
pub(super) const fn timer(entry: &Entry) -> Timer {
    match entry.kind {
        kind::STABILIZE => Timer::Stabilize,
        kind::FINGERS => Timer::Fingers,
        kind::JOIN => Timer::Join,
        kind::REPAIR => Timer::Repair,
        _ => Timer::Request(entry.value),
    }
}

pub(super) const fn timer_name(entry: &Entry) -> &'static str {
    match entry.kind {
        kind::STABILIZE => "Stabilize",
        kind::FINGERS => "Fingers",
        kind::JOIN => "Join",
        kind::REPAIR => "Repair",
        kind::COMMIT => "Commit",
        _ => "Request",
    }
}
