//! The mutants that no checker sees, and for each a claim about the step itself that the
//! shipped step satisfies and the mutant does not.

use super::{Mutant, wrong};
use crate::state::{List, Node};
use crate::steps::{Next, SHIPPED, Steps};

/// A claim about a step.
type Claim = fn(&Steps) -> bool;

/// A member of a circle of nine places, with r = 2.
fn node(me: u8, prdc: u8, succ: [u8; 2]) -> Node {
    Node {
        me,
        prdc,
        succ: List::of(succ, 2),
        room: 2,
        size: 9,
    }
}

fn after_a_dead_successor_the_next_is_notified(steps: &Steps) -> bool {
    let mut t = node(1, 0, [3, 5]);
    let notified = (steps.successor_silent)(&mut t);
    notified == Some(5) && t.succ[0] == 5
}

fn a_candidate_is_asked_before_it_is_adopted(steps: &Steps) -> bool {
    let mut t = node(1, 0, [5, 7]);
    let next = (steps.successor_answered)(&mut t, &node(5, 3, [7, 8]));
    next == Next::Ask(3) && t.succ[..] == [5, 7]
}

fn the_list_comes_with_the_answer(steps: &Steps) -> bool {
    let mut t = node(1, 0, [3, 7]);
    let next = (steps.successor_answered)(&mut t, &node(3, 1, [5, 7]));
    next == Next::Notify(3) && t.succ[..] == [3, 5]
}

fn a_candidates_list_replaces_the_own_tail(steps: &Steps) -> bool {
    let mut t = node(1, 0, [5, 7]);
    let notified = (steps.candidate_answered)(&mut t, &node(3, 1, [4, 5]));
    notified == Some(3) && t.succ[..] == [3, 4]
}

fn a_joiner_takes_its_predecessors_list(steps: &Steps) -> bool {
    let member = node(1, 0, [3, 6]);
    // Its successor knows better, which the joiner must not use.
    let successor = node(3, 1, [5, 6]);
    (steps.join)(2, &member, Some(&successor)) == Some(node(2, 1, [3, 6]))
}

fn a_live_predecessor_gives_way_only_to_who_lies_between(steps: &Steps) -> bool {
    let (mut nearer, mut farther) = (node(5, 2, [6, 7]), node(5, 2, [6, 7]));
    (steps.rectify)(&mut nearer, 4, true);
    (steps.rectify)(&mut farther, 1, true);
    nearer.prdc == 4 && farther.prdc == 2
}

fn a_dead_predecessor_is_replaced_at_once(steps: &Steps) -> bool {
    let mut n = node(5, 2, [6, 7]);
    (steps.rectify)(&mut n, 1, false);
    n.prdc == 1
}

/// Each mutant that no checker sees, with the claim that it violates.
pub(super) fn unseen() -> Vec<(Mutant, Claim)> {
    vec![
        (
            Mutant::new(
                "no notify after a dead successor",
                Steps {
                    successor_silent: wrong::drop_without_notice,
                    ..SHIPPED
                },
            ),
            after_a_dead_successor_the_next_is_notified,
        ),
        (
            Mutant::new(
                "candidate adopted unasked",
                Steps {
                    successor_answered: wrong::adopt_unasked,
                    ..SHIPPED
                },
            ),
            a_candidate_is_asked_before_it_is_adopted,
        ),
        (
            Mutant::new(
                "list copied by a step of its own",
                Steps {
                    successor_answered: wrong::answered_without_copy,
                    reconcile: Some(wrong::reconcile),
                    ..SHIPPED
                },
            ),
            the_list_comes_with_the_answer,
        ),
        (
            Mutant::new(
                "own tail kept behind a candidate",
                Steps {
                    candidate_answered: wrong::candidate_before_own_tail,
                    ..SHIPPED
                },
            ),
            a_candidates_list_replaces_the_own_tail,
        ),
        (
            Mutant::new(
                "joiner takes its successor's list",
                Steps {
                    join: wrong::join_with_successors_list,
                    ..SHIPPED
                },
            ),
            a_joiner_takes_its_predecessors_list,
        ),
        (
            Mutant::new(
                "rectify adopts always",
                Steps {
                    rectify: wrong::rectify_always,
                    ..SHIPPED
                },
            ),
            a_live_predecessor_gives_way_only_to_who_lies_between,
        ),
        (
            Mutant::new(
                "rectify nulls first",
                Steps {
                    rectify: wrong::rectify_nulls_first,
                    ..SHIPPED
                },
            ),
            a_dead_predecessor_is_replaced_at_once,
        ),
    ]
}

#[test]
fn a_test_of_the_step_catches_each_that_no_checker_sees() {
    let unseen = unseen();
    for (mutant, claim) in &unseen {
        assert!(claim(&SHIPPED), "the shipped step, for {}", mutant.name);
        assert!(!claim(&mutant.steps), "{}", mutant.name);
        // One claim, one slip: the others are satisfied by what the mutant left right.
        let violated = unseen.iter().filter(|(_, claim)| !claim(&mutant.steps));
        assert_eq!(violated.count(), 1, "{}", mutant.name);
    }
}
