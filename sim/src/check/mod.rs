//! The checkers.
//!
//! ```text
//!   judged.rs       what a protocol brings to be judged; checks of one's own
//!   structure.rs    its invariants, fed by changes;   placement.rs  where keys belong
//!   rules.rs        how its nodes have to behave, step by step
//!   chord.rs        what Chord brings:
//!   ├ ring/         the invariants of a ring, incrementally; direct.rs the same by their formulas
//!   ├ excuse.rs     what can't hold while the network is disturbed
//!   ├ lookups/      the oracle of look-ups
//!   └ conformance/  the rules of its steps
//!   records/        acknowledged writes, and the disks that hold them, whatever the protocol
//!   history/        what clients saw of each key, likewise
//! ```

mod chord;
pub mod conformance;
mod coverage;
pub mod direct;
pub mod excuse;
pub mod history;
pub mod judged;
pub mod lookups;
pub mod placement;
pub mod property;
pub mod records;
pub mod ring;
pub mod rules;
pub mod structure;
