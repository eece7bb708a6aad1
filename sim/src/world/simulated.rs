//! What the harness must know of a protocol to play it.

use std::sync::Arc;
use std::time::Duration;

use cuerda_core::protocol::Protocol;
use cuerda_core::ring::Peer;

/// A protocol that can be played in a world and looked at while it runs.
///
/// Only [`Simulated::view`] has to be written; without the rest nodes join one after another.
pub trait Simulated: Protocol {
    /// What watchers and checkers see of a node: its neighbours, say. Part of the node's state, so
    /// that nothing is copied for those who don't look.
    type View: ?Sized;

    /// What there is to see of the node now. A node whose view has changed tells
    /// [`NeighboursChanged`](cuerda_core::protocol::Event::NeighboursChanged).
    fn view(&self) -> &Self::View;

    /// Where the node stands towards the network, in a word.
    fn standing(&self) -> &'static str {
        if self.is_member() {
            "member"
        } else {
            "outside"
        }
    }

    /// How long nodes that joined one after another are given until the scenario begins.
    fn settling(_config: &Self::Config) -> Duration {
        Duration::from_secs(60)
    }

    /// The node at one place of these, which are all members and sorted by their ids, as it is when
    /// changes have stopped long ago; in its first incarnation. `None` where nobody can say: then
    /// nodes join one after another, whatever the scenario says of its start.
    fn complete(_circle: &[Peer], _at: usize, _config: &Arc<Self::Config>) -> Option<Self> {
        None
    }
}
