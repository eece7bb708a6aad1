//! The map of fields that a key holds, and the one act on it: merging.

use std::collections::{BTreeMap, btree_map::Entry};

use serde::{Deserialize, Serialize};

use super::{Digest, Field, Stamp, Value};

/// What a key holds: names and their fields. Nothing is ever taken out of it but by
/// [`Record::collect`]; a deletion is a field too.
///
/// Any part of a record is a record, and sending the parts one by one is as good as sending the
/// whole. A record without fields is the same as none.
///
/// On the wire: 1 or 2 bytes for the number of fields, then for each its name, with 1 or 2 bytes
/// for the length, and the [`Field`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    fields: BTreeMap<String, Field>,
}

/// What a merge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a holder acknowledges a write only if it was not beaten"]
pub struct Merged {
    /// Names of the fields that are now other than before.
    pub changed: Vec<String>,
    /// Fields of the other record that lost. Those that won, or were here already, are not among
    /// them.
    pub beaten: Vec<Beaten>,
    /// Fields that had been written on both sides without knowledge of each other.
    pub conflicts: Vec<Conflict>,
}

/// A field that did not win a merge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Beaten {
    /// The field's name.
    pub name: String,
    /// The stamp that beat it; a new one must be above it.
    pub by: Stamp,
}

/// Two writes of a field of which neither knew the other. Whoever merges them finds it anew, on
/// each holder and whenever the lost one turns up again: to count conflicts, put them in a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Conflict {
    /// The field's name.
    pub name: String,
    /// The write that stays.
    pub kept: Stamp,
    /// The write that is gone. Equal to `kept` if one stamp was issued twice.
    pub lost: Stamp,
}

impl Record {
    /// A record of one field: a write on its way.
    #[must_use]
    pub fn of(name: &str, field: Field) -> Record {
        [(name.to_owned(), field)].into_iter().collect()
    }

