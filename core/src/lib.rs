//! A distributed hash table as a value: the protocol of Cuerda, without I/O.
//!
//! # The house
//!
//! Every arrow points down: a floor uses the floors below it and never one above.
//!
//! ```text
//!   chord/           3  Chord: messages, operations, maintenance, keeping records
//!   protocol/        2  the boundary: what a node is to the world it runs in, whatever it speaks
//!   store/           1  where records are: the Store trait, and a store in memory
//!   ring/            0  identifiers, arcs, peers, neighbours, fingers
//!   hint.rs          0  what an error says beside what happened
//!   record/          0  what a key holds: stamps, fields, merging, digests for repair
//!   marks.rs         0  which rare branches were taken, for a harness that looks for new ones
//! ```
//!
//! Sockets, disks, clocks and threads are the business of whoever runs a node: the package
//! `cuerda` runs it on real ones, `cuerda-sim` on simulated ones. This package compiles for
//! `wasm32-unknown-unknown`, too.
//!
//! # What the node never does
//!
//! Nothing here performs I/O. A [`chord::Node`] is a value. It opens no socket, reads no
//! clock, draws no random number and starts no thread: it is handed one [`chord::Input`] at a time
//! and answers through [`chord::Network`]. So it can be cloned, compared, hashed, recorded and
//! replayed, and a simulation runs the very code that is deployed.
//!
//! # What the proof covers, and what only checking covers
//!
//! The ring is kept by the operations of P. Zave (*Reasoning about Identifier Spaces: How to
//! Make Chord Correct*, IEEE TSE 43(12), 2017). Her proof says: from a state with at least r+1
//! *principal* members, with perfect failure detection and as long as every member keeps a live
//! successor and r+1 principals remain, there is one ordered ring with everybody connected to
//! it, and when changes stop it becomes ideal. It covers the functions of
//! [`ring::Neighbours`] and the rule of asking and answering in [`chord`].
//!
//! It says nothing about records; what makes an acknowledged write safe is told at the top of
//! `chord/records`, and the harness holds it against every scenario.
//!
//! It does *not* cover, and only the harness's checkers watch over: rings that grow from a
//! single node, until they have r+1 members; time-outs that take a slow node for a dead one;
//! fingers and look-ups; graceful leaving; finding a way back when all successors are silent;
//! and the reunion of two rings after a partition.

pub mod chord;
mod hint;
pub mod marks;
pub mod protocol;
pub mod record;
pub mod ring;
pub mod store;

pub use hint::Hint;
