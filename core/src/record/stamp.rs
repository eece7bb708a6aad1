//! When a field was written: stamps, and the hybrid logical clock that issues them.
//!
//! A stamp orders writes; it measures nothing. The clock follows the wall clock as long as that
//! moves forward, and counts where it does not: several writes in a millisecond, a wall clock
//! set back, a stamp seen from a node whose clock is ahead.
//!
//! # The bound on skew
//!
//! A clock that follows every stamp it sees follows a wrong one too. So a stamp farther than
//! [`limits::SKEW_MAX`] ahead of the wall clock is never *issued*; [`TooFarAhead`] says by how
//! much it would have been. Records are merged whatever their stamps: a copy that refused what
//! another copy took would differ from it for good. That leaves three ways in for a stamp:
//!
//! * [`StampClock::issue_above`] is for a write's own past: the stamp of the field it replaces,
//!   the stamp that beat it, the last one its client has seen. The write must come after these
//!   or fail; if it fails it leaves the clock alone, so that one field with an absurd stamp
//!   can't stop writes to others.
//! * [`StampClock::heard`] is for the clocks of others, which travel with their messages: taken
//!   in within the bound and refused beyond it, so that a node whose wall clock is years ahead
//!   does not stop all the others from writing.
//! * [`StampClock::seen`] takes in any stamp.
//!
//! Clocks of nodes may thus differ by up to the bound, an hour, without a write being refused.
//!
//! # When a clock was wrong
//!
//! What this clock itself followed is given up when it is too far ahead of a wall clock that others
//! agree with, and taken up again when time has come near it: so one wrong hour costs no later writes.
//! A node that is alone can't know which of the two is wrong, and refuses. What others have under a key from such an hour can be written over: a write of that key
//! alone is stamped in the same millisecond, behind it ([`StampClock::follow`]), and everything else
//! is stamped as always.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Offsets, limits};
use crate::hint::Hint;
use crate::ring::{Address, Id};

/// Names a write and orders it among all others: of two writes to a field the one with the
/// greater stamp stays.
///
/// 32 bytes in memory, 27 on the wire in this century (35 at most).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Milliseconds since 1970, by the wall clock of the writer unless it had seen more.
    pub milliseconds: u64,
    /// Orders the writes of one millisecond.
    pub counter: u32,
    /// Who issued it. No node issues a stamp twice, so no two stamps are equal.
    pub node: Id,
}

impl Stamp {
    /// Below every stamp that is ever issued.
    pub const ZERO: Stamp = Stamp {
        milliseconds: 0,
        counter: 0,
        node: Id::ZERO,
    };

    /// The next stamp of this node if no time passes; `None` at the end of all time.
    fn following(self, node: Id) -> Option<Stamp> {
        let (milliseconds, counter) = match self.counter.checked_add(1) {
            Some(counter) => (self.milliseconds, counter),
            None => (self.milliseconds.checked_add(1)?, 0),
        };
        Some(Stamp {
            milliseconds,
            counter,
            node,
        })
    }
}

/// Milliseconds, counter and node, as it can be handed back:
/// `1700000000000.3@a9993e364706816aba3e25717850c26c9cd0d89d`.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamp {
            milliseconds,
            counter,
            node,
        } = self;
        write!(f, "{milliseconds}.{counter}@{node}")
    }
}

impl FromStr for Stamp {
    type Err = NoStamp;

    fn from_str(text: &str) -> Result<Stamp, NoStamp> {
        let parts = || {
            let (time, node) = text.split_once('@')?;
            let (milliseconds, counter) = time.split_once('.')?;
            Some(Stamp {
                milliseconds: milliseconds.parse().ok()?,
                counter: counter.parse().ok()?,
                node: node.parse().ok()?,
            })
        };
        parts().ok_or_else(|| NoStamp(text.to_owned()))
    }
}

/// Text that is no stamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no stamp")]
pub struct NoStamp(pub String);

impl Hint for NoStamp {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some("write it as it was told, MILLISECONDS.COUNTER@NODE".into())
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A stamp lies too far ahead of this machine's wall clock to issue one above it, or to follow
/// it. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("the stamp {stamp} is {by} ms ahead of this machine's clock, too far to be followed")]
pub struct TooFarAhead {
    /// The stamp that is too far ahead; its node is the one to look at.
    pub stamp: Stamp,
    /// How far it is ahead of the wall clock, in milliseconds.
    pub by: u64,
}

impl TooFarAhead {
    /// Whether a stamp from outside may be taken in.
    ///
    /// # Errors
    /// If it is more than [`limits::TAKEN_MAX`] ahead of the wall clock.
    pub const fn judge(stamp: Stamp, wall_clock: u64) -> Result<(), TooFarAhead> {
        let by = stamp.milliseconds.saturating_sub(wall_clock);
        match by > limits::TAKEN_MAX {
            true => Err(TooFarAhead { stamp, by }),
            false => Ok(()),
        }
    }
}

impl Hint for TooFarAhead {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let hint = "set this machine's clock right, or that of the node in the stamp; a stamp \
                    from a wrong clock need not be handed back";
        Some(hint.into())
    }
}

