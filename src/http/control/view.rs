//! Answers as JSON has them: what a person or a script wants of the node's own values.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::{Answer, FingerRow};
use cuerda_core::ring::{Id, Peer};

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// The key's name; absent if the place was given.
    pub name: Option<String>,
    /// The key's place.
    pub key: Id,
    /// Its owner.
    pub owner: Peer,
    /// Nodes contacted that answered.
    pub hops: u32,
    /// The same up to the key's immediate predecessor.
    pub hops_to_predecessor: u32,
    /// Nodes that did not answer in time.
    pub timeouts: u32,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// Every node asked, in order; empty unless a trace was wanted.
    pub trace: Vec<Hop>,
}

/// A question of a look-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// Who was asked.
    pub peer: Peer,
    /// When, in milliseconds since the look-up began.
    pub asked_after_ms: f64,
    /// How long the reply took, in milliseconds; absent if it did not come in time.
    pub took_ms: Option<f64>,
    /// What it was, in a word.
    pub reply: String,
}

impl Lookup {
    pub(super) fn new(name: Option<String>, answer: Answer) -> Lookup {
        let hops = answer.trace.into_iter().map(|hop| Hop {
            peer: hop.peer,
            asked_after_ms: milliseconds(hop.asked_after),
            took_ms: hop.took.map(milliseconds),
            reply: hop.reply,
        });
        Lookup {
            name,
            key: answer.key,
            owner: answer.owner,
            hops: answer.hops,
            hops_to_predecessor: answer.hops_to_predecessor,
            timeouts: answer.timeouts,
            took_ms: milliseconds(answer.took),
            trace: hops.collect(),
        }
    }
}

/// Milliseconds, to the microsecond.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
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
}

/// Keys and secrets have been read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Connections closed because the new ones don't admit them.
    pub closed: usize,
}
