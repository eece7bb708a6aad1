//! How large a record may grow, and how far a stamp may be ahead. Checked where a write is
//! issued, never where records are merged: two halves of a ring may each stay within the bounds
//! and exceed them together, and nothing may be lost for that.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Field, Record};
use crate::hint::Hint;

/// The longest name of a field, in bytes.
pub const NAME_BYTES: usize = 255;
/// The longest value, in bytes. Larger contents are blobs, which a record only names.
pub const VALUE_BYTES: usize = 48 * 1024;
/// The most fields of a record, tombstones counted: they take room as well.
pub const FIELDS: usize = 1024;
/// The largest record, in bytes as it is sent: such a record and the head of a message fit in a
/// frame of 64 KiB. Larger ones, come of merging, are sent in [`Record::pieces`].
pub const RECORD_BYTES: usize = 60 * 1024;

/// How many milliseconds a stamp may be ahead of the wall clock where it is issued: an hour.
pub const SKEW_MAX: u64 = 60 * 60 * 1000;
/// How many milliseconds a stamp may be ahead of the wall clock where it is taken in from outside: by
/// a client that has seen it, in a message of another node, in a backup. So far below [`SKEW_MAX`]
/// that a node whose clock is behind by as much again still issues stamps above it: else one such
/// stamp would keep that node's clients from writing until its clock has caught up.
pub const TAKEN_MAX: u64 = SKEW_MAX / 2;
/// How many milliseconds the stamp clock's mark on disk runs ahead of the stamps issued.
pub const MARK_STEP: u64 = 1000;

// Any single field can be sent: its name, its value and less than 256 bytes for the rest.
const _: () = assert!(NAME_BYTES + VALUE_BYTES + 256 <= RECORD_BYTES);
// Restarts in a row must not bring the clock to where it refuses to issue.
const _: () = assert!(MARK_STEP * 1000 <= SKEW_MAX);

/// A write would exceed a limit. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum LimitError {
    /// [`NAME_BYTES`].
    #[error("the field's name has {0} bytes and {NAME_BYTES} are the most")]
    NameBytes(usize),
    /// [`VALUE_BYTES`].
    #[error("the value has {0} bytes and {VALUE_BYTES} are the most")]
    ValueBytes(usize),
    /// [`FIELDS`].
    #[error(
        "the record would have {0} fields and {FIELDS} are the most, deleted ones counted until \
         they are collected"
    )]
    Fields(usize),
    /// [`RECORD_BYTES`].
    #[error("the record would have {0} bytes and {RECORD_BYTES} are the most")]
    RecordBytes(usize),
}

impl Hint for LimitError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            LimitError::NameBytes(_) => "choose a shorter one",
            LimitError::ValueBytes(_) => "divide it among several keys",
            LimitError::Fields(_) => "use several keys",
            LimitError::RecordBytes(_) => "delete fields or use several keys",
        }))
    }
}

/// Whether `field` may be written under `name` into `record`, as the issuer of the write has it.
///
/// Deleting a field that is there is always allowed, and so is a write that makes a record
/// smaller which merging has made too large.
///
/// # Errors
/// The first limit that would be exceeded.
pub fn check(record: &Record, name: &str, field: &Field) -> Result<(), LimitError> {
    let there = record.field(name);
    if there.is_some() && field.is_tombstone() {
        return Ok(());
    }
    if name.len() > NAME_BYTES {
        return Err(LimitError::NameBytes(name.len()));
    }
    let value_bytes = field.value().map_or(0, |value| value.as_bytes().len());
    if value_bytes > VALUE_BYTES {
        return Err(LimitError::ValueBytes(value_bytes));
    }
    let fields = record.len() + usize::from(there.is_none());
    if there.is_none() && fields > FIELDS {
        return Err(LimitError::Fields(fields));
    }
    let (before, after) = (record.size(), record.size_with(name, field));
    if after > RECORD_BYTES && after > before {
        return Err(LimitError::RecordBytes(after));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
