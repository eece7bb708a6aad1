//! Histories: what clients saw of each key, and what they may rely on.
//!
//! This is told what clients ask and what they are told, and asks nobody; what is on which disk it
//! does not know.
//!
//! ```text
//!   clocks.rs        how far apart the clocks of nodes can be
//!   readings.rs      whether a reading found what it had to
//!   grants.rs        whether a condition was granted to one write only
//!   stamps.rs        whether a write comes after what its client, and its node, had seen
//!   recorder.rs      each key's history, written down
//!   linearizable.rs  whether it is that of one register
//!   smallest.rs      the smallest part of one that is not
//! ```
//!
//! # What is a violation, and what is told by number
//!
//! A deletion that was acknowledged stands for good: what was deleted is not read again
//! ([`RESURRECTED`]), however long ago it was forgotten. While something disturbs the ring, and
//! until it is ideal again, a node that was cut off may answer with what it had; then it is excused
//! by the name of what disturbs it, and counted.
//!
//! Nothing excuses a value that is read after its time ([`EXPIRED`]) or that has ended before it
//! ([`EARLY`]): every node by itself knows when that is. Nor a condition granted to two writes
//! ([`GRANTED_TWICE`]) as long as its holders are the same, nor a stamp that does not come after
//! what the client had seen ([`BELOW_PAST`]).
//!
//! That a history is not that of one register is told by number only: records are not promised to
//! be linearizable.

mod clocks;
mod grants;
pub mod linearizable;
mod readings;
mod recorder;
pub mod smallest;
mod stamps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use cuerda_core::protocol::{Condition, Written};
use cuerda_core::record::Stamp;
use cuerda_core::ring::Id;

pub use clocks::Clocks;
use grants::Grants;
pub use grants::HOLDERS_CHANGED;
use readings::Readings;
pub use readings::{Content, ReadValue, Verdict};
use recorder::Recorder;
pub use recorder::{Counterexample, Judged, Told};
use stamps::Stamps;

/// Nanoseconds of simulated time.
pub type Nanos = u64;

/// The check that nothing deleted is read again.
pub const RESURRECTED: &str = "reads: resurrected";
/// The check that nothing is read after its time.
pub const EXPIRED: &str = "reads: expired";
/// The check that nothing ends before its time.
pub const EARLY: &str = "reads: early";
/// The check that a condition is granted to one write only.
pub const GRANTED_TWICE: &str = "writes: granted twice";
/// The check that a write comes after what its client had seen.
pub const BELOW_PAST: &str = "writes: below past";

/// What was there is lost, and that has been said.
const LOST: &str = "lost";

/// Something that must not be, or that was excused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// The key concerned.
    pub key: Id,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// By what name it is excused.
    pub excuse: Option<&'static str>,
}

/// A write as it was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its number, which no other read or write has.
    pub write: u64,
    /// What it writes to.
    pub key: Id,
    /// The node that the client asks.
    pub asker: u32,
    /// Whether it deletes.
    pub deletes: bool,
    /// How long its value lives, if not for good.
    pub lives: Option<Duration>,
    /// What must be there for it to be done.
    pub condition: Condition,
    /// The last stamp that the client had seen.
    pub past: Stamp,
    /// When it was issued.
    pub at: Nanos,
}

impl Issued {
    /// Whether so long has not passed since, by a right clock.
    pub(super) fn is_within(&self, now: Nanos, length: Duration) -> bool {
        readings::is_alive(now, self.at, length)
    }

    /// Until when its value lives by a right clock; `None` if it is not mortal.
    fn ends(&self) -> Option<Nanos> {
        let lives = self.lives.filter(|_| !self.deletes)?;
        let lives = Nanos::try_from(lives.as_nanos()).unwrap_or(Nanos::MAX);
        Some(self.at.saturating_add(lives))
    }
}

/// What is known of the ring and of the key when a client is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// What disturbs the ring, or has and it is not ideal again.
    pub excuse: Option<&'static str>,
    /// Whether the ring has been ideal for long, its members the same: then readings must be right.
    pub settled: bool,
    /// Whether the latest acknowledged write of the key is lost.
    pub lost: bool,
    /// Which machine owned the key and answered, by whose clock; `None` if that is not known.
    pub owner: Option<u32>,
}

/// All histories.
#[derive(Clone, Debug)]
pub struct Histories {
    clocks: Clocks,
    readings: Readings,
    /// Writes that have not ended.
    open: BTreeMap<u64, Issued>,
    grants: Grants,
    stamps: Stamps,
    /// `None` if nobody wants to know whether they are linearizable.
    recorder: Option<Recorder>,
    /// How often each check has found something, excused or not.
    counts: BTreeMap<&'static str, u64>,
    findings: Vec<Finding>,
}

