//! Which request a reply answers.

use serde::{Deserialize, Serialize};

/// Tells the requests apart that come from one peer: who asked there, and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId {
    /// Who asked.
    pub origin: Origin,
    /// Counts the requests of this origin.
    pub number: u32,
}

/// Who asks in a peer's name: the node itself, in one of its incarnations, or the process that runs
/// it, for a client of its own.
///
/// Travels as one number: the incarnation, or 0 for the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(u32);

impl Origin {
    /// The process that runs the node.
    pub const HOST: Origin = Origin(0);

    /// The node in this incarnation, which is at least 1. A reply to an earlier one is ignored.
    #[must_use]
    pub const fn node(incarnation: u32) -> Origin {
        Origin(incarnation)
    }

    /// The number that it travels as.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl RequestId {
    /// A request of a node in this incarnation, which is at least 1.
    #[must_use]
    pub const fn of_node(incarnation: u32, number: u32) -> RequestId {
        RequestId {
            origin: Origin::node(incarnation),
            number,
        }
    }

    /// A request of the process that runs a node.
    #[must_use]
    pub const fn of_host(number: u32) -> RequestId {
        RequestId {
            origin: Origin::HOST,
            number,
        }
    }
}
