//! Which connection leads to whom, and which address is being dialled.
//!
//! A table without I/O: the driver does what it says. A node is found by its id, which the
//! other end has proved, and never by the address it claims; so nobody can draw another's
//! messages to himself.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::admission::Admitted;
use super::frame::{Envelope, Frame, Handshake, Start};
use super::limits;
use super::reach::Connected;
use cuerda_core::protocol::{Origin, Wire};
use cuerda_core::ring::{Address, Id, Peer};

/// An open connection.
#[derive(Debug)]
pub(super) struct Link<M> {
    pub(super) handshake: Handshake,
    /// Which start of the process it is.
    pub(super) start: Start,
    pub(super) admitted: Admitted,
    pub(super) ids: Vec<Id>,
    /// The address that this end dialled, if it did.
    dialled: Option<Address>,
    frames: mpsc::Sender<Frame<M>>,
    /// When something was last sent or received.
    used: Instant,
    /// When something was last received.
    heard: Instant,
}

/// An address that is not connected.
#[derive(Debug)]
struct Dial<M> {
    state: State,
    failures: u32,
    waiting: VecDeque<Waiting<M>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// An attempt is under way.
    Dialling,
    /// An attempt failed; the next one not before this.
    Resting(Instant),
    /// The same, and somebody waits for it.
    Planned,
}

/// A message that waits for a connection.
#[derive(Debug)]
pub(super) struct Waiting<M> {
    pub(super) from: u8,
    pub(super) to: Peer,
    pub(super) message: M,
}

/// What becomes of a message that no connection is there for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It waits; dial this address now.
    Dial(Address),
    /// It waits; dial this address then.
    DialAt(Address, Instant),
    /// It waits for a dial that is under way, or planned.
    More,
    /// It is lost: the address is known to be somebody else's.
    Misdirected,
    /// It is lost: too many wait already.
    Full,
}

#[derive(Debug)]
pub(super) struct Links<M> {
    links: BTreeMap<u64, Link<M>>,
    by_id: BTreeMap<Id, (u64, u8)>,
    dialled: BTreeMap<Address, u64>,
    dials: BTreeMap<Address, Dial<M>>,
    next: u64,
}

impl<M> Default for Dial<M> {
    fn default() -> Dial<M> {
        Dial {
            state: State::Idle,
            failures: 0,
            waiting: VecDeque::new(),
        }
    }
}

