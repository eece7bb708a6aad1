//! What machines that leave say that others may lack.

use std::collections::BTreeMap;

use super::Nanos;

/// The machines that have said that they leave records behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Leavers {
    /// They have not left yet: of how many records each has said so.
    saying: BTreeMap<u32, u64>,
    /// When they left, and for how many more records that accounts.
    left: BTreeMap<u32, (Nanos, u64)>,
}

impl Leavers {
    pub(super) fn says(&mut self, machine: u32, records: u64) {
        *self.saying.entry(machine).or_default() += records;
    }

    /// A machine has left. What one said when it left before is over.
    pub(super) fn left(&mut self, now: Nanos, machine: u32) {
        match self.saying.remove(&machine) {
            Some(records) => self.left.insert(machine, (now, records)),
            None => self.left.remove(&machine),
        };
    }

    /// A record is nowhere that these machines had until something befell them, each at its time:
    /// whether one that left then had said so. Each accounts for as many records as it has said; the
    /// one that can still account for most of them does.
    pub(super) fn said_so(&mut self, befell: impl Iterator<Item = (u32, Nanos)>) -> bool {
        let can = |(machine, at): (u32, Nanos)| {
            let (left, records) = *self.left.get(&machine)?;
            (left == at && records > 0).then_some((records, machine))
        };
        let Some((_, machine)) = befell.filter_map(can).max() else {
            return false;
        };
        if let Some((_, records)) = self.left.get_mut(&machine) {
            *records -= 1;
        }
        true
    }
}
