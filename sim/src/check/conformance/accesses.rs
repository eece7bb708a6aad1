//! Clients' writes, as the node that the client asked passes them on
//! (`core/src/chord/op/access.rs`).

use std::collections::VecDeque;

use cuerda_core::record::Stamp;
use cuerda_core::ring::Id;

use super::act::{Answer, Ask, Given, OfRecords, ToRecords};
use super::{Case, short};

/// A write that was asked of an owner.
#[derive(Clone, Copy, Debug)]
struct Asked {
    number: u32,
    key: Id,
    /// What tells its value from those of other writes.
    value: u64,
    stamp: Stamp,
}

/// The writes that a node passes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Accesses {
    open: VecDeque<Asked>,
    /// Those of which nobody knows whether they were done.
    in_doubt: VecDeque<Asked>,
}

/// As many are kept in mind of each.
const KEPT: usize = 64;

impl Accesses {
    pub(super) fn judge(&mut self, case: &mut Case<'_>) {
        self.settles(case);
        for (_, id, ask) in case.act.asked() {
            let Ask::Records(
                _,
                OfRecords::Write {
                    key,
                    stamp,
                    value: Some(value),
                    ..
                },
            ) = ask
            else {
                continue;
            };
            self.open.retain(|asked| asked.number != id.number);
            push(
                &mut self.open,
                Asked {
                    number: id.number,
                    key: *key,
                    value: *value,
                    stamp: *stamp,
                },
            );
        }
        self.stays_the_same(case);
    }

    /// Silence, or an owner that gives up, leaves open whether a write was done.
    fn settles(&mut self, case: &Case<'_>) {
        let again = |number: u32| case.act.asked().any(|(_, id, _)| id.number == number);
        let (number, doubtful) = match (&case.act.input, case.act.reply()) {
            (Given::Late(number), _) if !again(*number) => (*number, true),
            (_, Some((_, _, Answer::Busy))) => return,
            (_, Some((_, id, answer))) if !case.act.ignored => {
                let gives_up = ToRecords::NotServing { gives_up: true };
                let doubtful = matches!(answer, Answer::Records(_, said) if *said == gives_up);
                (id.number, doubtful)
            }
            _ => return,
        };
        let place = self.open.iter().position(|asked| asked.number == number);
        if let Some(asked) = place.and_then(|place| self.open.remove(place))
            && doubtful
        {
            push(&mut self.in_doubt, asked);
        }
    }

    /// A write that may have been done is not stamped anew: it would undo what came after it.
    fn stays_the_same(&mut self, case: &mut Case<'_>) {
        let same = |doubt: &Asked| {
            let now = self.open.iter().find(|asked| {
                asked.key == doubt.key && asked.value == doubt.value && asked.stamp != doubt.stamp
            });
            now.copied()
        };
        let found = self.in_doubt.iter().position(|doubt| same(doubt).is_some());
        let Some(doubt) = found.and_then(|place| self.in_doubt.remove(place)) else {
            return;
        };
        let detail = format!(
            "stamped a write of {} anew, which may have been done as {}",
            short(doubt.key),
            doubt.stamp
        );
        case.breach("restamped-in-doubt", detail);
    }
}

fn push(all: &mut VecDeque<Asked>, asked: Asked) {
    if all.len() == KEPT {
        all.pop_front();
    }
    all.push_back(asked);
}
