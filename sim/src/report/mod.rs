//! What a run found, as data.
//!
//! The fields and their order are the public form of `--json`. Everything but `cost` is a pure
//! function of the scenario, the seed and the code. Nothing here prints; the terminal form is
//! in a module of its own.

pub mod comparison;
mod judge;
mod metric;
mod sample;
pub mod statistics;
pub mod terminal;
pub mod words;

pub use judge::judge;
pub use metric::{holds_at_any_size, metric_paths, metrics, value_at, why_not_a_metric};

use std::collections::BTreeMap;

use serde::Serialize;

use crate::world::FailureObservations;

/// A whole report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The world it ran in.
    pub world: String,
    /// The seed it ran with.
    pub seed: u64,
    /// How many nodes it started with (`--nodes` may have overridden the file).
    pub nodes: u32,
    /// Whether every check and expectation held.
    pub verdict: Verdict,
    /// A hash of every event, equal on every machine.
    pub digest: String,
    /// Simulated seconds from t = 0 to the end.
    pub simulated_s: f64,
    /// How look-ups fared.
    pub lookups: Lookups,
    /// How writes fared; left out where nothing is written or read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<Writes>,
    /// How readings fared; left out likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<Reads>,
    /// Whether what clients saw of each key is what they would have seen of one register; left out
    /// likewise, and if records are not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histories: Option<Histories>,
    /// How the ring fared.
    pub ring: Ring,
    /// What the network carried.
    pub traffic: Traffic,
    /// What happened to nodes.
    pub events: Events,
    /// Acknowledged writes that are lost, excused or not; the first ones, `writes.lost` counts
    /// all. Left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// Which faults fired, and on whom.
    pub faults: Vec<FaultFired>,
    /// What the world did otherwise than the scenario says, or could not do; left out where there
    /// is nothing of that kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Numbers of this report that were asked for and could not be found out, because the network
    /// was not quiet enough in the end or was not given the time; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<String>,
    /// How often each check was violated, by its name; left out where none was.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub violated: BTreeMap<String, u64>,
    /// What was violated; the first ones, `violated` counts all.
    pub violations: Vec<Violation>,
    /// Expectations that did not hold.
    pub unmet: Vec<Unmet>,
    /// What played it. It changes with the program, not from run to run.
    pub program: Program,
    /// What the run cost; the only part that changes from run to run.
    pub cost: Cost,
}

/// The program that played a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Its version.
    pub version: &'static str,
    /// The commit that it was built from; `null` if it was built outside of its repository.
    pub commit: Option<&'static str>,
    /// The worlds and parts that were built in, beside the `events` world.
    pub options: Vec<&'static str>,
}

impl Default for Program {
    /// This one.
    fn default() -> Program {
        let commit = env!("CUERDA_BUILT_FROM");
        let options = [
            (cfg!(feature = "turmoil"), "turmoil"),
            (cfg!(feature = "containers"), "containers"),
            (cfg!(feature = "cli"), "cli"),
            (cfg!(debug_assertions), "debug"),
        ];
        Program {
            version: env!("CARGO_PKG_VERSION"),
            commit: (!commit.is_empty()).then_some(commit),
            options: options
                .into_iter()
                .filter_map(|(is_on, name)| is_on.then_some(name))
                .collect(),
        }
    }
}

/// The outcome in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check and expectation held.
    Pass,
    /// One did not.
    #[default]
    Fail,
}

/// How look-ups fared. Statistics are over those that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lookups {
    /// How many were begun.
    pub issued: u64,
    /// How many named the owner.
    pub ok: u64,
    /// How many named a node that never owned the key while they ran; `null` if not checked.
    pub wrong: Option<u64>,
    /// How many gave up.
    pub failed: u64,
    /// How many had no end: whoever asked was gone, or the run was over.
    pub unfinished: u64,
    /// Of those that finished.
    pub failed_share: Option<f64>,
    /// Of those that finished.
    pub wrong_share: Option<f64>,
    /// Failed and wrong together, of those that finished.
    pub missed_share: Option<f64>,
    /// Nodes contacted that answered, the owner included.
    pub hops: Option<Summary>,
    /// The same up to the key's immediate predecessor.
    pub hops_to_predecessor: Option<Summary>,
    /// Nodes that did not answer.
    pub timeouts: Option<Summary>,
    /// From asking to knowing, in milliseconds.
    pub latency_ms: Option<LatencySummary>,
}

