//! Whether a reading found what it had to.
//!
//! A key is a register: a reading must find the latest write that was acknowledged before the
//! reading began, or one that came meanwhile or later. Which of two writes is the later one, their
//! stamps say; so it is enough that what was found has a stamp at or above all that had been
//! acknowledged. A write that was done in part, or of which nobody knows, is free to be found or
//! not, now or at any later time.
//!
//! What counts is what a reader is told, not what is stored: a value that has expired is nothing to
//! him. A value lives by the clock of its key's owner. If the owner of the writing and that of the
//! reading are known, and nobody has touched their clocks, it must be there for just so long, but for
//! what their clocks differ. Otherwise it must be there as long as it lives by any two
//! clocks since it was written; and it must not be there any more when it is over by all of them. What
//! was replaced or deleted must never be found again, however long ago that was.

use std::collections::BTreeMap;
use std::time::Duration;

use cuerda_core::record::Stamp;
use cuerda_core::ring::Id;

use super::clocks::milliseconds;
use super::{Clocks, Issued, Nanos};

/// Nanoseconds of a millisecond.
const MILLISECOND: i64 = 1_000_000;

/// What a reading found: the field as its reader was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadValue {
    /// The stamp of the field.
    pub stamp: Stamp,
    /// What it holds.
    pub content: Content,
}

/// What a field holds for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The value of this write.
    Value(u64),
    /// A value that has expired, of this write if that can still be seen: nothing for the reader.
    Expired(Option<u64>),
    /// A deletion: nothing for the reader.
    Deleted,
    /// A value that no client could have written.
    Strange,
}

/// What is to be said of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It found what it had to.
    Right,
    /// It found something older.
    Stale,
    /// It found what had been deleted, and nobody has written since.
    Resurrected,
    /// It found what had expired.
    Expired,
    /// It found nothing.
    Missing,
    /// It found that something had expired that lives still.
    Early,
    /// It found what no client wrote there.
    Invented,
}

/// A reading under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenReading {
    pub(super) key: Id,
    pub(super) began: Nanos,
    /// The node that is asked.
    pub(super) asker: u32,
    /// What it must find at least.
    least: Option<Least>,
}

/// The latest acknowledged write of a key.
#[derive(Clone, Copy, Debug)]
struct Least {
    write: u64,
    stamp: Stamp,
    deletes: bool,
    lives: Option<Duration>,
    /// When it was issued.
    at: Nanos,
}

/// A write whose value lives for a time.
#[derive(Clone, Copy, Debug)]
struct Mortal {
    lives: Duration,
    /// When it was issued.
    at: Nanos,
    /// What the clock that is farthest ahead showed when it was over; `None` before.
    ended: Option<u64>,
    /// By whose clock it ends, if that is known, and when it was acknowledged.
    owner: Option<(u32, Nanos)>,
}

/// What readers of all keys must find.
#[derive(Clone, Debug, Default)]
pub(super) struct Readings {
    least: BTreeMap<Id, Least>,
    pub(super) open: BTreeMap<u64, OpenReading>,
    /// What each write wrote to.
    writes: BTreeMap<u64, Id>,
    mortal: BTreeMap<u64, Mortal>,
    /// By key: deletions that nobody was told are done, when each was issued and when it ended. They
    /// may take effect all the same, and be forgotten after their time.
    undone: BTreeMap<Id, BTreeMap<u64, (Nanos, Option<Nanos>)>>,
    tombstones_for: Duration,
}

impl Readings {
    /// Where deletions are remembered for so long.
    pub(super) fn of(tombstones_for: Duration) -> Readings {
        Readings {
            tombstones_for,
            ..Readings::default()
        }
    }

    pub(super) fn issued(&mut self, issued: &Issued) {
        self.writes.insert(issued.write, issued.key);
        if issued.deletes {
            let undone = self.undone.entry(issued.key).or_default();
            undone.insert(issued.write, (issued.at, None));
        }
        if let Some(lives) = issued.lives {
            let mortal = Mortal {
                lives,
                at: issued.at,
                ended: None,
                owner: None,
            };
            self.mortal.insert(issued.write, mortal);
        }
    }

    /// Its client has been told what became of it.
    pub(super) fn ended(&mut self, now: Nanos, write: u64, clocks: &Clocks) {
        let of_key = self
            .writes
            .get(&write)
            .and_then(|key| self.undone.get_mut(key));
        if let Some((_, ended)) = of_key.and_then(|undone| undone.get_mut(&write)) {
            *ended = Some(now);
        }
        if let Some(mortal) = self.mortal.get_mut(&write) {
            mortal.ended = Some(clocks.highest(now));
        }
    }

    /// This machine's node owned the key when it took the write in, before now.
    pub(super) fn owned(&mut self, now: Nanos, write: u64, owner: u32) {
        if let Some(mortal) = self.mortal.get_mut(&write) {
            mortal.owner = Some((owner, now));
        }
    }

    pub(super) fn acknowledged(&mut self, issued: &Issued, stamp: Stamp) {
        if let Some(undone) = self.undone.get_mut(&issued.key) {
            undone.remove(&issued.write);
        }
        let least = Least {
            write: issued.write,
            stamp,
            deletes: issued.deletes,
            lives: issued.lives,
            at: issued.at,
        };
        let known = self.least.entry(issued.key).or_insert(least);
        if stamp > known.stamp {
            *known = least;
        }
    }

