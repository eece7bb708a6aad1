//! Digests: of a record, and of all the records that a node has on an arc.

use std::fmt;

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

use super::range_sync::PARTS;
use crate::ring::{BITS, Id, KeyRange};

/// The logarithm of the number of parts that an arc is cut into.
const PARTS_BITS: u8 = 4;
const _: () = assert!(PARTS == 1 << PARTS_BITS);

/// SHA-1 of a record's encoding: copies with equal digests are equal. It serves as a checksum
/// too.
///
/// 20 bytes, in memory and on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest(Id);

impl Digest {
    /// The digest with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 20]) -> Digest {
        Digest(Id::from_bytes(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 20] {
        self.0.to_bytes()
    }

    /// The digest of a value's encoding for the wire.
    pub(super) fn of(value: &impl Serialize) -> Digest {
        let bytes = postcard::serialize_with_flavor(value, Hashing(Sha1::new()))
            .expect("hashing has no way to fail: maps know their length");
        Digest::from_bytes(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Encodes into a hash, so that no record has to be copied to be summed up.
struct Hashing(Sha1);

impl Flavor for Hashing {
    type Output = [u8; 20];

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.update([byte]);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.update(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<[u8; 20]> {
        Ok(self.0.finalize().into())
    }
}

/// A key's place on the circle and the digest of what it holds. 40 bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// Where the key lies.
    pub key: Id,
    /// The digest of its record.
    pub digest: Digest,
}

/// What a node has on an arc, summed up: how many records, and the sum (modulo 2^160) of the
/// hashes of their keys and digests.
///
/// A sum has no order and can be continued: the digest of an arc is that of its parts together,
/// and a node can keep sums and add and take away single records. It guards against accident;
/// somebody who chooses the contents of many records may construct two sets of equal sums.
///
/// 21 to 25 bytes on the wire, 24 in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RangeDigest {
    records: u32,
    sum: Id,
}

impl Default for RangeDigest {
    fn default() -> RangeDigest {
        RangeDigest {
            records: 0,
            sum: Id::ZERO,
        }
    }
}

impl RangeDigest {
    /// How many records there are.
    #[must_use]
    pub const fn records(self) -> u32 {
        self.records
    }

    /// With one record more.
    #[must_use]
    pub fn with(self, entry: Entry) -> RangeDigest {
        RangeDigest {
            records: self.records.wrapping_add(1),
            sum: self.sum.plus(hash(entry)),
        }
    }

    /// With one record less, which was among them.
    #[must_use]
    pub fn without(self, entry: Entry) -> RangeDigest {
        RangeDigest {
            records: self.records.wrapping_sub(1),
            sum: hash(entry).distance_to(self.sum),
        }
    }

    /// Of both together, which have no record in common.
    #[must_use]
    pub fn and(self, other: RangeDigest) -> RangeDigest {
        RangeDigest {
            records: self.records.wrapping_add(other.records),
            sum: self.sum.plus(other.sum),
        }
    }
}

impl FromIterator<Entry> for RangeDigest {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> RangeDigest {
        entries
            .into_iter()
            .fold(RangeDigest::default(), RangeDigest::with)
    }
}

fn hash(entry: Entry) -> Id {
    let mut bytes = [0; 40];
    bytes[..20].copy_from_slice(&entry.key.to_bytes());
    bytes[20..].copy_from_slice(&entry.digest.to_bytes());
    Id::of_key(&bytes)
}

/// Cuts an arc into 16 parts that differ in length by at most one point, in the order of the
/// walk; `None` if it has no more than 16 points.
pub(super) fn parts(arc: KeyRange) -> Option<[KeyRange; PARTS]> {
    let length = arc.length();
    let (each, rest) = if length == Id::ZERO {
        (Id::ZERO.plus_power(BITS - PARTS_BITS), 0)
    } else {
        let (each, rest) = by_sixteen(length);
        // A part without a point would read as the whole circle.
        if length <= Id::ZERO.plus_power(PARTS_BITS) {
            return None;
        }
        (each, rest)
    };
    let mut start = arc.start;
    let mut given = 0;
    let mut part = 0;
    Some([(); PARTS].map(|()| {
        part += 1;
        // The points that are left over are spread evenly.
        let due = (rest * part) / PARTS;
        let mut end = start.plus(each);
        if due > given {
            end = end.next();
        }
        given = due;
        let cut = KeyRange::new(start, end);
        start = end;
        cut
    }))
}

/// A sixteenth of a distance, and what is left over.
fn by_sixteen(length: Id) -> (Id, usize) {
    let mut bytes = length.to_bytes();
    let mut carry = 0;
    for byte in &mut bytes {
        let next = *byte & 0x0f;
        *byte = (carry << 4) | (*byte >> 4);
        carry = next;
    }
    (Id::from_bytes(bytes), usize::from(carry))
}

#[cfg(test)]
mod tests;
