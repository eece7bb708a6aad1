//! Whether a write's stamp comes after all that its client had seen, and after all that the node
//! which gave it had given before.
//!
//! The first is what a client hands its last stamp back for. The second holds across restarts and
//! whatever the wall clock does, as long as the disk is there; it is known of the writes that had
//! ended when the next one began.

use std::collections::BTreeMap;

use cuerda_core::record::Stamp;

use super::Issued;

/// The stamps that nodes have given.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamps {
    /// The last one that clients were told of, by the node that was asked.
    given: BTreeMap<u32, Stamp>,
    /// For each write under way, the last one that its node had given as it began.
    before: BTreeMap<u64, Stamp>,
}

impl Stamps {
    pub(super) fn issued(&mut self, issued: &Issued) {
        if let Some(&stamp) = self.given.get(&issued.asker) {
            self.before.insert(issued.write, stamp);
        }
    }

    /// A write ended, with this stamp if it was done. When it was issued, stamps up to `near` were near
    /// by the clock of the node that was asked: what was farther may have been followed before time came
    /// near it. What is wrong with that.
    pub(super) fn ended(
        &mut self,
        issued: &Issued,
        stamp: Option<Stamp>,
        near: u64,
    ) -> Option<String> {
        let before = self.before.remove(&issued.write);
        let stamp = stamp?;
        if stamp.milliseconds > near {
            // It follows what is there, or its clock was wrong: the node gives such a time up.
            let past = issued.past;
            let told = || format!("{stamp}, though its client had seen {past}");
            return (stamp <= past).then(told);
        }
        let given = self.given.entry(issued.asker).or_insert(stamp);
        if given.node != stamp.node || *given < stamp {
            *given = stamp;
        }
        let past = issued.past;
        if stamp <= past {
            return Some(format!("{stamp}, though its client had seen {past}"));
        }
        // Another node on the same machine has a clock of its own.
        let before = before.filter(|before| before.node == stamp.node && stamp <= *before)?;
        let asker = issued.asker;
        Some(format!(
            "{stamp}, though n{asker} had given {before} before"
        ))
    }

    /// The disk of this machine is another from now on, and the mark of its clock is gone.
    pub(super) fn forget(&mut self, machine: u32) {
        self.given.remove(&machine);
        // Whoever was asked before that has stopped, and will not answer.
    }
}

#[cfg(test)]
mod tests {
    use cuerda_core::protocol::Condition;
    use cuerda_core::ring::Id;

    use super::*;

    fn stamp(milliseconds: u64) -> Stamp {
        Stamp {
            milliseconds,
            counter: 0,
            node: Id::ZERO,
        }
    }

    /// A write through n3 whose client had seen this; what is wrong with the stamp that it gets.
    fn write(stamps: &mut Stamps, past: u64, given: u64) -> Option<String> {
        let issued = Issued {
            write: 1,
            key: Id::ZERO,
            asker: 3,
            deletes: false,
            lives: None,
            condition: Condition::None,
            past: stamp(past),
            at: 0,
        };
        stamps.issued(&issued);
        stamps.ended(&issued, Some(stamp(given)), 1000)
    }

    #[test]
    fn a_stamp_is_above_what_the_client_had_seen() {
        let mut stamps = Stamps::default();
        assert_eq!(write(&mut stamps, 5, 6), None);
        assert!(write(&mut stamps, 7, 7).is_some_and(|why| why.contains("client")));
    }

    #[test]
    fn a_stamp_is_above_what_the_node_gave_before_unless_its_disk_is_gone() {
        let mut stamps = Stamps::default();
        assert_eq!(write(&mut stamps, 0, 6), None);
        assert_eq!(write(&mut stamps, 0, 7), None);
        assert!(write(&mut stamps, 0, 6).is_some_and(|why| why.contains("n3")));
        stamps.forget(3);
        assert_eq!(write(&mut stamps, 0, 6), None);
    }

    #[test]
    fn what_is_far_ahead_is_given_up_but_still_comes_after_what_its_client_had_seen() {
        let mut stamps = Stamps::default();
        assert_eq!(write(&mut stamps, 0, 7), None);
        assert_eq!(write(&mut stamps, 0, 5000), None);
        assert_eq!(write(&mut stamps, 0, 8), None);
        assert!(write(&mut stamps, 6000, 5001).is_some_and(|why| why.contains("client")));
        assert!(write(&mut stamps, 0, 6).is_some_and(|why| why.contains("n3")));
    }

    #[test]
    fn writes_that_overlap_may_get_their_stamps_in_any_order() {
        let mut stamps = Stamps::default();
        let issued = |write| Issued {
            write,
            key: Id::ZERO,
            asker: 3,
            deletes: false,
            lives: None,
            condition: Condition::None,
            past: Stamp::ZERO,
            at: 0,
        };
        stamps.issued(&issued(1));
        stamps.issued(&issued(2));
        assert_eq!(stamps.ended(&issued(2), Some(stamp(9)), 1000), None);
        assert_eq!(stamps.ended(&issued(1), Some(stamp(8)), 1000), None);
    }
}
