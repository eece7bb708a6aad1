//! What a scenario says, checked and ready to run.
//!
//! A scenario is data: nothing here runs a node, draws a random number or knows which world
//! will play it. [`Scenario::parse`] reads the TOML form, which is a public interface that
//! changes only by adding; these are the types that the worlds read.

mod diagnostic;
mod effort;
mod expect;
mod fault;
mod fault_kind;
mod frame;
mod latency;
mod machine_fault;
mod matrix;
mod node;
mod parse;
pub mod quantity;
mod reseed;
mod ring;
mod room;
mod schema;
mod section;
mod selector;
mod selector_text;
mod sessions;
#[cfg(test)]
mod spoilt;
mod syntax;
#[cfg(test)]
mod tests;
mod timing;
mod traffic;
mod workload;

use std::time::Duration;

use cuerda_core::chord::Config;

pub use cuerda_text::diagnostic::{Diagnostic, Problem, Style};
pub use effort::Effort;
pub use fault_kind::{Disk, DiskFault, FaultKind};
pub use latency::Latency;
pub use parse::Overrides;
pub use sessions::{Lengths, SessionEnd, Sessions};
pub use timing::{Fault, Repeat, Repeats};

/// The most nodes that a scenario can start with, or that one fault can make join.
pub const MOST_NODES: u32 = 10_000_000;

/// The most machines that fit the `turmoil` world, those of newcomers included.
pub const TURMOIL_NODES: u32 = 64;

/// The most machines that fit the `containers` world, those of newcomers included: each is a
/// process that competes with the others for the cores of one host.
pub const CONTAINERS_NODES: u32 = 20;

/// A checked scenario: every value is in range and every time lies within the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The name of its file, without folder and ending.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// The world it is played in unless another is asked for.
    pub world: World,
    /// The seed of every random choice.
    pub seed: u64,
    /// How long it lasts, in simulated time from t = 0.
    pub duration: Duration,
    /// How long the quiet phase after the end lasts at most. Without, as long as the protocol's
    /// periods ask for; zero leaves it out.
    pub quiet: Option<Duration>,
    /// What is checked while it runs.
    pub checks: Checks,
    /// By which checks it fails until the protocol is mended, and by no other; empty for those
    /// that must pass. It changes no verdict.
    pub known_to_fail: Vec<String>,
    /// How many nodes there are at t = 0.
    pub nodes: u32,
    /// How many of them each process has: n0 and the next ones are those of the first. They share an
    /// address and a key, and what happens to one of them by itself happens to all.
    pub virtual_nodes: u8,
    /// How the ring comes about.
    pub start: Start,
    /// Every node's settings.
    pub node: Config,
    /// What the network does to messages.
    pub network: Network,
    /// What clients do.
    pub workloads: Vec<Workload>,
    /// Who comes and goes.
    pub churn: Vec<Churn>,
    /// Where chance goes another way.
    pub reseeds: Vec<Reseed>,
    /// What goes wrong, in the order of the file.
    pub faults: Vec<Fault>,
    /// What the report must say for the run to pass.
    pub expectations: Vec<Expectation>,
}

/// The worlds that a scenario can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum World {
    /// The discrete-event engine.
    Events,
    /// The whole program, down to its bytes, on simulated sockets.
    Turmoil,
    /// The deployed program in containers, on a real network and in real time.
    Containers,
}

impl World {
    /// What scenarios and reports call it. The feature that it is built with has this name too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            World::Events => "events",
            World::Turmoil => "turmoil",
            World::Containers => "containers",
        }
    }
}

/// Which checkers watch a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// The properties of the ring, after every change.
    pub ring: bool,
    /// Look-ups, against an oracle.
    pub lookups: bool,
    /// Records: that nothing acknowledged is lost, and what readers find.
    pub records: bool,
    /// The steps of the protocol: that nodes say what it prescribes when they must, and nothing
    /// when they must not. Only in the `events` world, which sees what is said.
    pub protocol: bool,
}

/// How the ring comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// All tables are perfect at t = 0.
    Ideal,
    /// One node founds a ring and the others join it one after another, before t = 0.
    Join,
}

/// What the network does to each message.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// How long one is under way.
    pub latency: Latency,
    /// The share that is lost, 0 to 1.
    pub loss: f64,
    /// The share that arrives twice, 0 to 1.
    pub duplicate: f64,
    /// The share of pairs of machines that never reach each other, 0 to 1.
    pub broken_links: f64,
    /// How far time goes at once in the `turmoil` world; whole milliseconds, at least one. The
    /// `events` world has no steps.
    pub tick: Duration,
}

/// Requests from clients: a Poisson process over the whole ring, each from a random live node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workload {
    /// What is asked.
    pub kind: WorkloadKind,
    /// How many a second, over the whole ring.
    pub rate: f64,
    /// When it starts.
    pub from: Duration,
    /// When it ends; at most the scenario's duration.
    pub until: Duration,
}

