//! Whether a condition was granted to one write only.
//!
//! A conditional write replaces the version that its client saw, or writes where nothing is. Once
//! one is done, that version is there no more and never will be; so of two that name the same
//! version, one must be refused. Of two that were to find nothing, too, unless the key may have
//! become empty between: by a deletion, or because a value's time was over.
//!
//! What is promised needs a majority of the last complete set of holders, and across changes of
//! that set two may succeed. So if others hold the second write than the first, it is excused by the
//! name [`HOLDERS_CHANGED`].

use std::collections::BTreeMap;

use cuerda_core::protocol::{Condition, Written};
use cuerda_core::record::Stamp;
use cuerda_core::ring::Id;

use super::{Clocks, Issued, Nanos};

/// Others hold the second of two writes than held the first.
pub const HOLDERS_CHANGED: &str = "holders-changed";

/// A conditional write that was done.
#[derive(Clone, Debug)]
struct Grant {
    write: u64,
    at: Nanos,
    holders: Vec<Id>,
}

impl Grant {
    /// Whether it is held by these and nobody else.
    fn is_held_by(&self, holders: &[Id]) -> bool {
        let all = |some: &[Id], others: &[Id]| some.iter().all(|id| others.contains(id));
        all(&self.holders, holders) && all(holders, &self.holders)
    }
}

/// When a key may have become empty.
#[derive(Clone, Copy, Debug)]
struct Vacancy {
    write: u64,
    from: Nanos,
    until: Nanos,
}

/// Two writes to which one condition was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Twice {
    /// The first of them.
    pub(super) first: u64,
    pub(super) excuse: Option<&'static str>,
}

/// The conditions granted for all keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Grants {
    by_stamp: BTreeMap<(Id, Stamp), Grant>,
    on_absence: BTreeMap<Id, Grant>,
    vacancies: BTreeMap<Id, Vec<Vacancy>>,
}

impl Grants {
    /// A write was issued.
    pub(super) fn issued(&mut self, issued: &Issued) {
        let deletes = issued.deletes.then_some(issued.at);
        let Some(from) = deletes.or(issued.ends()) else {
            return;
        };
        let vacancy = Vacancy {
            write: issued.write,
            from,
            until: Nanos::MAX,
        };
        self.vacancies.entry(issued.key).or_default().push(vacancy);
    }

    /// A write was done in whole. The earlier write to which the same condition was granted, if
    /// there is one.
    pub(super) fn done(
        &mut self,
        now: Nanos,
        issued: &Issued,
        written: &Written,
        clocks: &Clocks,
    ) -> Option<Twice> {
        let vacancies = self.vacancies.entry(issued.key).or_default();
        if issued.deletes {
            let own = vacancies.iter_mut().filter(|it| it.write == issued.write);
            own.for_each(|vacancy| vacancy.until = now);
        }
        let grant = Grant {
            write: issued.write,
            at: issued.at,
            holders: written.holders.clone(),
        };
        let before = match issued.condition {
            Condition::None => return None,
            Condition::Stamp(stamp) => self.by_stamp.insert((issued.key, stamp), grant),
            Condition::Absent => {
                let before = self.on_absence.insert(issued.key, grant);
                // Those that were over before this one began matter to nobody any more.
                let emptied = before.as_ref().is_some_and(|before| {
                    // By a clock that is off a value's time may be over at any time.
                    let begins = |it: &Vacancy| it.from <= now || !clocks.were_right();
                    vacancies
                        .iter()
                        .any(|it| it.until >= before.at && begins(it))
                });
                vacancies.retain(|vacancy| vacancy.until >= issued.at);
                before.filter(|_| !emptied)
            }
        };
        before.map(|before| Twice {
            first: before.write,
            excuse: (!before.is_held_by(&written.holders)).then_some(HOLDERS_CHANGED),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: Id = Id::ZERO;

    fn stamp(milliseconds: u64) -> Stamp {
        Stamp {
            milliseconds,
            counter: 0,
            node: Id::ZERO,
        }
    }

    fn issued(write: u64, at: Nanos, condition: Condition) -> Issued {
        Issued {
            write,
            key: KEY,
            asker: 0,
            deletes: false,
            lives: None,
            condition,
            past: Stamp::ZERO,
            at,
        }
    }

    fn written(holders: &[u64]) -> Written {
        Written {
            stamp: stamp(9),
            holders: holders.iter().map(|&place| Id::from_high(place)).collect(),
            wanted: 3,
            majority: true,
        }
    }

    /// A write that begins and is done.
    fn write(grants: &mut Grants, issued: &Issued, holders: &[u64]) -> Option<Twice> {
        grants.issued(issued);
        let clocks = Clocks::default();
        grants.done(issued.at + 1, issued, &written(holders), &clocks)
    }

    fn twice(first: u64, excuse: Option<&'static str>) -> Option<Twice> {
        Some(Twice { first, excuse })
    }

    #[test]
    fn one_version_is_replaced_once() {
        let on = |version| Condition::Stamp(stamp(version));
        let mut grants = Grants::default();
        assert_eq!(write(&mut grants, &issued(1, 10, on(4)), &[1, 2, 3]), None);
        assert_eq!(write(&mut grants, &issued(2, 20, on(5)), &[1, 2, 3]), None);
        let again = write(&mut grants, &issued(3, 30, on(4)), &[3, 1, 2]);
        assert_eq!(again, twice(1, None));
        // The owner may be another, who did not know.
        let elsewhere = write(&mut grants, &issued(4, 40, on(4)), &[4, 1, 2]);
        assert_eq!(elsewhere, twice(3, Some(HOLDERS_CHANGED)));
    }

    #[test]
    fn nothing_is_replaced_once_unless_it_may_have_come_about_again() {
        let absent = |write, at| issued(write, at, Condition::Absent);
        let mut grants = Grants::default();
        assert_eq!(write(&mut grants, &absent(1, 10), &[1, 2, 3]), None);
        let second = write(&mut grants, &absent(2, 20), &[1, 2, 3]);
        assert_eq!(second, twice(1, None));
        let deletion = Issued {
            deletes: true,
            ..issued(3, 30, Condition::None)
        };
        write(&mut grants, &deletion, &[1, 2, 3]);
        assert_eq!(write(&mut grants, &absent(4, 40), &[1, 2, 3]), None);
        let after = write(&mut grants, &absent(5, 50), &[1, 2, 3]);
        assert_eq!(after, twice(4, None));
        // A deletion of whose end nobody heard may come at any time.
        let lost = Issued {
            write: 6,
            ..deletion
        };
        grants.issued(&lost);
        assert_eq!(write(&mut grants, &absent(7, 70), &[1, 2, 3]), None);
    }

    #[test]
    fn a_value_whose_time_is_over_leaves_nothing() {
        let short = |write, at| Issued {
            lives: Some(Duration::from_nanos(100)),
            ..issued(write, at, Condition::Absent)
        };
        let mut grants = Grants::default();
        assert_eq!(write(&mut grants, &short(1, 10), &[1, 2, 3]), None);
        let soon = write(&mut grants, &short(2, 60), &[1, 2, 3]);
        assert_eq!(soon, twice(1, None));
        assert_eq!(write(&mut grants, &short(3, 200), &[1, 2, 3]), None);
    }
}
