//! What nodes say to each other about records.
//!
//! ```text
//!   client's node                     owner                      other holders
//!     │── Write { stamp } ─────────────▶│── Store { epoch } ───────▶│  all, side by side
//!     │◀───────────────────── Written ──│◀─────────────── Stored ───│
//!     │── Read ────────────────────────▶│
//!     │◀────────────────────── Record ──│── Compare, Fetch, Merge ─▶│  repair
//!
//!   newcomer                       its successor
//!     │── Claim ───────────────────────▶│                 "that should be mine"
//!     │◀──────── Compare, Fetch, Merge ─│                 it brings what it has there
//!     │◀────────────── HandOver { n } ──│                 and only then lets go
//!
//!   former holder                     owner                      holders
//!     │── Compare, …, Confirm ─────────▶│── Forget ────────────────▶│  "may I drop these?"
//!
//!   leaver                         its successor
//!     │── Leave ───────────────────────▶│                 "don't leave before I am gone"
//! ```
//!
//! Each carries the sender's stamp clock, so that a slow clock can't lose a write that was made
//! after another was seen.

use serde::{Deserialize, Serialize};

use crate::protocol::{Condition, Denied, Written};
use crate::record::{
    DigestAnswer, DigestQuestion, Entry, Field, Record, Stamp, StampClock, TooFarAhead,
};
use crate::ring::{Id, KeyRange, Peer};

/// A message about records, with the sender's clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamped<T> {
    /// The highest stamp that the sender has issued or seen.
    pub clock: Stamp,
    /// The latest deletion that the sender knows to be forgotten by all, in milliseconds since
    /// 1970; 0 for none ([`crate::record::StampClock::forgotten`]).
    pub forgotten: u64,
    /// What the sender's wall clock shows, in milliseconds since 1970; 0 if it does not say.
    pub now: u64,
    /// What it says.
    pub body: T,
}

impl<T> Stamped<T> {
    /// What the node with this clock says, at this time by its wall clock.
    pub(super) const fn by(clock: &StampClock, now: u64, body: T) -> Stamped<T> {
        Stamped {
            clock: clock.latest(),
            forgotten: clock.forgotten(),
            now,
            body,
        }
    }

    /// What a sender says of whom nothing more is known.
    pub const fn new(clock: Stamp, body: T) -> Stamped<T> {
        Stamped {
            clock,
            forgotten: 0,
            now: 0,
            body,
        }
    }
}

/// What can be asked about records. New kinds are added at the end only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecordRequest {
    /// What does this key hold?
    Read(Id),
    /// Bring this to all holders, as the owner of the key. The asker has stamped it: asked again,
    /// or delivered late or twice, it stays one and the same write.
    Write {
        /// The key.
        key: Id,
        /// The field's name.
        name: String,
        /// What it is to be.
        field: Field,
        /// What must be there.
        condition: Condition,
    },
    /// Hold this part of a key's record, which its owner has written.
    Store {
        /// The key.
        key: Id,
        /// The fields written.
        part: Record,
        /// The epoch in which the owner serves the key: a holder that knows of a later owner
        /// refuses.
        epoch: u64,
    },
    /// This is the digest of what I have on an arc; what is yours?
    Compare {
        /// Where, and the digest.
        question: DigestQuestion,
        /// The asker serves exactly this arc and counts the asked node among its holders.
        assigns: bool,
    },
    /// Which records do you have under these keys?
    Fetch {
        /// At most [`super::limits::FETCHED_KEYS`].
        keys: Vec<Id>,
        /// Of the first key only the fields with names behind this one.
        after: Option<String>,
    },
    /// Merge these into what you have.
    Merge(Vec<(Id, Record)>),
    /// The arc lies before me and I don't serve it. Do you?
    Claim(KeyRange),
    /// You serve this arc from now on: you have all that I have there.
    HandOver {
        /// Which.
        arc: KeyRange,
        /// Later than every epoch in which it was served before.
        epoch: u64,
        /// Of what I don't know all that there is.
        doubts: Doubts,
    },
    /// Do as many nodes as should hold exactly these, without me?
    Confirm {
        /// At most [`super::limits::FETCHED_KEYS`] records of the asker.
        entries: Vec<Entry>,
        /// The asker is leaving: as many as there are will do.
        leaving: bool,
    },
    /// What [`RecordNotice::Forget`] says, and an answer. Sent by nobody any more.
    Forget(Vec<(Id, String, Stamp)>),
    /// You are my successor, and I mean to leave: stay until I am gone.
    Leave,
    /// Of which arc up to yourself do you hold all that was acknowledged? I know that I lack some.
    Held,
}

