//! The search against histories whose answer is plain, and against somebody else's search.

use proptest::prelude::*;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action as Event, History};
use todc_utils::specifications::Specification;

use super::*;

fn operation(called: Nanos, returned: Nanos, action: Action) -> Operation {
    Operation {
        called,
        returned: Some(returned),
        action,
    }
}

fn open(called: Nanos, action: Action) -> Operation {
    Operation {
        called,
        returned: None,
        action,
    }
}

fn judged(operations: &[Operation]) -> Judgement {
    // Enough for every history as short as these.
    judge(operations, &mut 100_000_000)
}

use Action::{Expire, Read, Swap, Write};

#[test]
fn one_after_the_other_each_finds_what_the_last_one_left() {
    let history = [
        operation(0, 1, Read(None)),
        operation(2, 3, Write(Some(1))),
        operation(4, 5, Read(Some(1))),
        operation(6, 7, Swap(Some(1), Some(2))),
        operation(8, 9, Write(None)),
        operation(10, 11, Swap(None, Some(3))),
        operation(12, 13, Read(Some(3))),
    ];
    assert_eq!(judged(&history), Judgement::Linearizable);
    for (place, wrong) in [
        (0, Read(Some(1))),
        (2, Read(None)),
        (3, Swap(Some(2), Some(4))),
        (5, Swap(Some(2), Some(3))),
        (6, Read(Some(2))),
    ] {
        let mut history = history;
        history[place].action = wrong;
        assert_eq!(judged(&history), Judgement::Not(place), "{wrong:?}");
    }
}

#[test]
fn those_that_overlap_may_come_in_any_order_but_only_in_one() {
    let writes = [
        operation(0, 20, Write(Some(1))),
        operation(0, 20, Write(Some(2))),
        operation(0, 20, Write(Some(3))),
    ];
    let read = |at, value| operation(at, at + 1, Read(Some(value)));
    let right = [&writes[..], &[read(3, 3), read(6, 2), read(9, 1)]].concat();
    assert_eq!(judged(&right), Judgement::Linearizable);
    let back = [&writes[..], &[read(3, 3), read(6, 2), read(9, 3)]].concat();
    assert_eq!(judged(&back), Judgement::Not(5));
}

#[test]
fn what_has_no_end_may_happen_late_or_never_but_once() {
    let read = |at, value| operation(at, at + 1, Read(value));
    let never = [open(0, Write(Some(1))), read(5, None), read(9, None)];
    assert_eq!(judged(&never), Judgement::Linearizable);
    let late = [open(0, Write(Some(1))), read(5, None), read(9, Some(1))];
    assert_eq!(judged(&late), Judgement::Linearizable);
    let twice = [
        open(0, Write(Some(1))),
        read(5, Some(1)),
        operation(7, 8, Write(Some(2))),
        read(9, Some(1)),
    ];
    assert_eq!(judged(&twice), Judgement::Not(3));
    // It has begun by then.
    let soon = [read(1, Some(1)), open(5, Write(Some(1)))];
    assert_eq!(judged(&soon), Judgement::Not(0));
}

#[test]
fn a_reading_that_needs_something_without_an_end_gets_it_before_what_could_do_without() {
    // The reading overlaps both writes, and the second returns before it.
    let history = [
        open(0, Write(Some(1))),
        operation(1, 9, Read(Some(1))),
        operation(2, 3, Write(Some(2))),
        operation(4, 5, Read(Some(2))),
    ];
    assert_eq!(judged(&history), Judgement::Linearizable);
    let history = [
        operation(0, 1, Write(Some(7))),
        open(2, Write(Some(1))),
        operation(3, 9, Swap(Some(1), None)),
        operation(4, 5, Write(Some(2))),
        operation(10, 11, Read(Some(2))),
    ];
    assert_eq!(judged(&history), Judgement::Linearizable);
}

#[test]
fn what_ends_leaves_nothing_where_it_was() {
    let read = |at, value| operation(at, at + 1, Read(value));
    let ended = [
        operation(0, 1, Write(Some(1))),
        open(10, Expire(1)),
        read(5, Some(1)),
        read(12, None),
    ];
    assert_eq!(judged(&ended), Judgement::Linearizable);
    let early = [ended[0], ended[1], read(5, None)];
    assert_eq!(judged(&early), Judgement::Not(2));
    // It takes nothing else away.
    let another = [
        ended[0],
        ended[1],
        operation(2, 3, Write(Some(2))),
        read(12, None),
    ];
    assert_eq!(judged(&another), Judgement::Not(3));
}

#[test]
fn a_search_that_takes_too_long_is_given_up() {
    let writes = (0..30).map(|write| operation(0, 100 + write, Write(Some(write))));
    let mut history: Vec<Operation> = writes.collect();
    history.push(operation(200, 201, Read(Some(99))));
    assert_eq!(judged(&history), Judgement::Unknown);
}

