//! Records: that nothing acknowledged is lost, and that what was promised is true.
//!
//! This keeps books and asks no node. It is told what reaches the disks, which disks go out of
//! reach, and which writes are acknowledged; a disk of which it has heard nothing has nothing. What
//! readers find is judged elsewhere, from their histories.
//!
//! ```text
//!   disks.rs     what each machine has on its disk
//!   replaced.rs  disks that hold something else at once
//!   copies.rs    whether all that should hold a key do, and the same
//!   leavers.rs   what machines that leave say that others may lack
//! ```
//!
//! # What is a loss
//!
//! A write was acknowledged if as many nodes as it wanted hold it. From then on some disk must
//! have a stamp at or above it: one of a machine that runs, or that will be started again. It is
//! looked at whenever a disk goes out of reach, a record is dropped or spoilt, and at the end. Of
//! several writes of one key only the latest can be lost: the others have been replaced. A deletion
//! is demanded for as long as it is remembered, and a value for as long as it lives, until that is
//! over by the clock that is farthest ahead.
//!
//! A loss is *excused*, by the name [`AT_ONCE`], if a single stroke took as many of its holders as
//! the write had wanted: that many copies were asked for, and no more. It is counted all the same.
//! So is one, by the name [`LEFT_BEHIND`], where a holder that left had said that others may lack
//! some of its records, of no more of them than it had said.
//!
//! # What is a broken promise
//!
//! An acknowledgement names its holders. They must be different machines, and each must have had
//! the write on its disk by then. Whatever the node says that it wanted: if its client is told that
//! the write is done, as many machines must have had it as the settings ask for ([`SHORT_ACKS`]).
//!
//! Of what a real machine stores it tells afterwards, and one that is killed may not come to that.
//! Then the acknowledgement is believed: the copy counts as one on its disk, until something else
//! is heard of it. This is excused by the name [`KILLED`] and counted, for each holder and write.

mod copies;
mod disks;
mod leavers;
mod replaced;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cuerda_core::protocol::Written;
use cuerda_core::record::{Conflict, Stamp};
use cuerda_core::ring::Id;
use cuerda_core::store::Batch;

use super::history::{Clocks, Finding, Issued, Nanos};
use crate::world::Unheard;
pub use copies::Missing;
use disks::Disks;
use leavers::Leavers;

/// The check that an acknowledged write is still somewhere.
pub const LOST: &str = "lost";

/// The check that an acknowledged write was on as many disks as were asked for.
pub const SHORT_ACKS: &str = "writes: short acks";

/// All the holders of a write were taken by one stroke, and they were as many as it wanted.
pub const AT_ONCE: &str = "all-holders-at-once";

/// A holder left, and had said that what it has may be nowhere else: its disk keeps it.
pub const LEFT_BEHIND: &str = "left-behind";

/// A holder was killed before it could tell that it has what a client was told it has.
pub const KILLED: &str = "killed-before-telling";

/// The only field that clients write.
const FIELD: &str = "";

/// How the disks of machines go out of reach for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// One stroke took them all.
    Stroke,
    /// Their machines have left: who leaves has handed over.
    Departure,
}

/// The latest acknowledged write of a key.
#[derive(Clone, Debug)]
struct Acknowledged {
    issued: Issued,
    stamp: Stamp,
    at: Nanos,
    wanted: u8,
    /// Who held it, as it was acknowledged.
    holders: Vec<Id>,
    /// What befell machines that had it.
    befell: BTreeMap<u32, (Nanos, &'static str)>,
    lost: bool,
}

/// What the settings of the nodes promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promised {
    /// How many machines hold a write that is acknowledged.
    pub acks: u8,
    /// How long a deletion is remembered.
    pub tombstones_for: Duration,
}

