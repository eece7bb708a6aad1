//! What a host tells about itself: one model for the command line, JSON, the control interface
//! and the metrics.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lost_lines::LinesLost;
use super::milliseconds;
use super::sqlite::StoreError;
use cuerda_core::Hint;
use cuerda_core::chord::{AccessError, Copies, LookupError, Membership};
use cuerda_core::record::Record;
use cuerda_core::ring::{Address, Id, Peer};

/// A process and its nodes, of each of which its protocol tells an `N`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status<N = NodeStatus> {
    /// The release.
    pub release: String,
    /// The newest version of the protocol that it speaks.
    pub protocol: u16,
    /// The cluster's name.
    pub cluster: String,
    /// The Ed25519 public key, in hexadecimal.
    pub public_key: String,
    /// Where other nodes reach it.
    pub address: String,
    /// Counts its starts.
    pub incarnation: u32,
    /// Seconds since it started.
    pub uptime_s: f64,
    /// Whether connections are secured by TLS.
    pub secure: bool,
    /// Open connections to other processes.
    pub connections: usize,
    /// What it waits for, in words; absent when it waits for nothing.
    pub waiting_for: Option<String>,
    /// Who can't be connected to; absent where nothing is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_reach: Option<OutOfReach>,
    /// Lines that it could not tell since it started.
    #[serde(default)]
    pub lines_lost: LinesLost,
    /// How large the file of its records is, with its log; absent if they are in memory.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
    /// Seconds since all of its members last stabilized with their successors; absent where that
    /// does not happen, as in a ring of one.
    #[serde(default)]
    pub stabilized_s: Option<f64>,
    /// Its nodes; one, unless it hosts virtual nodes.
    pub nodes: Vec<N>,
}

/// Who can't be connected to, though it connects itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfReach {
    /// Members beside its nodes that it could not connect to.
    #[serde(default)]
    pub others: Vec<Unreached>,
    /// Where others could not connect to this process, though it says that it is reached there.
    #[serde(default)]
    pub at: Option<Address>,
    /// Who said so last.
    #[serde(default)]
    pub told_by: Option<Address>,
}

/// A member that can't be connected to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreached {
    /// Which, and where it says that it is.
    pub peer: Peer,
    /// What came of it.
    pub why: String,
}

impl OutOfReach {
    /// What is wrong, a sentence for each, with what to do.
    pub fn words(&self) -> impl Iterator<Item = String> {
        let own = self.at.zip(self.told_by).map(|(at, by)| {
            format!(
                "{by} can't connect to this node at {at}, and no newcomer finds a way in beside it: say \
                 by `advertise` where others reach it, and let them in there"
            )
        });
        let others = self.others.iter().map(|Unreached { peer, why }| {
            format!(
                "{peer} connects to this node, but can't be connected to ({why}), and no newcomer finds a \
                 way in beside it: it should say by `advertise` where others reach it"
            )
        });
        own.into_iter().chain(others)
    }
}

impl Status {
    /// What its nodes know of the copies of the records that they serve, taken together.
    #[must_use]
    pub fn copies(&self) -> Copies {
        let all = self.nodes.iter().map(|node| node.copies);
        all.reduce(|one, other| Copies {
            lacking: one.lacking + other.lacking,
            settled: one.settled && other.settled,
            under_way: one.under_way || other.under_way,
        })
        .unwrap_or_default()
    }

    /// How far this machine's clock is from those of others, in words; `None` if it is near them.
    #[must_use]
    pub fn clock_wrong(&self) -> Option<String> {
        let wrong = self.nodes.iter().filter_map(|node| node.clock_wrong_ms);
        let by = wrong.min_by_key(|by| by.unsigned_abs())?;
        let how = if by < 0 { "behind" } else { "ahead of" };
        let minutes = by.unsigned_abs() / 60_000;
        Some(format!(
            "this machine's clock is {minutes} minutes {how} those of other nodes: set it right; until \
             then nothing can be written through this node"
        ))
    }

