//! What stands in a line of the stream. Only ever added to: others parse it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use cuerda_core::chord::{Event, Ignored, Node, Refusal};
use cuerda_core::record::{PortableField, PortableRecord, Record, StampText, Unfit};
use cuerda_core::ring::{Address, Id, Peer};
use cuerda_core::store::{Batch, Notes};

/// What a node told, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When, by the wall clock in microseconds since 1970.
    pub at_us: u64,
    /// Who; absent if it concerns the process.
    #[serde(flatten)]
    pub by: Option<By>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// A node of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Which of the process's nodes, from 0.
    pub node: u8,
    /// Its place on the circle.
    pub id: Id,
}

/// What can be told. [`Event`] has the longer explanations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The node begins to run: its first line.
    Started {
        /// Counts its starts.
        incarnation: u32,
        /// Where others reach it.
        address: Address,
        /// The Ed25519 public key of the process, in hexadecimal.
        public_key: String,
    },
    /// It has become a member of a ring.
    Joined(Around),
    /// Its predecessor or its successors are others now.
    NeighboursChanged(Around),
    /// All its successors fell silent.
    Stranded(Around),
    /// It has handed over what it served, and says good-bye.
    Leaving(Around),
    /// It has left the ring.
    Left(Around),
    /// It presumes a peer dead.
    PresumedDead {
        /// Whom.
        peer: Peer,
    },
    /// Two writes of a field did not know of each other.
    Conflict {
        /// The record's key.
        key: Id,
        /// The field's name.
        name: String,
        /// The write that stays.
        kept: StampText,
        /// The write that is gone.
        lost: StampText,
    },
    /// It missed a deletion that all others have forgotten: what it had stored is set aside.
    SetAside,
    /// The clock of its machine is far from those of others, and it stamps no writes; or it is so no
    /// more.
    ClockWrong {
        /// By how many milliseconds it is ahead; negative is behind, and absent is no more.
        by_ms: Option<i64>,
    },
    /// It leaves, and so many of its records may be nowhere but on its disk.
    LeftBehind {
        /// How many.
        records: u64,
    },
    /// A record is damaged on its disk.
    Damaged {
        /// The record's key.
        key: Id,
    },
    /// A peer refused it, or it refused a peer.
    Refused {
        /// Whom.
        peer: Peer,
        /// What they differ in.
        why: Refusal,
    },
    /// It dropped a message that no correct node would send now.
    Ignored {
        /// From whom.
        peer: Peer,
        /// What was wrong with it.
        why: Ignored,
    },
    /// What it wrote is on the disk.
    Committed(Committed),
    /// Here lines are missing, since nobody read the stream fast enough.
    Missed {
        /// How many.
        count: u64,
    },
}

/// Who is before and after a node on the circle, as far as it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Around {
    /// Who is before it; itself if it knows nobody.
    pub predecessor: Peer,
    /// Who comes after it, the nearest first.
    pub successors: Vec<Peer>,
}

/// Changes that have reached the disk together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Counts the batches of a node since its start, from 1.
    pub number: u64,
    /// All records that were there before are set aside, and then the others written.
    pub set_aside: bool,
    /// What the node noted for its next start, if that changed.
    pub notes: Option<Notes>,
    /// What each of these keys has from now on.
    pub records: Vec<CommittedRecord>,
}

/// What a key has from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedRecord {
    /// The record's key.
    pub key: Id,
    /// All its fields by name, deletions included; `None` if there is no record any more.
    pub fields: Option<BTreeMap<String, PortableField>>,
}

impl Around {
    fn of(node: &Node) -> Around {
        let neighbours = node.neighbours();
        Around {
            predecessor: neighbours.predecessor(),
            successors: neighbours.successors().to_vec(),
        }
    }
}

impl What {
    /// An event of a node as it is now; `None` for those that answer clients.
    pub(super) fn told(node: &Node, event: &Event) -> Option<What> {
        Some(match *event {
            Event::Joined => What::Joined(Around::of(node)),
            Event::NeighboursChanged => What::NeighboursChanged(Around::of(node)),
            Event::Stranded => What::Stranded(Around::of(node)),
            Event::Leaving => What::Leaving(Around::of(node)),
            Event::Left => What::Left(Around::of(node)),
            Event::PresumedDead(peer) => What::PresumedDead { peer },
            Event::Conflict(key, ref conflict) => What::Conflict {
                key,
                name: conflict.name.clone(),
                kept: StampText(conflict.kept),
                lost: StampText(conflict.lost),
            },
            Event::SetAside => What::SetAside,
            Event::ClockWrong(by_ms) => What::ClockWrong { by_ms },
            Event::LeftBehind { records } => What::LeftBehind { records },
            Event::Damaged(key) => What::Damaged { key },
            Event::Refused(peer, why) => What::Refused { peer, why },
            Event::Ignored(peer, why) => What::Ignored { peer, why },
            Event::Lookup { .. }
            | Event::Step { .. }
            | Event::Written { .. }
            | Event::Read { .. } => return None,
            Event::Told(never) => match never {},
        })
    }

    /// About how many bytes it takes while it waits to be written.
    pub(super) fn weight(&self) -> usize {
        let more = match self {
            What::Joined(around)
            | What::NeighboursChanged(around)
            | What::Stranded(around)
            | What::Leaving(around)
            | What::Left(around) => size_of_val(&*around.successors),
            What::Committed(committed) => {
                let records = committed.records.iter();
                records.map(CommittedRecord::weight).sum()
            }
            _ => 0,
        };
        size_of::<Line>() + more
    }
}

impl Committed {
    /// A batch as text.
    #[must_use]
    pub fn new(batch: &Batch) -> Committed {
        let record = |(key, record): &(Id, Option<Record>)| CommittedRecord {
            key: *key,
            fields: record
                .as_ref()
                .map(|record| PortableRecord::new(*key, record).fields),
        };
        Committed {
            number: batch.number,
            set_aside: batch.set_aside,
            notes: batch.notes,
            records: batch.records.iter().map(record).collect(),
        }
    }

    /// The batch that the text means.
    ///
    /// # Errors
    /// If a field is larger than any node takes.
    pub fn batch(self) -> Result<Batch, Unfit> {
        let record = |CommittedRecord { key, fields }| match fields {
            Some(fields) => {
                let (key, record) = PortableRecord { key, fields }.record()?;
                Ok((key, Some(record)))
            }
            None => Ok((key, None)),
        };
        Ok(Batch {
            number: self.number,
            records: self
                .records
                .into_iter()
                .map(record)
                .collect::<Result<_, _>>()?,
            notes: self.notes,
            set_aside: self.set_aside,
        })
    }
}

impl CommittedRecord {
    fn weight(&self) -> usize {
        let fields = self.fields.iter().flatten();
        let fields = fields.map(|(name, field)| {
            let value = field.value.as_ref().map_or(0, |value| value.0.len());
            name.len() + value + size_of::<PortableField>()
        });
        size_of::<CommittedRecord>() + fields.sum::<usize>()
    }
}