impl Histories {
    /// Nothing has happened. `recorded` says whether it is to be judged whether they are
    /// linearizable, and `tombstones_for` how long a deletion is remembered.
    #[must_use]
    pub fn new(clocks: Clocks, recorded: bool, tombstones_for: Duration) -> Histories {
        Histories {
            clocks,
            readings: Readings::of(tombstones_for),
            open: BTreeMap::new(),
            grants: Grants::default(),
            stamps: Stamps::default(),
            recorder: recorded.then(Recorder::default),
            counts: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    /// From now on these machines' clocks run at a pace of their own.
    pub fn clocks_drift(&mut self, machines: &[u32]) {
        self.clocks.drift(machines);
    }

    /// From now on these machines' clocks are off by so many milliseconds more.
    pub fn set_clocks(&mut self, now: Nanos, machines: &[u32], by: i64) {
        self.clocks.set(now, machines, by);
    }

    /// The disk of this machine is lost, and what it said of the past with it.
    pub fn lost_disk(&mut self, machine: u32) {
        self.stamps.forget(machine);
    }

    /// A client writes.
    pub fn write_issued(&mut self, issued: Issued) {
        self.clocks.saw(issued.past);
        self.readings.issued(&issued);
        self.grants.issued(&issued);
        self.stamps.issued(&issued);
        if let Some(recorder) = &mut self.recorder {
            recorder.issued(&issued);
        }
        self.open.insert(issued.write, issued);
    }

    /// A write was done, in whole or in part, with a key's owner on this machine, if that is known.
    pub fn written(
        &mut self,
        now: Nanos,
        write: u64,
        written: &Written,
        (lost, owner): (bool, Option<u32>),
    ) {
        let Some(issued) = self.open.remove(&write) else {
            return;
        };
        let stamp = written.stamp;
        self.clocks.saw(stamp);
        self.readings.ended(now, write, &self.clocks);
        if let Some(owner) = owner {
            self.readings.owned(now, write, owner);
        }
        if let Some(why) = self.stamps.ended(
            &issued,
            Some(stamp),
            self.clocks.near(issued.at, issued.asker),
        ) {
            let detail = format!("write {write} of {:.8} got the stamp {why}", issued.key);
            self.found(BELOW_PAST, issued.key, detail, None);
        }
        let whole = written.is_complete();
        if let Some(recorder) = &mut self.recorder {
            recorder.written(now, &issued, stamp, whole);
        }
        if !whole {
            return;
        }
        self.readings.acknowledged(&issued, stamp);
        if let Some(twice) = self.grants.done(now, &issued, written, &self.clocks) {
            let what = match issued.condition {
                Condition::Stamp(stamp) => format!("to replace {stamp}"),
                _ => "where nothing is".to_owned(),
            };
            let first = twice.first;
            let detail = format!(
                "writes {first} and {write} of {:.8} were both granted {what}",
                issued.key
            );
            let excuse = twice.excuse.or(lost.then_some(LOST));
            self.found(GRANTED_TWICE, issued.key, detail, excuse);
        }
    }

    /// A write ended without success, or nobody will hear of it. It may take effect still.
    pub fn write_failed(&mut self, now: Nanos, write: u64) {
        if let Some(issued) = self.open.remove(&write) {
            self.stamps.ended(&issued, None, 0);
            self.readings.ended(now, write, &self.clocks);
        }
    }

    /// A client begins to read, by way of this node.
    pub fn read_issued(&mut self, now: Nanos, read: u64, asker: u32, key: Id) {
        self.readings.begin(now, read, asker, key);
    }

    /// A reading ended and found this.
    pub fn read_ended(
        &mut self,
        now: Nanos,
        read: u64,
        found: Option<ReadValue>,
        about: Circumstances,
    ) -> Verdict {
        let Some(open) = self.readings.open.remove(&read) else {
            return Verdict::Right;
        };
        let key = open.key;
        if let Some(found) = found {
            self.clocks.saw(found.stamp);
        }
        let by = (&self.clocks, about.owner);
        let verdict = self.readings.judge(now, &open, found, by);
        if let (Some(recorder), true) = (&mut self.recorder, verdict != Verdict::Invented) {
            let value = found.and_then(|found| match found.content {
                Content::Value(write) => Some((found.stamp, write)),
                _ => None,
            });
            recorder.read((read, open.asker), key, (open.began, now), value);
        }
        let told = |what: &str| format!("reading {read} of {key:.8} found {what}");
        let (check, what, excuse) = match verdict {
            Verdict::Right => return verdict,
            Verdict::Invented => {
                let what = "a value that no client has written there";
                ("register", what, None)
            }
            Verdict::Expired => (EXPIRED, "a value whose time was over", None),
            Verdict::Early => (EARLY, "that a value's time was over before it was", None),
            Verdict::Resurrected => {
                let what = "a value that had been deleted, and nobody had written since";
                let excuse = about.excuse.or(about.lost.then_some(LOST));
                (RESURRECTED, what, excuse)
            }
            Verdict::Stale | Verdict::Missing if about.lost || !about.settled => return verdict,
            Verdict::Stale => {
                let what = "something older than what was acknowledged before";
                ("register", what, None)
            }
            Verdict::Missing => {
                let what = "nothing where a write had been acknowledged before";
                ("register", what, None)
            }
        };
        self.found(check, key, told(what), excuse);
        verdict
    }

    /// Nobody will hear of a reading, or it failed.
    pub fn read_failed(&mut self, read: u64) {
        self.readings.open.remove(&read);
    }

    fn found(
        &mut self,
        check: &'static str,
        key: Id,
        detail: String,
        excuse: Option<&'static str>,
    ) {
        *self.counts.entry(check).or_default() += 1;
        self.findings.push(Finding {
            check,
            key,
            detail,
            excuse,
        });
    }

    /// What was found since it was last asked.
    pub fn drain(&mut self) -> impl Iterator<Item = Finding> + '_ {
        self.findings.drain(..)
    }

    /// How often a check has found something, excused or not.
    #[must_use]
    pub fn count(&self, check: &str) -> u64 {
        self.counts.get(check).copied().unwrap_or(0)
    }

    /// Whether the histories are those of registers; `None` if nobody wanted to know.
    #[must_use]
    pub fn judge(&self) -> Option<Judged> {
        let recorder = self.recorder.as_ref();
        recorder.map(|recorder| recorder.judge(&self.clocks))
    }
}
