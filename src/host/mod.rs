//! Hosts: nodes on sockets.
//!
//! One task, the driver, owns the nodes of a process. It takes a batch of inputs, lets the
//! nodes handle them, and then releases what they sent: what depends on their records once these
//! are on the disk, all else at once. Around it stand one task for each connection, which turns
//! frames into envelopes and back, one that accepts connections, and one that seeks members to join.
//!
//! ```text
//!   handle.rs ─▶ driver.rs ◀─▶ connection.rs ◀─▶ tls.rs ◀─▶ sockets.rs
//!                 │ disk.rs     the nodes' stores, and what waits until they are on the disk
//!                 │ links.rs    which connection leads to whom
//!                 │ timers.rs   what is due when
//!                 │ trace.rs    the way a look-up took
//!                 │ events/     what the nodes tell, as a stream that others read
//!                 └ seeds.rs    whom to join;  bootstrap.rs  who knows whom to join
//! ```
//!
//! A host runs nodes of any protocol that is [`Hosted`]; `chord.rs` alone knows Chord's, together
//! with what only a ring has: its status, walks round it, imports and the stream of events. Types
//! with a protocol as parameter have Chord's node as default.
//!
//! The same driver runs on the operating system's sockets and on a simulator's, which is why it
//! takes its [`Sockets`], its randomness and its wall clock from outside, and knows time only by
//! tokio's clock. It never blocks, and nothing in it is unbounded: see [`limits`].
//!
//! # Who may come in
//!
//! Connections are TLS 1.3 with raw public keys (RFC 7250): each end proves its Ed25519 key, and
//! a node's id is the hash of that key, so nobody can take another's place on the circle. Who
//! belongs to the cluster at all is said by an [`Admission`]: a list of keys, or a secret. A
//! secret keeps strangers out, but whoever holds it can make as many keys as he likes, and so
//! choose places on the circle; a list of keys does not let him.

mod admission;
mod bootstrap;
mod chord;
mod connection;
mod copies;
mod counters;
mod data;
mod descriptors;
mod disk;
mod driver;
pub mod events;
#[cfg(test)]
pub(crate) mod fake;
mod file;
mod frame;
mod handle;
mod handshake;
mod hex;
mod hooks;
mod hosted;
mod identity;
mod latencies;
pub mod limits;
mod links;
mod lost_lines;
mod milliseconds;
mod node_context;
mod node_store;
mod protocol_name;
mod reach;
mod restore;
mod seeds;
mod set_aside;
mod settings;
mod sockets;
pub mod sqlite;
mod start_error;
mod status;
#[cfg(test)]
mod tests;
mod timers;
mod tls;
mod trace;
mod waiting;
mod walk;

pub use admission::{Admission, AdmissionError, Secret};
pub use bootstrap::Bootstrap;
pub use counters::Counters;
pub use data::{DataDirectory, DataError, Opened};
pub(crate) use descriptors::tell_not_accepted;
pub use descriptors::{
    DescriptorLimit, descriptor_limit, open_descriptors, raise_descriptor_limit,
};
pub use driver::{Ended, Host};
pub use frame::{
    Envelope, FRAME_VERSION, Frame, FrameError, Handshake, Known, Registered, Registration, Start,
};
pub use handle::Handle;
pub use hooks::{Fate, Hooks, NoHooks};
pub use hosted::{Basics, Hosted, Outlook, UnfitSettings};
pub use identity::{Identity, IdentityError};
pub use latencies::Latencies;
pub use lost_lines::{LinesLost, LostLines};
pub use protocol_name::{ProtocolName, UnfitName};
pub use settings::{Begin, Security, Settings, Storage, successors_needed};
pub use sockets::{Sockets, Tcp};
pub use start_error::StartError;
pub use status::{
    CallError, Exported, FingerRow, HeldKey, Hop, LookupAnswer, NodeStatus, OutOfReach, Page,
    Restored, RingCopies, Status, Unreached, Visited, Walk,
};
