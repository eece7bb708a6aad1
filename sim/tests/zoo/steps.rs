//! The steps of the protocol, one exchangeable function each, and the shipped ones.
//!
//! A mutant replaces one of them and keeps the rest. What another node answers comes in as that
//! node; whether somebody is live is for the caller to find out.

use cuerda_core::ring::{AfterSuccessor, Neighbours, Peer, Rectify, SuccessorList};

use crate::circle::{index, peer};
use crate::state::{List, Node};

/// What stabilizing from the successor leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask this candidate.
    Ask(u8),
    Notify(u8),
    Nothing,
}

/// The steps. A returned node is the one to notify, if any.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    /// What `j` becomes on joining at a member, whose first successor is given too if it is
    /// live. `None` where the member does not bracket `j`.
    pub(crate) join: fn(j: u8, member: &Node, successor: Option<&Node>) -> Option<Node>,
    /// Stabilize from successor, which is silent.
    pub(crate) successor_silent: fn(&mut Node) -> Option<u8>,
    /// Stabilize from successor, which has answered.
    pub(crate) successor_answered: fn(&mut Node, successor: &Node) -> Next,
    /// Stabilize from predecessor, the candidate being silent.
    pub(crate) candidate_silent: fn(&mut Node) -> Option<u8>,
    /// Stabilize from predecessor, the candidate having answered.
    pub(crate) candidate_answered: fn(&mut Node, candidate: &Node) -> Option<u8>,
    /// Rectify, with the notifier and whether the predecessor is live.
    pub(crate) rectify: fn(&mut Node, notifier: u8, live: bool),
    /// A step of its own that takes over the successor's list; the corrected protocol has none.
    pub(crate) reconcile: Option<fn(&mut Node, successor: &Node)>,
}

/// The functions that every node of ours runs.
pub(crate) const SHIPPED: Steps = Steps {
    join,
    successor_silent,
    successor_answered,
    candidate_silent,
    candidate_answered,
    rectify,
    reconcile: None,
};

fn peers(node: &Node) -> Vec<Peer> {
    node.succ.iter().map(|&s| peer(s, node.size)).collect()
}

/// The list as its owner would send it.
fn list(node: &Node) -> SuccessorList {
    neighbours(node).successors().clone()
}

/// The shipped form of a node. A list that no shipped node could hold is cut to one it could.
pub(crate) fn neighbours(node: &Node) -> Neighbours {
    let at = |n: u8| peer(n, node.size);
    Neighbours::given(at(node.me), at(node.prdc), &peers(node), node.room)
}

fn take(node: &mut Node, from: &Neighbours) {
    node.prdc = index(from.predecessor());
    node.succ = List::of(from.successors().iter().map(|&s| index(s)), node.room);
}

fn join(j: u8, member: &Node, _: Option<&Node>) -> Option<Node> {
    let at = |n: u8| peer(n, member.size);
    let joined = Neighbours::join(at(j), at(member.me), &list(member), member.room)?;
    let mut node = Node { me: j, ..*member };
    take(&mut node, &joined);
    Some(node)
}

fn successor_silent(node: &mut Node) -> Option<u8> {
    let mut ours = neighbours(node);
    let next = ours.successor_silent();
    take(node, &ours);
    next.map(index)
}

fn successor_answered(node: &mut Node, successor: &Node) -> Next {
    let at = |n: u8| peer(n, node.size);
    let mut ours = neighbours(node);
    let (head, prdc) = (at(successor.me), at(successor.prdc));
    let next = ours.successor_answered(head, prdc, &list(successor));
    take(node, &ours);
    match next {
        AfterSuccessor::AskPredecessor(candidate) => Next::Ask(index(candidate)),
        AfterSuccessor::Notify(head) => Next::Notify(index(head)),
    }
}

fn candidate_silent(node: &mut Node) -> Option<u8> {
    // Nothing changes, and the successor is notified.
    (!node.succ.is_empty()).then(|| index(neighbours(node).successor()))
}

fn candidate_answered(node: &mut Node, candidate: &Node) -> Option<u8> {
    let mut ours = neighbours(node);
    ours.candidate_answered(peer(candidate.me, node.size), &list(candidate));
    take(node, &ours);
    Some(candidate.me)
}

fn rectify(node: &mut Node, notifier: u8, live: bool) {
    let notifier = peer(notifier, node.size);
    let mut ours = neighbours(node);
    if ours.rectify(notifier) == Rectify::PingPredecessor && !live {
        ours.rectify_silent(notifier);
    }
    take(node, &ours);
}
