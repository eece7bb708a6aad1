//! What a node has on its disk, and what it may say and do about that (`core/src/chord/records/`):
//! acknowledge, refuse, forget, set aside.
//!
//! Only records of one field are looked into: of others, no one stamp says what is there.

use std::collections::{BTreeMap, VecDeque};

use cuerda_core::protocol::Condition;
use cuerda_core::record::{Field, Record, Stamp, limits::SKEW_MAX};
use cuerda_core::ring::{Id, KeyRange};
use cuerda_core::store::Batch;

use super::act::{Answer, Ask, Given, OfRecords, Said, ToRecords, Told};
use super::{Case, short};
use crate::world::{EPOCH_MS, Time};

/// What a disk has under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    /// The stamp of its only field; `None` if it has several.
    stamp: Option<Stamp>,
    dead: bool,
}

/// What is known of a node's disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    kept: BTreeMap<Id, Kept>,
    /// What has come to the disk since the last act was judged.
    fresh: Vec<(Id, Option<Kept>)>,
    sets_aside: bool,
    /// Whom it has taken for dead and not heard of since, and when; the last one last.
    dead: VecDeque<(Id, Time)>,
    /// Keys that it serves: it has brought writes of them to others.
    serves: VecDeque<Id>,
    /// When it was last a member; 0 if it never was.
    member: Time,
    /// Since when it was away, until it has compared with others what it has.
    away: Option<Away>,
    /// The latest deletion that it has heard to be forgotten, in milliseconds since 1970.
    forgotten: u64,
    clock_is_off: bool,
    /// By how many milliseconds the time is ahead that most of those show that it heard from last.
    misled_by: u64,
}

/// An absence.
#[derive(Clone, Copy, Debug)]
struct Away {
    since: Time,
    /// How often its repair was due since.
    repairs: u8,
}

/// Repair periods after which a member that did nothing was away: it looks at its clock when its
/// repair is due, and takes four for an absence.
const ABSENT: u64 = 6;
/// As many keys are kept in mind as served.
const SERVED: usize = 64;

impl Copies {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn disk_lost(&mut self) {
        self.kept.clear();
        self.forgotten = 0;
    }

    /// Its disk is another from now on.
    pub(super) fn replaced(&mut self, batch: &Batch) {
        self.kept.clear();
        self.committed(batch);
    }

    /// Nobody knows any more what is on its disk under this key.
    pub(super) fn spoilt(&mut self, key: Id) {
        if let Some(kept) = self.kept.get_mut(&key) {
            *kept = Kept {
                stamp: None,
                dead: false,
            };
        }
    }

    /// The stamp of what it had under a key before what it does now.
    pub(super) fn stamp(&self, key: Id) -> Option<Stamp> {
        self.kept.get(&key).and_then(|kept| kept.stamp)
    }