    /// How many fields it has, tombstones counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether nothing is left of it, not even a tombstone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// All fields by name, tombstones and what has expired included.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &Field)> {
        self.fields
            .iter()
            .map(|(name, field)| (name.as_str(), field))
    }

    /// The field of this name, whatever it holds: a writer's stamp must be above its stamp.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }

    /// What a reader finds under a name at the time `now`, in milliseconds since 1970.
    #[must_use]
    pub fn read(&self, name: &str, now: u64) -> Option<&Value> {
        self.field(name)?.read(now)
    }

    /// All that a reader finds at the time `now`.
    pub fn readable(&self, now: u64) -> impl Iterator<Item = (&str, &Value)> {
        self.fields()
            .filter_map(move |(name, field)| Some((name, field.read(now)?)))
    }

    /// The highest stamp in it.
    #[must_use]
    pub fn latest(&self) -> Option<Stamp> {
        self.fields.values().map(Field::stamp).max()
    }

    /// Merges a single field.
    pub fn put(&mut self, name: &str, field: Field) -> Merged {
        self.merge(Record::of(name, field))
    }

    /// Takes from another version of this record what wins over what is here. Never fails,
    /// whatever the other holds: a copy that refuses would differ for good.
    pub fn merge(&mut self, other: Record) -> Merged {
        let mut merged = Merged::default();
        for (name, offered) in other.fields {
            let mut entry = match self.fields.entry(name) {
                Entry::Occupied(entry) => entry,
                Entry::Vacant(entry) => {
                    merged.changed.push(entry.key().clone());
                    entry.insert(offered);
                    continue;
                }
            };
            if *entry.get() == offered {
                continue;
            }
            let name = entry.key().clone();
            let before = entry.get().clone();
            if before.is_concurrent_with(&offered) {
                merged.conflicts.push(Conflict {
                    name: name.clone(),
                    kept: before.stamp().max(offered.stamp()),
                    lost: before.stamp().min(offered.stamp()),
                });
            }
            let now = entry.get_mut();
            now.merge(offered.clone());
            if *now != offered {
                merged.beaten.push(Beaten {
                    name: name.clone(),
                    by: now.stamp(),
                });
            }
            if *now != before {
                merged.changed.push(name);
            }
        }
        merged
    }

    /// Makes tombstones of the values that have expired at `now`, and names them.
    ///
    /// Readers don't need this; it frees room. Since a tombstone spreads, a node whose wall
    /// clock is ahead would take values from the others before their time: let `now` be the
    /// wall clock less the skew that is to be borne, rounded down to whole minutes or so. The
    /// rounding lets all holders do the same at once, so that repair finds nothing to send.
    pub fn expire(&mut self, now: u64) -> Vec<String> {
        let fields = self.fields.iter_mut();
        fields
            .filter_map(|(name, field)| field.expire(now).then(|| name.clone()))
            .collect()
    }

    /// Forgets tombstones that have been dead for `lifetime` milliseconds at `now` and for which
    /// `confirmed` (name, stamp) is true, and names them.
    ///
    /// A tombstone that goes while an older value is left somewhere lets that value come back.
    /// So `confirmed` must mean: every holder has this very stamp, and none that ever held the
    /// record may return unasked with what it had.
    pub fn collect(
        &mut self,
        now: u64,
        lifetime: u64,
        mut confirmed: impl FnMut(&str, Stamp) -> bool,
    ) -> Vec<String> {
        let mut gone = Vec::new();
        self.fields.retain(|name, field| {
            let over = field
                .dead_since()
                .is_some_and(|since| now.saturating_sub(since) >= lifetime && now >= since);
            let goes = over && confirmed(name, field.stamp());
            if goes {
                gone.push(name.clone());
            }
            !goes
        });
        gone
    }

    /// How many bytes it has on the wire.
    #[must_use]
    pub fn size(&self) -> usize {
        wire_size(self)
    }

    /// How many bytes it would have on the wire with this field in the place of what it has
    /// under the name.
    pub(super) fn size_with(&self, name: &str, field: &Field) -> usize {
        let there = self.field(name);
        let count = self.len() + usize::from(there.is_none());
        let others = self.size()
            - wire_size(&self.len())
            - there.map_or(0, |there| wire_size(&(name, there)));
        wire_size(&count) + others + wire_size(&(name, field))
    }

    /// Records that together are this one, each of at most `bytes` bytes on the wire; a field
    /// that alone is larger has one for itself.
    #[must_use]
    pub fn pieces(self, bytes: usize) -> Vec<Record> {
        // The number of fields takes two bytes at most, below 2^14 of them.
        const COUNT: usize = 2;
        let mut pieces: Vec<Record> = Vec::new();
        let mut room = 0;
        for (name, field) in self.fields {
            let size = wire_size(&(&name, &field));
            if let Some(last) = pieces.last_mut()
                && size <= room
                && last.len() < 1 << 13
            {
                room -= size;
                last.fields.insert(name, field);
            } else {
                room = bytes.saturating_sub(COUNT + size);
                pieces.push(Record::from_iter([(name, field)]));
            }
        }
        pieces
    }

    /// The digest of all of it, bytes, stamps and all: of its encoding. Equal for equal records.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }
}

/// The bytes that a part of a record has on the wire.
fn wire_size(part: &impl Serialize) -> usize {
    postcard::serialize_with_flavor(part, postcard::ser_flavors::Size::default())
        .expect("counting bytes has no way to fail: maps know their length")
}

impl FromIterator<(String, Field)> for Record {
    /// Of several fields of one name the winner stays.
    fn from_iter<I: IntoIterator<Item = (String, Field)>>(fields: I) -> Record {
        let mut record = Record::default();
        for (name, field) in fields {
            match record.fields.entry(name) {
                Entry::Occupied(mut entry) => entry.get_mut().merge(field),
                Entry::Vacant(entry) => {
                    entry.insert(field);
                }
            }
        }
        record
    }
}
