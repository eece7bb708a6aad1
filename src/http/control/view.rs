//! Answers as JSON has them: what a person or a script wants of the node's own values.

use serde::{Deserialize, Serialize};

use crate::host::{FingerRow, LookupAnswer};
use cuerda_core::ring::{Id, Peer};

/// What a look-up found, with what was looked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// The key's name; absent if the place was given.
    pub name: Option<String>,
    /// The rest, beside the name.
    #[serde(flatten)]
    pub answer: LookupAnswer,
}

/// The processes that hold a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holders {
    /// The key's name; absent if the place was given.
    pub name: Option<String>,
    /// The key's place.
    pub key: Id,
    /// k: how many there are in a ring that is large enough.
    pub wanted: usize,
    /// Its owner first.
    pub holders: Vec<Peer>,
}

/// A finger table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fingers {
    /// Which of the process's nodes.
    pub node: u8,
    /// Its place.
    pub id: Id,
    /// The rows, by exponent.
    pub fingers: Vec<FingerRow>,
}

/// The node has left the ring, or does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// False if it is still handing over its records; it leaves when others have them.
    pub left: bool,
    /// So many records may be nowhere but on its disk, because nobody took them over in time.
    #[serde(default)]
    pub left_behind: u64,
    /// False if it belonged to no ring, and so only stops.
    #[serde(default = "yes")]
    pub member: bool,
}

/// Keys and secrets have been read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Connections closed because the new ones don't admit them.
    pub closed: usize,
}

/// What nodes mean that do not say so yet.
const fn yes() -> bool {
    true
}
