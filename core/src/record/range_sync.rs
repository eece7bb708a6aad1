//! How two nodes find the records in which they differ without telling each other all they have.
//!
//! ```text
//!   asker                                                   asked
//!     │── DigestQuestion: an arc, and my digest of it ─────────▶│
//!     │◀───────────────────────────────── DigestAnswer::Same ───│   nothing to do there
//!     │◀───────────────── DigestAnswer::Parts: 16 digests ──────│   ask on where mine differ
//!     │◀────────────── DigestAnswer::Keys: each record's ───────│   few are left: compare
//! ```
//!
//! A [`RangeSync`] is the asker's side and [`DigestQuestion::answer`] the other; both are functions
//! of what they are handed and keep no copy of what a node holds. Each question is about what
//! stands there at that moment, so records may change meanwhile, a sync may pause for as long as it
//! likes, and questions may be lost and asked again. What changes behind its back is found by the
//! next one.
//!
//! It takes as many rounds as the arc can be cut into sixteenths until [`LISTED`] records are
//! left: about log₁₆ of their number for keys that are spread evenly, and never more than
//! [`ROUNDS`].

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound::{Excluded, Included, Unbounded};

use serde::{Deserialize, Serialize};

use super::digest::{PARTS, parts};
use super::{Digest, Entry, RangeDigest};
use crate::ring::{Id, KeyRange};

/// At most this many records are listed rather than summed up: a list of 640 bytes instead of
/// up to 400 bytes of digests and another round.
pub const LISTED: usize = 16;
/// The most rounds that a sync takes, if every round asks all open questions: one for each
/// hexadecimal digit of a key.
pub const ROUNDS: usize = 40;

// An arc that can't be cut any more can always be listed.
const _: () = assert!(LISTED >= PARTS);

/// What a node has, as digests.
pub trait DigestSource {
    /// The keys on an arc and the digests of their records, in the order of the walk: clockwise
    /// from its start, each key once.
    fn entries(&self, arc: KeyRange) -> impl Iterator<Item = Entry>;

    /// The sum of the entries on an arc. To be replaced where sums are kept.
    fn digest(&self, arc: KeyRange) -> RangeDigest {
        self.entries(arc).collect()
    }
}

impl DigestSource for BTreeMap<Id, Digest> {
    fn entries(&self, arc: KeyRange) -> impl Iterator<Item = Entry> {
        let KeyRange { start, end } = arc;
        // An arc over the top of the circle is two ranges. One that is not must not be asked
        // for as a range from the top.
        let (first, second) = if start < end {
            (self.range((Excluded(start), Included(end))), None)
        } else {
            let rest = self.range(..=end);
            (self.range((Excluded(start), Unbounded)), Some(rest))
        };
        let all = first.chain(second.into_iter().flatten());
        all.map(|(&key, &digest)| Entry { key, digest })
    }
}

/// "This is the digest of what I have on the arc; what is yours?"
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DigestQuestion {
    /// Where.
    pub arc: KeyRange,
    /// Of what the asker has there.
    pub digest: RangeDigest,
}

/// What the asked node has on the arc.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DigestAnswer {
    /// The same.
    Same,
    /// Something else, and these are the digests of the arc's sixteen parts.
    Parts(Box<[RangeDigest; PARTS]>),
    /// Something else, and it is all of this: at most [`LISTED`] entries in the order of the
    /// walk.
    Keys(Vec<Entry>),
}

impl DigestQuestion {
    /// Answers for a node that has `mine`.
    #[must_use]
    pub fn answer(self, mine: &impl DigestSource) -> DigestAnswer {
        let own = mine.digest(self.arc);
        if own == self.digest {
            return DigestAnswer::Same;
        }
        match parts(self.arc) {
            Some(parts) if own.records() as usize > LISTED => {
                DigestAnswer::Parts(Box::new(parts.map(|part| mine.digest(part))))
            }
            _ => DigestAnswer::Keys(mine.entries(self.arc).collect()),
        }
    }
}

/// An answer that no correct node gives. Nothing was changed; its sender is not to be asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDigestAnswer {
    /// Nothing is open there.
    #[error("an answer about an arc that was not asked about; it may have come twice")]
    NotAsked,
    /// Parts of an arc of 16 points or fewer.
    #[error("an arc too short to be cut was answered by parts; the other node is at fault")]
    CutTooShort,
    /// Entries out of order, outside the arc or too many.
    #[error(
        "a list of keys is out of order, leaves its arc or is longer than {LISTED}; the other \
         node is at fault"
    )]
    BadList,
}

/// A record that two nodes don't have alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Difference {
    /// Where its key lies.
    pub key: Id,
    /// The digest of what the asker has; `None` if it has nothing.
    pub here: Option<Digest>,
    /// The digest of what the asked node has.
    pub there: Option<Digest>,
}

