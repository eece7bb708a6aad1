//! What the command lines of `cuerda` and `cuerda-sim` have in common: how they read durations,
//! show mistakes, suggest what was meant, and print.
//!
//! # The house
//!
//! Every arrow points down: a floor uses the floors below it and never one above.
//!
//! ```text
//!   terminal/                        2  stdout and stderr, with colours where they are seen
//!   diagnostic/  duration/  table/   1  mistakes with their places; times; columns
//!   mistake/  suggest/  words/       0  what is wrong; what was meant; numbers and harmless text
//! ```
//!
//! Nothing here knows what a setting or a scenario means. Only `terminal`, which is a feature,
//! performs I/O, and it does no more than write; the rest compiles for `wasm32-unknown-unknown`.

pub mod diagnostic;
pub mod duration;
mod mistake;
pub mod suggest;
pub mod table;
#[cfg(feature = "terminal")]
pub mod terminal;
pub mod words;

pub use mistake::Mistake;
