//! The boundary between a node and the world it runs in, whatever protocol the node speaks.
//!
//! ```text
//!   world                                  node: any Protocol
//!     │── Input: a message, a timer, ─────────▶│   handled to its end, one at a time
//!     │          an order, a client's wish     │
//!     │◀───────── Network::send, set_timer ────│   while it handles it, the node asks
//!     │◀───────── Network::emit (Event) ───────│   these of its world, and nothing else
//!     │◀───────── Network::store ──────────────│
//! ```
//!
//! ```text
//!   mod.rs       the traits: Protocol, Network, and what a world must know of messages and timers
//!   event.rs     what goes in (Input) and what is told (Event)
//!   access.rs    what clients ask of records, and what they are told;  error.rs of look-ups
//!   versions.rs  which versions of its protocol a node understands;    refusal.rs what keeps
//!                two nodes apart
//!   twins.rs     two processes with one key: who is asked, and who has to go
//!   recorder.rs  a world for tests, which writes down what a node asks of it
//! ```
//!
//! Nothing here knows a protocol; a world that is written against this runs every one.

mod access;
mod error;
mod event;
pub mod limits;
mod recorder;
mod refusal;
mod request_id;
pub mod twins;
mod versions;

use std::fmt::Debug;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::ring::Peer;
use crate::store::Store;

pub use access::{AccessError, Condition, Denied, Fetched, Write, Written};
pub use error::LookupError;
pub use event::{Event, Ignored, Input, OwnerFound, Step};
pub use recorder::Recorder;
pub use refusal::Refusal;
pub use request_id::{Origin, RequestId};
pub use versions::{Versions, VersionsApart};

/// A node as a value: Chord's, or anybody's own.
///
/// It opens no socket, reads no clock, draws no random number and starts no thread: all it may ask
/// of the world it is given with each input. So it can be cloned, compared, recorded and replayed,
/// and a simulation runs the very code that is deployed.
pub trait Protocol: Clone + Debug + Sized {
    /// What the protocol is called: processes say it when they connect, and refuse those who
    /// speak another.
    const NAME: &'static str;
    /// Which versions of the protocol's messages this code understands.
    const VERSIONS: Versions = Versions {
        newest: 1,
        oldest: 1,
    };
    /// The node's settings, alike on all nodes.
    type Config: Clone + Debug;
    /// What nodes send each other.
    type Message: Wire;
    /// What a node wants to be woken for.
    type Timer: Timer;
    /// What only nodes of this protocol tell; [`std::convert::Infallible`] for nothing.
    type Told: Clone + Debug + PartialEq;

    /// A node that belongs to no ring yet. `incarnation` counts the starts of this node, from 1.
    fn new(me: Peer, config: Arc<Self::Config>, incarnation: u32) -> Self;

    /// The node as others know it.
    fn me(&self) -> Peer;

    /// Whether it belongs to a ring: it serves the clients who ask it, and others count on it.
    fn is_member(&self) -> bool;

    /// Handles one input to its end. Nothing that comes in may make it panic.
    fn handle(&mut self, input: Input<Self>, net: &mut impl Network<Self>);

    /// The peers that it should be told of again after a restart ([`Input::Remember`]): its
    /// neighbours first, then those presumed dead.
    fn remembered(&self) -> Vec<Peer> {
        Vec::new()
    }

    /// Whether the reply to the request of this number is still waited for. A timer for any other
    /// changes nothing ([`Timer::request`]), and whoever runs very many nodes saves the trouble.
    fn awaits(&self, _number: u32) -> bool {
        true
    }

    /// Reads one field in each part of the node, and returns a meaningless sum. A world with very
    /// many nodes calls it for those that are next, all together, so that they come out of main
    /// memory side by side.
    fn prefetch(&self) -> u64 {
        0
    }

    /// The same for what the node points to; best after [`Protocol::prefetch`].
    fn prefetch_tables(&self) -> u64 {
        0
    }
}

/// All that a node may ask of the world it runs in.
///
/// An implementor owes the node four things. Messages may be lost, late, doubled or out of
/// order, but who sent them is true. A timer comes back, once, and not before its time; late is
/// tolerated, lost is not. Nothing is handed in while another input is being handled. And of a
/// node that stopped nothing comes back: no timer, no reply to its earlier incarnation.
pub trait Network<P: Protocol> {
    /// Where the node's records are.
    type Store: Store;

    /// Sends a message, which may be lost, late, doubled or out of order; the node never waits
    /// for it.
    fn send(&mut self, to: Peer, message: P::Message);
    /// [`Input::Timer`] comes back once, after a delay drawn evenly from `after`; an empty range
    /// means exactly its start.
    fn set_timer(&mut self, timer: P::Timer, after: Range<Duration>);
    /// Tells whoever runs the node what happened.
    fn emit(&mut self, event: Event<P::Told>);
    /// Wall clock in milliseconds since 1970, used for record stamps and expiry and for nothing
    /// else: who is alive is never decided by what time it is.
    fn wall_clock(&self) -> u64;
    /// The node's records. What it stages there is committed after the input is handled, together
    /// with what else came in; messages and events that
    /// [depend on it](Wire::depends_on_store) are released only then.
    fn store(&mut self) -> &mut Self::Store;
}

/// What a world must know of a message without understanding it.
pub trait Wire: Clone + Debug {
    /// What it is called in reports and traces: one word for all messages of its kind.
    fn kind(&self) -> &'static str;

    /// How many bytes it takes in its wire format, without frame and transport: what a world that
    /// passes values instead of bytes counts as traffic.
    fn wire_size(&self) -> usize;

    /// The request that this message is, to be repeated by its reply.
    fn asks(&self) -> Option<RequestId> {
        None
    }

    /// The request that this message replies to.
    fn answers(&self) -> Option<RequestId> {
        None
    }

    /// Whether it may tell of what is only staged in the sender's store: then it must not leave
    /// before that is committed.
    fn depends_on_store(&self) -> bool {
        false
    }

    /// Whether it brings records to where they belong, and no client's reading or writing causes
    /// it: counted apart.
    fn is_repair(&self) -> bool {
        false
    }
}

/// What a world must know of a timer without understanding it.
pub trait Timer: Copy + Debug + Eq + Hash + Ord + Send {
    /// The timer as two small numbers, of which a world may have millions: its kind, and what it
    /// carries.
    fn pack(self) -> (u8, u32);

    /// The timer that [`Timer::pack`] made these numbers of.
    fn unpack(kind: u8, value: u32) -> Self;

    /// What it is called in traces: one word for all timers of its kind.
    fn kind(self) -> &'static str;

    /// The number of the request whose reply is late when this timer is due, if it is for one.
    fn request(self) -> Option<u32> {
        None
    }
}
