//! How a history that is not that of one register is told in a report.

use crate::check::history::linearizable::{Action, Value};
use crate::check::history::{Judged, Told};
use crate::report::{Counterexample, Histories, Operation};

use super::records::RecordWatch;
use super::tally::{Tally, name};

/// Judges all histories; `None` where there are none, or nobody wants to know.
pub(super) fn of(records: Option<&RecordWatch>, tally: &Tally) -> Option<Histories> {
    let records = records?;
    let judged = records.judge_histories()?;
    Some(told(judged, records, tally))
}

fn told(judged: Judged, records: &RecordWatch, tally: &Tally) -> Histories {
    let counterexample = judged.counterexample.map(|found| Counterexample {
        key: records.name(found.key),
        operations: found
            .operations
            .iter()
            .map(|told| Operation {
                from_s: tally.seconds(told.operation.called),
                until_s: told.operation.returned.map(|at| tally.seconds(at)),
                node: name(told.asker),
                what: sentence(told),
            })
            .collect(),
    });
    Histories {
        checked: judged.checked,
        not_linearizable: judged.not_linearizable,
        unknown: judged.unknown,
        counterexample,
    }
}

/// What an operation did.
fn sentence(told: &Told) -> String {
    let there =
        |value: Value| value.map_or_else(|| "nothing".to_owned(), |write| format!("write {write}"));
    let number = told.number.unwrap_or_default();
    let write = |new: Value| match new {
        Some(write) => format!("write {write}"),
        None => format!("deletion {number}"),
    };
    match told.operation.action {
        Action::Read(found) => format!("reading {number} finds {}", there(found)),
        Action::Write(new) => write(new),
        Action::Swap(None, new) => format!("{} where nothing is", write(new)),
        Action::Swap(found, new) => format!("{} in place of {}", write(new), there(found)),
        Action::Expire(of) => format!("the time of write {of} may be over"),
    }
}
