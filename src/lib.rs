//! Cuerda: a Chord distributed hash table that follows the corrected protocol.
//!
//! # The house
//!
//! Every arrow points down: a floor uses the floors below it and never one above.
//!
//! ```text
//!   main.rs  cli/    5  the program: one file per command (not part of the library)
//!   http/            4  the control interface over HTTP: status, look-ups, health, metrics
//!   host/            2  nodes on sockets: the driver, TLS, disks, who may come in, bootstrap
//!   node/            1  the protocol: messages, operations, maintenance, keeping records
//!   store/           1  where records are: the Store trait, in memory and in an SQLite file
//!   ring/            0  identifiers, arcs, peers, neighbours, fingers
//!   record/          0  what a key holds: stamps, fields, merging, digests for repair
//! ```
//!
//! A floor for applications will stand among these once it is built. The harness that tries to break all of it is the package `cuerda-sim`, which depends on this one
//! and never the reverse.
//!
//! # What the node never does
//!
//! Up to `node/`, nothing performs I/O. A [`node::Node`] is a value. It opens no socket, reads no
//! clock, draws no random number and starts no thread: it is handed one [`node::Input`] at a time
//! and answers through [`node::Network`]. So it can be cloned, compared, hashed, recorded and
//! replayed, and a simulation runs the very code that is deployed.
//!
//! # What the proof covers, and what only checking covers
//!
//! The ring is kept by the operations of P. Zave (*Reasoning about Identifier Spaces: How to
//! Make Chord Correct*, IEEE TSE 43(12), 2017). Her proof says: from a state with at least r+1
//! *principal* members, with perfect failure detection and as long as every member keeps a live
//! successor and r+1 principals remain, there is one ordered ring with everybody connected to
//! it, and when changes stop it becomes ideal. It covers the functions of
//! [`ring::Neighbours`] and the rule of asking and answering in [`node`].
//!
//! It says nothing about records; what makes an acknowledged write safe is told at the top of
//! `node/keeping`, and the harness holds it against every scenario.
//!
//! It does *not* cover, and only the harness's checkers watch over: rings that grow from a
//! single node, until they have r+1 members; time-outs that take a slow node for a dead one;
//! fingers and look-ups; graceful leaving; finding a way back when all successors are silent;
//! and the reunion of two rings after a partition.

pub mod host;
pub mod http;
pub mod node;
pub mod record;
pub mod ring;
pub mod store;
