//! The wrong steps. Each is a plausible slip; what it leaves right it takes from the shipped one.

use crate::circle::between;
use crate::state::{List, Node};
use crate::steps::{Next, SHIPPED};

fn pad(node: &mut Node, padding: u8) -> Option<u8> {
    let tail = node.succ.iter().skip(1).copied();
    node.succ = List::of(tail.chain([padding]), node.room);
    Some(node.succ[0])
}

pub(super) fn pad_with_own_id(node: &mut Node) -> Option<u8> {
    pad(node, node.me)
}

pub(super) fn pad_with_last_again(node: &mut Node) -> Option<u8> {
    pad(node, node.succ[node.succ.len() - 1])
}

pub(super) fn pad_one_too_far(node: &mut Node) -> Option<u8> {
    let last = node.succ[node.succ.len() - 1];
    pad(node, (last + 2) % node.size)
}

pub(super) fn join_with_head_only(j: u8, member: &Node, successor: Option<&Node>) -> Option<Node> {
    let joined = (SHIPPED.join)(j, member, successor)?;
    Some(Node {
        succ: List::of(joined.succ.iter().copied(), 1),
        ..joined
    })
}

pub(super) fn join_anywhere(j: u8, member: &Node, _: Option<&Node>) -> Option<Node> {
    Some(Node {
        me: j,
        prdc: member.me,
        ..*member
    })
}

pub(super) fn join_with_successors_list(
    j: u8,
    member: &Node,
    successor: Option<&Node>,
) -> Option<Node> {
    let joined = (SHIPPED.join)(j, member, successor)?;
    Some(match successor {
        Some(successor) => Node {
            succ: successor.succ.behind(successor.me, member.room),
            ..joined
        },
        None => joined,
    })
}

pub(super) fn answered_without_notice(node: &mut Node, successor: &Node) -> Next {
    match (SHIPPED.successor_answered)(node, successor) {
        Next::Notify(_) => Next::Nothing,
        next => next,
    }
}

/// What follows from an answer, without the list.
fn next_after(node: &Node, successor: &Node) -> Next {
    if between(node.me, successor.prdc, successor.me) {
        Next::Ask(successor.prdc)
    } else {
        Next::Notify(successor.me)
    }
}

pub(super) fn answered_without_copy(node: &mut Node, successor: &Node) -> Next {
    next_after(node, successor)
}

pub(super) fn candidate_before_own_tail(node: &mut Node, candidate: &Node) -> Option<u8> {
    node.succ = node.succ.behind(candidate.me, node.room);
    Some(candidate.me)
}

pub(super) fn adopt_unasked(node: &mut Node, successor: &Node) -> Next {
    match (SHIPPED.successor_answered)(node, successor) {
        Next::Ask(candidate) => {
            node.succ = node.succ.behind(candidate, node.room);
            Next::Notify(candidate)
        }
        next => next,
    }
}

pub(super) fn no_notice(_: &mut Node) -> Option<u8> {
    None
}

pub(super) fn drop_without_notice(node: &mut Node) -> Option<u8> {
    (SHIPPED.successor_silent)(node);
    None
}

pub(super) fn reconcile(node: &mut Node, successor: &Node) {
    (SHIPPED.successor_answered)(node, successor);
}

pub(super) fn rectify_only_if_dead(node: &mut Node, notifier: u8, live: bool) {
    if !live {
        node.prdc = notifier;
    }
}

pub(super) fn rectify_never_checks(node: &mut Node, notifier: u8, _: bool) {
    (SHIPPED.rectify)(node, notifier, true);
}

pub(super) fn rectify_always(node: &mut Node, notifier: u8, _: bool) {
    node.prdc = notifier;
}

/// Itself stands for nobody: whoever notifies then lies between.
pub(super) fn rectify_nulls_first(node: &mut Node, notifier: u8, live: bool) {
    if live || between(node.prdc, notifier, node.me) {
        (SHIPPED.rectify)(node, notifier, live);
    } else {
        node.prdc = node.me;
    }
}
