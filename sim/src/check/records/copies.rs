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
/// that must be there; `circle` is in order.
pub(super) fn missing(
    disks: &Disks,
    latest: impl Iterator<Item = (Id, Stamp)>,
    circle: &[(Id, u32)],
    replicas: usize,
) -> Vec<Missing> {
    let count = replicas.min(circle.len());
    let mut missing = Vec::new();
    for (key, least) in latest {
        let first = circle.partition_point(|&(id, _)| id < key);
        let holders = circle.iter().cycle().skip(first).take(count);
        let copies: Vec<(u32, Option<&Record>)> = holders
            .map(|&(_, machine)| (machine, disks.record(key, machine)))
            .collect();
        let mut whole = Record::default();
        for (_, record) in &copies {
            let _ = record.map(|record| whole.merge(record.clone()));
        }
        let there = whole.field(FIELD).map(Field::stamp) >= Some(least);
        let wrong = copies
            .into_iter()
            .filter(|(_, record)| !there || *record != Some(&whole));
        missing.extend(wrong.map(|(machine, record)| Missing {
            key,
            machine,
            differs: record.is_some(),
        }));
    }
    missing
}