/// The books.
#[derive(Clone, Debug)]
pub struct RecordChecker {
    /// How many nodes each process has, at least 1.
    per_process: u32,
    promised: Promised,
    clocks: Clocks,
    disks: Disks,
    /// Writes that have not ended, and those that may take effect still.
    issued: BTreeMap<u64, Issued>,
    acknowledged: BTreeMap<Id, Acknowledged>,
    /// The highest stamp of a key's deletions that were done in part: they may replace what was
    /// acknowledged, and be forgotten after their time.
    half_deleted: BTreeMap<Id, Stamp>,
    conflicts: BTreeSet<(Id, Conflict)>,
    /// When a stroke took a machine's disk.
    struck: BTreeMap<u32, Nanos>,
    leavers: Leavers,
    /// The highest stamp of a key that a machine is believed to have had when it was killed.
    unheard: BTreeMap<(Id, u32), Stamp>,
    lost: Vec<Id>,
    lost_bytes: u64,
    last_commit: Nanos,
    /// Acknowledged writes that were on fewer disks than were asked for.
    short_acks: u64,
    findings: Vec<Finding>,
}

/// Whether a write must still be somewhere.
fn is_demanded(now: Nanos, write: &Acknowledged, promised: Promised, clocks: &Clocks) -> bool {
    let issued = &write.issued;
    match (issued.deletes, issued.lives) {
        (true, _) => {
            let length = promised.tombstones_for;
            issued.is_within(now, length) && clocks.lasts(now, write.stamp, length)
        }
        (false, Some(lives)) => clocks.lives(now, issued.at, lives),
        (false, None) => true,
    }
}

impl RecordChecker {
    /// Nothing is stored anywhere.
    #[must_use]
    pub fn new(promised: Promised, clocks: Clocks) -> RecordChecker {
        RecordChecker {
            per_process: 1,
            promised,
            clocks,
            disks: Disks::default(),
            issued: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            half_deleted: BTreeMap::new(),
            conflicts: BTreeSet::new(),
            struck: BTreeMap::new(),
            leavers: Leavers::default(),
            unheard: BTreeMap::new(),
            lost: Vec::new(),
            lost_bytes: 0,
            last_commit: 0,
            short_acks: 0,
            findings: Vec::new(),
        }
    }

    /// From now on these machines' clocks are off by so many milliseconds more.
    pub fn set_clocks(&mut self, now: Nanos, machines: &[u32], by: i64) {
        self.clocks.set(now, machines, by);
    }

    /// The same, where each process has so many nodes, numbered one after the other.
    #[must_use]
    pub fn in_processes_of(self, nodes: u8) -> RecordChecker {
        RecordChecker {
            per_process: u32::from(nodes).max(1),
            ..self
        }
    }

    /// What is lost with a machine's node: its process.
    fn process(&self, machine: u32) -> u32 {
        machine / self.per_process.max(1)
    }

    /// A batch reached the disk of a machine whose node has this id.
    pub fn committed(&mut self, now: Nanos, machine: u32, id: Id, batch: &Batch) {
        let records = !batch.records.is_empty() || batch.set_aside;
        if records {
            self.last_commit = now;
        }
        for key in self.disks.committed(machine, id, batch) {
            self.fell(now, key, machine, "dropped its copy");
            self.look(now, key, &[]);
        }
    }

    /// A machine was killed before it could tell of a copy. To be told before the client is.
    pub fn unheard(&mut self, copy: &Unheard) {
        let Unheard {
            number,
            id,
            key,
            stamp,
            killed,
        } = *copy;
        self.disks.belongs(id, number);
        let most = self.unheard.entry((key, number)).or_insert(stamp);
        *most = stamp.max(*most);
        // If its disk went with it, or has gone since, it was there and is there no more.
        if self.struck.get(&number).is_none_or(|&at| at < killed) {
            self.disks.believe(key, number, stamp);
        }
    }

    /// A record on a disk is not what was written any more.
    pub fn spoilt(&mut self, now: Nanos, machine: u32, key: Id) {
        if self.disks.spoilt(machine, key) {
            self.fell(now, key, machine, "had its copy damaged");
            self.look(now, key, &[]);
        }
    }

