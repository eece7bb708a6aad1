//! Which keys a store has, and what is there, in a few bytes each.

use std::collections::BTreeMap;

use crate::record::{Digest, DigestSource, Entry, RangeDigest};
use crate::ring::{Id, KeyRange};

/// The keys of a store with the digests of their records, in memory: comparing with another node
/// reads no disk. About 80 bytes a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Index {
    /// With each digest its share in the sum of an arc, so that it is hashed once.
    entries: BTreeMap<Id, (Digest, RangeDigest)>,
}

impl Index {
    /// What the record of a key is.
    #[must_use]
    pub fn get(&self, key: Id) -> Option<Digest> {
        self.entries.get(&key).map(|(digest, _)| *digest)
    }

    /// The key has a record with this digest from now on, or none.
    pub fn set(&mut self, key: Id, digest: Option<Digest>) {
        match digest {
            None => {
                self.entries.remove(&key);
            }
            Some(digest) => {
                let share = RangeDigest::default().with(Entry { key, digest });
                self.entries.insert(key, (digest, share));
            }
        }
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn walk(&self, arc: KeyRange) -> impl Iterator<Item = (&Id, &(Digest, RangeDigest))> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let KeyRange { start, end } = arc;
        // An arc over the top of the circle is two ranges. One that is not must not be asked for
        // as a range from the top.
        let (first, second) = if start < end {
            (self.entries.range((Excluded(start), Included(end))), None)
        } else {
            let rest = self.entries.range(..=end);
            let first = self.entries.range((Excluded(start), Unbounded));
            (first, Some(rest))
        };
        first.chain(second.into_iter().flatten())
    }
}

impl DigestSource for Index {
    fn entries(&self, arc: KeyRange) -> impl Iterator<Item = Entry> {
        self.walk(arc)
            .map(|(&key, &(digest, _))| Entry { key, digest })
    }

    fn digest(&self, arc: KeyRange) -> RangeDigest {
        let shares = self.walk(arc).map(|(_, (_, share))| *share);
        shares.fold(RangeDigest::default(), RangeDigest::and)
    }
}