/// What a workload asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WorkloadKind {
    /// Look-ups of keys drawn evenly from the circle.
    Lookup,
    /// Look-ups of the keys of records.
    KeyLookup(Popularity),
    /// Reads and writes of records.
    Records(Access),
}

/// Which of the keys `k0`, `k1`, … are asked for, and how unevenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Popularity {
    /// How many keys there are.
    pub keys: u32,
    /// The exponent of the skew over them: key `ki` is asked for in proportion to (i+1)^-zipf.
    /// 0 is even.
    pub zipf: f64,
}

/// Reads and writes of records whose keys are named `k0`, `k1`, …; the field's name is empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Access {
    /// How many keys there are.
    pub keys: u32,
    /// The exponent of the skew over them: key `ki` is asked for in proportion to (i+1)^-zipf.
    /// 0 is even.
    pub zipf: f64,
    /// The share of reads: 0 for `put`, 1 for `get`.
    pub reads: f64,
    /// The share of the writes that delete.
    pub deletes: f64,
    /// The share of the writes that compare and set: done only if the stamp that the workload
    /// saw last for the key still stands.
    pub conditional: f64,
    /// The least and the most bytes of a value. It is longer where its number does not fit.
    pub value: (u32, u32),
    /// How long a value lives; for good without.
    pub lives: Option<Duration>,
    /// The share of the reads that go to a key which a client has deleted, and nobody has written
    /// to since.
    pub reads_of_deleted: f64,
    /// How many keys the conditional writes go to, the first ones; `None` if they go where all
    /// others do.
    pub conditional_keys: Option<u32>,
    /// How many clients there are, at least one.
    pub clients: u32,
    /// What they hand back with each request.
    pub hands_back: HandsBack,
}

/// What a client hands back, for its writes to come after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HandsBack {
    /// The last stamp that it saw.
    #[default]
    LastSeen,
    /// Nothing.
    Nothing,
    /// What a clock of its own shows. That of the first client is behind by this, that of the last
    /// one ahead, and the others lie evenly between them.
    OwnClock(Duration),
}

impl Scenario {
    /// Whether anything is written.
    #[must_use]
    pub fn writes(&self) -> bool {
        let writes = |workload: &Workload| match workload.kind {
            WorkloadKind::Lookup | WorkloadKind::KeyLookup(_) => false,
            WorkloadKind::Records(access) => access.reads < 1.0,
        };
        self.workloads.iter().any(writes)
    }
}

/// Coming and going: three Poisson processes over the whole ring, in events a second, and nodes that
/// stay for a while each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// New nodes joining through a random live member.
    pub join: f64,
    /// Random members leaving gracefully.
    pub leave: f64,
    /// Random members crashing.
    pub crash: f64,
    /// How long nodes stay and are away: those that are there when it starts, and its own newcomers.
    pub sessions: Option<Sessions>,
    /// Nobody goes where fewer members than this would be left.
    pub keep: u32,
    /// When it starts.
    pub from: Duration,
    /// When it ends.
    pub until: Duration,
}

/// From a moment on, what the network does to messages and the jitter of timers are drawn from
/// another seed: up to it the run is the same, and from there on another one of the same story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reseed {
    /// When.
    pub at: Duration,
    /// The other seed.
    pub seed: u64,
}

/// Names nodes; resolved when the fault fires, among the members unless it says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Selector {
    /// `n7`: the node with this number.
    Node(u32),
    /// `n10..n19`: those with these numbers, both included.
    Range(u32, u32),
    /// `machine(n3)`: all nodes of the process that has this one.
    Machine(u32),
    /// `outside`: those that run and are no members.
    Outside,
    /// `down`: those that don't run.
    Down,
    /// `5`: that many, at random.
    Count(u32),
    /// `20%`: that share of all live ones, at random among those that no earlier entry took;
    /// 0 to 1.
    Share(f64),
    /// `owner(key:K)`: whoever owns the key.
    Owner(String),
    /// `successors(key:K, i)`: the first i holders of the key, the owner first.
    Successors(String, u32),
    /// `arc(a..b)`: those between two fractions of the circle, half-open. It wraps where the
    /// second is less than the first; equal ones name nobody.
    Arc(f64, f64),
    /// `rest`: all that no earlier entry of the list took.
    Rest,
    /// Several; none is taken twice.
    List(Vec<Selector>),
}

/// Something of the report that an expectation can bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Where it stands in the report, such as `lookups.hops.mean`.
    pub path: String,
    /// What it is.
    pub kind: MetricKind,
}

/// What an expectation can ask of something in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Bounds, or an exact number.
    Number,
    /// Whether it is true.
    Truth,
    /// An exact text.
    Text,
}

/// A bound on a number of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Where the number stands in the report, such as `lookups.hops.mean`.
    pub metric: String,
    /// What it must be.
    pub bound: Bound,
}

/// What a number must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// Neither below the first nor above the second; either may be open.
    Range {
        /// The least.
        min: Option<f64>,
        /// The greatest.
        max: Option<f64>,
    },
    /// Exactly this number, truth value or text.
    Equals(serde_json::Value),
    /// A list of nothing but these.
    Among(Vec<String>),
}
