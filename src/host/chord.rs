//! What a host must know of Chord's nodes. Nothing else in the driver, the links and the frames
//! knows them.

use super::driver::StartError;
use super::handle::Handle;
use super::hosted::{Basics, Hosted};
use super::settings::successors_needed;
use super::status::{CallError, FingerRow, NodeStatus};
use cuerda_core::chord::{Config, Membership, Message, Node, Reply, Request};
use cuerda_core::ring::{BITS, Id, KeyRange, Peer};

impl Hosted for Node {
    type Status = NodeStatus;

    fn status(&self, records: usize) -> NodeStatus {
        let neighbours = self.neighbours();
        NodeStatus {
            id: self.me().id,
            standing: self.membership(),
            predecessor: neighbours.predecessor(),
            successors: neighbours.successors().to_vec(),
            successors_wanted: self.config().successors,
            fingers: self.fingers().entries().len(),
            remembered: self.remembered().collect(),
            records,
        }
    }

    fn basics(config: &Config) -> Basics {
        Basics {
            cluster: config.cluster.clone(),
            found_after: config.found_after,
            request_timeout: config.request_timeout,
            request_timeout_max: config.request_timeout_max,
        }
    }

    fn validate(config: &Config, virtual_nodes: u8) -> Result<(), StartError> {
        config.validate()?;
        let needed = successors_needed(config.replicas, virtual_nodes);
        if u16::from(config.successors) < needed {
            return Err(StartError::Successors(needed));
        }
        Ok(())
    }

    fn is_outside(&self) -> bool {
        self.membership() == Membership::Outside
    }

    fn owns(&self, key: Id) -> bool {
        KeyRange::new(self.neighbours().predecessor().id, self.me().id).contains(key)
    }

    fn defers(message: &Message) -> bool {
        matches!(
            message,
            Message::Reply {
                reply: Reply::Busy,
                ..
            }
        )
    }
}

/// What only hosts of Chord's nodes are asked; a walk round the ring and an import besides.
impl Handle<Node> {
    /// Puts one question to any peer, besides what the nodes ask for themselves.
    ///
    /// # Errors
    /// If it does not answer in time.
    pub async fn ask(&self, to: Peer, request: Request) -> Result<Reply, CallError> {
        let make = |id| Message::Request { id, request };
        match self.request(to, make).await? {
            Message::Reply { reply, .. } => Ok(reply),
            // Only a reply answers a request.
            _ => Err(CallError::Silent(to)),
        }
    }

    /// The finger table of one of its nodes; empty for an index it does not have.
    ///
    /// # Errors
    /// As [`Handle::status`].
    pub async fn fingers(&self, node: u8) -> Result<Vec<FingerRow>, CallError> {
        Ok(self.look(node, finger_rows).await?.unwrap_or_default())
    }
}

/// Every row of the table that is known, exponents of one owner not repeated.
fn finger_rows(node: &Node) -> Vec<FingerRow> {
    let me = node.me().id;
    let entries = node.fingers().entries().iter();
    let rows = entries.filter(|finger| finger.exponent < BITS);
    rows.map(|finger| FingerRow {
        exponent: finger.exponent,
        start: me.plus_power(finger.exponent),
        owner: finger.peer,
    })
    .collect()
}