    /// The disks of these machines are out of reach for good; `how` says what befell them.
    pub fn gone(&mut self, now: Nanos, machines: &[u32], how: &'static str, loss: Loss) {
        let mut keys = BTreeSet::new();
        for &machine in machines {
            let (had, bytes) = self.disks.gone(machine);
            match loss {
                Loss::Stroke => {
                    self.struck.insert(machine, now);
                    self.lost_bytes += bytes;
                }
                Loss::Departure => self.leavers.left(now, machine),
            }
            for (key, stamp) in had {
                let counts = self.acknowledged.get(&key);
                if counts.is_some_and(|write| stamp >= write.stamp) {
                    self.fell(now, key, machine, how);
                }
                keys.insert(key);
            }
        }
        let stroke: &[u32] = match loss {
            Loss::Stroke => machines,
            Loss::Departure => &[],
        };
        for key in keys {
            self.look(now, key, stroke);
        }
    }

    /// A machine leaves, and says that others may lack so many of its records.
    pub fn left_behind(&mut self, machine: u32, records: u64) {
        self.leavers.says(machine, records);
    }

    fn fell(&mut self, now: Nanos, key: Id, machine: u32, how: &'static str) {
        if let Some(write) = self.acknowledged.get_mut(&key) {
            write.befell.insert(machine, (now, how));
        }
    }

    /// Whether the latest acknowledged write of a key is still somewhere.
    fn look(&mut self, now: Nanos, key: Id, stroke: &[u32]) {
        let best = self.disks.best(key);
        let each = self.per_process.max(1);
        let Some(write) = self.acknowledged.get(&key) else {
            return;
        };
        let demanded = is_demanded(now, write, self.promised, &self.clocks);
        if write.lost || best >= Some(write.stamp) || !demanded {
            return;
        }
        if self.may_be_deleted(now, key, write) {
            return;
        }
        let Some(write) = self.acknowledged.get_mut(&key) else {
            return;
        };
        write.lost = true;
        let taken = |machine: &&u32| {
            let befell = write.befell.get(machine);
            befell.is_some_and(|&(at, _)| at == now)
        };
        let taken = stroke.iter().filter(taken);
        let taken: BTreeSet<u32> = taken.map(|machine| machine / each).collect();
        let at_once = taken.len();
        let excuse = match at_once >= usize::from(write.wanted) {
            true => Some(AT_ONCE),
            false => {
                let befell = write.befell.iter();
                let at = befell.map(|(&machine, &(at, _))| (machine, at));
                self.leavers.said_so(at).then_some(LEFT_BEHIND)
            }
        };
        let befell = write
            .befell
            .iter()
            .map(|(machine, (at, how))| format!("n{machine} {how} at {:.3} s", *at as f64 / 1e9));
        let befell: Vec<String> = befell.collect();
        let holders: Vec<String> = write
            .holders
            .iter()
            .map(|&id| self.disks.name(id))
            .collect();
        self.lost.push(key);
        self.findings.push(Finding {
            check: LOST,
            key,
            detail: format!(
                "write {} of {key:.8}, acknowledged at {:.3} s and held by {}, is nowhere: {}",
                write.issued.write,
                write.at as f64 / 1e9,
                holders.join(", "),
                befell.join("; ")
            ),
            excuse,
        });
    }

    /// Whether a deletion that nobody was told is done may have replaced this write, and be forgotten.
    fn may_be_deleted(&self, now: Nanos, key: Id, write: &Acknowledged) -> bool {
        let length = self.promised.tombstones_for;
        let half = self.half_deleted.get(&key);
        let half = half
            .is_some_and(|&stamp| stamp > write.stamp && !self.clocks.lasts(now, stamp, length));
        let later = |other: &Issued| other.at >= write.issued.at || !self.clocks.were_right();
        let unknown = |other: &Issued| {
            other.key == key && other.deletes && later(other) && !other.is_within(now, length)
        };
        half || self.issued.values().any(unknown)
    }

    /// A client issues a write.
    pub fn write_issued(&mut self, issued: Issued) {
        self.clocks.saw(issued.past);
        self.issued.insert(issued.write, issued);
    }

