//! What all nodes have had on their disks, and what that makes of what one of them says: that others
//! hold a record, that a deletion may be forgotten, that an arc is another's from now on
//! (`core/src/chord/records/`, `core/src/chord/op/hand_over.rs`).
//!
//! Who says that another has something must be right. What that one has had at any time counts, so
//! nobody is blamed for a disk that was lost since.

use std::collections::{BTreeMap, BTreeSet};

use cuerda_core::record::Stamp;
use cuerda_core::ring::{Id, KeyRange};
use cuerda_core::store::Batch;

use super::act::{Answer, Ask, Given, OfRecords, Said, ToRecords, Told, only_stamp};
use super::copies::Copies;
use super::{Case, next_processes, short};

/// What is known of all nodes together.
#[derive(Clone, Debug, Default)]
pub(super) struct Everyone {
    /// Not all nodes are followed, so nothing can be told.
    is_partial: bool,
    /// Of each key the highest stamp that each node has had on its disk.
    held: BTreeMap<Id, BTreeMap<Id, Stamp>>,
    /// The stamps that owners have acknowledged.
    acknowledged: BTreeSet<Stamp>,
    /// Who hands over what: acknowledged writes in the arc that it had when it let go.
    handing: BTreeMap<Id, (KeyRange, Vec<(Id, Stamp)>)>,
    /// Nodes to whose disks something was done: these do not count.
    touched: BTreeSet<u32>,
    /// Who was told to leave, and holds nothing for others any more.
    leaving: BTreeSet<Id>,
    numbers: BTreeMap<Id, u32>,
}

impl Everyone {
    /// Nothing has happened; `is_partial` says that not all are followed.
    pub(super) fn new(is_partial: bool) -> Everyone {
        Everyone {
            is_partial,
            ..Everyone::default()
        }
    }

    /// Something was done to the disk of this node.
    pub(super) fn touched(&mut self, number: u32) {
        self.touched.insert(number);
    }

    pub(super) fn committed(&mut self, number: u32, id: Id, batch: &Batch) {
        if self.is_partial {
            return;
        }
        self.numbers.insert(id, number);
        for (key, record) in &batch.records {
            if let Some(stamp) = record.as_ref().and_then(only_stamp) {
                let of_all = self.held.entry(*key).or_default();
                let most = of_all.entry(id).or_insert(stamp);
                *most = stamp.max(*most);
            }
        }
    }

    /// Whether a node has had this, as far as anybody can tell.
    fn has_had(&self, node: Id, key: Id, stamp: Stamp) -> bool {
        let held = self.held.get(&key).and_then(|all| all.get(&node));
        held.is_some_and(|held| *held >= stamp) || self.is_touched(node)
    }

    fn is_touched(&self, node: Id) -> bool {
        let number = self.numbers.get(&node);
        number.is_some_and(|number| self.touched.contains(number))
    }

    /// To be asked before the copies of the node that acted are judged.
    pub(super) fn judge(&mut self, case: &mut Case<'_>, copies: &Copies) {
        let me = case.me.id;
        if case.act.input == Given::Leave {
            self.leaving.insert(me);
        } else if case.act.joined {
            self.leaving.remove(&me);
        }
        if self.is_partial || case.disk_is_slow {
            return;
        }
        self.confirms(case, copies);
        self.forgets(case, copies);
        self.acknowledges(case);
        self.lets_go(case, copies);
        self.takes_over(case);
    }

    /// An owner says that as many as should be hold what another has.
    fn confirms(&self, case: &mut Case<'_>, copies: &Copies) {
        let Some((from, _, Ask::Records(_, OfRecords::Confirm { .. }))) = case.act.question()
        else {
            return;
        };
        let answers = case.act.answered().map(|(_, _, answer)| answer);
        let safe = answers.filter_map(|answer| match answer {
            Answer::Records(_, ToRecords::Confirmed(safe)) => Some(safe),
            _ => None,
        });
        let safe: Vec<Id> = safe.flatten().copied().collect();
        let holders = next_processes(case.after, case.settings.replicas - 1);
        let stays = |id: &&Id| **id != from.id && !self.leaving.contains(*id);
        let wanted = 1 + holders.iter().filter(stays).count();
        for key in safe {
            let (Some(stamp), Some(all)) = (copies.stamp(key), self.held.get(&key)) else {
                continue;
            };
            let holds = |node: &&Id| **node != from.id && self.has_had(**node, key, stamp);
            let many = all.keys().filter(holds).count();
            if many < wanted {
                let detail = format!(
                    "told {} that {} is held as it must be, and {many} others have ever had it",
                    short(from.id),
                    short(key)
                );
                return case.breach("safe-not-held", detail);
            }
        }
    }

