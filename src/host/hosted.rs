//! What a host must know of a protocol beyond the boundary that all worlds share.
//!
//! A protocol must say what is told of a node; all else has a default.
//!
//! Messages travel as serde and postcard write them. A request's
//! [`RequestId`](cuerda_core::protocol::RequestId) says who asks: the node, in the incarnation that
//! it was [made](Protocol::new) with, or the host, for a client.

use std::borrow::Cow;
use std::fmt::Debug;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use cuerda_core::Hint;
use cuerda_core::protocol::Protocol;
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::Store;

/// A protocol that a [`Host`](super::Host) can run.
pub trait Hosted:
    Protocol<
        Config: Send + Sync + 'static,
        Message: Serialize + DeserializeOwned + Send + 'static,
        Timer: 'static,
        Told: Send + 'static,
    > + Send
    + 'static
{
    /// What a process tells of each of its nodes to those who ask for its
    /// [status](super::Handle::status).
    type Status: Debug + Send + 'static;

    /// What is told of this node, of which this is the store.
    fn status(&self, store: &impl Store) -> Self::Status;

    /// What the host must know of the nodes' settings.
    fn basics(_config: &Self::Config) -> Basics {
        Basics::default()
    }

    /// Whether a host can run so many nodes with these settings.
    ///
    /// # Errors
    /// If not: what to change.
    fn validate(_config: &Self::Config, _virtual_nodes: u8) -> Result<(), UnfitSettings> {
        Ok(())
    }

    /// Whether it may be dropped without harm to others: it belongs to no ring, is not on the way
    /// into one, and no other node counts on it.
    fn is_outside(&self) -> bool {
        !self.is_member()
    }

    /// Whether it answers for a key of which it holds a record. If not, what it holds is a copy
    /// for another node.
    fn owns(&self, _key: Id) -> bool {
        true
    }

    /// Whether this message, from this peer, is what the node stabilizes by, where a protocol does
    /// such a thing: shown to those who watch.
    fn is_stabilized_by(&self, _from: Peer, _message: &Self::Message) -> bool {
        false
    }

    /// What a message that came in shows a node that is on its way into a ring: for those who ask
    /// what it waits for.
    fn outlook(&self, _message: &Self::Message) -> Option<Outlook> {
        None
    }

    /// Who is known to stand beside it because of what he said himself, where a protocol has such:
    /// that others reach him, too, is not certain.
    fn beside(&self) -> Option<Peer> {
        None
    }

    /// Whether a message only says that the reply proper comes later: whoever waits for that goes
    /// on waiting.
    fn defers(_message: &Self::Message) -> bool {
        false
    }
}

/// What a node that belongs to no ring sees of one that it hears from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// That one belongs to no ring either.
    Outside,
    /// It belongs to a ring.
    Member,
    /// It belongs to a ring, and counts this node among the members, as it was before.
    Remembers,
}

/// Settings with which a host can't run nodes of this protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct UnfitSettings {
    /// What is wrong, with which setting.
    pub why: String,
    /// What to change, where that is not said already.
    pub hint: Option<Cow<'static, str>>,
}

impl Hint for UnfitSettings {
    fn hint(&self) -> Option<Cow<'static, str>> {
        self.hint.clone()
    }
}

/// What a host must know of its nodes' settings, whatever protocol they speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basics {
    /// The cluster's name: processes of different clusters refuse each other. Default: `cuerda`.
    pub cluster: String,
    /// How long a process that finds nobody to join by way of a bootstrap node waits before it
    /// founds a ring. Default: 60 s.
    pub found_after: Duration,
    /// How long a node waits for a reply as a rule. Default: 500 ms.
    pub request_timeout: Duration,
    /// The longest that it ever waits for one. Default: 5 s.
    pub request_timeout_max: Duration,
}

impl Default for Basics {
    fn default() -> Basics {
        Basics {
            cluster: "cuerda".to_owned(),
            found_after: Duration::from_secs(60),
            request_timeout: Duration::from_millis(500),
            request_timeout_max: Duration::from_secs(5),
        }
    }
}
