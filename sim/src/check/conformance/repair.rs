//! What an owner does so that its records are where they belong, what a holder does with copies that
//! belong elsewhere, and when a condition counts as granted (`core/src/chord/records/repair.rs`,
//! `core/src/chord/records/misplaced.rs`).

use std::collections::VecDeque;

use cuerda_core::protocol::{Condition, RequestId};
use cuerda_core::ring::{Id, KeyRange};

use super::act::{Answer, Ask, Given, OfRecords, ToRecords, Told};
use super::copies::Copies;
use super::{Case, next_processes, short};
use crate::world::Time;

/// What a node is doing for copies.
#[derive(Clone, Debug, Default)]
pub(super) struct Repair {
    /// It serves an arc, since it compares it with holders.
    owns: bool,
    /// The number of the question with which the latest comparison began, until that is answered, and
    /// whom it went to: it compares with one after the other.
    open: Option<(u32, Id)>,
    /// Since when there is a reason to compare, which one, and when it last did anything about it.
    due: Option<(Time, &'static str)>,
    /// It has just found a record damaged that it serves.
    mends: bool,
    /// When it last asked for records, or brought any.
    busy: Option<Time>,
    /// Those with whom it has compared, the last one last: the last complete set of holders is among
    /// them.
    compared: VecDeque<Id>,
    /// It was alone once, and then had nobody to ask.
    was_alone: bool,
    /// Conditional writes that others asked of it.
    conditional: VecDeque<(Id, RequestId)>,
    /// The arcs that owners count it a holder of: by whom, and when that was last said, in its own
    /// repair periods.
    assigned: Vec<(Id, KeyRange, u64)>,
    periods: u64,
    /// A copy that belongs elsewhere, and for how many periods it has asked nobody about any.
    misplaced: Option<(Id, u32)>,
}

/// As many conditional writes are kept in mind.
const CONDITIONAL: usize = 64;
/// For how many repair periods a holder counts as one after the owner has last said so, at least.
const ASSIGNED: u64 = 6;
/// So many repair periods a copy may lie where it should not before anybody is asked about it.
const PATIENCE: u32 = 8;

impl Repair {
    /// It was a member from the beginning, of a ring without records.
    pub(super) fn begins_with_its_own(&mut self, holders: Vec<Id>) {
        self.was_alone = holders.is_empty();
        self.compared = holders.into();
    }

    /// Nothing that it began goes on, or can be told how long it may take.
    pub(super) fn stopped(&mut self) {
        self.hurries_no_more();
        self.open = None;
    }

    /// Nothing has to be done in time any more. Who is told to leave is a holder and an owner like
    /// others until its turn comes, and goes on comparing.
    fn hurries_no_more(&mut self) {
        (self.owns, self.due, self.misplaced) = (false, None, None);
    }

    pub(super) fn judge(&mut self, case: &mut Case<'_>, copies: &Copies, leaves: bool) {
        let gone = case.act.joined || case.act.stranded || case.act.left;
        if gone {
            self.stopped();
        } else if leaves || case.act.input == Given::Leave {
            self.hurries_no_more();
        }
        let holders = next_processes(case.after, case.settings.replicas - 1);
        if holders.is_empty() {
            self.was_alone = true;
            self.due = None;
        }
        if copies.is_empty() {
            // Without records it takes its holders for complete; one of the next ones may be leaving,
            // and is none.
            let next = next_processes(case.after, case.settings.replicas);
            next.iter().for_each(|holder| self.has_compared(*holder));
        }
        self.is_assigned(case);
        if !leaves && !gone {
            self.gives_away(case, copies);
        }
        self.hears(case, &holders);
        self.grants(case);
        self.compares(case);
        self.must_compare(case, copies);
    }

    fn has_compared(&mut self, with: Id) {
        self.compared.retain(|id| *id != with);
        self.compared.push_back(with);
    }

    // ---- as an owner ----

    /// What came in is a reason to compare, or shows that somebody has answered.
    fn hears(&mut self, case: &Case<'_>, holders: &[Id]) {
        let replicas = case.settings.replicas;
        while self.compared.len() > 4 * replicas {
            self.compared.pop_front();
        }
        let again = |number: u32| case.act.asked().any(|(_, id, _)| id.number == number);
        let settled = match (&case.act.input, case.act.reply()) {
            (Given::Late(number), _) if !again(*number) => Some((*number, None)),
            (_, Some((_, id, answer))) if !case.act.ignored => Some((id.number, Some(answer))),
            _ => None,
        };
        if let Some((number, answer)) = settled
            && !matches!(answer, Some(Answer::Busy))
            && let Some((_, with)) = self.open.take_if(|(of, _)| *of == number)
        {
            match answer {
                Some(Answer::Records(_, ToRecords::Compared(_))) => self.has_compared(with),
                _ => self.is_due(case.now, "a holder was silent when it was compared with"),
            }
        }
        if let Some((_, _, Answer::Records(_, ToRecords::Superseded(_)))) = case.act.reply() {
            self.stopped();
        }
        if case.act.input == Given::RepairDue && self.owns {
            self.is_due(case.now, "its time had come");
        }
        if let Some((_, id, Ask::Records(_, OfRecords::Read(key)))) = case.act.question() {
            let refers = case.act.answered().any(|(_, of, answer)| {
                let alone = matches!(
                    answer,
                    Answer::Records(_, ToRecords::Record { alone: false, .. })
                );
                of == id && alone
            });
            if refers && case.act.found_damaged(*key) {
                self.mends = true;
            }
        }
        let lacking = |held: &[Id]| holders.iter().any(|holder| !held.contains(holder));
        for (_, _, answer) in case.act.answered() {
            if let Answer::Records(_, ToRecords::Written { holders: held, .. }) = answer
                && lacking(held)
            {
                self.is_due(case.now, "a write was not held by all");
            }
        }
    }

