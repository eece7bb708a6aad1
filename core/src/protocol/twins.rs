//! Two processes with one key: a data directory was copied, and both are started. Who of them is
//! asked, who is refused, and when it is no twin at all but a restart.
//!
//! Both would have one place on the circle, and each would grant what only one may. So the younger
//! one has to go. Each [start](Start) of a process is told to whom it has connections with; whoever
//! has connections with two starts of one key asks the one that was there before, by a new
//! connection to its address, whether it still is. A process that was started again, elsewhere
//! perhaps, is no twin: its former self does not answer. One that was only suspended then, or cut off,
//! is asked again as soon as it says something.
//!
//! ```text
//!   younger ── connects ──▶ C        C has a connection with the older one, too
//!                           C ── connects ──▶ older      the same start as before: it is there
//!   younger ◀─ Twin ─────── C ── Twin ──────▶ older      and C closes what leads to the younger
//!   younger ── connects ─────────────────────▶ older     both see their own key
//! ```
//!
//! Anybody could say that there is a twin. So whoever is told looks for himself, and nothing but a
//! proof of his own key, and another start, makes him stop.
//!
//! This is the decision alone. It opens no connection, proves no key and reads no clock: whoever
//! runs a process tells it what was heard and when, and does what it says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits;
use crate::ring::Address;

/// One start of a process: no two are alike, as two processes with copies of one data directory
/// are in all else. The lesser of two is the older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Start {
    /// When it was, in milliseconds since 1970, by the clock of the process itself: so all that hear
    /// of two starts agree on which is older.
    pub at_ms: u64,
    /// Drawn at random.
    pub instance: u64,
}

/// A process as another hears it: this start of it, at this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Which start it says it is.
    pub start: Start,
    /// Where it says that it listens.
    pub address: Address,
}

/// What is to be done about two starts of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look who is at this address, and tell [`Twins::looked`].
    Look(Address),
    /// Two are there, and one has to go.
    Refuse(Refused),
}

/// Two processes with one key are there. What leads to the younger one is closed, and both are told
/// where the other is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The one that stays.
    pub older: Heard,
    /// The one that has to go.
    pub younger: Heard,
    /// Whether it is time to tell the operator.
    pub is_told: bool,
}

/// What follows from a look at an address at which somebody was heard before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who is refused; `None` if nothing is heard of one of the two any more.
    pub refused: Option<Refused>,
    /// Whether the one that was found is the older one, and so may be talked to.
    pub is_older: bool,
}

/// What a process is to do that has met its own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Nothing: it has met itself, or has to stop already.
    Nothing,
    /// To stop: another process with its key had started before.
    Older,
    /// To go on: the other was started later. `is_told` says whether the operator is to hear of it.
    Younger {
        /// Whether it is time to tell the operator.
        is_told: bool,
    },
}

/// What a process knows of others that have one key, `K`.
///
/// Moments are times since any moment that stays the same, and do not go back.
#[derive(Clone, Debug)]
pub struct Twins<K> {
    pairs: BTreeMap<K, Pair>,
    /// Where a process with this one's key is, which had started before.
    older: Option<Address>,
    /// When it was last looked whether one is where somebody said.
    looked: Option<Duration>,
}

/// Two processes, or more, that have shown the same key.
#[derive(Clone, Debug)]
struct Pair {
    /// When they were last heard of.
    used: Duration,
    /// The one heard before, while it is asked whether it is there, and the one that came then.
    asked: Option<(Start, Start)>,
    /// The same two, if it did not answer.
    silent: Option<(Start, Start)>,
    /// When it last said so.
    answered: Option<(Start, Duration)>,
    /// When they were last told to the operator.
    told: Option<Duration>,
}

impl<K> Default for Twins<K> {
    fn default() -> Twins<K> {
        Twins {
            pairs: BTreeMap::new(),
            older: None,
            looked: None,
        }
    }
}

impl<K: Copy + Ord> Twins<K> {
    /// Where a process with this one's key is, which had started before: this one has to stop.
    #[must_use]
    pub const fn older(&self) -> Option<Address> {
        self.older
    }

