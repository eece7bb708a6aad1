//! What becomes of reads and writes: counted, and handed to the checkers of records and of
//! histories.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cuerda_core::protocol::{AccessError, Denied};
use cuerda_core::ring::Id;

use crate::check::history::{
    BELOW_PAST, Circumstances, Clocks, Content, EARLY, EXPIRED, Finding, GRANTED_TWICE, Histories,
    Issued, Judged, RESURRECTED, ReadValue, Verdict,
};
use crate::check::records::{LOST, Loss, Promised, RecordChecker};
use crate::report::statistics::Latencies;
use crate::report::{Reads, Traffic, Writes};
use crate::scenario::{Fault, FaultKind, HandsBack, Scenario, WorkloadKind};
use crate::world::{DiskGone, Effect, ReadEnd, Reading, Time, WriteEnd, WriteIssue, nanoseconds};

/// How many stabilization periods a ring must have been ideal, its members the same, before what
/// is kept in it must be in order.
const SETTLED: u64 = 10;

/// Of as many missing copies the report tells where.
const COPIES: usize = 3;

/// As many losses are described; all are counted.
const LOSSES: usize = 100;

/// Watches what is stored.
#[derive(Debug)]
pub(super) struct RecordWatch {
    pub(super) checker: RecordChecker,
    pub(super) histories: Histories,
    /// Whether what they find is a violation.
    checked: bool,
    /// How many milliseconds each fault of the scenario sets clocks wrong by, and whether it changes
    /// their pace.
    skews: Vec<(i64, bool)>,
    writes: Writes,
    write_latency: Latencies,
    reads: Reads,
    read_latency: Latencies,
    /// How long the ring must have been settled.
    pub(super) patience: Time,
    replicas: usize,
    /// How many keys there are, by whose numbers they are named.
    keys: u32,
    /// Whether the run is over: what ends now had no end as long as it was counted.
    is_over: bool,
    /// Keys that are read after the end and have not been found as they must; `None` before.
    last: Option<BTreeSet<Id>>,
    /// Readings under way then.
    last_open: BTreeMap<u64, Id>,
    /// What was lost: when, which key, the story, and by what name it is excused.
    pub(super) losses: Vec<(Time, String, String, Option<&'static str>)>,
    /// How often each name has excused each check but `lost`, which is counted among the writes.
    excuses: BTreeMap<(&'static str, &'static str), u64>,
}

impl RecordWatch {
    /// `None` where no client reads or writes. A right clock shows `epoch_ms` at time 0.
    pub(super) fn new(scenario: &Scenario, epoch_ms: u64) -> Option<RecordWatch> {
        let keys = scenario.workloads.iter().filter_map(|it| match it.kind {
            WorkloadKind::Lookup | WorkloadKind::KeyLookup(_) => None,
            WorkloadKind::Records(access) => Some(access.keys),
        });
        let promised = Promised {
            acks: scenario.node.acks(),
            tombstones_for: scenario.node.tombstones_for,
        };
        let ahead = scenario.workloads.iter().filter_map(|it| match it.kind {
            WorkloadKind::Records(access) => match access.hands_back {
                HandsBack::OwnClock(ahead) => Some(ahead),
                HandsBack::LastSeen | HandsBack::Nothing => None,
            },
            WorkloadKind::Lookup | WorkloadKind::KeyLookup(_) => None,
        });
        let clocks = Clocks::new(epoch_ms, ahead.max().unwrap_or_default());
        let skew = |fault: &Fault| match &fault.kind {
            FaultKind::Skew { by_ms, .. } => (*by_ms, false),
            FaultKind::Clock {
                jump_ms, drift_ppm, ..
            } => {
                // What it gains as long as it may last.
                let lasts = fault.lasts.unwrap_or(scenario.duration).as_millis();
                let lasts = i128::try_from(lasts).unwrap_or(i128::MAX >> 64);
                let gained = lasts * i128::from(*drift_ppm) / 1_000_000;
                let by = jump_ms.saturating_add(i64::try_from(gained).unwrap_or(i64::MAX));
                (by, *drift_ppm != 0)
            }
            _ => (0, false),
        };
        Some(RecordWatch {
            keys: keys.max()?,
            checker: RecordChecker::new(promised, clocks.clone())
                .in_processes_of(scenario.virtual_nodes),
            histories: Histories::new(
                clocks,
                scenario.checks.records,
                scenario.node.tombstones_for,
            ),
            checked: scenario.checks.records,
            skews: scenario.faults.iter().map(skew).collect(),
            writes: Writes::default(),
            write_latency: Latencies::default(),
            reads: Reads::default(),
            read_latency: Latencies::default(),
            patience: nanoseconds(scenario.node.stabilize_every)
                .saturating_mul(SETTLED)
                .max(nanoseconds(scenario.node.repair_every()).saturating_mul(SETTLED / 2)),
            replicas: usize::from(scenario.node.replicas),
            is_over: false,
            last: None,
            last_open: BTreeMap::new(),
            losses: Vec::new(),
            excuses: BTreeMap::new(),
        })
    }