    /// A write was done, in whole or in part.
    pub fn written(&mut self, now: Nanos, write: u64, written: &Written) {
        let Some(issued) = self.issued.remove(&write) else {
            return;
        };
        let key = issued.key;
        self.clocks.saw(written.stamp);
        self.look_at_promise(issued, written);
        if !written.is_complete() {
            if issued.deletes {
                let most = self.half_deleted.entry(key).or_insert(written.stamp);
                *most = written.stamp.max(*most);
            }
            return;
        }
        let newer = self.acknowledged.get(&key);
        if newer.is_some_and(|other| other.stamp >= written.stamp && !other.lost) {
            return;
        }
        let mut befell = BTreeMap::new();
        let machines: Vec<u32> = written
            .holders
            .iter()
            .flat_map(|&id| self.disks.machines_of(id))
            .collect();
        for machine in machines {
            if let Some(&at) = self.struck.get(&machine) {
                befell.insert(machine, (at, "was struck before it was acknowledged"));
            }
        }
        let together = befell.values().map(|&(at, _)| at).max();
        let stroke: Vec<u32> = befell
            .iter()
            .filter(|&(_, &(at, _))| Some(at) == together)
            .map(|(&machine, _)| machine)
            .collect();
        self.acknowledged.insert(
            key,
            Acknowledged {
                issued,
                stamp: written.stamp,
                at: now,
                wanted: written.wanted,
                holders: written.holders.clone(),
                befell,
                lost: false,
            },
        );
        self.look(together.unwrap_or(now), key, &stroke);
    }

    /// The machine whose node took a write in as the owner of its key, by whose clock it lives: another
    /// may own it by the time that the write is acknowledged. `None` if something later has come since.
    #[must_use]
    pub fn owner(&self, key: Id, stamp: Stamp) -> Option<u32> {
        self.disks.first(key, stamp)
    }

    /// Whether what an acknowledgement says of its holders is true.
    fn look_at_promise(&mut self, issued: Issued, written: &Written) {
        let mut wrong = Vec::new();
        let (mut named, mut processes) = (BTreeSet::new(), BTreeMap::new());
        for &id in &written.holders {
            let name = self.disks.name(id);
            let machines = self.disks.machines_of(id);
            let had = machines
                .clone()
                .filter_map(|machine| self.disks.ever(issued.key, machine));
            if had.max() < Some(written.stamp) {
                let unheard = machines
                    .clone()
                    .filter_map(|machine| self.unheard.get(&(issued.key, machine)));
                let excuse = (unheard.max() >= Some(&written.stamp)).then_some(KILLED);
                wrong.push((format!("{name} has never had it on its disk"), excuse));
            }
            if !named.insert(id) {
                wrong.push((format!("{name} is named twice"), None));
                continue;
            }
            for machine in machines {
                if let Some(other) = processes.insert(self.process(machine), machine)
                    && !self.disks.machines_of(id).any(|own| own == other)
                {
                    wrong.push((format!("{name} is of one process with n{other}"), None));
                }
            }
        }
        if written.holders.is_empty() {
            wrong.push(("it names nobody".to_owned(), None));
        }
        self.look_at_copies(issued, written);
        for (why, excuse) in wrong {
            let detail = format!(
                "write {} of {:.8} was acknowledged, but {why}",
                issued.write, issued.key
            );
            self.findings.push(Finding {
                check: "promises",
                key: issued.key,
                detail,
                excuse,
            });
        }
    }

    /// Whether a write that counts as done was on as many disks as were asked for.
    fn look_at_copies(&mut self, issued: Issued, written: &Written) {
        let least = usize::from(self.promised.acks);
        let holders: BTreeSet<Id> = written.holders.iter().copied().collect();
        // What is told of one that was killed is believed, and counted elsewhere.
        let has = |machine: u32| {
            let had = self.disks.ever(issued.key, machine);
            had.max(self.unheard.get(&(issued.key, machine)).copied()) >= Some(written.stamp)
        };
        // Two processes that have one key are one holder: whichever of them has it.
        let had = holders
            .iter()
            .filter(|&&id| self.disks.machines_of(id).any(has));
        let had = had.count();
        if !written.is_complete() || had >= least {
            return;
        }
        let detail = format!(
            "write {} of {:.8} was acknowledged when {had} had it on disk, and {least} were to",
            issued.write, issued.key
        );
        self.short_acks += 1;
        self.finding(SHORT_ACKS, issued.key, detail);
    }

