//! What can go wrong for a client of the node.

/// Why a look-up named nobody. None of these is a bug, and none changed the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum LookupError {
    /// This node belongs to no ring, or not yet.
    #[error("this node is not a member of a ring; wait until it has joined, or join one")]
    NotMember,
    /// Every node that might know the way was silent or knew no nearer one.
    #[error(
        "no live node on the way to the key's owner; try again when the ring has repaired itself"
    )]
    NoRoute,
    /// The bound on the number of nodes asked was reached.
    #[error(
        "asked {} nodes without reaching the owner; try again",
        super::limits::LOOKUP_ASKS
    )]
    TooManyAsks,
    /// As many look-ups are open as this node will hold.
    #[error(
        "{} look-ups are open here already; wait for some to end",
        super::limits::LOOKUPS
    )]
    TooManyLookups,
    /// The node left the ring, or fell out of it, while the look-up was under way.
    #[error("this node fell out of the ring during the look-up; try again")]
    Stopped,
}