    /// What the checkers have found and nothing excuses: the check and a sentence.
    pub(super) fn drain(&mut self, now: Time) -> Vec<(String, String)> {
        let found = self.checker.drain().chain(self.histories.drain());
        let found: Vec<Finding> = found.collect();
        let mut violations = Vec::new();
        for finding in found {
            match finding.excuse {
                Some(_) if finding.check == LOST => {
                    *self.writes.lost_excused.get_or_insert_default() += 1;
                }
                Some(excuse) => {
                    *self.excuses.entry((excuse, finding.check)).or_default() += 1;
                }
                None => {}
            }
            if !self.checked {
                continue;
            }
            let place = format!("{:.8}", finding.key);
            let name = self.name(finding.key);
            let detail = finding.detail.replace(&place, &name);
            if finding.check == LOST && self.losses.len() < LOSSES {
                let loss = (now, name, detail.clone(), finding.excuse);
                self.losses.push(loss);
            }
            if finding.excuse.is_some() {
                continue;
            }
            violations.push((finding.check.to_owned(), detail));
        }
        violations
    }

    /// What was excused apart from losses, by the name of the excuse and the check.
    pub(super) fn excused(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        let counts = self.excuses.iter().filter(|_| self.checked);
        counts.map(|((excuse, check), &count)| (format!("{excuse}: {check}"), count))
    }

    /// What a key is called.
    pub(super) fn name(&self, key: Id) -> String {
        let names = (0..self.keys).map(|number| format!("k{number}"));
        let mut named = names.filter(|name| Id::of_key(name.as_bytes()) == key);
        named.next().unwrap_or_else(|| format!("{key:.8}"))
    }

    pub(super) fn write_issued(&mut self, now: Time, issue: &WriteIssue) {
        self.writes.issued += 1;
        let issued = Issued {
            write: issue.write,
            key: issue.key,
            asker: issue.asker,
            deletes: issue.deletes,
            lives: issue.lives,
            condition: issue.condition,
            past: issue.past,
            at: now,
        };
        self.checker.write_issued(issued);
        self.histories.write_issued(issued);
    }

    pub(super) fn write_ended(&mut self, now: Time, end: &WriteEnd) {
        let write = end.issue.write;
        if !self.is_over {
            self.count_write(now, end);
        }
        match &end.result {
            Ok(written) => {
                let lost = self.checker.is_lost(end.issue.key);
                let owner = self.checker.owner(end.issue.key, written.stamp);
                self.histories.written(now, write, written, (lost, owner));
                self.checker.written(now, write, written);
            }
            Err(_) => self.write_abandoned(now, write),
        }
    }

    fn count_write(&mut self, now: Time, end: &WriteEnd) {
        match &end.result {
            Ok(written) if written.is_complete() => {
                self.writes.acked += 1;
                let took = Duration::from_nanos(now - end.issued);
                self.write_latency.add(took);
            }
            Ok(_) => self.writes.partial += 1,
            Err(error) => {
                self.writes.failed += 1;
                if matches!(error, AccessError::Denied(Denied::Changed(_))) {
                    self.writes.refused += 1;
                }
            }
        }
    }

    pub(super) fn write_abandoned(&mut self, now: Time, write: u64) {
        self.checker.write_failed(write);
        self.histories.write_failed(now, write);
    }

    pub(super) fn read_issued(&mut self, now: Time, read: u64, asker: u32, key: Id) {
        match &self.last {
            Some(_) => {
                self.last_open.insert(read, key);
            }
            None => self.reads.issued += 1,
        }
        self.histories.read_issued(now, read, asker, key);
    }

