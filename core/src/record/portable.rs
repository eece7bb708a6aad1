//! Records as text: how the interface, backups and the stream of events write what a key holds.
//!
//! Stamps are `MILLISECONDS.COUNTER@NODE` with all 40 digits of the node, so that they can be
//! handed back; values are base64. Nothing is left out: a record comes back as it was.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::limits::{FIELDS, NAME_BYTES, RECORD_BYTES, VALUE_BYTES};
use super::{Field, LimitError, NoStamp, Record, Stamp};
use crate::hint::Hint;
use crate::ring::Id;

/// A stamp as text: `1700000000000.3@a9993e364706816aba3e25717850c26c9cd0d89d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StampText(pub Stamp);

impl fmt::Display for StampText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for StampText {
    type Err = NoStamp;

    fn from_str(text: &str) -> Result<StampText, NoStamp> {
        text.parse().map(StampText)
    }
}

impl Serialize for StampText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StampText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StampText, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Whoever reads JSON by hand gets one sentence.
        let stamp = text.parse();
        stamp.map_err(|error: NoStamp| D::Error::custom(error.with_hint()))
    }
}

/// A value as text: base64 of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueText(pub Bytes);

impl Serialize for ValueText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for ValueText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ValueText, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        Ok(ValueText(bytes.into()))
    }
}

/// A key and all that it holds, deletions included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortableRecord {
    /// The key's place.
    pub key: Id,
    /// By their names.
    pub fields: BTreeMap<String, PortableField>,
}

/// What the latest write left under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortableField {
    /// The write that this is.
    pub stamp: StampText,
    /// The write that it replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<StampText>,
    /// The value; absent for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueText>,
    /// When the value ceases to be there, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

/// Text that means no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No node would have taken it.
    #[error("the record of {0} can't have been stored: {1}")]
    Limit(Id, LimitError),
}

impl PortableRecord {
    /// The record as text.
    #[must_use]
    pub fn new(key: Id, record: &Record) -> PortableRecord {
        let fields = record.fields().map(|(name, field)| {
            let field = PortableField {
                stamp: StampText(field.stamp()),
                replaces: field.replaces().map(StampText),
                value: field
                    .value()
                    .map(|value| ValueText(value.clone().into_bytes())),
                expires_ms: field.expires(),
            };
            (name.to_owned(), field)
        });
        PortableRecord {
            key,
            fields: fields.collect(),
        }
    }

    /// The record that the text means.
    ///
    /// # Errors
    /// If a single field is larger than any node takes: it could not be sent.
    pub fn record(self) -> Result<(Id, Record), Unfit> {
        let key = self.key;
        let fields = self.fields.into_iter().map(|(name, field)| {
            let bytes = field.value.as_ref().map_or(0, |value| value.0.len());
            if name.len() > NAME_BYTES {
                return Err(Unfit::Limit(key, LimitError::NameBytes(name.len())));
            }
            if bytes > VALUE_BYTES {
                return Err(Unfit::Limit(key, LimitError::ValueBytes(bytes)));
            }
            Ok((name, field.field()))
        });
        let record: Result<Record, Unfit> = fields.collect();
        Ok((key, record?))
    }

    /// The same for a record that comes from outside: one that no write could have made larger.
    /// What merging has made larger on a node comes back by [`PortableRecord::record`].
    ///
    /// # Errors
    /// If it has more than a record may have: it could neither be read whole nor be sent at once.
    pub fn taken_in(self) -> Result<(Id, Record), Unfit> {
        let (key, fields) = (self.key, self.fields.len());
        if fields > FIELDS {
            return Err(Unfit::Limit(key, LimitError::Fields(fields)));
        }
        let (key, record) = self.record()?;
        match record.size() {
            0..=RECORD_BYTES => Ok((key, record)),
            bytes => Err(Unfit::Limit(key, LimitError::RecordBytes(bytes))),
        }
    }
}

impl PortableField {
    fn field(self) -> Field {
        let (stamp, replaces) = (self.stamp.0, self.replaces.map(|stamp| stamp.0));
        match (self.value, self.expires_ms) {
            (Some(value), expires) => Field::new(stamp, replaces, value.0, expires),
            (None, None) => Field::tombstone(stamp, replaces),
            (None, Some(expires)) => {
                // What expiry left of a value.
                let mut field = Field::new(stamp, replaces, Bytes::new(), Some(expires));
                field.expire(expires);
                field
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    fn any_stamp() -> impl Strategy<Value = Stamp> {
        (any::<u64>(), any::<u32>(), any::<[u8; 20]>()).prop_map(|(milliseconds, counter, node)| {
            Stamp {
                milliseconds,
                counter,
                node: Id::from_bytes(node),
            }
        })
    }

    fn any_field() -> impl Strategy<Value = Field> {
        let replaces = proptest::option::of(any_stamp());
        let value = any::<Vec<u8>>();
        let expires = proptest::option::of(any::<u64>());
        (any_stamp(), replaces, value, expires, any::<u8>()).prop_map(
            |(stamp, replaces, value, expires, kind)| {
                let mut field = Field::new(stamp, replaces, value, expires);
                match kind % 3 {
                    0 => return Field::tombstone(stamp, replaces),
                    1 => _ = field.expire(u64::MAX),
                    _ => {}
                }
                field
            },
        )
    }

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(fields in btree_map(".{0,8}", any_field(), 0..5)) {
            let record: Record = fields.into_iter().collect();
            let key = Id::of_key(b"song");
            let text = serde_json::to_string(&PortableRecord::new(key, &record)).unwrap();
            let back: PortableRecord = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back.record(), Ok((key, record)));
        }
    }

    #[test]
    fn what_is_no_stamp_or_too_large_is_named() {
        for text in ["", "1.2", "1@a", "a.b@c", "1.2@abc"] {
            let error = text.parse::<StampText>().expect_err("no stamp");
            assert_eq!(error, NoStamp(text.to_owned()));
        }
        let key = Id::of_key(b"song");
        let field = Field::new(Stamp::ZERO, None, vec![0; VALUE_BYTES + 1], None);
        let large = PortableRecord::new(key, &Record::of("", field));
        let limit = LimitError::ValueBytes(VALUE_BYTES + 1);
        assert_eq!(large.record(), Err(Unfit::Limit(key, limit)));
    }

    #[test]
    fn what_comes_from_outside_is_no_larger_than_a_record_may_be() {
        let key = Id::of_key(b"song");
        let of = |fields: usize, bytes: usize| {
            let field = Field::new(Stamp::ZERO, None, vec![0; bytes], None);
            let fields = (0..fields).map(|number| (number.to_string(), field.clone()));
            let record: Record = fields.collect();
            let size = record.size();
            (PortableRecord::new(key, &record).taken_in(), size)
        };
        assert!(of(FIELDS, 0).0.is_ok());
        let limit = LimitError::Fields(FIELDS + 1);
        assert_eq!(of(FIELDS + 1, 0).0, Err(Unfit::Limit(key, limit)));
        let (large, size) = of(2, VALUE_BYTES);
        let limit = LimitError::RecordBytes(size);
        assert_eq!(large, Err(Unfit::Limit(key, limit)));
    }
}
