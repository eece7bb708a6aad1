//! Cuerda: a Chord distributed hash table that follows the corrected protocol.
//!
//! # The house
//!
//! Every arrow points down: a floor uses the floors below it and never one above.
//!
//! ```text
//!   main.rs  cli/    2  the program: one file per command (not part of the library)
//!   http/            1  the control interface over HTTP: status, look-ups, health, metrics
//!   host/            0  nodes on sockets: the driver, TLS, disks, who may come in, bootstrap
//! ```
//!
//! Below stands the package `cuerda-core`: the protocol as a value that performs no I/O, and what
//! a key holds. Its modules are found here, too, under the names that they have had before.
//!
//! A floor for applications will stand among these once it is built. The harness that tries to
//! break all of it is the package `cuerda-sim`, which depends on this one and never the reverse.

pub mod host;
pub mod http;

pub use cuerda_core::chord as node;
pub use cuerda_core::{Hint, record, ring};

/// Where records are: the [`Store`](store::Store) trait, in memory and in an SQLite file.
pub mod store {
    pub use crate::host::sqlite::{Database, SqliteStore, StoreError};
    pub use cuerda_core::store::{Batch, Damaged, Index, MemoryStore, Notes, Store};
}
