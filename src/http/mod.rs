//! What a node answers over HTTP.
//!
//! ```text
//!   server.rs   the accept loop: bounded, with time-outs, and stopped in order
//!   places.rs   how many are served at a time, and that health checks always are
//!   body.rs     bodies that must come in time
//!   code.rs     every kind of failure, with its HTTP status and its exit code
//!   problem.rs  every error, as application/problem+json (RFC 9457)
//!   refusals.rs what the parser of requests refuses, as problems
//!   routes.rs   a router from a table, which answers for all other paths with that table
//!   guard.rs    what holds for every request: time-out, no strangers' pages, problems only
//!   hosts.rs    under which names an interface may be asked
//!   control/    the control interface: status, look-ups, records, health, metrics, leaving
//! ```
//!
//! Each interface is a router of its own over [`crate::host::Handle`]; a public one, or a page,
//! stands beside `control/` and shares the rest. Nothing here reaches into a node by another
//! way, reads a configuration or decides where to listen.

mod body;
mod check;
mod code;
pub mod control;
mod guard;
mod hosts;
mod places;
mod problem;
mod refusals;
mod routes;
mod server;

pub use check::Check;
pub use code::{Code, Exit};
pub use guard::guarded;
pub use hosts::Hosts;
pub use problem::Problem;
pub use server::Server;

/// All bounds of the servers in one place.
pub mod limits {
    use std::time::Duration;

    /// Connections served at a time that ask for anything but health.
    pub const CONNECTIONS: usize = 64;
    /// Places that health checks have besides, each for a single request.
    pub const HEALTH: usize = 16;
    /// Connections besides that have not said yet what they want; more wait to be accepted.
    pub const OPENING: usize = 128;
    /// How long a request waits for one of the places before it is refused.
    pub const PLACE: Duration = Duration::from_secs(1);
    /// How long a client may take to send the head of a request, or the next one.
    pub const HEAD: Duration = Duration::from_secs(3);
    /// Bytes that the head of a request may have.
    pub const HEAD_BYTES: usize = 16 * 1024;
    /// How long answering may take; a walk round a large ring with silent members takes long.
    pub const REQUEST: Duration = Duration::from_secs(120);
    /// How long a connection may live: who reads slowly does not keep a place for ever.
    pub const CONNECTION: Duration = Duration::from_secs(300);
    /// How long a body may be waited for in all, if little comes.
    pub const BODY: Duration = Duration::from_secs(10);
    /// For so many bytes that have come, a body may be waited for a second longer.
    pub const BODY_RATE: f64 = 65_536.0;
    /// Bytes that a value may have in the body of a request before it is read to its end; how
    /// many it may have at all is said by [`cuerda_core::record::limits`].
    pub const BODY_BYTES: usize = 1 << 20;
    /// Imports at a time.
    pub const IMPORTS: usize = 2;
    /// Bytes that a line of a backup may have: several times the largest record.
    pub const LINE_BYTES: usize = 2 << 20;
    /// Records that an import brings to their holders at a time.
    pub const IMPORT_RECORDS: usize = 64;
    /// Bytes of lines after which it does so, though the records are fewer.
    pub const IMPORT_BYTES: usize = 1 << 20;
    /// How long open requests may go on once the server is told to stop.
    pub const GRACE: Duration = Duration::from_secs(1);
    /// The pause after a connection that could not be accepted, as when files run out.
    pub const PAUSE: Duration = Duration::from_millis(100);
}
