//! Whether a reading found what it had to.
//!
//! A key is a register: a reading must find the latest write that was acknowledged before the
//! reading began, or one that came meanwhile or later. Which of two writes is the later one, their
//! stamps say; so it is enough that what was found has a stamp at or above all that had been
//! acknowledged. A write that was done in part, or of which nobody knows, is free to be found or
//! not, now or at any later time.

use std::collections::BTreeMap;

use cuerda_core::record::Stamp;
use cuerda_core::ring::Id;

use super::{Issued, Nanos};

/// What a reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadValue {
    /// The stamp of the field.
    pub stamp: Stamp,
    /// The write whose value it is; `None` for a deletion.
    pub write: Option<u64>,
    /// Whether there is a value that no client could have written.
    pub strange: bool,
}

/// What is to be said of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It found what it had to.
    Right,
    /// It found something older.
    Stale,
    /// It found nothing.
    Missing,
    /// It found what no client wrote there.
    Invented,
}

/// What a reading must find at least.
#[derive(Clone, Copy, Debug)]
struct Least {
    issued: Issued,
    stamp: Stamp,
}

/// All keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Register {
    least: BTreeMap<Id, Least>,
    open: BTreeMap<u64, (Id, Option<Least>)>,
    /// What each write wrote to.
    writes: BTreeMap<u64, Id>,
}

impl Register {
    pub(super) fn issued(&mut self, issued: Issued) {
        self.writes.insert(issued.write, issued.key);
    }

    pub(super) fn acknowledged(&mut self, issued: Issued, stamp: Stamp) {
        let least = Least { issued, stamp };
        let known = self.least.entry(issued.key).or_insert(least);
        if stamp > known.stamp {
            *known = least;
        }
    }

    pub(super) fn read(&mut self, read: u64, key: Id) {
        let least = self.least.get(&key).copied();
        self.open.insert(read, (key, least));
    }

    pub(super) fn forget(&mut self, read: u64) {
        self.open.remove(&read);
    }

    /// The verdict, and the key if the reading was known.
    pub(super) fn ended(
        &mut self,
        now: Nanos,
        read: u64,
        found: Option<ReadValue>,
    ) -> (Verdict, Option<Id>) {
        let Some((key, least)) = self.open.remove(&read) else {
            return (Verdict::Right, None);
        };
        (self.judge(now, key, least, found), Some(key))
    }

    fn judge(
        &self,
        now: Nanos,
        key: Id,
        least: Option<Least>,
        found: Option<ReadValue>,
    ) -> Verdict {
        if let Some(found) = found {
            let of_key = |write: u64| self.writes.get(&write) == Some(&key);
            if found.strange || found.write.is_some_and(|write| !of_key(write)) {
                return Verdict::Invented;
            }
        }
        let Some(least) = least else {
            return Verdict::Right;
        };
        // Once it has expired, or the deletion may be forgotten, anything may be found.
        if least.issued.until.is_some_and(|until| now >= until) {
            return Verdict::Right;
        }
        match found {
            None if least.issued.deletes => Verdict::Right,
            None => Verdict::Missing,
            Some(found) if found.stamp < least.stamp => Verdict::Stale,
            Some(found) if found.stamp == least.stamp => {
                let own = (!least.issued.deletes).then_some(least.issued.write);
                if found.write == own {
                    Verdict::Right
                } else {
                    Verdict::Invented
                }
            }
            Some(_) => Verdict::Right,
        }
    }
}
