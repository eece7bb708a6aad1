//! Writes each key's history down, and has it judged.
//!
//! What was done in whole has an end; what failed, was done in part or never ended may take effect
//! at any later time, or not at all. A value that lives for a time may go from when its time is
//! over by some clock.

use std::collections::BTreeMap;

use cuerda_core::protocol::Condition;
use cuerda_core::record::Stamp;
use cuerda_core::ring::Id;

use super::linearizable::{Action, Judgement, Operation, judge};
use super::smallest::smallest;
use super::{Clocks, Issued, Nanos};

/// So many steps the search may take for each operation of a key, and for each key.
const STEPS_EACH: u64 = 100;
const STEPS_LEAST: u64 = 20_000;

/// As many histories are made smaller, to show the smallest.
const SHOWN: usize = 3;

/// What came of judging all histories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// How many keys have one.
    pub checked: u64,
    /// How many of these are not that of one register.
    pub not_linearizable: u64,
    /// Of how many that is not known.
    pub unknown: u64,
    /// A small part of one that is not.
    pub counterexample: Option<Counterexample>,
}

/// Operations on one key that can't be put in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The key.
    pub key: Id,
    /// In the order in which they began.
    pub operations: Vec<Told>,
}

/// An operation of a counterexample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its number; `None` for what no client did.
    pub number: Option<u64>,
    /// The node that was asked.
    pub asker: u32,
    /// What it did.
    pub operation: Operation,
}

/// An operation as it is written down.
#[derive(Clone, Copy, Debug)]
struct Noted {
    number: u64,
    asker: u32,
    called: Nanos,
    returned: Option<Nanos>,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Read(Option<u64>),
    Write {
        deletes: bool,
        condition: Condition,
        /// Until when its value lives by a right clock, if not for good.
        ends: Option<Nanos>,
    },
}

/// The history of a key.
#[derive(Clone, Debug, Default)]
struct History {
    noted: Vec<Noted>,
    /// Writes that have not ended, by their numbers, and their places.
    open: BTreeMap<u64, usize>,
    /// Which write has which stamp, as far as clients know.
    stamps: BTreeMap<Stamp, u64>,
}

/// The histories of all keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder {
    keys: BTreeMap<Id, History>,
}

impl Recorder {
    /// A client writes.
    pub(super) fn issued(&mut self, issued: &Issued) {
        let history = self.keys.entry(issued.key).or_default();
        history.open.insert(issued.write, history.noted.len());
        history.noted.push(Noted {
            number: issued.write,
            asker: issued.asker,
            called: issued.at,
            returned: None,
            what: What::Write {
                deletes: issued.deletes,
                condition: issued.condition,
                ends: issued.ends(),
            },
        });
    }

    /// It was done, in whole or in part.
    pub(super) fn written(&mut self, now: Nanos, issued: &Issued, stamp: Stamp, whole: bool) {
        let history = self.keys.entry(issued.key).or_default();
        let place = history.open.remove(&issued.write);
        if let (Some(place), true) = (place, whole) {
            history.noted[place].returned = Some(now);
        }
        history.stamps.insert(stamp, issued.write);
    }

    /// A reading found the value of this write, with its stamp, or nothing.
    pub(super) fn read(
        &mut self,
        reading: (u64, u32),
        key: Id,
        span: (Nanos, Nanos),
        found: Option<(Stamp, u64)>,
    ) {
        let history = self.keys.entry(key).or_default();
        history.stamps.extend(found);
        history.noted.push(Noted {
            number: reading.0,
            asker: reading.1,
            called: span.0,
            returned: Some(span.1),
            what: What::Read(found.map(|(_, write)| write)),
        });
    }

    /// Judges all that was written down.
    pub(super) fn judge(&self, clocks: &Clocks) -> Judged {
        let mut judged = Judged::default();
        let mut wrong: Vec<(usize, usize, Id)> = Vec::new();
        for (&key, history) in &self.keys {
            let operations = history.operations(clocks);
            let mut budget = STEPS_LEAST + STEPS_EACH * operations.len() as u64;
            judged.checked += 1;
            let history: Vec<Operation> = operations.iter().map(|told| told.operation).collect();
            match judge(&history, &mut budget) {
                Judgement::Linearizable => {}
                Judgement::Unknown => judged.unknown += 1,
                Judgement::Not(last) => {
                    judged.not_linearizable += 1;
                    let end = history[last].returned;
                    let before = history.iter().filter(|it| Some(it.called) <= end).count();
                    wrong.push((before, last, key));
                }
            }
        }
        wrong.sort_unstable();
        let shown = wrong.iter().take(SHOWN).map(|&(_, last, key)| {
            let operations = self.keys[&key].operations(clocks);
            let history: Vec<Operation> = operations.iter().map(|told| told.operation).collect();
            let places = smallest(&history, last);
            Counterexample {
                key,
                operations: places.into_iter().map(|place| operations[place]).collect(),
            }
        });
        judged.counterexample = shown.min_by_key(|shown| shown.operations.len());
        judged
    }
}

impl History {
    /// What was noted, as operations on a register.
    fn operations(&self, clocks: &Clocks) -> Vec<Told> {
        let mut operations = Vec::with_capacity(self.noted.len());
        for noted in &self.noted {
            let (action, ends) = match noted.what {
                What::Read(found) => (Action::Read(found), None),
                What::Write {
                    deletes,
                    condition,
                    ends,
                } => {
                    let left = (!deletes).then_some(noted.number);
                    let action = match condition {
                        Condition::None => Action::Write(left),
                        Condition::Absent => Action::Swap(None, left),
                        // Of a version that no client knows there is nothing to be said.
                        Condition::Stamp(stamp) => self
                            .stamps
                            .get(&stamp)
                            .map_or(Action::Write(left), |&there| {
                                Action::Swap(Some(there), left)
                            }),
                    };
                    (action, ends)
                }
            };
            operations.push(Told {
                number: Some(noted.number),
                asker: noted.asker,
                operation: Operation {
                    called: noted.called,
                    returned: noted.returned,
                    action,
                },
            });
            // By a clock that is off it may be over at any time.
            let over = ends.map(|ends| {
                if clocks.were_right() {
                    ends
                } else {
                    noted.called
                }
            });
            operations.extend(over.map(|from| Told {
                number: None,
                asker: noted.asker,
                operation: Operation {
                    called: from,
                    returned: None,
                    action: Action::Expire(noted.number),
                },
            }));
        }
        operations
    }
}