/// Issues stamps: each above all that it issued or saw, whatever the wall clock does and across
/// restarts.
///
/// # Restarts
///
/// A *mark* on disk, in milliseconds, is above every stamp that has left this node. After a
/// restart the clock goes on from the mark. A write must not leave while
/// [`StampClock::must_commit`] names a mark: it is committed together with the write, then
/// [`StampClock::committed`] is called. The mark runs [`limits::MARK_STEP`] ahead, so few writes
/// need to raise it; a restart advances the clock by no more than that.
///
/// The mark covers what was issued. Stamps merely seen are not remembered: they stand in records
/// or are handed back by clients, and [`StampClock::issue_above`] gets them from there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StampClock {
    node: Id,
    /// The highest stamp issued or seen.
    latest: Stamp,
    /// The highest that was issued here since the start.
    issued: Stamp,
    /// Stamps below this many milliseconds may leave.
    mark: u64,
    /// The latest deletion that all have forgotten, in milliseconds.
    forgotten: u64,
    /// The highest stamp of a time when the wall clock was far ahead, until time has come near it.
    given_up: Option<Box<Stamp>>,
    /// The last counter of a stamp that follows one too far ahead: no two of them are equal.
    followed: u32,
    /// How far the wall clock is from those of others.
    others: Offsets,
}

impl StampClock {
    /// The clock of a node that never issued a stamp.
    #[must_use]
    pub const fn new(node: Id) -> StampClock {
        StampClock::restored(node, 0)
    }

    /// The clock of a node that starts again, with the mark found on its disk.
    #[must_use]
    pub const fn restored(node: Id, mark: u64) -> StampClock {
        StampClock {
            node,
            latest: below(mark, node),
            issued: Stamp::ZERO,
            mark,
            forgotten: 0,
            given_up: None,
            followed: 0,
            others: Offsets::NONE,
        }
    }

    /// The latest deletion that is known to be forgotten by all who held it, in milliseconds since
    /// 1970; 0 for none. Who was away when it was made may have what was deleted, and nobody would
    /// tell it. This travels with every message, too.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Deletions up to here may be forgotten by all.
    pub fn forget(&mut self, milliseconds: u64) {
        self.forgotten = self.forgotten.max(milliseconds);
    }

    /// The highest stamp issued or seen: what travels with every message.
    #[must_use]
    pub const fn latest(&self) -> Stamp {
        self.latest
    }

    /// The same for clients, who hand it back with what they write next: [`Stamp::ZERO`] if it is so
    /// far ahead of the wall clock that no write could come after it.
    #[must_use]
    pub fn told(&self, wall_clock: u64) -> Stamp {
        let by = self
            .latest
            .milliseconds
            .saturating_sub(self.right(wall_clock));
        match by > limits::TAKEN_MAX {
            true => Stamp::ZERO,
            false => self.latest,
        }
    }

    /// A stamp for a write, above every stamp issued or seen. `wall_clock` is in milliseconds
    /// since 1970.
    ///
    /// # Errors
    /// If it would be more than [`limits::SKEW_MAX`] ahead of the wall clock.
    pub fn issue(&mut self, wall_clock: u64) -> Result<Stamp, TooFarAhead> {
        self.issue_above(wall_clock, Stamp::ZERO)
    }

    /// A stamp for a write that comes after `past`, above that and every stamp issued or seen.
    ///
    /// # Errors
    /// If it would be more than [`limits::SKEW_MAX`] ahead of the wall clock; no stamp is then above
    /// `past` for its sake.
    pub fn issue_above(&mut self, wall_clock: u64, past: Stamp) -> Result<Stamp, TooFarAhead> {
        self.give_up_what_is_far(wall_clock);
        let above = self.latest.max(past);
        let too_far = TooFarAhead {
            stamp: above,
            by: above.milliseconds.saturating_sub(wall_clock),
        };
        let stamp = if wall_clock > above.milliseconds {
            Stamp {
                milliseconds: wall_clock,
                counter: 0,
                node: self.node,
            }
        } else {
            above.following(self.node).ok_or(too_far)?
        };
        let by = stamp.milliseconds.saturating_sub(wall_clock);
        // No mark can be above the last millisecond of all, so nothing is issued in it.
        if by > limits::SKEW_MAX || stamp.milliseconds == u64::MAX {
            return Err(TooFarAhead { by, ..too_far });
        }
        self.latest = stamp;
        self.issued = stamp;
        Ok(stamp)
    }