/// How writes fared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Writes {
    /// How many were begun.
    pub issued: u64,
    /// How many were acknowledged: as many nodes hold them as were to.
    pub acked: u64,
    /// How many were done by fewer nodes than were to. They may be lost.
    pub partial: u64,
    /// How many were not done, as far as the client knows.
    pub failed: u64,
    /// How many had no end: whoever was asked was gone, or the run was over.
    pub unfinished: u64,
    /// Of those failed, how many because somebody else had written since: compare-and-set.
    pub refused: u64,
    /// Acknowledged ones that no disk has any more, excused or not; `null` if not checked.
    pub lost: Option<u64>,
    /// Of those lost, how many because one stroke took as many holders as they had wanted.
    pub lost_excused: Option<u64>,
    /// Acknowledged ones that were on fewer disks than the settings ask for when they were;
    /// `null` if not checked.
    pub short_acks: Option<u64>,
    /// How many got a stamp that is not above all that their client had seen, or that their node
    /// had given; `null` if not checked.
    pub below_past: Option<u64>,
    /// How many were granted a condition that had been granted to another; `null` if not checked.
    pub granted_twice: Option<u64>,
    /// Pairs of writes that did not know of each other.
    pub conflicts: u64,
    /// Copies that are not where they should be at the end, or differ; `null` if not checked, or
    /// if the ring was not ideal then.
    pub missing_copies: Option<u64>,
    /// From asking to being told, in milliseconds; of those acknowledged.
    pub latency_ms: Option<LatencySummary>,
}

/// How readings fared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reads {
    /// How many were begun.
    pub issued: u64,
    /// How many found the latest acknowledged write or a later one.
    pub ok: u64,
    /// How many found something older.
    pub stale: u64,
    /// How many found nothing where a write had been acknowledged.
    pub missing: u64,
    /// Of these, how many were told so for certain, by the key's owner.
    pub missing_certain: u64,
    /// How many found what had been deleted, and nobody had written since; readings at the end
    /// count here too, and in the next two.
    pub resurrected: u64,
    /// How many found a value whose time was over.
    pub expired: u64,
    /// How many were told that a value's time was over before it was.
    pub early: u64,
    /// How many gave up.
    pub failed: u64,
    /// How many had no end: whoever was asked was gone, or the run was over.
    pub unfinished: u64,
    /// How many were not answered by the key's owner, whatever they found.
    pub uncertain: u64,
    /// Stale and missing together, of those that found out.
    pub stale_share: Option<f64>,
    /// Of those that finished.
    pub failed_share: Option<f64>,
    /// Keys read once more after the end, when all is quiet; they are not among those issued.
    pub checked_at_end: u64,
    /// Of these, how many could not be read as they must.
    pub unreadable: u64,
    /// From asking to knowing, in milliseconds.
    pub latency_ms: Option<LatencySummary>,
}

/// The histories of keys, each held against one register with compare-and-set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histories {
    /// Keys that were read or written.
    pub checked: u64,
    /// Of these, how many have a history that is not that of one register: no order of its
    /// operations explains what clients were told.
    pub not_linearizable: u64,
    /// Of how many that is not known: the search took too long.
    pub unknown: u64,
    /// The smallest part found of a history that is not; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterexample: Option<Counterexample>,
}

/// Operations on one key that no order explains. Without any one of them there would be one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Counterexample {
    /// The key's name.
    pub key: String,
    /// In the order in which they began.
    pub operations: Vec<Operation>,
}

/// An operation of a client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    /// Simulated seconds.
    pub from_s: f64,
    /// When its client was told the end; `null` if it never was, or not that it was done.
    pub until_s: Option<f64>,
    /// The node that was asked.
    pub node: String,
    /// What it was, and what came of it.
    pub what: String,
}

/// The distribution of a count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The arithmetic mean.
    pub mean: f64,
    /// The 1st percentile.
    pub p1: u64,
    /// The 10th percentile.
    pub p10: u64,
    /// The median.
    pub p50: u64,
    /// The 90th percentile.
    pub p90: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The greatest.
    pub max: u64,
}

