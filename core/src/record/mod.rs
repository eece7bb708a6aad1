//! What a key holds: small maps of stamped fields that any two nodes can merge.
//!
//! Replication, repair, hand-over and the reunion of two rings are all the same act here: *merge
//! what you have into what they have*. Merging takes the newer stamp, field by field, and is
//! commutative, associative and idempotent: in whatever order, however often and over whatever
//! detours versions of a record travel, all that end up with the same writes end up with the
//! same record.
//!
//! ```text
//!   Record ── name → Field ── Stamp       who wrote it and when, above all it had seen
//!     │                  ├─── replaces    the stamp its writer found there
//!     │                  ├─── Value       or nothing: a tombstone
//!     │                  └─── expires
//!     └── Digest ── RangeDigest ── RangeSync  finds the records in which two nodes differ
//! ```
//!
//! Everything here is a plain value. Nothing reads a clock (whoever needs the time is handed
//! it, in milliseconds since 1970), performs I/O, draws a random number or knows that messages
//! exist. Bounds are checked where a write is issued ([`limits`], [`StampClock::issue`]) and
//! never where records are merged: refusing there would make copies differ for good.

mod digest;
mod field;
pub mod limits;
mod offsets;
mod portable;
mod range_sync;
#[expect(
    clippy::module_inception,
    reason = "a record is what this floor is about"
)]
mod record;
mod stamp;
mod value;

pub use digest::{Digest, Entry, PARTS, RangeDigest};
pub use field::Field;
pub use limits::LimitError;
pub use offsets::Offsets;
pub use portable::{PortableField, PortableRecord, StampText, Unfit, ValueText};
pub use range_sync::{
    BadDigestAnswer, Difference, DigestAnswer, DigestQuestion, DigestSource, LISTED, ROUNDS,
    RangeSync,
};
pub use record::{Beaten, Conflict, Merged, Record};
pub use stamp::{NoStamp, Stamp, StampClock, TooFarAhead};
pub use value::Value;

#[cfg(test)]
mod tests;