    fn is_due(&mut self, now: Time, why: &'static str) {
        self.due = self.due.or(Some((now, why)));
    }

    fn compares(&mut self, case: &Case<'_>) {
        for (to, id, ask) in case.act.asked() {
            let Ask::Records(_, ask) = ask else { continue };
            match ask {
                OfRecords::Compare { assigns: true, .. } => {
                    (self.owns, self.due, self.mends) = (true, None, false);
                    self.busy = Some(case.now);
                    self.open = Some((id.number, to.id));
                }
                // It is still at it.
                OfRecords::Compare { .. } | OfRecords::Brings => {
                    self.due = self.due.map(|(_, why)| (case.now, why));
                    self.busy = Some(case.now);
                }
                OfRecords::HandOver(..) | OfRecords::Claim(_) => self.stopped(),
                _ => {}
            }
        }
    }

    /// Where something may be missing it looks before long.
    fn must_compare(&mut self, case: &mut Case<'_>, copies: &Copies) {
        if copies.is_empty() || case.disk_is_slow {
            self.due = None;
        }
        let late = |(since, _): &mut (Time, _)| case.now - *since > case.settings.patience;
        if let Some((since, why)) = self.due.take_if(late) {
            let waited = (case.now - since) / 1_000_000;
            let detail = format!(
                "did not compare its records with any holder for {waited} ms, though {why}"
            );
            case.breach("repair-not-begun", detail);
        }
        // Others may give back to it what they have read, so it has to begin at once to show it.
        let rests = self
            .busy
            .is_none_or(|last| case.now - last > case.settings.patience);
        if std::mem::take(&mut self.mends) && rests && self.owns && !case.disk_is_slow {
            let detail =
                "found a record that it serves damaged, and did not begin to fetch it again";
            case.breach("repair-not-begun", detail.to_owned());
        }
    }

    /// A condition counts as granted when a majority of the last complete set of holders has the
    /// write.
    fn grants(&mut self, case: &mut Case<'_>) {
        if let Some((from, id, Ask::Records(_, OfRecords::Write { condition, .. }))) =
            case.act.question()
            && *condition != Condition::None
        {
            if self.conditional.len() == CONDITIONAL {
                self.conditional.pop_front();
            }
            self.conditional.push_back((from.id, id));
        }
        let mut granted = Vec::new();
        for (to, id, answer) in case.act.answered() {
            if let Answer::Records(
                _,
                ToRecords::Written {
                    majority: true,
                    holders,
                    ..
                },
            ) = answer
                && self.conditional.contains(&(to.id, id))
            {
                granted.push(holders);
            }
        }
        for told in &case.act.told {
            if let Told::Wrote {
                conditional: true,
                majority: true,
                holders,
                ..
            } = told
                && holders.first() == Some(&case.me.id)
            {
                granted.push(holders);
            }
        }
        let me = case.me.id;
        let alone = |holders: &&Vec<Id>| {
            let mut others = holders.iter().filter(|id| **id != me);
            holders.len() > 1 && !others.any(|id| self.compared.contains(id))
        };
        let strangers = granted.into_iter().find(alone);
        if let Some(strangers) = strangers.filter(|_| !self.was_alone) {
            let detail = format!(
                "granted a condition to a write that {} others hold, none of whom it has ever \
                 compared with",
                strangers.len() - 1
            );
            case.breach("granted-without-majority", detail);
        }
    }

    // ---- as a holder ----

    fn is_assigned(&mut self, case: &Case<'_>) {
        let periods = self.periods;
        self.assigned
            .retain(|(_, _, said)| *said + ASSIGNED >= periods);
        if let Some((from, _, Ask::Records(_, OfRecords::Compare { arc, assigns: true }))) =
            case.act.question()
        {
            self.assigned.retain(|(by, _, _)| *by != from.id);
            self.assigned.push((from.id, *arc, periods));
        }
    }

    /// A copy that belongs elsewhere is not kept for ever: its owner is asked whether it may go.
    fn gives_away(&mut self, case: &mut Case<'_>, copies: &Copies) {
        let asks = case.act.asked().any(|(_, _, ask)| match ask {
            Ask::Find { key, .. } => self.misplaced.is_some_and(|(of, _)| of == *key),
            Ask::Records(_, ask) => matches!(
                ask,
                OfRecords::Confirm { .. }
                    | OfRecords::HandOver(..)
                    | OfRecords::Claim(_)
                    | OfRecords::Compare { assigns: false, .. }
                    | OfRecords::Brings
            ),
            _ => false,
        });
        if asks {
            self.misplaced = None;
        }
        if case.act.input != Given::RepairDue {
            return;
        }
        self.periods += 1;
        let is_misplaced = |key: Id| {
            let assigned = self.assigned.iter().any(|(_, arc, _)| arc.contains(key));
            !assigned && !case.after.own().contains(key)
        };
        self.misplaced = match self.misplaced {
            Some((key, periods)) if copies.stamp(key).is_some() && is_misplaced(key) => {
                Some((key, periods + 1))
            }
            _ if asks => None,
            _ => copies
                .keys()
                .find(|key| is_misplaced(*key))
                .map(|key| (key, 0)),
        };
        let is_late = |(_, periods): &mut (Id, u32)| *periods > PATIENCE;
        if let Some((key, _)) = self.misplaced.take_if(is_late) {
            let detail = format!(
                "keeps {}, which belongs elsewhere, and asks nobody whether it may go",
                short(key)
            );
            case.breach("misplaced-kept", detail);
        }
    }
}