impl<M> Default for Links<M> {
    fn default() -> Links<M> {
        Links {
            links: BTreeMap::new(),
            by_id: BTreeMap::new(),
            dialled: BTreeMap::new(),
            dials: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<M: Wire> Links<M> {
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Link<M>)> {
        self.links.iter().map(|(serial, link)| (*serial, link))
    }

    /// The number of a connection to come.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Enters a new connection.
    ///
    /// Both ends may have dialled at the same time. Then they agree on the connection dialled
    /// by the lower key, and the other one is no longer written to; nobody uses it, so it is
    /// closed. If one end has started again, or dialled a second time, it knows better.
    pub(super) fn open(&mut self, serial: u64, link: Link<M>, mine: &[u8; 32]) {
        let theirs = link.handshake.public_key;
        let dialler = |link: &Link<M>| {
            if link.dialled.is_some() {
                *mine
            } else {
                theirs
            }
        };
        let earlier = link.ids.first().and_then(|id| self.by_id.get(id));
        let earlier = earlier.and_then(|(earlier, _)| self.links.get(earlier));
        let stays = earlier.is_some_and(|earlier| {
            earlier.start == link.start
                && earlier.dialled.is_some() != link.dialled.is_some()
                && dialler(earlier) < dialler(&link)
        });
        if let Some(address) = link.dialled {
            self.dialled.insert(address, serial);
        }
        for (index, &id) in (0..).zip(&link.ids) {
            if stays {
                self.by_id.entry(id).or_insert((serial, index));
            } else {
                self.by_id.insert(id, (serial, index));
            }
        }
        self.links.insert(serial, link);
    }

    /// Takes all connections out.
    pub(super) fn close_all(&mut self) {
        self.links.clear();
        self.by_id.clear();
        self.dialled.clear();
    }

    /// Takes a connection out, and looks whether another leads to the same nodes.
    pub(super) fn close(&mut self, serial: u64) -> Option<Link<M>> {
        let link = self.links.remove(&serial)?;
        if let Some(address) = link.dialled
            && self.dialled.get(&address) == Some(&serial)
        {
            self.dialled.remove(&address);
        }
        for (index, id) in (0_u8..).zip(&link.ids) {
            if self.by_id.get(id).is_none_or(|(known, _)| *known != serial) {
                continue;
            }
            // Another connection of the same process may be of a time when it hosted fewer nodes.
            let proves = |other: &Link<M>| other.ids.get(usize::from(index)) == Some(id);
            let mut others = self.links.iter().rev();
            match others.find(|(_, other)| proves(other)) {
                Some((other, _)) => self.by_id.insert(*id, (*other, index)),
                None => self.by_id.remove(id),
            };
        }
        Some(link)
    }

    /// The connection that leads to a node, and the node's index there.
    pub(super) fn find(&self, id: Id) -> Option<(u64, u8)> {
        self.by_id.get(&id).copied()
    }

    /// Gives an envelope to a connection; false if it takes no more.
    pub(super) fn send(&mut self, serial: u64, envelope: Envelope<M>, now: Instant) -> bool {
        self.links.get_mut(&serial).is_some_and(|link| {
            link.used = now;
            link.frames.try_send(Frame::Envelope(envelope)).is_ok()
        })
    }

    /// All connections with the holder of a key: their numbers, and which start of it each leads to.
    pub(super) fn of_key(&self, key: &[u8; 32]) -> Vec<(u64, Start, Address)> {
        let links = self.iter();
        let links = links.filter(|(_, link)| link.handshake.public_key == *key);
        links
            .map(|(serial, link)| (serial, link.start, link.handshake.address))
            .collect()
    }

    /// Tells a process that another one has its key, if its connection takes one more frame.
    pub(super) fn tell_of_twin(&self, serial: u64, twin: Address) {
        if let Some(link) = self.links.get(&serial) {
            let _ = link.frames.try_send(Frame::Twin(twin));
        }
    }

    /// Tells a process that this one could not connect to it where it says that it is.
    pub(super) fn tell_out_of_reach(&self, serial: u64) {
        if let Some(link) = self.links.get(&serial) {
            let _ = link.frames.try_send(Frame::OutOfReach);
        }
    }

    /// How there is a connection with the process of this node.
    pub(super) fn connected(&self, id: Id) -> Connected {
        let links = self.links.values().filter(|link| link.ids.contains(&id));
        let ways = links.map(|link| match link.dialled {
            Some(_) => Connected::ByUs,
            None => Connected::ByHim,
        });
        ways.max().unwrap_or(Connected::Not)
    }

    /// Where the process at the other end of a connection says that it is reached.
    pub(super) fn address_of(&self, serial: u64) -> Option<Address> {
        self.links.get(&serial).map(|link| link.handshake.address)
    }

    /// An envelope came in by this connection.
    pub(super) fn used(&mut self, serial: u64, now: Instant) -> Option<&Link<M>> {
        let link = self.links.get_mut(&serial)?;
        link.used = now;
        link.heard = now;
        Some(link)
    }

    /// Keeps a message until there is a connection.
    pub(super) fn wait(&mut self, waiting: Waiting<M>, now: Instant) -> Wait {
        let address = waiting.to.address;
        let there = self.dialled.get(&address);
        let there = there.and_then(|serial| self.links.get(serial));
        // A connection that is silent for long says nothing of who is at that address by now.
        if there.is_some_and(|link| now < link.heard + limits::PROVEN_FOR) {
            return Wait::Misdirected;
        }
        if self.dials.len() >= limits::DIALS
            && !self.dials.contains_key(&address)
            && !self.forget_a_dial()
        {
            return Wait::Full;
        }
        let dial = self.dials.entry(address).or_default();
        if dial.waiting.len() >= limits::DIALING {
            return Wait::Full;
        }
        dial.waiting.push_back(waiting);
        match dial.state {
            State::Idle => {
                dial.state = State::Dialling;
                Wait::Dial(address)
            }
            State::Resting(until) if until > now => {
                dial.state = State::Planned;
                Wait::DialAt(address, until)
            }
            State::Resting(_) => {
                dial.state = State::Dialling;
                Wait::Dial(address)
            }
            State::Dialling | State::Planned => Wait::More,
        }
    }

    /// Makes room for an address by forgetting the one that may soonest be dialled again and
    /// that nobody waits for: made-up addresses don't keep real ones out. False if all are
    /// waited for.
    fn forget_a_dial(&mut self) -> bool {
        let resting = self
            .dials
            .iter()
            .filter_map(|(address, dial)| match dial.state {
                State::Resting(until) => Some((until, *address)),
                _ => None,
            });
        let forgotten = resting.min().map(|(_, address)| address);
        forgotten.is_some_and(|address| self.dials.remove(&address).is_some())
    }

    /// Whether this request of a node waits for a dial that is under way.
    pub(super) fn is_dialling_for(&self, node: u8, number: u32) -> bool {
        let dials = self.dials.values();
        let mut waiting = dials
            .filter(|dial| dial.state == State::Dialling)
            .flat_map(|dial| &dial.waiting);
        waiting.any(|waiting| {
            let asks = waiting.message.asks();
            waiting.from == node
                && asks.is_some_and(|id| id.number == number && id.origin != Origin::HOST)
        })
    }

    /// The time has come to dial an address again. False if that is no longer wanted.
    pub(super) fn dial_planned(&mut self, address: Address) -> bool {
        let planned = self.dials.get_mut(&address);
        planned.is_some_and(|dial| {
            let planned = dial.state == State::Planned;
            if planned {
                dial.state = State::Dialling;
            }
            planned
        })
    }

    /// An address could not be dialled: what waited is lost, and the address is left alone
    /// for a time that doubles from failure to failure. `jitter` between 0 and 1 shortens it by
    /// up to a half. Says how many messages were lost.
    pub(super) fn dial_failed(&mut self, address: Address, now: Instant, jitter: f64) -> usize {
        let dial = self.dials.entry(address).or_default();
        let rest = limits::BACK_OFF * 2_u32.saturating_pow(dial.failures.min(16));
        let rest = rest.min(limits::BACK_OFF_MAX).mul_f64(1.0 - jitter / 2.0);
        dial.failures = dial.failures.saturating_add(1);
        dial.state = State::Resting(now + rest);
        std::mem::take(&mut dial.waiting).len()
    }

    /// An address was dialled: what waited for it.
    pub(super) fn dial_succeeded(&mut self, address: Address) -> VecDeque<Waiting<M>> {
        let dial = self.dials.remove(&address);
        dial.map(|dial| dial.waiting).unwrap_or_default()
    }

    /// Forgets addresses that were left alone for long, and names the connections that nobody
    /// has used for `idle`.
    pub(super) fn sweep(&mut self, now: Instant, idle: Duration) -> Vec<u64> {
        self.dials.retain(|_, dial| match dial.state {
            State::Resting(until) => now < until + limits::BACK_OFF_MAX * 8,
            State::Idle => false,
            State::Dialling | State::Planned => true,
        });
        let unused = |(_, link): &(u64, &Link<M>)| now - link.used >= idle;
        self.iter()
            .filter(unused)
            .map(|(serial, _)| serial)
            .collect()
    }

    /// Which connection must be closed to make room for one more to this key: of the key's own
    /// if it has many, so that nobody displaces others by connecting again and again, else of
    /// all; the one that was used longest ago.
    pub(super) fn surplus(&self, key: &[u8; 32]) -> Option<u64> {
        let same = |link: &Link<M>| link.handshake.public_key == *key;
        let own = self.links.values().filter(|link| same(link)).count();
        let only_own = own >= limits::CONNECTIONS_PER_KEY;
        if !only_own && self.links.len() < limits::CONNECTIONS {
            return None;
        }
        let stalest = self
            .iter()
            .filter(|(_, link)| !only_own || same(link))
            .min_by_key(|(serial, link)| (link.used, *serial));
        stalest.map(|(serial, _)| serial)
    }
}

impl<M> Link<M> {
    pub(super) fn new(
        handshake: Handshake,
        start: Start,
        admitted: Admitted,
        dialled: Option<Address>,
        frames: mpsc::Sender<Frame<M>>,
        now: Instant,
    ) -> Link<M> {
        Link {
            ids: handshake.ids(),
            handshake,
            start,
            admitted,
            dialled,
            frames,
            used: now,
            heard: now,
        }
    }
}

#[cfg(test)]
mod tests;
