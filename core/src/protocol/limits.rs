//! Bounds that clients of every protocol meet. A full table rejects at once and names its limit.

/// Client look-ups open at one node at a time.
pub const LOOKUPS: usize = 1024;
/// Nodes that one look-up may ask, answered or not.
pub const LOOKUP_ASKS: usize = 128;
/// Reads and writes of clients open at one node at a time.
pub const ACCESSES: usize = 1024;
/// Writes that a node brings to the other holders at a time, as the owner of their keys.
pub const WRITES: usize = 1024;