    /// An owner forgets a deletion, and tells the holders to forget it too.
    fn forgets(&self, case: &mut Case<'_>, copies: &Copies) {
        let notices = case.act.sent.iter();
        let told = notices.filter(|(_, said)| matches!(said, Said::Notice(_)));
        let told: BTreeSet<Id> = told.map(|(to, _)| to.id).collect();
        if told.is_empty() {
            return;
        }
        for (key, stamp) in copies.forgotten() {
            let without = told.iter().find(|to| !self.has_had(**to, key, stamp));
            let detail = match without {
                Some(without) => format!(
                    "forgot the deletion of {}, which {} has never had",
                    short(key),
                    short(*without)
                ),
                None if told.len() + 1 < case.settings.replicas => format!(
                    "forgot the deletion of {}, which {} others hold",
                    short(key),
                    told.len()
                ),
                None => continue,
            };
            return case.breach("forgotten-unconfirmed", detail);
        }
    }

    /// An owner says that a write is done.
    fn acknowledges(&mut self, case: &Case<'_>) {
        for (_, _, answer) in case.act.answered() {
            if let Answer::Records(_, ToRecords::Written { stamp, .. }) = answer {
                self.acknowledged.insert(*stamp);
            }
        }
        for told in &case.act.told {
            if let Told::Wrote { stamp, holders, .. } = told
                && holders.first() == Some(&case.me.id)
            {
                self.acknowledged.insert(*stamp);
            }
        }
    }

    /// Whoever says that another serves an arc from now on has let go of it.
    fn lets_go(&mut self, case: &Case<'_>, copies: &Copies) {
        for (_, _, ask) in case.act.asked() {
            let Ask::Records(_, OfRecords::HandOver(arc, _)) = ask else {
                continue;
            };
            // What it is given after that is another's business.
            let again = self.handing.get(&case.me.id);
            if again.is_some_and(|(of, _)| of == arc) {
                continue;
            }
            let done = |(_, stamp): &(Id, Stamp)| self.acknowledged.contains(stamp);
            let had = copies.on(*arc).filter(done).collect();
            self.handing.insert(case.me.id, (*arc, had));
        }
    }

    /// Whoever takes an arc over has had what was acknowledged there.
    fn takes_over(&mut self, case: &mut Case<'_>) {
        let taken = |answer: &Answer| matches!(answer, Answer::Records(_, ToRecords::Taken));
        match (case.act.question(), case.act.reply()) {
            (Some((from, _, Ask::Records(_, OfRecords::HandOver(arc, _)))), _) => {
                let Some((of, had)) = self.handing.get(&from.id) else {
                    return;
                };
                let takes = case.act.answered().any(|(_, _, answer)| taken(answer));
                if of != arc || !takes || self.is_touched(from.id) {
                    return;
                }
                let me = case.me.id;
                let lacks = |(key, stamp): &&(Id, Stamp)| !self.has_had(me, *key, *stamp);
                if let Some((key, stamp)) = had.iter().find(lacks) {
                    let detail = format!(
                        "took an arc over from {} and has never had {stamp} of {}, which that one \
                         acknowledged",
                        short(from.id),
                        short(*key)
                    );
                    case.breach("handed-over-lacking", detail);
                }
            }
            // It is taken, or it is not and begun anew.
            (_, Some((_, _, Answer::Records(_, answer)))) => {
                if matches!(answer, ToRecords::Taken | ToRecords::NotServing { .. }) {
                    self.handing.remove(&case.me.id);
                }
            }
            _ => {}
        }
    }
}