    /// Goes on from the wall clock if that is far behind what this clock has followed, and others
    /// agree with it: so it was wrong then. (Where nobody else is, it may be wrong now.) What was
    /// issued here is no reason to give up, unless it is as far ahead itself: no later stamp may be
    /// below it. If it is, the mark on disk was ahead as well, and is lowered with the next stamp.
    fn give_up_what_is_far(&mut self, wall_clock: u64) {
        let near = wall_clock.saturating_add(limits::SKEW_MAX);
        if self.latest.milliseconds > near && self.others.agree(wall_clock) {
            let before = self.given_up.take().map_or(Stamp::ZERO, |before| *before);
            self.given_up = Some(Box::new(before.max(self.latest)));
            let own = self.issued_last();
            // The mark is ahead of what was issued, by a step at most.
            if own.milliseconds <= near.saturating_add(limits::MARK_STEP) {
                self.latest = own;
            } else {
                (self.latest, self.issued, self.mark) = (Stamp::ZERO, Stamp::ZERO, 0);
            }
        }
        if let Some(before) = self.given_up.take_if(|before| before.milliseconds <= near) {
            // No stamp of that time is issued again.
            self.seen(*before);
        }
    }

    /// The highest stamp that was issued here, or may have been before the start.
    const fn issued_last(&self) -> Stamp {
        match self.issued.milliseconds {
            0 => below(self.mark, self.node),
            _ => self.issued,
        }
    }

    /// A stamp for a write of a key where `there` was found, too far ahead for any other write to
    /// come after it: in the same millisecond, so that it is no farther ahead.
    ///
    /// # Errors
    /// If that millisecond is full.
    pub fn follow(&mut self, there: Stamp, wall_clock: u64) -> Result<Stamp, TooFarAhead> {
        let counter = there.counter.max(self.followed).checked_add(1);
        let by = there.milliseconds.saturating_sub(wall_clock);
        let counter = counter.ok_or(TooFarAhead { stamp: there, by })?;
        self.followed = counter;
        Ok(Stamp {
            milliseconds: there.milliseconds,
            counter,
            node: self.node,
        })
    }

    /// A message came from there, whose sender's wall clock showed `theirs` (0 if it did not say)
    /// while this machine's shows `mine`.
    pub fn compare(&mut self, from: Address, theirs: u64, mine: u64) {
        if theirs != 0 {
            self.others.heard(from, theirs, mine);
        }
    }

    /// By how many milliseconds the wall clock is wrong, as far as others agree on it
    /// ([`Offsets::wrong_by`]). A node whose clock is wrong issues no stamps.
    #[must_use]
    pub fn wrong_by(&self, wall_clock: u64) -> Option<i64> {
        self.others.wrong_by(wall_clock)
    }

    /// The time by which what others say is judged: the wall clock's, unless that is wrong.
    #[must_use]
    pub fn right(&self, wall_clock: u64) -> u64 {
        self.others.right(wall_clock)
    }

    /// Takes in the clock of another node, which came with a message.
    ///
    /// # Errors
    /// If it is more than [`limits::TAKEN_MAX`] ahead of the wall clock; it is then not taken in.
    pub fn heard(&mut self, stamp: Stamp, wall_clock: u64) -> Result<(), TooFarAhead> {
        TooFarAhead::judge(stamp, wall_clock)?;
        self.seen(stamp);
        Ok(())
    }

    /// Takes in any stamp: all that are issued from now on are above it, unless it is so far ahead
    /// that it is given up.
    pub fn seen(&mut self, stamp: Stamp) {
        self.latest = self.latest.max(stamp);
    }

    /// The mark that must be on disk before the stamps issued here may leave; `None` if the one
    /// that is there will do.
    #[must_use]
    pub fn must_commit(&self) -> Option<u64> {
        let issued = self.issued;
        (issued != Stamp::ZERO && issued.milliseconds >= self.mark)
            .then(|| issued.milliseconds.saturating_add(limits::MARK_STEP))
    }

    /// The mark is on disk.
    pub fn committed(&mut self, mark: u64) {
        self.mark = self.mark.max(mark);
    }
}

/// The last stamp that may have left under a mark, so that the next one is at the mark or above.
const fn below(mark: u64, node: Id) -> Stamp {
    match mark.checked_sub(1) {
        Some(milliseconds) => Stamp {
            milliseconds,
            counter: u32::MAX,
            node,
        },
        None => Stamp::ZERO,
    }
}

#[cfg(test)]
mod tests;
