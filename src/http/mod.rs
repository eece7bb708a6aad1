//! What a node answers over HTTP.
//!
//! ```text
//!   server.rs   the accept loop: bounded, with time-outs, and stopped in order
//!   code.rs     every kind of failure, with its HTTP status and its exit code
//!   problem.rs  every error, as application/problem+json (RFC 9457)
//!   routes.rs   a router from a table, which answers for all other paths with that table
//!   guard.rs    what holds for every request: time-out, no strangers' pages, problems only
//!   control/    the control interface: status, look-ups, records, health, metrics, leaving
//! ```
//!
//! Each interface is a router of its own over [`crate::host::Handle`]; a public one, or a page,
//! stands beside `control/` and shares the rest. Nothing here reaches into a node by another
//! way, reads a configuration or decides where to listen.

mod check;
mod code;
pub mod control;
mod guard;
mod problem;
mod routes;
mod server;

pub use check::Check;
pub use code::{Code, Exit};
pub use guard::guarded;
pub use problem::Problem;
pub use server::Server;

/// All bounds of the servers in one place.
pub mod limits {
    use std::time::Duration;

    /// Connections served at a time; more wait to be accepted.
    pub const CONNECTIONS: usize = 64;
    /// How long a client may take to send the head of a request, or the next one.
    pub const HEAD: Duration = Duration::from_secs(3);
    /// Bytes that the head of a request may have.
    pub const HEAD_BYTES: usize = 16 * 1024;
    /// How long answering may take; a walk round a large ring with silent members takes long.
    pub const REQUEST: Duration = Duration::from_secs(120);
    /// How long a connection may live: who reads slowly does not keep a place for ever.
    pub const CONNECTION: Duration = Duration::from_secs(300);
    /// Bytes that a value may have in the body of a request before it is read to its end; how
    /// many it may have at all is said by [`cuerda_core::record::limits`].
    pub const BODY_BYTES: usize = 1 << 20;
    /// Bytes that a part of a backup may have.
    pub const IMPORT_BYTES: usize = 16 << 20;
    /// How long open requests may go on once the server is told to stop.
    pub const GRACE: Duration = Duration::from_secs(1);
    /// The pause after a connection that could not be accepted, as when files run out.
    pub const PAUSE: Duration = Duration::from_millis(100);
}
