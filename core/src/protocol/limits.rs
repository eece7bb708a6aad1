//! Bounds that hold for every protocol. A full table of clients' rejects at once and names its limit.

use std::time::Duration;

/// Client look-ups open at one node at a time.
pub const LOOKUPS: usize = 1024;
/// Nodes that one look-up may ask, answered or not.
pub const LOOKUP_ASKS: usize = 128;
/// Reads and writes of clients open at one node at a time.
pub const ACCESSES: usize = 1024;
/// Writes that a node brings to the other holders at a time, as the owner of their keys.
pub const WRITES: usize = 1024;
/// Keys of which a process keeps in mind that it has heard two processes with them.
pub const TWINS: usize = 64;
/// For how long whoever has answered is taken to be still there when another process with the same
/// key comes.
pub const TWIN_ANSWERED: Duration = Duration::from_secs(5);
/// How often it is looked whether a twin is where somebody says.
pub const TWIN_LOOKS: Duration = Duration::from_secs(1);
/// How often two processes with the same key are told to the operator.
pub const TWIN_TOLD: Duration = Duration::from_secs(60);