/// The asker's side of a comparison. It holds arcs, never what lies on them: at most 600 of them
/// for each question that is asked at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RangeSync {
    /// Arcs on which the two differ, as far as is known; the last is asked about first, which
    /// keeps them few.
    open: Vec<KeyRange>,
    /// Arcs of which all that the other has is known, and that.
    listed: Vec<(KeyRange, Vec<Entry>)>,
}

impl RangeSync {
    /// Begins to compare what two nodes have on an arc.
    #[must_use]
    pub fn new(arc: KeyRange) -> RangeSync {
        RangeSync {
            open: vec![arc],
            listed: Vec::new(),
        }
    }

    /// A comparison of nothing: for whoever knows already what differs.
    #[must_use]
    pub const fn done() -> RangeSync {
        RangeSync {
            open: Vec::new(),
            listed: Vec::new(),
        }
    }

    /// Whether all differences are found and taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.open.is_empty() && self.listed.is_empty()
    }

    /// What to ask next, at most `most` questions. They stay open, and are named again, until
    /// they are answered.
    #[must_use]
    pub fn questions(&self, mine: &impl DigestSource, most: usize) -> Vec<DigestQuestion> {
        let ask = |&arc: &KeyRange| DigestQuestion {
            arc,
            digest: mine.digest(arc),
        };
        self.open.iter().rev().take(most).map(ask).collect()
    }

    /// Takes the answer to the question about an arc.
    ///
    /// # Errors
    /// If it can't be the answer of a correct node, or nobody asked.
    pub fn answered(
        &mut self,
        mine: &impl DigestSource,
        arc: KeyRange,
        answer: DigestAnswer,
    ) -> Result<(), BadDigestAnswer> {
        let place = self.open.iter().rposition(|&open| open == arc);
        let place = place.ok_or(BadDigestAnswer::NotAsked)?;
        match answer {
            DigestAnswer::Same => {
                self.open.remove(place);
            }
            DigestAnswer::Keys(entries) => {
                if !is_list_of(&entries, arc) {
                    return Err(BadDigestAnswer::BadList);
                }
                self.open.remove(place);
                self.listed.push((arc, entries));
            }
            DigestAnswer::Parts(theirs) => {
                let parts = parts(arc).ok_or(BadDigestAnswer::CutTooShort)?;
                self.open.remove(place);
                // Backwards, so that the first is asked about first.
                for (part, theirs) in parts.into_iter().zip(*theirs).rev() {
                    if mine.digest(part) == theirs {
                        continue;
                    }
                    if theirs.records() == 0 {
                        self.listed.push((part, Vec::new()));
                    } else {
                        self.open.push(part);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes up to `most` of the differences found so far. What is sent because of them is best
    /// sent before more questions are asked: that bounds what waits here.
    pub fn differences(&mut self, mine: &impl DigestSource, most: usize) -> Vec<Difference> {
        let mut found = Vec::new();
        while found.len() < most
            && let Some((arc, theirs)) = self.listed.pop()
        {
            let mut here = mine.entries(arc).peekable();
            let mut there = theirs.into_iter().peekable();
            while let Some(difference) = next_difference(arc, &mut here, &mut there) {
                found.push(difference);
                if found.len() == most {
                    // The rest of the arc waits; from its end on there is none.
                    if difference.key != arc.end {
                        let rest = KeyRange::new(difference.key, arc.end);
                        self.listed.push((rest, there.collect()));
                    }
                    break;
                }
            }
        }
        found
    }
}

/// Walks two lists of an arc side by side up to the next key that they don't have alike.
fn next_difference(
    arc: KeyRange,
    here: &mut Peekable<impl Iterator<Item = Entry>>,
    there: &mut Peekable<impl Iterator<Item = Entry>>,
) -> Option<Difference> {
    loop {
        let places = [here.peek(), there.peek()].map(|entry| entry.map(|e| place(arc, e.key)));
        let first = places.into_iter().flatten().min()?;
        let own = here.next_if(|entry| place(arc, entry.key) == first);
        let theirs = there.next_if(|entry| place(arc, entry.key) == first);
        if own != theirs {
            return Some(Difference {
                key: own.or(theirs)?.key,
                here: own.map(|entry| entry.digest),
                there: theirs.map(|entry| entry.digest),
            });
        }
    }
}

/// How many points of the arc come before this one.
fn place(arc: KeyRange, key: Id) -> Id {
    arc.start.next().distance_to(key)
}

/// Whether a list is what a correct node answers: short, on the arc, in order.
fn is_list_of(entries: &[Entry], arc: KeyRange) -> bool {
    let ordered = |pair: &[Entry]| place(arc, pair[0].key) < place(arc, pair[1].key);
    entries.len() <= LISTED
        && entries.iter().all(|entry| arc.contains(entry.key))
        && entries.windows(2).all(ordered)
}

#[cfg(test)]
mod tests;