    /// Whether all nodes belong to a ring.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.nodes
            .iter()
            .all(|node| node.standing == Membership::Member)
    }

    /// What it waits for, in words; `None` when it waits for nothing.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        let in_doubt: f64 = self.nodes.iter().map(|node| node.in_doubt).sum();
        match &self.waiting_for {
            None if in_doubt > 0.0 => Some(format!(
                "waiting for nodes that held records before the whole ring stopped: on {} % of the \
                 circle, which this node serves, what is not found may be on them",
                (in_doubt * 100.0).ceil()
            )),
            waiting_for => waiting_for.clone(),
        }
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its place on the circle.
    pub id: Id,
    /// Where it stands towards the ring.
    pub standing: Membership,
    /// Who is before it. Itself in a ring of one.
    pub predecessor: Peer,
    /// Who comes after it, the nearest first.
    pub successors: Vec<Peer>,
    /// How long the list is when it is full: r.
    pub successors_wanted: u8,
    /// How many different fingers it has.
    pub fingers: usize,
    /// Peers presumed dead that it goes on probing.
    pub remembered: Vec<Peer>,
    /// The share of the circle, from 0 to 1, that it serves without knowing all that there is: the
    /// whole ring had stopped, and of those that held it nobody is back. What is not found there
    /// is [uncertain](cuerda_core::protocol::Denied::Uncertain).
    #[serde(default)]
    pub in_doubt: f64,
    /// By how many milliseconds its machine's clock is ahead of those of others, or behind them if
    /// this is negative; absent unless it is so far from them that the node stamps no writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_wrong_ms: Option<i64>,
    /// How many keys it holds a record of, its own and copies for others, deleted ones counted
    /// until they are collected.
    pub records: usize,
    /// How many records it has read since its start to see whether they have rotted on the disk.
    #[serde(default)]
    pub scrubbed: u64,
    /// What it knows of the copies of those that it serves.
    #[serde(default)]
    pub copies: Copies,
    /// How many of its records others may lack, which it would leave behind if it stopped now;
    /// absent unless it was told to leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_hand_over: Option<u64>,
}

/// A key that a process holds a record of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldKey {
    /// Its place. The name that it was written by is not kept.
    pub key: Id,
    /// Whether it lies between the node and the one before it; else it is a copy for another
    /// node.
    pub own: bool,
}

/// Some of what a node holds, in the order of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// As many as fit.
    pub items: Vec<T>,
    /// The key after which the next page begins; `None` after the last one.
    pub next: Option<Id>,
}

impl<T> Default for Page<T> {
    fn default() -> Page<T> {
        Page {
            items: Vec::new(),
            next: None,
        }
    }
}

/// A record that a node holds, for a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its key.
    pub key: Id,
    /// All of it, tombstones and what has expired included; `None` if it is damaged on this
    /// node's disk.
    pub record: Option<Record>,
}

/// What became of a record from a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its key.
    pub key: Id,
    /// Who has merged it, the key's owner first.
    pub holders: Vec<Id>,
    /// How many were asked to: fewer than were to in a ring that is too small.
    pub asked: usize,
    /// How many were to.
    pub wanted: u8,
}

impl Restored {
    /// Whether as many have merged it as were to.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.holders.len() >= usize::from(self.wanted)
    }

    /// Whether all who were asked to have merged it: in a ring that is too small for more that is
    /// all there can be.
    #[must_use]
    pub fn is_with_all(&self) -> bool {
        self.holders.len() >= self.asked
    }
}

/// A row of a finger table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FingerRow {
    /// The finger is for the point 2^exponent after the node.
    pub exponent: u8,
    /// That point.
    pub start: Id,
    /// Its owner, as far as the node knows.
    pub owner: Peer,
}

/// What a look-up of a client found. Times are written in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookupAnswer {
    /// The place looked for.
    pub key: Id,
    /// Its owner.
    pub owner: Peer,
    /// Nodes contacted that answered.
    pub hops: u32,
    /// The same up to the key's immediate predecessor.
    pub hops_to_predecessor: u32,
    /// Nodes that did not answer in time.
    pub timeouts: u32,
    /// How long it took.
    #[serde(rename = "took_ms", with = "milliseconds")]
    pub took: Duration,
    /// Every node asked, in order; empty unless a trace was wanted.
    pub trace: Vec<Hop>,
}