    /// The keys under which it has anything.
    pub(super) fn keys(&self) -> impl Iterator<Item = Id> + '_ {
        self.kept.keys().copied()
    }

    /// What it had on an arc that has not been deleted.
    pub(super) fn on(&self, arc: KeyRange) -> impl Iterator<Item = (Id, Stamp)> + '_ {
        let kept = self.kept.iter();
        let kept = kept.filter(move |(key, kept)| arc.contains(**key) && !kept.dead);
        kept.filter_map(|(key, kept)| Some((*key, kept.stamp?)))
    }

    /// The deletions that it has taken off its disk with what it does now.
    pub(super) fn forgotten(&self) -> impl Iterator<Item = (Id, Stamp)> + '_ {
        let gone = self.fresh.iter().filter(|(_, fresh)| fresh.is_none());
        gone.filter_map(|(key, _)| {
            let kept = self.kept.get(key).filter(|kept| kept.dead)?;
            Some((*key, kept.stamp?))
        })
    }

    pub(super) const fn clock_is_off(&mut self) {
        self.clock_is_off = true;
    }

    /// It answers for nothing any more.
    pub(super) fn stopped(&mut self) {
        self.serves.clear();
    }

    /// Its process starts anew.
    pub(super) fn starts(&mut self) {
        self.stopped();
        self.dead.clear();
        self.goes_away();
    }

    fn goes_away(&mut self) {
        let since = self.member;
        if since != 0 {
            self.away.get_or_insert(Away { since, repairs: 0 });
        }
    }

    /// Something of it has come to its disk.
    pub(super) fn committed(&mut self, batch: &Batch) {
        self.sets_aside |= batch.set_aside;
        let kept = |record: &Record| {
            let mut fields = record.fields().map(|(_, field)| field);
            let (first, more) = (fields.next(), fields.next());
            let only = first.filter(|_| more.is_none());
            Kept {
                stamp: only.map(Field::stamp),
                dead: only.is_some_and(Field::is_tombstone),
            }
        };
        let records = batch.records.iter();
        self.fresh
            .extend(records.map(|(key, record)| (*key, record.as_ref().map(kept))));
    }

    /// `misled_by` is how many milliseconds the time that others show it may be ahead.
    pub(super) fn judge(&mut self, case: &mut Case<'_>, is_member: bool, misled_by: u64) {
        self.misled_by = misled_by;
        self.brings(case);
        self.holds_far(case);
        self.misses(case);
        self.forgets(case);
        self.returns(case);
        if self.sets_aside {
            self.kept.clear();
            self.sets_aside = false;
        }
        for (key, kept) in std::mem::take(&mut self.fresh) {
            match kept {
                Some(kept) => self.kept.insert(key, kept),
                None => self.kept.remove(&key),
            };
        }
        self.stores(case);
        self.tells(case);
        if is_member {
            self.member = case.now;
        }
    }

    /// As the owner of a key it brings a write to the holders.
    fn brings(&mut self, case: &mut Case<'_>) {
        let released = case.act.asked().any(|(_, _, ask)| {
            matches!(
                ask,
                Ask::Records(_, OfRecords::HandOver(..) | OfRecords::Claim(_))
            )
        });
        let superseded = matches!(
            case.act.reply(),
            Some((_, _, Answer::Records(_, ToRecords::Superseded(_))))
        );
        if released || superseded || case.act.joined || case.act.stranded || case.act.left {
            self.stopped();
        }
        let stored: Vec<(Id, Option<Stamp>)> = case
            .act
            .asked()
            .filter_map(|(_, _, ask)| match ask {
                Ask::Records(_, OfRecords::Store { key, stamp, .. }) => Some((*key, *stamp)),
                _ => None,
            })
            .collect();
        for (key, stamp) in stored {
            if !self.serves.contains(&key) {
                if self.serves.len() == SERVED {
                    self.serves.pop_front();
                }
                self.serves.push_back(key);
            }
            self.is_granted(case, key, stamp);
            if let Some(ahead) = self.far_ahead(case, key, stamp) {
                let detail = format!("took a write that is stamped {ahead} ms ahead of its clock");
                case.breach("far-stamp-taken", detail);
            }
        }
    }

    /// By how many milliseconds a write of a key is farther ahead than a right clock lets any be, or the
    /// clocks of those lets it that it believes more than its own.
    fn far_ahead(&self, case: &Case<'_>, key: Id, stamp: Option<Stamp>) -> Option<u64> {
        let stamp = stamp?.milliseconds;
        let ahead = stamp.saturating_sub(case.wall_clock());
        // What is there may be from a wrong clock, and is written over in the same millisecond.
        let there = self.kept.get(&key).and_then(|kept| kept.stamp);
        let follows = there.is_some_and(|there| there.milliseconds >= stamp);
        let most = self.misled_by + SKEW_MAX + SKEW_MAX / 10;
        (ahead > most && !self.clock_is_off && !follows).then_some(ahead)
    }

    /// As a holder it takes in nothing from far ahead, also from an owner.
    fn holds_far(&self, case: &mut Case<'_>) {
        let Some((_, id, Ask::Records(_, OfRecords::Store { key, stamp, .. }))) =
            case.act.question()
        else {
            return;
        };
        let (key, ahead) = (*key, self.far_ahead(case, *key, *stamp));
        let mut answers = case.act.answered();
        let says = answers.any(|(_, of, answer)| {
            of == id && matches!(answer, Answer::Records(_, ToRecords::Stored))
        });
        if let (Some(ahead), true) = (ahead, says) {
            let detail = format!(
                "holds a write of {} that is stamped {ahead} ms ahead of its clock",
                short(key)
            );
            case.breach("far-stamp-held", detail);
        }
    }

    /// A conditional write is done only if the condition holds.
    fn is_granted(&self, case: &mut Case<'_>, key: Id, stored: Option<Stamp>) {
        let Some((
            _,
            _,
            Ask::Records(
                _,
                OfRecords::Write {
                    key: of,
                    stamp,
                    condition,
                    ..
                },
            ),
        )) = case.act.question()
        else {
            return;
        };
        let Condition::Stamp(wanted) = condition else {
            return;
        };
        let there = self.kept.get(&key).and_then(|kept| kept.stamp);
        let is_this = *of == key && stored == Some(*stamp);
        if let Some(there) = there.filter(|there| there != wanted && there != stamp)
            && is_this
        {
            let detail = format!(
                "did a write to {} on the condition that {wanted} is there, where {there} is",
                short(key)
            );
            case.breach("condition-ignored", detail);
        }
    }

    /// As a holder it says of a write that it has it.
    fn stores(&self, case: &mut Case<'_>) {
        let Some((_, id, Ask::Records(_, OfRecords::Store { key, stamp, .. }))) =
            case.act.question()
        else {
            return;
        };
        let mut answers = case.act.answered();
        let says = answers.any(|(_, of, answer)| {
            of == id && matches!(answer, Answer::Records(_, ToRecords::Stored))
        });
        if !says {
            return;
        }
        let (key, stamp) = (*key, *stamp);
        if self.serves.contains(&key) {
            let detail = format!(
                "holds a write of {} for another node, and serves that key itself",
                short(key)
            );
            return case.breach("held-for-another", detail);
        }
        let kept = self.kept.get(&key).map(|kept| kept.stamp);
        if kept.is_none_or(|kept| kept.is_some() && kept != stamp) {
            let detail = format!(
                "says that it holds a write of {}, and has {} on its disk",
                short(key),
                kept.flatten()
                    .map_or_else(|| "nothing".to_owned(), |kept| kept.to_string())
            );
            case.breach("stored-not-kept", detail);
        }
    }

    /// Deletions are remembered as long as that was promised.
    fn forgets(&self, case: &mut Case<'_>) {
        let is_forget = |(_, said): &(_, Said)| matches!(said, Said::Notice(_));
        if self.clock_is_off || !case.act.sent.iter().any(is_forget) {
            return;
        }
        let now = case.wall_clock() + self.misled_by;
        let lifetime = case.settings.tombstones_for_ms;
        for (key, stamp) in self.forgotten() {
            if stamp.milliseconds.saturating_add(lifetime) > now + 1000 {
                let age = now.saturating_sub(stamp.milliseconds);
                let detail = format!("forgot the deletion of {} after {age} ms", short(key));
                case.breach("forgotten-early", detail);
            }
            // It counts in periods, each of which may be half as long as planned.
            let half = lifetime / 2 * 1_000_000;
            let recent = self.dead.iter().find(|(_, at)| case.now - at < half);
            if let Some((dead, _)) = recent {
                let detail = format!(
                    "forgot the deletion of {}, though {} is away and may bring back what it was",
                    short(key),
                    short(*dead)
                );
                return case.breach("forgotten-while-away", detail);
            }
        }
    }

    /// Whom it takes for dead, as long as nothing is heard of them.
    fn misses(&mut self, case: &Case<'_>) {
        if let Given::Heard(from, _) = &case.act.input {
            self.dead.retain(|(id, _)| *id != from.id);
        }
        for told in &case.act.told {
            if let Told::Dead(peer) = told {
                self.dead.retain(|(id, _)| id != peer);
                self.dead.push_back((*peer, case.now));
            }
        }
        // Nobody remembers more.
        while self.dead.len() > case.settings.remembered {
            self.dead.pop_front();
        }
    }

    /// As the owner of a key it tells what it has.
    fn tells(&self, case: &mut Case<'_>) {
        let Some((_, id, Ask::Records(_, OfRecords::Read(key)))) = case.act.question() else {
            return;
        };
        let key = *key;
        let told = case
            .act
            .answered()
            .find_map(|(_, of, answer)| match answer {
                Answer::Records(_, ToRecords::Record { alone: true, stamp }) if of == id => {
                    Some(*stamp)
                }
                _ => None,
            });
        let kept = self.stamp(key);
        if let Some(told) = told.filter(|told| *told < kept && !case.disk_is_slow) {
            let name = |stamp: Option<Stamp>| {
                stamp.map_or_else(|| "nothing".to_owned(), |stamp| stamp.to_string())
            };
            let detail = format!(
                "answered a reading of {} with {}, and has {} on its disk",
                short(key),
                name(told),
                name(kept)
            );
            case.breach("told-older", detail);
        }
    }

    /// Whoever hears of a deletion that was made while it was away, and that others have forgotten
    /// already, sets aside what it has; nobody else does.
    fn returns(&mut self, case: &mut Case<'_>) {
        let period = case.settings.repair_every_ms;
        // Who founds a ring by itself has nobody to compare with.
        let alone = case.after.successors().is_empty();
        let founds = case.act.joined && alone && case.act.input != Given::Found;
        if founds || case.now - self.member > ABSENT * period * 1_000_000 {
            self.goes_away();
        }
        let heard = case.act.forgotten;
        let is_new = heard > self.forgotten;
        self.forgotten = self.forgotten.max(heard);
        let since = self.away.map(|away| EPOCH_MS + away.since / 1_000_000);
        // A life in which it was no member does not make what it has any fresher.
        if let Some(away) = &mut self.away
            && case.act.input == Given::RepairDue
            && !alone
        {
            away.repairs += 1;
        }
        self.away = self.away.filter(|away| away.repairs < 2);
        if self.clock_is_off || self.kept.is_empty() {
            return;
        }
        // It noted when it was last a member to within two repair periods.
        let is_told = since.is_some_and(|since| heard + 2 * period > since);
        let sets_aside = case.act.told.contains(&Told::SetAside);
        if sets_aside && !is_told {
            let detail = "set aside what it had, and was told of no deletion that it missed";
            case.breach("set-aside-early", detail.to_owned());
        }
        let is_stale = is_new && since.is_some_and(|since| heard > since + 1000);
        if is_stale && !sets_aside && !case.act.ignored {
            let detail = "keeps what it had, and was told of a deletion that it missed";
            case.breach("stale-kept", detail.to_owned());
        }
    }
}