    /// `settled` is since when the ring has been ideal with its members; `excuse` is what disturbs
    /// it.
    pub(super) fn read_ended(
        &mut self,
        now: Time,
        end: &ReadEnd,
        settled: Option<Time>,
        excuse: Option<&'static str>,
    ) {
        let last = self.last_open.remove(&end.read);
        let reading = match &end.result {
            Ok(reading) => reading,
            Err(error) => {
                self.histories.read_failed(end.read);
                match last {
                    Some(key) => self.unreadable(key, &format!("failed: {error}")),
                    None => self.reads.failed += u64::from(!self.is_over),
                }
                return;
            }
        };
        let settled = settled.is_some_and(|since| since + self.patience <= end.issued);
        let about = Circumstances {
            excuse,
            // A reading at the end is judged by itself.
            settled: settled && last.is_none(),
            lost: self.checker.is_lost(end.key),
            owner: reading.owner,
        };
        let found = found(reading);
        let verdict = self.histories.read_ended(now, end.read, found, about);
        if let Some(key) = last {
            match verdict {
                Verdict::Right => {
                    self.last.as_mut().map(|last| last.remove(&key));
                }
                Verdict::Stale => self.unreadable(key, "found something older"),
                Verdict::Resurrected => self.unreadable(key, "found what had been deleted"),
                Verdict::Expired => self.unreadable(key, "found what had expired"),
                Verdict::Missing | Verdict::Early => self.unreadable(key, "found nothing"),
                Verdict::Invented => self.unreadable(key, "found what nobody wrote"),
            }
            return;
        }
        if self.is_over {
            return;
        }
        self.reads.uncertain += u64::from(!reading.authoritative);
        match verdict {
            Verdict::Right => {
                self.reads.ok += 1;
                self.read_latency
                    .add(Duration::from_nanos(now - end.issued));
            }
            Verdict::Missing | Verdict::Early => {
                self.reads.missing += 1;
                self.reads.missing_certain += u64::from(reading.authoritative);
            }
            Verdict::Stale | Verdict::Resurrected | Verdict::Expired | Verdict::Invented => {
                self.reads.stale += 1;
            }
        }
    }

    pub(super) fn read_abandoned(&mut self, read: u64) {
        self.histories.read_failed(read);
        if let Some(key) = self.last_open.remove(&read) {
            self.unreadable(key, "was abandoned");
        }
    }

    pub(super) fn disks_gone(&mut self, now: Time, numbers: &[u32], how: DiskGone) {
        if how == DiskGone::Lost {
            let each = numbers.iter();
            each.for_each(|&machine| self.histories.lost_disk(machine));
        }
        let (how, loss) = match how {
            DiskGone::Lost => ("lost its disk", Loss::Stroke),
            DiskGone::Away => ("crashed for good", Loss::Stroke),
            DiskGone::Left => ("left", Loss::Departure),
        };
        self.checker.gone(now, numbers, how, loss);
    }

    /// A fault began, or has ended: if it sets clocks wrong, they are so from now on.
    pub(super) fn fault_turned(&mut self, now: Time, effect: &Effect, begins: bool) {
        let skew = self.skews.get(effect.index).copied();
        let (by, drifts) = skew.unwrap_or_default();
        let by = if begins { by } else { by.saturating_neg() };
        for machines in effect.groups.iter().filter(|_| drifts) {
            self.histories.clocks_drift(machines);
        }
        for machines in effect.groups.iter().filter(|_| by != 0) {
            self.checker.set_clocks(now, machines, by);
            self.histories.set_clocks(now, machines, by);
        }
    }

    /// The run has ended, with these members; nobody else's disk counts. `holders` says which of
    /// them should have a key, and how many; `None` if nobody knows, or it is not to be judged.
    pub(super) fn end(
        &mut self,
        now: Time,
        members: &[(Id, u32)],
        holders: Option<impl Fn(Id, usize) -> Vec<u32>>,
    ) {
        let alive: BTreeSet<u32> = members.iter().map(|&(_, number)| number).collect();
        self.checker.end(now, |machine| alive.contains(&machine));
        let Some(holders) = holders.filter(|_| self.checked) else {
            return;
        };
        let missing = self
            .checker
            .missing_copies(now, |key| holders(key, self.replicas));
        self.writes.missing_copies = Some(missing.len() as u64);
        for one in missing.iter().take(COPIES) {
            let what = if one.differs {
                "another version"
            } else {
                "no copy"
            };
            let why = format!(
                "n{} has {what} of it, long after the last change",
                one.machine
            );
            self.checker.uncopied(one.key, &why);
        }
    }

