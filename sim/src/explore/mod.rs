//! Exploration: draws whole scenarios from seeds, keeps what reached something new, and makes of
//! what fails a file of a few lines.
//!
//! Nothing here reads a clock or a file, or starts a thread: a campaign says what is to be played,
//! and whoever runs it hands back what came of it, in any order. So the same seeds find the same.
//!
//! ```text
//!   document.rs     a scenario file as a tree
//!   hand.rs         what is drawn for a scenario;  vocabulary.rs  what may be drawn
//!   draw.rs         a whole scenario from a seed
//!   novelty.rs      what a run reached;  calm.rs  whether clients are served when nothing is wrong
//!   trial.rs        a run, judged;  shrink/  makes what fails small
//!   promise.rs      whether a scenario leaves intact what promises need
//!   mutate.rs       scenarios near another;  cause.rs  what a failure takes, in words
//!   variants.rs     how soon wrong variants of the node are noticed in drawn scenarios
//!   campaign.rs     the runs of an island of seeds, batch by batch
//!   findings.rs     what islands come to, one by one and together
//!   fate.rs         from when on a run is bound to fail
//! ```

mod calm;
mod campaign;
mod cause;
mod document;
mod draw;
mod fate;
mod findings;
mod hand;
mod mutate;
mod novelty;
mod promise;
mod shrink;
mod trial;
#[cfg(feature = "mutants")]
pub mod variants;
mod vocabulary;
mod workloads;

pub use campaign::{BATCH, Campaign, ISLAND, Origin, Record, Task};
pub use document::Document;
pub use draw::{Subject, draw};
pub use fate::{Fate, Point, irrevocable_from};
pub use findings::{Findings, Group, Totals};
pub use novelty::{Feature, Shape};
pub use shrink::{Attempt, Effort, OneByOne, Player, Shrunk, reduce, shrink, written};
pub use trial::{Expects, Failure, Trial, attempt};
pub use vocabulary::{only_events, topics};