impl RecordRequest {
    /// The same write as it is sent while the sender's clock shows this, where its value is said to
    /// live for so many milliseconds: on the way it is said when that is over by that clock.
    #[must_use]
    pub(super) fn lives_from(mut self, now: u64) -> RecordRequest {
        if let RecordRequest::Write { field, .. } = &mut self {
            field.shift_expiry(|lives| now.saturating_add(lives));
        }
        self
    }
}

/// What is said about records and not answered. New kinds are added at the end only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecordNotice {
    /// All holders have these tombstones, and their time is over: forget them. Whoever does not
    /// hear it gives them back when it is next compared with.
    Forget(Vec<(Id, String, Stamp)>),
    /// My clock is far from those of others, yours among them: what does yours show? Answered by
    /// [`RecordNotice::Clock`], since all that is said of records says it.
    AskClock,
    /// What my clock shows stands beside this.
    Clock,
}

/// How a request about records is answered. New kinds are added at the end only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecordReply {
    /// To `Read`: what is here.
    Record {
        /// All of it; `None` if there is nothing.
        record: Option<Record>,
        /// Who else may have more, if the asked node can't answer for the key alone; empty if it
        /// can.
        others: Vec<Peer>,
        /// What time it is there, in milliseconds since 1970: fields that have expired by it are
        /// nothing for a reader.
        now: u64,
    },
    /// To `Read` and `Write`: the asked node does not answer for the key now. To `HandOver`: it is
    /// about to leave.
    NotServing {
        /// Who may.
        ask: Peer,
        /// Who may hold it, if nobody does; the asked node among them.
        holders: Vec<Peer>,
    },
    /// To `Write`: done, in whole or in part.
    Written(Written),
    /// To `Write`: not done.
    Denied(Denied),
    /// To `Store`: it is held.
    Stored,
    /// To `Store` and `Write`: it did not win over what is there; this stamp beat it.
    Beaten(Stamp),
    /// To `Store` and `HandOver`: the asked node knows of a later owner, in this epoch.
    Superseded(u64),
    /// To `Compare`.
    Compared {
        /// What the asked node has on the arc.
        answer: DigestAnswer,
        /// The highest epoch in which it knows that arcs were served.
        epoch: u64,
    },
    /// To `Fetch`: as many of them, in order, as fit into a message, at least one.
    Records {
        /// A key that has nothing comes with an empty record.
        records: Vec<(Id, Record)>,
        /// The last of them does not end there, but goes on behind this field.
        more: Option<String>,
    },
    /// To `Merge` and `Forget`: done.
    Merged,
    /// To `Claim`.
    Claimed {
        /// Who serves it.
        by: Claimed,
        /// The highest epoch that the asked node knows of.
        epoch: u64,
    },
    /// To `HandOver`: the asked node serves it now.
    Taken,
    /// To `Confirm`.
    Confirmed {
        /// Of these they do.
        safe: Vec<Id>,
        /// Of these the asked node has something else, or nothing.
        other: Vec<Id>,
    },
    /// To `Leave`: whether the asked node stays meanwhile. If it does not, ask again later, or
    /// its successor when it is gone.
    Stays(bool),
    /// To `Store`, and to `Compare` that assigns: the asked node is leaving, and holds nothing for
    /// others any more.
    Leaving,
    /// To `Held`: of this one, if of any.
    Held(Option<Held>),
    /// To `Store`: the stamp is too far ahead of the asked node's clock, and is not taken in.
    Ahead(TooFarAhead),
}

/// Who serves an arc, as far as the claimant's successor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Claimed {
    /// The asked node does, and hands it over as soon as it can.
    Here,
    /// The asked node waits for its own arc; it will know later.
    Unknown,
    /// Not the asked node.
    Elsewhere,
}

/// Arcs of which a node that serves them does not know all that there is, because the whole ring
/// had stopped and not all are back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Doubts {
    /// Which.
    pub arcs: Vec<KeyRange>,
    /// When the ring is known to have been running before, in milliseconds since 1970.
    pub since: u64,
}

/// An arc of which a node holds all that was acknowledged: from a point up to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Held {
    /// Where the arc starts; not part of it. The node itself if it holds the whole circle.
    pub start: Id,
    /// When it was last known to hold it, by its wall clock in milliseconds since 1970.
    pub at: u64,
}