/// A question of a look-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// Who was asked.
    pub peer: Peer,
    /// When, since the look-up began.
    #[serde(rename = "asked_after_ms", with = "milliseconds")]
    pub asked_after: Duration,
    /// How long the reply took; absent if it did not come in time.
    #[serde(rename = "took_ms", with = "milliseconds::optional")]
    pub took: Option<Duration>,
    /// What it was, in a word: `covered`, `closer`, `owner`, …; `silence`.
    pub reply: String,
}

/// A member as a walk round the ring finds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visited {
    /// Which.
    pub peer: Peer,
    /// Who it says is before it; absent if it did not answer.
    pub predecessor: Option<Peer>,
    /// The successors it lists.
    pub successors: Vec<Peer>,
    /// What is wrong with its tables, as far as the walk can tell; empty if nothing.
    pub faults: Vec<String>,
}

/// The ring as a walk finds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    /// The members in the order of the circle, beginning with the node asked.
    pub members: Vec<Visited>,
    /// Whether the walk came back to where it began.
    pub closed: bool,
    /// Whether every successor list and predecessor is what it would be in an ideal ring of
    /// these members.
    pub ideal: bool,
}

/// Whether all records of a ring are where they should be, as its members say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingCopies {
    /// How many members a walk round the ring found.
    pub members: usize,
    /// Whether the walk found the ring to be ideal.
    pub ideal: bool,
    /// Keys of which not as many nodes as should hold them are known to have what their owner has.
    pub lacking: u64,
    /// Members that compare records now, or bring them to others or get them.
    pub under_way: usize,
    /// Members that do not yet serve what they should, or not yet all that there is of it.
    pub unsettled: Vec<Peer>,
    /// Members that did not answer.
    pub silent: Vec<Peer>,
}

impl RingCopies {
    /// Whether all is well: any one node may be stopped.
    #[must_use]
    pub fn are_complete(&self) -> bool {
        self.ideal && self.lacking == 0 && self.unsettled.is_empty() && self.silent.is_empty()
    }
}

/// Why a call of a client failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The node answered, with an error.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A record could not be read or written.
    #[error(transparent)]
    Access(AccessError),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The host has stopped.
    #[error("the node has stopped")]
    Stopped,
    /// Too many calls wait already.
    #[error("{most} calls wait already", most = super::limits::CALLS)]
    Busy,
    /// The file of records could not be read or written. What the nodes themselves have stored is
    /// not concerned.
    #[error("{0}")]
    Records(StoreError),
    /// The peer asked did not answer.
    #[error("{0} did not answer")]
    Silent(Peer),
    /// New keys or secrets could not be read.
    #[error("{0}")]
    Admission(String),
}

impl Hint for CallError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            CallError::Lookup(LookupError::NotMember) => "`cuerda status` says what it waits for",
            CallError::Lookup(LookupError::NoRoute | LookupError::TooManyAsks) => {
                "`cuerda ring` shows which members answer"
            }
            CallError::Lookup(LookupError::Stopped) => {
                "try again; `cuerda status` says whether it is back"
            }
            CallError::Lookup(LookupError::TooManyLookups) | CallError::Busy => {
                "try again in a second"
            }
            CallError::Access(error) => return error.hint(),
            CallError::Records(error) => return error.hint(),
            CallError::TimedOut(_) => "try again; `cuerda status` says what the node waits for",
            CallError::Stopped => "start it again with `cuerda node run`",
            CallError::Silent(_) => {
                "try again when the ring has repaired itself; `cuerda ring` shows who answers"
            }
            CallError::Admission(_) => {
                "mend the file that the detail names; until then the old ones hold"
            }
        }))
    }
}

/// A look-up that failed is one, whatever it was for.
impl From<AccessError> for CallError {
    fn from(error: AccessError) -> CallError {
        match error {
            AccessError::Lookup(error) => CallError::Lookup(error),
            error => CallError::Access(error),
        }
    }
}
