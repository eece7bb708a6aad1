//! The bug zoo: what broke the original Chord, and what does not break ours.
//!
//! The original protocol lives here only, as the specimen; the corrected one is run through the
//! functions that are shipped. Steps are atomic and failures detected at once, as in P. Zave's
//! models: messages under way, and everything they can spoil, are the business of the worlds
//! that simulate a network.

mod circle;
mod corrected;
mod letter;
mod mutants;
mod original;
mod pressure;
mod run;
mod shrinking;
mod state;
mod steps;