// ---- held against another ----

/// The register as the other crate wants it. What has no end there gets one after all others, and
/// may have been done or not.
struct Register;

#[derive(Clone, Copy, Debug)]
struct Other {
    action: Action,
    may_fail: bool,
}

impl Specification for Register {
    type State = Value;
    type Operation = Other;

    fn init() -> Value {
        None
    }

    fn apply(other: &Other, value: &Value) -> (bool, Value) {
        match other.action.apply(*value) {
            Some(after) => (true, after),
            None => (other.may_fail, *value),
        }
    }
}

fn others_word(operations: &[Operation]) -> bool {
    let last = 1 + operations
        .iter()
        .map(|it| it.returned.unwrap_or(it.called))
        .max()
        .unwrap_or(0);
    let mut events = Vec::new();
    for (process, operation) in operations.iter().enumerate() {
        let other = Other {
            action: operation.action,
            may_fail: operation.returned.is_none(),
        };
        let end = operation.returned.unwrap_or(last);
        events.push((operation.called, false, process, Event::Call(other)));
        events.push((end, true, process, Event::Response(other)));
    }
    events.sort_by_key(|(at, returns, process, _)| (*at, *returns, *process));
    let events = events
        .into_iter()
        .map(|(_, _, process, event)| (process, event));
    WGLChecker::<Register>::is_linearizable(History::from_actions(events.collect()))
}

/// How an operation comes about: how long it waits, how long it takes (without an end if that is
/// 0), when in that time it is done, what it is, and by how much its clients are lied to.
type Drawn = (u64, u64, u64, u8, bool);

/// A history of a register, in which some clients may have been told something else.
fn history(drawn: &[Drawn]) -> Vec<Operation> {
    let mut planned: Vec<(u64, usize)> = Vec::new();
    let mut spans = Vec::new();
    let mut now = 0;
    for (place, &(gap, length, share, ..)) in drawn.iter().enumerate() {
        now += gap;
        spans.push((now, (length > 0).then_some(now + length)));
        planned.push((now + share % (length + 1), place));
    }
    planned.sort_unstable();
    let mut value: Value = None;
    let mut actions = vec![Read(None); drawn.len()];
    for (_, place) in planned {
        let (.., kind, lies) = drawn[place];
        let new = Some(place as u64 + 1);
        // A lie is of an earlier value, or of none.
        let told = match lies {
            true => value
                .and_then(|write| write.checked_sub(2))
                .filter(|write| *write > 0),
            false => value,
        };
        let action = match kind % 6 {
            0 | 1 => Read(told),
            2 => Write(new),
            3 => Write(None),
            4 => Swap(told, new),
            _ => Swap(told, None),
        };
        value = action.apply(value).unwrap_or(value);
        actions[place] = action;
    }
    let both = spans.into_iter().zip(actions);
    both.map(|((called, returned), action)| Operation {
        called,
        returned,
        action,
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Both ways: about half of the histories are those of a register.
    #[test]
    fn it_says_what_another_search_says(
        drawn in prop::collection::vec(
            (0u64..4, 0u64..12, 0u64..12, 0u8..6, prop::bool::weighted(0.3)),
            1..14,
        ),
    ) {
        let history = history(&drawn);
        let word = match judged(&history) {
            Judgement::Linearizable => true,
            Judgement::Not(_) => false,
            Judgement::Unknown => return Err(TestCaseError::fail("too few steps")),
        };
        prop_assert_eq!(word, others_word(&history), "{:?}", history);
    }

    /// What is done at one instant each, and told as it was, is always one.
    #[test]
    fn what_a_register_tells_is_its_history(
        drawn in prop::collection::vec((1u64..4, 1u64..10, 0u64..12, 0u8..6), 1..60),
    ) {
        let drawn: Vec<Drawn> =
            drawn.into_iter().map(|(gap, length, share, kind)| (gap, length, share, kind, false)).collect();
        prop_assert_eq!(judged(&history(&drawn)), Judgement::Linearizable);
    }
}

#[test]
fn the_random_histories_are_of_both_kinds() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let strategy = prop::collection::vec(
        (
            0u64..4,
            0u64..12,
            0u64..12,
            0u8..6,
            prop::bool::weighted(0.3),
        ),
        1..14,
    );
    let mut runner = TestRunner::deterministic();
    let mut right = 0;
    for _ in 0..500 {
        let drawn = strategy
            .new_tree(&mut runner)
            .expect("nothing is filtered")
            .current();
        right += usize::from(judged(&history(&drawn)) == Judgement::Linearizable);
    }
    assert!((100..400).contains(&right), "{right} of 500");
}
