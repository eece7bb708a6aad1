//! The smallest part of a history that shows that it is not that of one register.
//!
//! Operations are taken away as long as what is left can't be put in order. Some can't go alone:
//! with a write goes whoever found what it wrote, and with a deletion whoever found nothing after
//! it began. Then whatever order the whole history had would be one of the rest, too; so what is
//! said of the rest is said of the whole.

use super::linearizable::{Action, Judgement, Operation, judge};

/// As many steps are taken to make one smaller.
const STEPS: u64 = 1_000_000;

/// The places of the operations of a smallest part that can't be put in order, in the order of
/// their calls. `last` is the operation that [`judge`] names.
#[must_use]
pub fn smallest(operations: &[Operation], last: usize) -> Vec<usize> {
    let Some(end) = operations.get(last).and_then(|it| it.returned) else {
        return Vec::new();
    };
    // What came later has no part in it, and what was under way then has no end yet.
    let mut kept: Vec<(usize, Operation)> = operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.called <= end)
        .map(|(place, operation)| {
            let returned = operation.returned.filter(|&at| at <= end);
            (
                place,
                Operation {
                    returned,
                    ..*operation
                },
            )
        })
        .filter(|(_, it)| it.returned.is_some() || !matches!(it.action, Action::Read(_)))
        .collect();
    let mut budget = STEPS;
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        let before = kept.len();
        while from < kept.len() {
            let goes = (from..kept.len().min(from + size)).collect();
            let rest = without(&kept, goes);
            let history: Vec<Operation> = rest.iter().map(|(_, operation)| *operation).collect();
            match judge(&history, &mut budget) {
                Judgement::Not(_) => kept = rest,
                Judgement::Linearizable => from += size,
                Judgement::Unknown => return places(kept),
            }
        }
        // At single ones it goes on as long as it helps.
        if size > 1 || kept.len() == before {
            size /= 2;
        }
    }
    places(kept)
}

fn places(mut kept: Vec<(usize, Operation)>) -> Vec<usize> {
    kept.sort_by_key(|(place, operation)| (operation.called, *place));
    kept.into_iter().map(|(place, _)| place).collect()
}

/// The history without these operations, and those that can't stay without them.
fn without(kept: &[(usize, Operation)], goes: Vec<usize>) -> Vec<(usize, Operation)> {
    let mut gone = vec![false; kept.len()];
    let mut todo = goes;
    while let Some(at) = todo.pop() {
        if std::mem::replace(&mut gone[at], true) {
            continue;
        }
        let (_, left) = kept[at];
        let Some(value) = left.action.left() else {
            continue;
        };
        let depends = |other: &Operation| match value {
            Some(_) => {
                let expires = matches!(other.action, Action::Expire(of) if value == Some(of));
                expires || other.action.observed() == Some(value)
            }
            None => {
                let after = other
                    .returned
                    .is_none_or(|returned| returned >= left.called);
                after && other.action.observed() == Some(None)
            }
        };
        todo.extend((0..kept.len()).filter(|&other| !gone[other] && depends(&kept[other].1)));
    }
    let stay = kept.iter().zip(gone).filter(|(_, gone)| !gone);
    stay.map(|(one, _)| *one).collect()
}

#[cfg(test)]
mod tests;