/// The distribution of a time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LatencySummary {
    /// The arithmetic mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

/// How the ring fared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ring {
    /// Members at the end.
    pub members: u64,
    /// Rings at the end; `null` if not checked.
    pub rings: Option<u64>,
    /// Whether the ring was ideal at the end; `null` if not checked.
    pub ideal: Option<bool>,
    /// Simulated seconds from the end of the last fault, or change of membership without
    /// faults, to the moment from which on the ring was ideal; `null` if it never was.
    pub ideal_after_s: Option<f64>,
    /// The same in stabilization periods.
    pub ideal_after_periods: Option<f64>,
    /// Simulated seconds from the end of the run, when nothing disturbs anybody any more, until
    /// the ring was ideal with all nodes that run; `null` if it did not become so, or nobody looked.
    pub settled_after_s: Option<f64>,
    /// Properties that broke and were not excused.
    pub violations: u64,
    /// Properties that broke with a known excuse, and what other checks found with one but for
    /// losses of writes, which are counted there.
    pub excused: u64,
    /// What was excused, by the name of the excuse and the property or the check.
    pub excuses: BTreeMap<String, u64>,
}

/// What the network carried.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Traffic {
    /// Messages delivered.
    pub messages: u64,
    /// Messages lost, to chance, cuts and dead nodes.
    pub lost: u64,
    /// Bytes sent per live node and simulated second.
    pub bytes_per_node_per_s: f64,
    /// Bytes sent to bring records where they belong; left out where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair_bytes: Option<u64>,
    /// Bytes of the records on disks that faults took; left out likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_bytes: Option<u64>,
    /// The first divided by the second; left out where nothing was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair_ratio: Option<f64>,
}

/// What happened to nodes, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Events {
    /// Nodes that became members after t = 0.
    pub joined: u64,
    /// Nodes that left gracefully.
    pub left: u64,
    /// Nodes that crashed.
    pub crashed: u64,
    /// Times a node presumed another dead.
    pub presumed_dead: u64,
    /// Of those, times the other was alive.
    pub presumed_dead_wrongly: u64,
    /// Times a node lost all its successors.
    pub stranded: u64,
    /// Messages dropped that no correct node would have sent then.
    pub ignored: u64,
}

/// An acknowledged write that no disk has any more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Loss {
    /// Simulated seconds.
    pub at_s: f64,
    /// The key's name.
    pub key: String,
    /// The write, the nodes that held it, and what befell each.
    pub detail: String,
    /// By what name it is excused; `null` if it is a violation.
    pub excuse: Option<String>,
}

/// A fault as it fired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultFired {
    /// Simulated seconds.
    pub at_s: f64,
    /// When it ended; `null` if it stayed.
    pub until_s: Option<f64>,
    /// `crash`, `partition`, …
    pub kind: String,
    /// The nodes it was for, by name; groups for a partition.
    pub nodes: Vec<Vec<String>>,
    /// How many it hit. A cut with nobody on one side hits none, nor does damage to a disk on
    /// which there is nothing.
    pub hit: u32,
    /// What all nodes saw of others from its beginning to its end, or the run's: whatever else
    /// was in force then had its share in it.
    pub seen: FailureObservations,
}

/// A property that broke without an excuse.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// Simulated seconds.
    pub at_s: f64,
    /// The name of the check.
    pub check: String,
    /// What broke.
    pub detail: String,
    /// The node at which it broke; `null` where it is nobody's alone.
    pub node: Option<String>,
    /// The event that was being handled.
    pub cause: String,
}

/// An expectation that did not hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unmet {
    /// The path of the number.
    pub metric: String,
    /// What it was; `null` where there were no samples.
    pub value: serde_json::Value,
    /// What it should have been, in words.
    pub bound: String,
}

/// What a run cost. What the system can't measure is zero: the memory and the CPU time outside of
/// Unix, and all but the events where there is no clock, as on `wasm32-unknown-unknown`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Events handled after t = 0.
    pub events: u64,
    /// CPU seconds, without the set-up.
    pub cpu_s: f64,
    /// Seconds on the clock, without the set-up.
    pub wall_s: f64,
    /// The process's greatest resident memory so far.
    pub peak_rss_bytes: u64,
}
