//! What a host must know of Chord's nodes. Nothing else in the driver, the links and the frames
//! knows them.

use std::borrow::Cow;

use super::handle::Handle;
use super::hosted::{Basics, Hosted, Outlook, UnfitSettings};
use super::settings::successors_needed;
use super::status::{CallError, FingerRow, NodeStatus};
use cuerda_core::Hint as _;
use cuerda_core::chord::{Config, Hello, Membership, Message, Node, Reply, Request};
use cuerda_core::ring::{BITS, Id, KeyRange, Peer};
use cuerda_core::store::Store;

impl Hosted for Node {
    type Status = NodeStatus;

    fn status(&self, store: &impl Store) -> NodeStatus {
        let neighbours = self.neighbours();
        NodeStatus {
            id: self.me().id,
            standing: self.membership(),
            predecessor: neighbours.predecessor(),
            successors: neighbours.successors().to_vec(),
            successors_wanted: self.config().successors,
            fingers: self.fingers().entries().len(),
            remembered: self.remembered().collect(),
            in_doubt: self.in_doubt().iter().map(|arc| share(*arc)).sum(),
            clock_wrong_ms: self.clock_wrong_by(),
            records: store.len(),
            scrubbed: self.scrubbed(),
            copies: self.copies(store),
            to_hand_over: self.to_hand_over(store),
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

    fn validate(config: &Config, virtual_nodes: u8) -> Result<(), UnfitSettings> {
        config.validate().map_err(|error| UnfitSettings {
            why: error.to_string(),
            hint: error.hint(),
        })?;
        let needed = successors_needed(config.replicas, virtual_nodes);
        if u16::from(config.successors) < needed {
            // The holders of a record, which are different processes, may lie behind more nodes
            // than an owner knows.
            return Err(UnfitSettings {
                why: format!(
                    "with so many virtual nodes and `replicas` the list of successors must be \
                     {needed} long"
                ),
                hint: Some(Cow::Borrowed(
                    "raise `successors` on all nodes, or lower `virtual_nodes` or `replicas`",
                )),
            });
        }
        Ok(())
    }

    fn is_outside(&self) -> bool {
        self.membership() == Membership::Outside
    }

    fn owns(&self, key: Id) -> bool {
        KeyRange::new(self.neighbours().predecessor().id, self.me().id).contains(key)
    }

    /// The successor told its neighbours: that is the first step of every stabilization.
    fn is_stabilized_by(&self, from: Peer, message: &Message) -> bool {
        let successor = self.neighbours().successors().first();
        let told = matches!(
            message,
            Message::Reply {
                reply: Reply::Neighbours { .. },
                ..
            }
        );
        told && successor.is_some_and(|successor| successor.id == from.id)
    }

    fn outlook(&self, message: &Message) -> Option<Outlook> {
        let me = self.me().id;
        let of = |known: bool| match known {
            true => Outlook::Remembers,
            false => Outlook::Member,
        };
        let standing = |hello: &Hello| match hello.member {
            true => Outlook::Member,
            false => Outlook::Outside,
        };
        match message {
            Message::Request {
                request: Request::Hello(hello),
                ..
            } => Some(standing(hello)),
            Message::Reply { reply, .. } => match reply {
                Reply::Hello(hello) | Reply::Joining { hello, .. } => Some(standing(hello)),
                Reply::NotMember => Some(Outlook::Outside),
                Reply::Neighbours {
                    predecessor,
                    successors,
                } => {
                    let mut all = successors.iter().chain([predecessor]);
                    Some(of(all.any(|peer| peer.id == me)))
                }
                Reply::Covered(successors) => Some(of(successors.iter().any(|peer| peer.id == me))),
                Reply::Closer(_) | Reply::Owner | Reply::Before(_) => Some(Outlook::Member),
                _ => None,
            },
            _ => None,
        }
    }

    /// Its predecessor has notified it.
    fn beside(&self) -> Option<Peer> {
        let predecessor = self.neighbours().predecessor();
        (self.is_member() && predecessor.id != self.me().id).then_some(predecessor)
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

/// How much of the circle an arc is, from 0 to 1.
fn share(arc: KeyRange) -> f64 {
    match arc.start == arc.end {
        true => 1.0,
        false => arc.length().high() as f64 / u64::MAX as f64,
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