    /// The run is over: from now on nothing is counted but what the end is judged by.
    pub(super) const fn run_is_over(&mut self) {
        self.is_over = true;
    }

    /// The keys to be read after the end, at most so many of them, evenly chosen.
    pub(super) fn begin_last(&mut self, now: Time, most: usize) -> Vec<Id> {
        let keys = self.checker.readable(now);
        let step = keys.len().div_ceil(most).max(1);
        let keys: Vec<Id> = keys.into_iter().step_by(step).collect();
        self.reads.checked_at_end = keys.len() as u64;
        self.last = Some(keys.iter().copied().collect());
        keys
    }

    /// Whether readings are under way that the end waits for.
    pub(super) fn is_reading(&self) -> bool {
        !self.last_open.is_empty()
    }

    /// The time for readings is over. Whatever has no answer yet gets none.
    pub(super) fn end_last(&mut self) {
        for key in self.last.take().unwrap_or_default() {
            self.unreadable(key, "had no answer");
        }
    }

    fn unreadable(&mut self, key: Id, why: &str) {
        if let Some(last) = &mut self.last {
            last.remove(&key);
        }
        self.reads.unreadable += 1;
        self.checker.unreadable(key, why);
    }

    /// Writes and readings that failed so far.
    pub(super) const fn failed(&self) -> u64 {
        self.writes.failed + self.reads.failed
    }

    /// Writes' part of the report.
    pub(super) fn writes(&self) -> Writes {
        let lost = self.checker.lost().len() as u64;
        let ended = self.writes.acked + self.writes.partial + self.writes.failed;
        Writes {
            lost: self.checked.then_some(lost),
            lost_excused: self
                .checked
                .then_some(self.writes.lost_excused.unwrap_or(0)),
            short_acks: self.checked.then(|| self.checker.short_acks()),
            below_past: self.found(BELOW_PAST),
            granted_twice: self.found(GRANTED_TWICE),
            conflicts: self.checker.conflicts(),
            unfinished: self.writes.issued.saturating_sub(ended),
            latency_ms: self.write_latency.summary(),
            ..self.writes.clone()
        }
    }

    /// How often this check has found something, if anybody looks.
    fn found(&self, check: &str) -> Option<u64> {
        self.checked.then(|| self.histories.count(check))
    }

    /// Whether the histories are those of registers, if anybody looks.
    pub(super) fn judge_histories(&self) -> Option<Judged> {
        self.histories.judge()
    }

    /// Readings' part of the report.
    pub(super) fn reads(&self) -> Reads {
        let reads = &self.reads;
        let answered = reads.ok + reads.stale + reads.missing;
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        Reads {
            resurrected: self.histories.count(RESURRECTED),
            expired: self.histories.count(EXPIRED),
            early: self.histories.count(EARLY),
            stale_share: share(reads.stale + reads.missing, answered),
            failed_share: share(reads.failed, answered + reads.failed),
            unfinished: reads.issued.saturating_sub(answered + reads.failed),
            latency_ms: self.read_latency.summary(),
            ..reads.clone()
        }
    }

    /// Adds what repair cost.
    pub(super) fn add_traffic(&self, traffic: &mut Traffic, repair_bytes: Option<u64>) {
        let lost = self.checker.lost_bytes();
        traffic.repair_bytes = repair_bytes;
        traffic.lost_bytes = Some(lost);
        traffic.repair_ratio = repair_bytes
            .filter(|_| lost > 0)
            .map(|bytes| bytes as f64 / lost as f64);
    }

    /// Whether the copies at the end have been held against where they should be.
    pub(super) const fn knows_copies(&self) -> bool {
        self.writes.missing_copies.is_some()
    }

    /// Whether anything is to be looked at after the end.
    pub(super) const fn is_checked(&self) -> bool {
        self.checked && self.writes.acked > 0
    }
}

fn found(reading: &Reading) -> Option<ReadValue> {
    reading.seen.map(|seen| ReadValue {
        stamp: seen.stamp,
        content: match seen.write {
            _ if seen.strange => Content::Strange,
            write if seen.expired => Content::Expired(write),
            Some(write) => Content::Value(write),
            None => Content::Deleted,
        },
    })
}
