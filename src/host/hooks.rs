//! What a harness may see of a host, and do to it.

use std::future::Future;
use std::time::{SystemTime, UNIX_EPOCH};

use cuerda_core::chord::Node;
use cuerda_core::protocol::{Event, Protocol};
use cuerda_core::ring::Peer;
use cuerda_core::store::Batch;

/// Watches a host and disturbs it: the harness's way in. A deployed host has a
/// [`Reporter`](super::events::Reporter), which only watches.
///
/// All methods are called by the one task that owns the nodes, between two inputs.
pub trait Hooks<P: Protocol = Node>: Send + 'static {
    /// The host begins to run with this node. Called once for each, in their order, before all
    /// else.
    fn started(&mut self, _node: &P) {}

    /// Awaited before each batch of inputs; as long as it does not end, the host stands still
    /// as a stopped process does.
    fn gate(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// `node` has sent a message to a peer, and it is about to be given to a connection.
    fn fate(&mut self, _node: &P, _to: Peer, _message: &P::Message) -> Fate {
        Fate::Pass
    }

    /// A message has come in from a peer and is about to be handled by `node`.
    fn delivered(&mut self, _node: &P, _from: Peer, _message: &P::Message) {}

    /// `node` has written this, and it is about to go to the disk: once the future has ended, and
    /// not at all if it ends in an error, which is the end of the host, as it is when a disk
    /// fails. Meanwhile the host goes on; only what depends on the batch waits.
    fn commit(
        &mut self,
        _node: &P,
        _batch: &Batch,
    ) -> impl Future<Output = Result<(), String>> + Send + use<Self, P> + 'static {
        std::future::ready(Ok(()))
    }

    /// The batch of this number is on the disk; nothing that depends on it has been released. Each
    /// batch of a node is told, in their order.
    fn committed(&mut self, _node: &P, _number: u64) {}

    /// The node told this while it handled an input. What depends on its store comes only when
    /// that is on the disk; the node is as it is then.
    fn on_event(&mut self, _node: &P, _event: &Event<P::Told>) {}

    /// Wall clock in milliseconds since 1970.
    fn wall_clock(&self) -> u64 {
        system_clock()
    }
}

/// The system's wall clock in milliseconds since 1970.
pub(super) fn system_clock() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the host is what hands time over"
    )]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Pass,
    /// It is lost.
    Drop,
    /// It is sent twice.
    Double,
}

/// Sees nothing, does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl<P: Protocol> Hooks<P> for NoHooks {}
