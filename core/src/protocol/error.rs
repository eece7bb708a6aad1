//! What can go wrong for a client of the node.

use std::borrow::Cow;

use crate::hint::Hint;

/// Why a look-up named nobody. None of these is a bug, and none changed the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum LookupError {
    /// This node belongs to no ring, or not yet.
    #[error("this node is not a member of a ring")]
    NotMember,
    /// Every node that might know the way was silent or knew no nearer one.
    #[error("no live node on the way to the key's owner")]
    NoRoute,
    /// The bound on the number of nodes asked was reached.
    #[error(
        "asked {} nodes without reaching the owner",
        super::limits::LOOKUP_ASKS
    )]
    TooManyAsks,
    /// As many look-ups are open as this node will hold.
    #[error("{} look-ups are open here already", super::limits::LOOKUPS)]
    TooManyLookups,
    /// The node left the ring, or fell out of it, while the look-up was under way.
    #[error("this node fell out of the ring during the look-up")]
    Stopped,
}

impl Hint for LookupError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            LookupError::NotMember => "wait until it has joined, or join one",
            LookupError::NoRoute => "try again when the ring has repaired itself",
            LookupError::TooManyAsks | LookupError::Stopped => "try again",
            LookupError::TooManyLookups => "wait for some to end",
        }))
    }
}
