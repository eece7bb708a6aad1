//! What is left shows the same, and nothing of it can be spared.

use proptest::prelude::*;

use super::*;
use Action::{Read, Write};

fn operation(called: u64, action: Action) -> Operation {
    Operation {
        called,
        returned: Some(called + 1),
        action,
    }
}

fn shown(history: &[Operation]) -> Vec<usize> {
    match judge(history, &mut 1_000_000) {
        Judgement::Not(last) => smallest(history, last),
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_a_long_history_two_writes_and_a_reading_are_left() {
    let mut history = Vec::new();
    for write in 1..=200 {
        let at = 10 * write;
        history.push(operation(at, Write(Some(write))));
        history.push(operation(at + 3, Read(Some(write))));
        history.push(operation(at + 6, Write(None)));
    }
    // The second time a reading finds what had been replaced.
    history.push(operation(3000, Read(Some(200))));
    history.push(operation(3010, Read(Some(150))));
    let shown = shown(&history);
    // The last deletion is gone, too: the reading before found what no later one should.
    let actions: Vec<Action> = shown.iter().map(|&place| history[place].action).collect();
    assert_eq!(actions.len(), 3, "{actions:?}");
    assert!(actions.contains(&Write(Some(200))));
}

#[test]
fn what_came_later_has_no_part_in_it() {
    let history = [
        operation(0, Write(Some(1))),
        operation(5, Read(None)),
        operation(8, Write(Some(2))),
    ];
    assert_eq!(shown(&history), [0, 1]);
}

proptest! {
    /// Without any one of its operations there would be an order.
    #[test]
    fn nothing_of_it_can_be_spared(
        values in prop::collection::vec((0u64..3, 0u64..6, prop::option::of(1u64..6), any::<bool>()), 1..25),
    ) {
        let mut now = 0;
        let mut history = Vec::new();
        for (place, (gap, length, found, reads)) in values.into_iter().enumerate() {
            now += gap;
            let action = if reads {
                Read(found)
            } else {
                Write(Some(place as u64 + 1).filter(|_| found.is_some()))
            };
            history.push(Operation { called: now, returned: Some(now + length), action });
        }
        if let Judgement::Not(last) = judge(&history, &mut 1_000_000) {
            let places = smallest(&history, last);
            let part: Vec<(usize, Operation)> =
                places.iter().map(|&place| (place, history[place])).collect();
            let only: Vec<Operation> = part.iter().map(|(_, operation)| *operation).collect();
            prop_assert!(matches!(judge(&only, &mut 1_000_000), Judgement::Not(_)));
            for at in 0..part.len() {
                let rest = without(&part, vec![at]);
                let rest: Vec<Operation> = rest.into_iter().map(|(_, one)| one).collect();
                prop_assert_eq!(judge(&rest, &mut 1_000_000), Judgement::Linearizable);
            }
        }
    }
}
