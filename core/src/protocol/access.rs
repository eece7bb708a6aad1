//! What clients ask of records, and what they are told.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::LookupError;
use super::limits;
use crate::hint::Hint;
use crate::record::{LimitError, Record, Stamp, TooFarAhead, Value};
use crate::ring::{Id, Peer};

/// A write to one field of a key's record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Write {
    /// The field's name; empty for what is stored plainly under a key.
    pub name: String,
    /// What it is to hold; `None` deletes it.
    pub value: Option<Value>,
    /// For how long, by the clock of the key's owner; `None` for as long as nobody writes or deletes
    /// it.
    pub lives: Option<Duration>,
    /// What must be there for the write to be done.
    pub condition: Condition,
    /// The last stamp that the client has seen; the write's will be above it.
    /// [`Stamp::ZERO`] for none.
    pub past: Stamp,
}

impl Write {
    /// Writes a value, whatever is there.
    #[must_use]
    pub fn put(name: impl Into<String>, value: impl Into<Value>) -> Write {
        Write {
            name: name.into(),
            value: Some(value.into()),
            lives: None,
            condition: Condition::None,
            past: Stamp::ZERO,
        }
    }

    /// Deletes a field, whatever is there.
    #[must_use]
    pub fn delete(name: impl Into<String>) -> Write {
        Write {
            name: name.into(),
            value: None,
            lives: None,
            condition: Condition::None,
            past: Stamp::ZERO,
        }
    }
}

/// What must be there for a write to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Condition {
    /// Anything.
    #[default]
    None,
    /// Nothing that a reader would find.
    Absent,
    /// A value with this stamp that a reader would find.
    Stamp(Stamp),
}

/// A write that was done, in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Written {
    /// The stamp that it got.
    pub stamp: Stamp,
    /// The nodes that have it on disk, the owner first.
    pub holders: Vec<Id>,
    /// How many were to have it for the write to count as done. With fewer holders it is done in
    /// part: it stands, and may be lost when these few fail.
    pub wanted: u8,
    /// Whether a majority of the last complete set of holders has it, as a conditional write
    /// needs.
    pub majority: bool,
}

impl Written {
    /// Whether as many hold it as were to, and those that a conditional write needs.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.majority && self.holders.len() >= usize::from(self.wanted)
    }
}

/// What a reading found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetched {
    /// The record, tombstones and expired fields included; `None` if there is none.
    pub record: Option<Record>,
    /// Whether the key's owner answered for it. Otherwise it is the newest that its other holders
    /// have, while ownership is changing.
    pub authoritative: bool,
    /// Who answered; the last of them if it took several.
    pub from: Peer,
    /// The highest stamp clock among those that answered: to be handed back with the client's
    /// next write.
    pub clock: Stamp,
    /// What time it is, in milliseconds since 1970, by the clock of the key's owner; by that of the
    /// node that was asked where the owner did not answer. Fields that have expired by then are
    /// nothing for a reader.
    pub now: u64,
}

/// Why a key's owner did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Denied {
    /// The condition does not hold.
    #[error(
        "the condition does not hold: {}",
        .0.map_or_else(|| "the field is not there".to_owned(), |stamp| format!("the field has the stamp {stamp}"))
    )]
    Changed(Option<Stamp>),
    /// The record would grow beyond a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The owner's clock is too far behind what the write must come after.
    #[error(transparent)]
    Ahead(#[from] TooFarAhead),
    /// The owner has as many keys as it may.
    #[error("the key's owner holds {0} keys already, which is its `keys_max`")]
    Keys(u32),
    /// Other writes won over it, however often it was stamped anew.
    #[error("other writes of this field kept coming first")]
    Beaten,
    /// As many writes are open at the owner as it will hold.
    #[error("{} writes are open at the key's owner already", limits::WRITES)]
    TooManyWrites,
    /// Nothing is known there, but not all who may know are back since the whole ring had stopped.
    #[error(
        "the key's owner knows of nothing there, but those that held its records before the ring \
         stopped are not back"
    )]
    Uncertain,
    /// The clock of the node that was asked is so many milliseconds ahead of those of others, or
    /// behind them: it stamps no writes.
    #[error(
        "the clock of the node that was asked is {} minutes {} those of other nodes",
        .0.unsigned_abs() / 60_000,
        if *.0 < 0 { "behind" } else { "ahead of" }
    )]
    ClockWrong(i64),
}

/// Why a client's write or reading was not done. A write may have been done in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AccessError {
    /// The key's owner was not found.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The owner said no.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Nobody would answer for the key in all the time that was tried: its owner is changing, or
    /// out of reach.
    #[error("nobody answered for the key in time, its owner may be changing")]
    NoOwner,
    /// Those that hold records for the key's owner have nothing, but it did not answer itself.
    #[error("those that answered have nothing for the key, but its owner did not answer")]
    Uncertain,
    /// As many operations of clients are open as this node will hold.
    #[error("{} operations are open here already", limits::ACCESSES)]
    TooManyAccesses,
}

impl Hint for Denied {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Denied::Changed(_) => "read again and decide anew",
            Denied::Limit(error) => return error.hint(),
            Denied::Ahead(error) => return error.hint(),
            Denied::Keys(_) => "raise that, add nodes or delete keys",
            Denied::Beaten => "try again",
            Denied::Uncertain => "start the nodes that are missing, or wait for them",
            Denied::ClockWrong(_) => "set it right, or ask another node",
            Denied::TooManyWrites => "wait for some to end",
        }))
    }
}

impl Hint for AccessError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            AccessError::Lookup(error) => error.hint(),
            AccessError::Denied(error) => error.hint(),
            AccessError::NoOwner | AccessError::Uncertain => {
                Some("try again when the ring has repaired itself".into())
            }
            AccessError::TooManyAccesses => Some("wait for some to end".into()),
        }
    }
}
