//! Zave's operations to the letter, on lists of exactly r entries: a dead head's place is padded
//! with the next identifier, and a list may come round to its own node.
//!
//! Ours differ in form (see `cuerda_core::ring::Neighbours`); where her preconditions hold, not in
//! effect. Where they do not, the two break differently, which is what this is for.

use crate::circle::between;
use crate::state::{List, Node};
use crate::steps::{Next, Steps};

pub(crate) const LETTER: Steps = Steps {
    join,
    successor_silent,
    successor_answered,
    candidate_silent,
    candidate_answered,
    rectify,
    reconcile: None,
};

fn join(j: u8, member: &Node, _: Option<&Node>) -> Option<Node> {
    between(member.me, j, member.succ[0]).then_some(Node {
        me: j,
        prdc: member.me,
        ..*member
    })
}

fn successor_silent(node: &mut Node) -> Option<u8> {
    let last = node.succ[node.succ.len() - 1];
    let tail = node.succ.iter().skip(1).copied();
    let padding = (last + 1) % node.size;
    node.succ = List::of(tail.chain([padding]), node.room);
    Some(node.succ[0])
}

fn successor_answered(node: &mut Node, successor: &Node) -> Next {
    node.succ = successor.succ.behind(successor.me, node.room);
    if between(node.me, successor.prdc, successor.me) {
        Next::Ask(successor.prdc)
    } else {
        Next::Notify(successor.me)
    }
}

fn candidate_silent(node: &mut Node) -> Option<u8> {
    Some(node.succ[0])
}

fn candidate_answered(node: &mut Node, candidate: &Node) -> Option<u8> {
    node.succ = candidate.succ.behind(candidate.me, node.room);
    Some(candidate.me)
}

fn rectify(node: &mut Node, notifier: u8, live: bool) {
    if between(node.prdc, notifier, node.me) || !live {
        node.prdc = notifier;
    }
}
