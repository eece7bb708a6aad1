//! Where a node stands towards the ring.

use serde::{Deserialize, Serialize};

use super::op::{Join, Leave, Retreat};

/// Where a node stands towards the ring, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Membership {
    /// It belongs to none, and has not been told to join one.
    Outside,
    /// It is on the way in.
    Joining,
    /// It belongs to a ring: it answers questions about it and may own keys.
    Member,
    /// Its successors fell silent; it is on the way back.
    Stranded,
    /// It is saying good-bye.
    Leaving,
}

/// The same, with the operation that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum MembershipPhase {
    Outside,
    Joining(Box<Join>),
    Member,
    /// Its successors fell silent; it is on the way back.
    Stranded(Box<Retreat>),
    Leaving(Box<Leave>),
}

impl MembershipPhase {
    /// The same in a word.
    pub(super) const fn membership(&self) -> Membership {
        match self {
            MembershipPhase::Outside => Membership::Outside,
            MembershipPhase::Joining(_) => Membership::Joining,
            MembershipPhase::Member => Membership::Member,
            MembershipPhase::Stranded(_) => Membership::Stranded,
            MembershipPhase::Leaving(_) => Membership::Leaving,
        }
    }
}
