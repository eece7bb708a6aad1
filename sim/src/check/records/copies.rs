//! Whether all that should hold a key do, and the same.

use cuerda_core::record::{Field, Record, Stamp};
use cuerda_core::ring::Id;

use super::FIELD;
use super::disks::Disks;

/// A copy that is not where it should be, or is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Of which key.
    pub key: Id,
    /// Where it should be.
    pub machine: u32,
    /// Whether there is one, but not the same as elsewhere.
    pub differs: bool,
}

/// Holds the disks of those who should have each key against each other. `latest` has the stamps
/// that must be there; `holders` says who should have a key.
pub(super) fn missing(
    disks: &Disks,
    latest: impl Iterator<Item = (Id, Stamp)>,
    holders: impl Fn(Id) -> Vec<u32>,
) -> Vec<Missing> {
    let mut missing = Vec::new();
    for (key, least) in latest {
        let copies: Vec<(u32, Option<&Record>)> = holders(key)
            .into_iter()
            .map(|machine| (machine, disks.record(key, machine)))
            .collect();
        let mut whole = Record::default();
        for (_, record) in &copies {
            let _ = record.map(|record| whole.merge(record.clone()));
        }
        let heard = whole.field(FIELD).map(Field::stamp);
        // What a copy says that nobody has heard of is not known, only how new it is.
        let believed = |machine: u32| disks.believed(key, machine);
        let newest = copies
            .iter()
            .map(|&(machine, _)| believed(machine))
            .fold(heard, Ord::max);
        let is_right = |machine: u32, record: Option<&Record>| {
            let is_whole = heard == newest && record == Some(&whole);
            newest >= Some(least) && (is_whole || believed(machine) == newest)
        };
        let wrong = copies
            .into_iter()
            .filter(|&(machine, record)| !is_right(machine, record));
        missing.extend(wrong.map(|(machine, record)| Missing {
            key,
            machine,
            differs: record.is_some(),
        }));
    }
    missing
}
