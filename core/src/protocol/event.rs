//! What a world hands to a node, and what a node tells it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::access::{AccessError, Fetched, Write, Written};
use super::error::LookupError;
use super::{Protocol, Refusal};
use crate::record::{Conflict, Stamp};
use crate::ring::{Id, Peer};

/// What can happen to a node. It handles one at a time, to the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<P: Protocol> {
    /// Found a ring of one.
    Found,
    /// Join the ring that these peers belong to; one live member is enough.
    Join(Vec<Peer>),
    /// Begin to work as the member that it was made: start the timers.
    Resume,
    /// Leave gracefully. [`Event::Left`] follows, after which the node may be dropped.
    Leave,
    /// Look up who owns `key`. [`Event::Lookup`] with the same token follows, always.
    Lookup {
        /// Chosen by the caller to recognize the answer.
        token: u64,
        /// The place looked for.
        key: Id,
        /// Whether each of its steps is told, too: [`Event::Step`].
        traced: bool,
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
    /// Peers known from an earlier incarnation, to be probed like those presumed dead. Should there be
    /// no room for all, the first stay.
    Remember(Vec<Peer>),
    /// A message arrived.
    Message {
        /// Who sent it; the world has made sure of that.
        from: Peer,
        /// What it says.
        message: P::Message,
        /// For a reply: the time since its request was sent, where the world knows it.
        took: Option<Duration>,
    },
    /// A timer set earlier is due.
    Timer(P::Timer),
}

/// What a node tells whoever runs it: what nodes of all protocols tell, and what those of one do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event<T> {
    /// It has become a member of a ring.
    Joined,
    /// Those that it takes for its neighbours are no longer those that they were.
    NeighboursChanged,
    /// A look-up ended.
    Lookup {
        /// The token it was asked with.
        token: u64,
        /// The owner and the way there, or why none was found.
        result: Result<OwnerFound, LookupError>,
        /// How many nodes did not answer in time on the way.
        timeouts: u32,
    },
    /// A step of a look-up that is traced. All come before its [`Event::Lookup`].
    Step {
        /// The token it was asked with.
        token: u64,
        /// Who is asked.
        peer: Peer,
        /// What happened.
        step: Step,
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
    /// It missed a deletion that all others have forgotten: what it had stored is set aside.
    SetAside,
    /// It has handed over what it served, and says good-bye to its neighbours.
    Leaving,
    /// It leaves, and the time for it is over: so many of its records may be nowhere else. They stay
    /// on its disk.
    LeftBehind {
        /// How many.
        records: u64,
    },
    /// The record of this key was damaged on the disk; it is fetched again from a replica.
    Damaged(Id),
    /// The clock of its machine is so many milliseconds ahead of those of others, or behind them if
    /// this is negative, and it stamps no writes; or, with `None`, it is no more.
    ClockWrong(Option<i64>),
    /// It presumes this peer dead.
    PresumedDead(Peer),
    /// All that it knew fell silent: it is no member until it finds a way back.
    Stranded,
    /// It has left the ring and may be dropped.
    Left,
    /// A peer refused it, or it refused a peer.
    Refused(Peer, Refusal),
    /// A message that no correct node would send now was dropped.
    Ignored(Peer, Ignored),
    /// What only nodes of this protocol tell.
    Told(T),
}

impl<T> Event<T> {
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

/// A step of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A question was sent to the peer; perhaps once more.
    Asked,
    /// The peer answered. The protocol says in a word or two what kind of answer it was.
    Answered(&'static str),
    /// The peer did not answer in time.
    Silent,
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
pub struct OwnerFound {
    /// The key's owner, who confirmed it, or after whose predecessors' silence the key fell
    /// to it.
    pub owner: Peer,
    /// Nodes contacted that answered, the owner included, the asker not.
    pub hops: u32,
    /// The same up to the key's immediate predecessor, the owner not contacted: how the papers'
    /// figures for fingers alone are counted.
    pub hops_to_predecessor: u32,
}