    /// A connection with this start of the holder of a key has come about. `known` are all the
    /// starts of that key there are connections with, `newcomer` among them.
    pub fn heard(
        &mut self,
        key: K,
        newcomer: Start,
        known: &[Heard],
        now: Duration,
    ) -> Option<Step> {
        let others = known.iter().filter(|other| other.start != newcomer);
        // The newcomer has just said who it is. Of the others it is the oldest that it may have to
        // make way for; if there is none, the youngest has to make way for the newcomer.
        let oldest = others.clone().min_by_key(|other| other.start);
        let older = oldest.filter(|other| other.start < newcomer);
        let other = *older.or(others.max_by_key(|other| other.start))?;
        let pair = self.pair(key, now)?;
        if pair.has_answered(other.start, now) {
            return pair
                .refuse(newcomer, other.start, known, now)
                .map(Step::Refuse);
        }
        if pair.asked.is_some() {
            return None;
        }
        pair.asked = Some((other.start, newcomer));
        pair.silent = None;
        Some(Step::Look(other.address))
    }

    /// It has been looked who is at the address of a [`Step::Look`]. `found` is the start of the
    /// holder of this key, if that is who was there; `known` as in [`Twins::heard`]. `None` means
    /// that nothing is known of twins: nobody was there, or another start, so that the one heard before
    /// was a former self of the one heard then.
    pub fn looked(
        &mut self,
        key: K,
        found: Option<Start>,
        known: &[Heard],
        now: Duration,
    ) -> Option<Found> {
        let pair = self.pairs.get_mut(&key)?;
        let (other, newcomer) = pair.asked.take()?;
        if found != Some(other) {
            pair.silent = Some((other, newcomer));
            return None;
        }
        let pair = self.pair(key, now)?;
        pair.answered = Some((other, now));
        Some(Found {
            refused: pair.refuse(newcomer, other, known, now),
            is_older: other < newcomer,
        })
    }

    /// Something came from this start of the holder of a key, by a connection that was there before.
    /// If it did not answer when it was asked last, this is the newcomer that it was asked for:
    /// [`Twins::heard`] is to be told of that once more.
    #[must_use]
    pub fn not_gone(&self, key: K, start: Start) -> Option<Start> {
        let (silent, newcomer) = self.pairs.get(&key)?.silent?;
        (silent == start).then_some(newcomer)
    }

    /// Somebody says that a process with this one's key is somewhere: whether to look there now.
    pub fn is_to_look(&mut self, now: Duration) -> bool {
        let lately = |looked: Duration| now < looked + limits::TWIN_LOOKS;
        let due = !self.looked.is_some_and(lately);
        if due {
            self.looked = Some(now);
        }
        due
    }

    /// This process, which has this key and start, was connected with one that proved the same key.
    pub fn met(&mut self, key: K, ours: Start, theirs: Heard, now: Duration) -> Met {
        if theirs.start == ours || self.older.is_some() {
            return Met::Nothing;
        }
        if theirs.start < ours {
            self.older = Some(theirs.address);
            return Met::Older;
        }
        let pair = self.pair(key, now);
        Met::Younger {
            is_told: pair.is_some_and(|pair| pair.is_to_be_told(now)),
        }
    }

    /// What is known of the holders of this key. `None` if too many others are being asked: then
    /// they are noticed when they connect the next time.
    fn pair(&mut self, key: K, now: Duration) -> Option<&mut Pair> {
        if self.pairs.len() >= limits::TWINS && !self.pairs.contains_key(&key) {
            let idle = self.pairs.iter().filter(|(_, pair)| pair.asked.is_none());
            let idle = idle.min_by_key(|(_, pair)| pair.used).map(|(key, _)| *key);
            self.pairs.remove(&idle?);
        }
        let pair = self.pairs.entry(key).or_insert(Pair {
            used: now,
            asked: None,
            silent: None,
            answered: None,
            told: None,
        });
        pair.used = now;
        Some(pair)
    }
}

impl Pair {
    /// Two are there: which has to go. `None` if one of them may have ended meanwhile.
    fn refuse(
        &mut self,
        one: Start,
        other: Start,
        known: &[Heard],
        now: Duration,
    ) -> Option<Refused> {
        let place = |of| known.iter().find(|known| known.start == of).copied();
        Some(Refused {
            older: place(one.min(other))?,
            younger: place(one.max(other))?,
            is_told: self.is_to_be_told(now),
        })
    }

    /// Whether this one has answered so lately that it need not be asked again.
    fn has_answered(&self, start: Start, now: Duration) -> bool {
        self.answered
            .is_some_and(|(who, at)| who == start && now < at + limits::TWIN_ANSWERED)
    }

    /// Whether it is time to tell the operator; from then on it is not.
    fn is_to_be_told(&mut self, now: Duration) -> bool {
        let due = self.told.is_none_or(|told| now >= told + limits::TWIN_TOLD);
        if due {
            self.told = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests;
