//! All bounds of a node in one place. A full table rejects at once and names its limit.

use std::time::Duration;

pub use crate::protocol::limits::{ACCESSES, LOOKUP_ASKS, LOOKUPS, WRITES};

/// The longest successor list that can be configured.
pub const SUCCESSORS: u8 = 64;
/// The most silences that can be asked for before a neighbour counts as dead.
pub const ATTEMPTS: u8 = 16;
/// A member whose successors all fell silent, and to whom nobody answers, goes on alone after so many
/// times `found_after`: sooner it may only be cut off for a moment.
pub const ALONE_AFTER: u32 = 12;
/// The most peers presumed dead that can be remembered.
pub const REMEMBERED: u8 = 64;
/// The shortest period or time-out that can be configured.
pub const SHORTEST: Duration = Duration::from_millis(1);

/// Operations that a node runs for itself at a time, besides ring maintenance.
pub const QUERIES: usize = 8;
/// Candidates that a look-up keeps; the farthest from the key are forgotten first.
pub const LOOKUP_CANDIDATES: usize = 64;
/// Nodes nearer to the key that one node names to another.
pub const CLOSER: usize = 6;
/// Steps back from predecessor to predecessor before a look-up takes the long way again.
pub const STEPS_BACK: u8 = 8;
/// Questions about a node's neighbours that wait for its own step to end. More are told
/// `Busy` and must ask again.
pub const DELAYED: usize = 32;
/// Times that the wait after a `Busy` may be extended before the asker gives up.
pub const BUSY_WAITS: u8 = 3;
/// Nodes asked on the way back into the ring when all successors are silent.
pub const RETREAT_ASKS: usize = 64;
/// Remembered peers probed in one stabilization period.
pub const PROBES_PER_PERIOD: usize = 2;
/// Look-ups of its own place that a joiner does before it goes back to its contacts.
pub const JOIN_TRIES: u8 = 4;
/// Rounds in which a newcomer stabilizes sooner than the period says, each half as soon as the
/// one before: others may have joined beside it at the same moment.
pub const HURRIED_ROUNDS: u8 = 5;
/// Contacts that a joiner keeps: so many that it was told to ask, and so many others. As many are
/// named to another joiner.
pub const CONTACTS: usize = 32;
/// Contacts that a joiner greets side by side.
pub const GREETINGS: usize = 8;
/// Contacts that a joiner greets in one round.
pub const GREETED: usize = 4 * CONTACTS;

// A look-up that forgot candidates before it may ask them would give up too early.
const _: () = assert!(LOOKUP_CANDIDATES <= LOOKUP_ASKS);

// A message with more is dropped.
const _: () = assert!(CONTACTS <= SUCCESSORS as usize);

// Queries, clients' operations and writes lie in places with numbers of 16 bits.
const _: () = assert!(QUERIES + LOOKUPS + ACCESSES < 1 << 16 && WRITES < 1 << 16);

/// Questions about digests that one comparison of two nodes has open at a time.
pub const COMPARISONS: usize = 4;
/// Keys that one node fetches from another in one message.
pub const FETCHED_KEYS: usize = 64;
/// How often an arc is handed over under a later number, because the other knew of one.
pub const TELLINGS: u8 = 4;
/// How far the epoch of an ownership may be ahead of all that were heard before.
pub const EPOCHS_AHEAD: u64 = 1 << 32;
/// Records that one node merges for another in one message.
pub const MERGED_RECORDS: usize = 1024;
/// Keys that an owner looks through in one repair period for deletions whose time is over.
pub const SWEPT_KEYS: usize = 1024;
/// Records that a node reads in one go to see whether they have rotted.
pub const SCRUBBED_KEYS: usize = 64;
/// Bytes of records after which it reads no more in one go.
pub const SCRUBBED_BYTES: usize = 256 * 1024;
/// Questions that one comparison asks at most: far more than any two correct nodes need.
pub const QUESTIONS: u32 = 1 << 20;
/// How often a node that answered, and then did not, is fetched from again before an arc is taken
/// over without it.
pub const FETCH_TRIES: u8 = 3;
/// What one input may lead to, one thing after the other.
pub const SETTLINGS: usize = 4;
/// Bytes of records that one node gives another in one message. A single field may be larger.
pub const MERGED_BYTES: usize = 32 * 1024;
/// How often a client's operation is tried again while ownership changes.
pub const ACCESS_ROUNDS: u8 = 10;
/// How often a write is stamped anew because another came first.
pub const RESTAMPS: u8 = 4;
/// Arcs of which a node remembers that it is among their holders.
pub const ASSIGNMENTS: usize = 256;
/// How many rounds a claimant waits for a successor that waits itself, or that somebody else precedes.
pub const CLAIM_ROUNDS: u8 = 3;
/// Comparisons that one node runs side by side while it takes over an arc from the dead.
pub const PULLS: usize = 8;
/// Nodes that a client's operation asks, one naming the next, before it looks up anew.
pub const REFERRALS: usize = 4;
