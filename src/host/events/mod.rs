//! The stream of events of a running node: all that its nodes tell, for log pipelines and for a
//! harness outside of the process.
//!
//! ```text
//!   driver ── Hooks ──▶ Reporter ── a bounded queue ──▶ Lines ──▶ stdout, or any other writer
//! ```
//!
//! One JSON object a line, in the order in which the nodes told them; a [`Line`] is what both
//! ends call one. The driver never waits for a reader: what finds no room is counted, and the
//! count is told in the place where the lines are missing.
//!
//! What clients ask and are answered is not in the stream.

mod line;
mod lines;
mod queue;
mod reporter;
#[cfg(test)]
mod tests;

pub use line::{Around, By, Committed, CommittedRecord, Line, What};
pub use lines::Lines;
pub use reporter::{Detail, Reporter};