    /// A write ended without success, or nobody will hear of it. It may take effect still.
    pub fn write_failed(&mut self, write: u64) {
        self.issued.remove(&write);
    }

    /// Two writes were found not to have known of each other.
    pub fn conflict(&mut self, key: Id, conflict: &Conflict) {
        self.conflicts.insert((key, conflict.clone()));
    }

    /// Whether a write that is not known to be lost must still be somewhere.
    fn demands(&self, now: Nanos, write: &Acknowledged) -> bool {
        !write.lost && is_demanded(now, write, self.promised, &self.clocks)
    }

    /// Whether the latest acknowledged write of a key is lost.
    #[must_use]
    pub fn is_lost(&self, key: Id) -> bool {
        self.acknowledged.get(&key).is_some_and(|write| write.lost)
    }

    /// Acknowledged writes that were on fewer disks than were asked for.
    #[must_use]
    pub const fn short_acks(&self) -> u64 {
        self.short_acks
    }

    /// The keys with an acknowledged value that a reader must find now, or a deletion after which he
    /// must find nothing, and no loss: in order.
    #[must_use]
    pub fn readable(&self, now: Nanos) -> Vec<Id> {
        let keys = self.acknowledged.iter();
        // A deletion stands for good, however long it is remembered.
        let stands = |write: &Acknowledged| write.issued.deletes && !write.lost;
        keys.filter(|(_, write)| stands(write) || self.demands(now, write))
            .map(|(&key, _)| key)
            .collect()
    }

    /// At the end of all, when nothing disturbs anybody, a key could not be read as it must be.
    pub fn unreadable(&mut self, key: Id, why: &str) {
        let detail = format!("{key:.8} has an acknowledged write, and a reading at the end {why}");
        self.finding("unreadable", key, detail);
    }

    /// At the end of all, a copy is missing where it should be, or is another.
    pub fn uncopied(&mut self, key: Id, why: &str) {
        self.finding("copies", key, format!("{key:.8} is not everywhere: {why}"));
    }

    /// Looks at all keys, as if some disk had gone: only those of `alive` machines count from now
    /// on, which end the run as members.
    pub fn end(&mut self, now: Nanos, alive: impl Fn(u32) -> bool) {
        for machine in self.disks.machines() {
            if !alive(machine) {
                let how = "was not in the ring at the end";
                self.gone(now, &[machine], how, Loss::Departure);
            }
        }
        for key in self.acknowledged.keys().copied().collect::<Vec<Id>>() {
            self.look(now, key, &[]);
        }
    }

    /// Copies that are not where they should be; `holders` says who should have a key.
    #[must_use]
    pub fn missing_copies(&self, now: Nanos, holders: impl Fn(Id) -> Vec<u32>) -> Vec<Missing> {
        let writes = self.acknowledged.values();
        // It may be nowhere by right.
        let stays = |write: &&Acknowledged| {
            let key = write.issued.key;
            self.disks.best(key) >= Some(write.stamp) || !self.may_be_deleted(now, key, write)
        };
        let writes = writes
            .filter(|write| self.demands(now, write))
            .filter(stays);
        let latest = writes.map(|write| (write.issued.key, write.stamp));
        copies::missing(&self.disks, latest, holders)
    }

    /// What was found since it was last asked.
    pub fn drain(&mut self) -> impl Iterator<Item = Finding> + '_ {
        self.findings.drain(..)
    }

    fn finding(&mut self, check: &'static str, key: Id, detail: String) {
        self.findings.push(Finding {
            check,
            key,
            detail,
            excuse: None,
        });
    }

    /// The keys of writes that are lost, excused or not, in the order of their loss.
    #[must_use]
    pub fn lost(&self) -> &[Id] {
        &self.lost
    }

    /// Conflicts, each counted once however many found it.
    #[must_use]
    pub fn conflicts(&self) -> u64 {
        self.conflicts.len() as u64
    }

    /// Bytes of the records on disks that were struck.
    #[must_use]
    pub const fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    /// When a record last changed on any disk.
    #[must_use]
    pub const fn last_commit(&self) -> Nanos {
        self.last_commit
    }
}
