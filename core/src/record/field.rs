//! One entry of a record: a value or a tombstone, and who wrote it when.

use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

use super::{Stamp, Value};

/// What the latest write left under a name.
///
/// # Merging
///
/// The newer stamp wins. Equal stamps mean the same write, unless a node lost its disk and with
/// it the mark of its clock; so that even then all copies agree, a tombstone wins, then the
/// value that expires sooner, then the greater SHA-1 of the value; and what is left of the two
/// (the expiry, the stamp replaced) is the sooner and the greater.
///
/// # Expiry
///
/// Merging knows no time. A value past its expiry is absent for every reader, at once and on
/// every node by itself; [`Field::expire`] only frees its room: it leaves a tombstone with the
/// stamp of the value, and that is also what merging makes of the two. So it makes no difference
/// whether copies expire before or after they are merged. (Why the sooner expiry wins: what
/// becomes a tombstone first would win then anyway.)
///
/// On the wire, besides the value's own bytes: 31 bytes in this century for a first write, 27
/// more if it replaces another, 6 more if it expires; 30 for a tombstone, or 57.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    stamp: Stamp,
    replaces: Option<Stamp>,
    value: Option<Value>,
    expires: Option<u64>,
}

impl Field {
    /// A value written with this stamp. `replaces` is the stamp of what its writer found under
    /// the name, a tombstone included; `expires` is in milliseconds since 1970.
    #[must_use]
    pub fn new(
        stamp: Stamp,
        replaces: Option<Stamp>,
        value: impl Into<Value>,
        expires: Option<u64>,
    ) -> Field {
        Field {
            stamp,
            replaces,
            value: Some(value.into()),
            expires,
        }
    }

    /// A deletion with this stamp, of what has the stamp `replaces`.
    #[must_use]
    pub const fn tombstone(stamp: Stamp, replaces: Option<Stamp>) -> Field {
        Field {
            stamp,
            replaces,
            value: None,
            expires: None,
        }
    }

    /// The write that this is.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The write that its writer found here.
    #[must_use]
    pub const fn replaces(&self) -> Option<Stamp> {
        self.replaces
    }

    /// When the value ceases to be readable, in milliseconds since 1970. A tombstone has it that
    /// was left by expiry.
    #[must_use]
    pub const fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// Moves the end of the value's time, in milliseconds since 1970. For a write that nobody holds
    /// yet: copies of one write end at the same time.
    pub fn shift_expiry(&mut self, shifted: impl FnOnce(u64) -> u64) {
        self.expires = self.expires.map(shifted);
    }

    /// The value as it is stored, expired or not; `None` for a tombstone. Readers are given
    /// [`Field::read`].
    #[must_use]
    pub const fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// Whether nothing but the fact of a deletion is left.
    #[must_use]
    pub const fn is_tombstone(&self) -> bool {
        self.value.is_none()
    }

    /// The value for a reader at the time `now`; `None` if it was deleted or has expired.
    #[must_use]
    pub fn read(&self, now: u64) -> Option<&Value> {
        self.value().filter(|_| !self.has_expired(now))
    }

    fn has_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Leaves a tombstone if the value has expired at `now`, and says whether it did so.
    pub fn expire(&mut self, now: u64) -> bool {
        let expires = self.value.is_some() && self.has_expired(now);
        if expires {
            self.value = None;
        }
        expires
    }

    /// Since when this is a tombstone, in milliseconds since 1970: when it was deleted or when
    /// it expired, the same on every node.
    #[must_use]
    pub fn dead_since(&self) -> Option<u64> {
        let since = self.stamp.milliseconds.max(self.expires.unwrap_or(0));
        self.is_tombstone().then_some(since)
    }

    /// Makes this the winner of the two.
    pub fn merge(&mut self, other: Field) {
        match other.stamp.cmp(&self.stamp) {
            Ordering::Greater => *self = other,
            Ordering::Less => {}
            Ordering::Equal => self.join(other),
        }
    }

    /// Merges two fields of equal stamps: the least that is at or above both.
    fn join(&mut self, other: Field) {
        if *self == other {
            return;
        }
        let (mine, others) = (ends(self.expires), ends(other.expires));
        self.value = match (self.value.take(), other.value) {
            (Some(own), Some(theirs)) => Some(match mine.cmp(&others) {
                Ordering::Less => own,
                Ordering::Greater => theirs,
                Ordering::Equal => greater(own, theirs),
            }),
            _ => None,
        };
        self.expires = if mine <= others {
            self.expires
        } else {
            other.expires
        };
        self.replaces = self.replaces.max(other.replaces);
    }

    /// Whether the two were written without knowledge of each other: neither replaces the other
    /// or anything newer.
    ///
    /// A field names one predecessor, not its whole past. A write counts as known to every later
    /// writer who found something newer than it, so what lost to a write that has itself been
    /// replaced since is not told apart from what was simply missed: as a count of conflicts
    /// this is a lower bound.
    #[must_use]
    pub fn is_concurrent_with(&self, other: &Field) -> bool {
        let (older, newer) = match self.stamp.cmp(&other.stamp) {
            Ordering::Less => (self, other),
            Ordering::Greater => (other, self),
            Ordering::Equal => return !self.is_same_write(other),
        };
        newer.replaces.is_none_or(|replaced| replaced < older.stamp)
    }

    /// Whether two fields of equal stamps are one write, which on one side may have expired. What
    /// it replaced may differ: a write that was tried at two nodes found different things.
    fn is_same_write(&self, other: &Field) -> bool {
        let alike = match (&self.value, &other.value) {
            (Some(own), Some(theirs)) => own == theirs,
            (None, None) => true,
            _ => self.expires.is_some(),
        };
        alike && self.expires == other.expires
    }
}

/// For comparing: what never expires comes last.
fn ends(expires: Option<u64>) -> (bool, u64) {
    (expires.is_none(), expires.unwrap_or(0))
}

/// The value with the greater SHA-1; the bytes decide where somebody found a collision.
fn greater(a: Value, b: Value) -> Value {
    let rank = |value: &Value| <[u8; 20]>::from(Sha1::digest(value.as_bytes()));
    let (of_a, of_b) = (Reverse(rank(&a)), Reverse(rank(&b)));
    if (of_a, Reverse(&a)) <= (of_b, Reverse(&b)) {
        a
    } else {
        b
    }
}

#[cfg(test)]
mod tests;
