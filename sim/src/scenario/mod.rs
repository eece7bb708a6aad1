//! What a scenario says, checked and ready to run.
//!
//! A scenario is data: nothing here runs a node, draws a random number or knows which world
//! will play it. [`Scenario::parse`] reads the TOML form, which is a public interface that
//! changes only by adding; these are the types that the worlds read.

mod diagnostic;
mod expect;
mod fault;
mod frame;
mod node;
mod parse;
pub mod quantity;
mod room;
mod schema;
mod section;
mod selector;
#[cfg(test)]
mod spoilt;
mod syntax;
#[cfg(test)]
mod tests;
mod traffic;
mod workload;

use std::time::Duration;

use cuerda_core::chord::Config;

pub use cuerda_text::diagnostic::{Diagnostic, Problem, Style};
pub use parse::Overrides;

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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// How long one is under way.
    pub latency: Latency,
    /// The share that is lost, 0 to 1.
    pub loss: f64,
    /// The share that arrives twice, 0 to 1.
    pub duplicate: f64,
    /// How far time goes at once in the `turmoil` world; whole milliseconds, at least one. The
    /// `events` world has no steps.
    pub tick: Duration,
}

/// How long a message is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Evenly between two bounds.
    Uniform(Duration, Duration),
    /// Exponential, with this mean.
    Exponential(Duration),
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
    /// Reads and writes of records.
    Records(Access),
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
}

impl Scenario {
    /// Whether anything is written.
    #[must_use]
    pub fn writes(&self) -> bool {
        let writes = |workload: &Workload| match workload.kind {
            WorkloadKind::Lookup => false,
            WorkloadKind::Records(access) => access.reads < 1.0,
        };
        self.workloads.iter().any(writes)
    }
}

/// Coming and going: three Poisson processes over the whole ring, in events a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// New nodes joining through a random live member.
    pub join: f64,
    /// Random members leaving gracefully.
    pub leave: f64,
    /// Random members crashing.
    pub crash: f64,
    /// When it starts.
    pub from: Duration,
    /// When it ends.
    pub until: Duration,
}

/// Something that goes wrong at a moment, and perhaps ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// When it begins.
    pub at: Duration,
    /// How long it lasts; it stays without.
    pub lasts: Option<Duration>,
    /// Whether it is right that it hits nobody; else the run fails then.
    pub may_miss: bool,
    /// What it does to whom.
    pub kind: FaultKind,
}

/// What a fault does to whom.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// The nodes stop at once; when it ends they start again with a new incarnation and join.
    Crash {
        /// Which.
        nodes: Selector,
        /// Whether they find their disks again.
        disk: Disk,
    },
    /// The nodes handle nothing; when it ends they handle what has come meanwhile.
    Pause {
        /// Which.
        nodes: Selector,
    },
    /// No message passes from one part to another. Who is in none of them is in the last one.
    Partition {
        /// The parts, at least two.
        split: Vec<Selector>,
    },
    /// No message passes from the first to the second; the other way all do.
    OneWay {
        /// The senders.
        from: Selector,
        /// The receivers.
        to: Selector,
    },
    /// Messages to and from the nodes take longer.
    Slow {
        /// Which.
        nodes: Selector,
        /// How much, for each message.
        extra: Duration,
    },
    /// A share of the messages to and from the nodes is lost.
    Loss {
        /// Which.
        nodes: Selector,
        /// The share, 0 to 1.
        share: f64,
    },
    /// Connections of the nodes, and those that they open meanwhile, are reset when some bytes
    /// have gone through. The `events` world has no connections, and nothing happens there.
    Reset {
        /// Which.
        nodes: Selector,
        /// Each connection lets so many more bytes through, TLS included.
        after: u64,
    },
    /// The nodes' wall clocks are off.
    Skew {
        /// Which.
        nodes: Selector,
        /// By how many milliseconds; negative is slow.
        by_ms: i64,
    },
    /// The nodes' disks go wrong.
    Disk {
        /// Which.
        nodes: Selector,
        /// How.
        what: DiskFault,
    },
    /// The nodes leave gracefully; when it ends they join again.
    Leave {
        /// Which.
        nodes: Selector,
    },
    /// New nodes join, at the same instant; when it ends they leave gracefully.
    Join {
        /// How many.
        count: u32,
    },
}

/// What a crash does to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// It is found again: the identity, and the peers remembered.
    Kept,
    /// It is lost: the node comes back knowing nothing. In the `turmoil` world its key lay there
    /// too, so that it comes back under another identity; in the `events` world nobody proves
    /// a key, and it keeps its own.
    Lost,
}

/// How a disk goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// The next commit fails, and with it the node: that is a crash. When the fault ends it
    /// starts again, with all that was committed before.
    Fails,
    /// The node crashes while a batch is on its way to the disk, and that batch is not there when
    /// it starts again. Where no batch is on its way, the next one is it.
    Torn,
    /// A bit flips in this many of the records there, at random; in all if there are fewer.
    Flip(u32),
    /// Each commit takes so long.
    Slow(Duration),
}

/// Names nodes; resolved among the live ones when the fault fires.
#[derive(Clone, Debug, PartialEq)]
pub enum Selector {
    /// `n7`: the node with this number.
    Node(u32),
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