    pub(super) fn begin(&mut self, now: Nanos, read: u64, asker: u32, key: Id) {
        let open = OpenReading {
            key,
            began: now,
            asker,
            least: self.least.get(&key).copied(),
        };
        self.open.insert(read, open);
    }

    pub(super) fn judge(
        &self,
        now: Nanos,
        open: &OpenReading,
        found: Option<ReadValue>,
        (clocks, owner): (&Clocks, Option<u32>),
    ) -> Verdict {
        let written_there = |write: u64| self.writes.get(&write) == Some(&open.key);
        let Some(found) = found else {
            return match open.least {
                Some(least) if !least.must_be_there(now, clocks) => Verdict::Right,
                Some(least) if self.may_be_deleted(now, open.key, &least, clocks) => Verdict::Right,
                Some(_) => Verdict::Missing,
                None => Verdict::Right,
            };
        };
        match found.content {
            Content::Strange => Verdict::Invented,
            Content::Value(write) if !written_there(write) => Verdict::Invented,
            Content::Value(write) => self.judge_value(open, found.stamp, write, (clocks, owner)),
            Content::Expired(Some(write)) if !written_there(write) => Verdict::Invented,
            Content::Expired(Some(write)) if self.lives(now, write, (clocks, owner)) => {
                Verdict::Early
            }
            Content::Expired(_) | Content::Deleted => {
                let expired = matches!(found.content, Content::Expired(_));
                match open.least {
                    Some(least) if least.must_be_there(now, clocks) => {
                        if found.stamp > least.stamp {
                            Verdict::Right
                        } else if found.stamp < least.stamp {
                            Verdict::Missing
                        } else if expired {
                            Verdict::Early
                        } else {
                            // That stamp is not of a deletion.
                            Verdict::Invented
                        }
                    }
                    _ => Verdict::Right,
                }
            }
        }
    }

    /// Whether a deletion that nobody was told is done may have come after this write, and be forgotten.
    fn may_be_deleted(&self, now: Nanos, key: Id, least: &Least, clocks: &Clocks) -> bool {
        let mut undone = self.undone.get(&key).into_iter().flat_map(BTreeMap::values);
        undone.any(|&(issued, ended)| {
            let later = ended.is_none_or(|ended| ended >= least.at);
            let forgotten = !is_alive(now, issued, self.tombstones_for);
            later && forgotten || !clocks.were_right()
        })
    }

    fn judge_value(
        &self,
        open: &OpenReading,
        stamp: Stamp,
        write: u64,
        clocks: (&Clocks, Option<u32>),
    ) -> Verdict {
        match open.least {
            Some(least) if stamp < least.stamp && least.deletes => Verdict::Resurrected,
            Some(least) if stamp == least.stamp && (least.deletes || least.write != write) => {
                Verdict::Invented
            }
            _ if self.is_over(open.began, write, stamp, clocks) => Verdict::Expired,
            Some(least) if stamp < least.stamp => Verdict::Stale,
            _ => Verdict::Right,
        }
    }

    /// Whether the value of this write lives for certain.
    fn lives(&self, now: Nanos, write: u64, (clocks, reader): (&Clocks, Option<u32>)) -> bool {
        self.mortal.get(&write).is_none_or(|mortal| {
            match mortal.apart(clocks, reader) {
                Some(apart) => {
                    // Clocks show whole milliseconds, and so a value may end one too soon.
                    let shown = now.saturating_add_signed(apart.saturating_add(MILLISECOND));
                    is_alive(shown, mortal.at, mortal.lives)
                }
                None => clocks.lives(now, mortal.at, mortal.lives),
            }
        })
    }

    /// Whether the value of this write was over for certain.
    fn is_over(
        &self,
        then: Nanos,
        write: u64,
        stamp: Stamp,
        (clocks, reader): (&Clocks, Option<u32>),
    ) -> bool {
        let Some(mortal) = self.mortal.get(&write) else {
            return false;
        };
        if let (Some(apart), Some((_, ended))) = (mortal.apart(clocks, reader), mortal.owner) {
            return !is_alive(then.saturating_add_signed(apart), ended, mortal.lives);
        }
        // Who never heard of its end can't tell when it was done.
        mortal.ended.is_some_and(|ended| {
            let from = ended.max(stamp.milliseconds);
            clocks.lowest(then) >= from.saturating_add(milliseconds(mortal.lives))
        })
    }
}

impl Mortal {
    /// How far the clock by which it is judged is ahead of the one by which it ends, in nanoseconds;
    /// `None` if that is not known.
    fn apart(&self, clocks: &Clocks, reader: Option<u32>) -> Option<i64> {
        let (owner, _) = self.owner?;
        let of_reader = clocks.ahead_since(self.at, reader?)?;
        let of_owner = clocks.ahead_since(self.at, owner)?;
        let apart = of_reader.saturating_sub(of_owner);
        Some(apart.saturating_mul(MILLISECOND))
    }
}

impl Least {
    /// Whether a reader must find its value, or that of a later write.
    fn must_be_there(&self, now: Nanos, clocks: &Clocks) -> bool {
        !self.deletes && (self.lives).is_none_or(|lives| clocks.lives(now, self.at, lives))
    }
}

/// Whether what was issued then and lives so long still does, by a right clock.
pub(super) fn is_alive(now: Nanos, at: Nanos, lives: Duration) -> bool {
    u128::from(now.saturating_sub(at)) < lives.as_nanos()
}
