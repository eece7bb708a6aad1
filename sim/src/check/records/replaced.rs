//! Disks that hold something else from one instant to the next: old copies that come back, and
//! copies of another machine's.

use cuerda_core::ring::Id;
use cuerda_core::store::Batch;

use super::{Nanos, RecordChecker};

impl RecordChecker {
    /// The disks of these machines, whose nodes have these ids, hold the records of the batch now and
    /// no others. What is nowhere then was taken by one stroke.
    pub fn replaced(&mut self, now: Nanos, disks: &[(u32, Id, Batch)]) {
        let mut less = Vec::new();
        for (machine, id, batch) in disks {
            // A machine that had nothing has lost nothing.
            if self.disks.has_any(*machine) {
                self.struck.insert(*machine, now);
            }
            let keys = self.disks.committed(*machine, *id, batch);
            for &key in &keys {
                self.fell(now, key, *machine, "got an old disk");
            }
            less.extend(keys);
        }
        less.sort_unstable();
        less.dedup();
        let stroke: Vec<u32> = disks.iter().map(|(machine, ..)| *machine).collect();
        for key in less {
            self.look(now, key, &stroke);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cuerda_core::protocol::{Condition, Written};
    use cuerda_core::record::{Field, Record, Stamp};

    use super::*;
    use crate::check::history::{Clocks, Issued};
    use crate::check::records::{AT_ONCE, Finding, LOST, Promised};

    fn id(number: u64) -> Id {
        Id::from_high(number)
    }

    fn stamp(milliseconds: u64) -> Stamp {
        Stamp {
            milliseconds,
            counter: 0,
            node: id(1),
        }
    }

    fn batch(number: u64, set_aside: bool) -> Batch {
        let record = Record::of("", Field::new(stamp(number), None, vec![b'0'], None));
        Batch {
            number: 1,
            records: vec![(id(7), Some(record))],
            notes: None,
            set_aside,
        }
    }

    /// n1 and n2 hold the second write of a key, and have held the first.
    fn books() -> RecordChecker {
        let promised = Promised {
            acks: 2,
            tombstones_for: Duration::from_secs(60),
        };
        let mut books = RecordChecker::new(promised, Clocks::new(0, Duration::ZERO));
        for number in [1, 2] {
            books.write_issued(Issued {
                write: number,
                key: id(7),
                asker: 9,
                deletes: false,
                lives: None,
                condition: Condition::None,
                past: Stamp::ZERO,
                at: 0,
            });
            for machine in [1, 2] {
                books.committed(
                    number * 10,
                    machine,
                    id(machine.into()),
                    &batch(number, false),
                );
            }
            let written = Written {
                stamp: stamp(number),
                holders: vec![id(1), id(2)],
                wanted: 2,
                majority: true,
            };
            books.written(number * 10 + 1, number, &written);
        }
        books
    }

    fn old(machine: u32) -> (u32, Id, Batch) {
        (machine, id(machine.into()), batch(1, true))
    }

    #[test]
    fn an_old_disk_has_what_it_had_and_no_more() {
        let mut books = books();
        books.replaced(30, &[old(1)]);
        assert_eq!(books.drain().count(), 0, "n2 has the latest");
        let later = old(2);
        books.replaced(40, &[later]);
        let found: Vec<Finding> = books.drain().collect();
        assert_eq!((found[0].check, found[0].excuse), (LOST, None));
        assert!(
            found[0].detail.contains("n2 got an old disk at 0.000 s"),
            "{found:?}"
        );
    }

    #[test]
    fn old_disks_of_all_holders_at_once_are_a_stroke() {
        let mut books = books();
        books.replaced(30, &[old(1), old(2)]);
        let found: Vec<Finding> = books.drain().collect();
        assert_eq!((found.len(), found[0].excuse), (1, Some(AT_ONCE)));
    }

    #[test]
    fn a_copy_of_anothers_disk_is_a_copy() {
        let mut books = books();
        books.replaced(30, &[(3, id(1), batch(2, true))]);
        books.replaced(40, &[old(1), old(2)]);
        assert_eq!(books.drain().count(), 0, "n3 has the latest");
    }
}
