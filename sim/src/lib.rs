//! The harness: a deterministic simulator for distributed protocols, of which Chord is the first,
//! and the checkers that judge it.
//!
//! # The house
//!
//! Every arrow points down: a floor uses the floors below it and never one above.
//!
//! ```text
//!   main.rs  cli/   6   the command line: run, check, list, sweep, explore, shrink, and more
//!   explore/        5   draws scenarios, looks for new ones that fail, makes them small
//!   run/            4   the conductor: plays a scenario and writes the report
//!   report/         3   what a run found, as data; judged, and shown to people
//!   check/          2   the properties of the ring, excuses, the oracle of look-ups, records
//!   world/          1   events: nodes on a discrete-event engine
//!                       turmoil: whole programs on simulated machines and sockets
//!                       containers: the deployed program, in real time on real networks
//!   scenario/       0   TOML to a checked Scenario
//! ```
//!
//! All worlds play the same script, which is why one scenario and seed has the same ids, look-ups
//! and faults in each. Two of them are deterministic; the third is what they are held against. A
//! world knows no checker and a checker no world: the worlds tell a [`world::Watcher`] what happens,
//! and the conductor passes it on. The nodes are those of the crate `cuerda-core`, which knows
//! nothing of all this, or of another protocol that implements its
//! [`Protocol`](cuerda_core::protocol::Protocol).
//!
//! # Features
//!
//! `turmoil` and `containers` are those worlds, `cli` is the program; all three are on by default.
//! Without them nothing here performs I/O but to measure what a run costs; of the project's
//! packages only the protocol and `cuerda-text` are compiled, and all of it builds for
//! `wasm32-unknown-unknown`.

pub mod check;
pub mod explore;
pub mod report;
pub mod run;
pub mod scenario;
pub mod world;
