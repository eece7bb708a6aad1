//! The boundary: what a world hands to a node, and what a node may ask of its world.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::access::{AccessError, Fetched, Write, Written};
use super::error::LookupError;
use super::message::{Message, Refusal};
use crate::record::{Conflict, Stamp};
use crate::ring::{Id, Peer};
use crate::store::{MemoryStore, Store};

/// All that a node may ask of the world it runs in.
///
/// An implementor owes the node four things. Messages may be lost, late, doubled or out of
/// order, but who sent them is true. A timer comes back, once, and not before its time; late is
/// tolerated, lost is not. Nothing is handed in while another input is being handled. And of a
/// node that stopped nothing comes back: no timer, no reply to its earlier incarnation.
pub trait Network {
    /// Where the node's records are.
    type Store: Store;

    /// Sends a message, which may be lost, late, doubled or out of order; the node never waits
    /// for it.
    fn send(&mut self, to: Peer, message: Message);
    /// [`Input::Timer`] comes back once, after a delay drawn evenly from `after`; an empty range
    /// means exactly its start.
    fn set_timer(&mut self, timer: Timer, after: Range<Duration>);
    /// Tells whoever runs the node what happened.
    fn emit(&mut self, event: Event);
    /// Wall clock in milliseconds since 1970, used for record stamps and expiry and for nothing
    /// else: ring maintenance never asks what time it is.
    fn wall_clock(&self) -> u64;
    /// The node's records. What it stages there is committed after the input is handled, together
    /// with what else came in; messages and events that
    /// [depend on it](Message::depends_on_store) are released only then.
    fn store(&mut self) -> &mut Self::Store;
}

/// What can happen to a node. It handles one at a time, to the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Found a ring of one.
    Found,
    /// Join the ring that these peers belong to; one live member is enough.
    Join(Vec<Peer>),
    /// Begin to work as the member that [`super::Node::member`] made it: start the timers.
    Resume,
    /// Leave gracefully. [`Event::Left`] follows, after which the node may be dropped.
    Leave,
    /// Look up who owns `key`. [`Event::Lookup`] with the same token follows, always.
    Lookup {
        /// Chosen by the caller to recognize the answer.
        token: u64,
        /// The place looked for.
        key: Id,
    },
    /// Write to a field of a key's record. [`Event::Written`] with the same token follows, always.
    Write {
        /// Chosen by the caller to recognize the answer.
        token: u64,
        /// Which record.
        key: Id,
        /// What is to be written.
        write: Write,
    },
    /// Read the record of a key. [`Event::Read`] with the same token follows, always.
    Read {
        /// Chosen by the caller to recognize the answer.
        token: u64,
        /// Which record.
        key: Id,
        /// The last stamp that the client has seen; [`Stamp::ZERO`] for none.
        past: Stamp,
    },
    /// Peers known from an earlier incarnation, to be probed like those presumed dead.
    Remember(Vec<Peer>),
    /// A message arrived.
    Message {
        /// Who sent it; the world has made sure of that.
        from: Peer,
        /// What it says.
        message: Message,
        /// For a reply: the time since its request was sent, where the world knows it.
        took: Option<Duration>,
    },
    /// A timer set earlier is due.
    Timer(Timer),
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// The next stabilization.
    Stabilize,
    /// The next finger to refresh.
    Fingers,
    /// The reply to this request is late. Comes for answered requests too, and is ignored then.
    Request(u32),
    /// The next look at what other holders have.
    Repair,
    /// The next attempt to join, or to get back into the ring.
    Join,
}

/// What a node tells whoever runs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// It has become a member of a ring.
    Joined,
    /// Its predecessor or its successors are no longer what they were.
    NeighboursChanged,
    /// A look-up ended.
    Lookup {
        /// The token it was asked with.
        token: u64,
        /// The owner and the way there, or why none was found.
        result: Result<Found, LookupError>,
        /// How many nodes did not answer in time on the way.
        timeouts: u32,
    },
    /// A write ended.
    Written {
        /// The token it was asked with.
        token: u64,
        /// Where it stands now, or why it was not done.
        result: Result<Written, AccessError>,
    },
    /// A reading ended.
    Read {
        /// The token it was asked with.
        token: u64,
        /// What was found, or why nothing could be.
        result: Result<Fetched, AccessError>,
    },
    /// Two writes of a field of this key turned out to have been made without knowledge of each
    /// other. Told by each node that finds it out, and again when it does so again.
    Conflict(Id, Conflict),
    /// It was away for longer than deletions are remembered: what it had stored is set aside.
    SetAside,
    /// It has handed over what it served, and says good-bye to its neighbours.
    Leaving,
    /// The record of this key was damaged on the disk; it is fetched again from a replica.
    Damaged(Id),
    /// It presumes this peer dead.
    PresumedDead(Peer),
    /// All its successors fell silent: it is no member until it finds a way back.
    Stranded,
    /// It has left the ring and may be dropped.
    Left,
    /// A peer refused it, or it refused a peer.
    Refused(Peer, Refusal),
    /// A message that no correct node would send now was dropped.
    Ignored(Peer, Ignored),
}

impl Event {
    /// Whether it may tell of what is only staged in the store: then it must not be told before
    /// that is committed.
    #[must_use]
    pub const fn depends_on_store(&self) -> bool {
        matches!(
            self,
            Event::Written { .. } | Event::Read { .. } | Event::Conflict(..) | Event::Left
        )
    }
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ignored {
    /// A reply to no open question: late, doubled, or made up.
    Unasked,
    /// A reply of a kind that does not answer the question.
    Unfit,
    /// It claims to come from this very node.
    Oneself,
    /// A table it needs is full, or it carries a longer list than any node may have.
    Full,
}

/// What a look-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// The key's owner, who confirmed it, or after whose predecessors' silence the key fell
    /// to it.
    pub owner: Peer,
    /// Nodes contacted that answered, the owner included, the asker not.
    pub hops: u32,
    /// The same up to the key's immediate predecessor, the owner not contacted: how the papers'
    /// figures for fingers alone are counted.
    pub hops_to_predecessor: u32,
}

/// A world that does nothing but write down what a node asks of it: for tests, of this crate
/// and of what is built on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorder {
    /// What was sent, oldest first.
    pub sent: Vec<(Peer, Message)>,
    /// Which timers were set, oldest first.
    pub timers: Vec<(Timer, Range<Duration>)>,
    /// What was told, oldest first.
    pub events: Vec<Event>,
    /// What [`Network::wall_clock`] says, in milliseconds.
    pub clock: u64,
    /// The node's records; committed at once.
    pub store: MemoryStore,
}

impl Recorder {
    /// Takes out what was sent since the last call.
    pub fn take_sent(&mut self) -> Vec<(Peer, Message)> {
        std::mem::take(&mut self.sent)
    }

    /// Takes out the timers set since the last call.
    pub fn take_timers(&mut self) -> Vec<(Timer, Range<Duration>)> {
        std::mem::take(&mut self.timers)
    }

    /// Takes out what was told since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

impl Network for Recorder {
    type Store = MemoryStore;

    fn send(&mut self, to: Peer, message: Message) {
        self.sent.push((to, message));
    }

    fn set_timer(&mut self, timer: Timer, after: Range<Duration>) {
        self.timers.push((timer, after));
    }

    fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    fn wall_clock(&self) -> u64 {
        self.clock
    }

    fn store(&mut self) -> &mut MemoryStore {
        &mut self.store
    }
}
