//! The worlds in which nodes run, and how they tell what happens there.
//!
//! A world plays a scenario: it delivers messages and timers, and does to the nodes what the
//! scenario says. It judges nothing. Whoever wants to know is a [`Watcher`], called at once for
//! all that matters to a checker or a statistic; a world with an idle watcher pays nothing.

mod chord;
mod clock;
#[cfg(feature = "containers")]
pub mod containers;
#[cfg(feature = "turmoil")]
pub mod deterministic_tls;
mod digest;
pub mod events;
mod failure_observations;
mod lengths;
mod names;
mod paths;
mod random;
mod script;
mod simulated;
#[cfg(feature = "turmoil")]
pub mod turmoil;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use cuerda_core::protocol::{
    AccessError, Condition, Event, Input, LookupError, OwnerFound, Written,
};
use cuerda_core::record::Stamp;
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::Batch;

pub use digest::Digest;
pub use failure_observations::FailureObservations;
pub(crate) use names::EPOCH_MS;
use names::{PORT, address_of, moved, number_of};
pub(crate) use random::nanoseconds;
pub use random::{Random, RandomStream};
pub use simulated::Simulated;

/// Simulated time in nanoseconds since the world began. The scenario's t = 0 may come later
/// ([`World::origin`]).
pub type Time = u64;

/// One second of simulated time.
pub const SECOND: Time = 1_000_000_000;

/// When and why something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub now: Time,
    /// What was being handled.
    pub cause: Cause,
}

/// What was being handled. Nodes are numbers; n7 is node 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A message arrived.
    Message {
        /// Who sent it; `None` for an address that is nobody's.
        from: u32,
        /// Who received it.
        to: u32,
        /// What kind it is.
        kind: &'static str,
    },
    /// A timer was due.
    Timer {
        /// Whose.
        node: u32,
        /// What it was for.
        kind: &'static str,
    },
    /// A node was told to do something from outside.
    Order {
        /// Which.
        node: u32,
        /// What.
        kind: &'static str,
    },
    /// A fault of the scenario began.
    FaultBegan(usize),
    /// A fault of the scenario ended.
    FaultEnded(usize),
    /// The churn of the scenario.
    Churn(&'static str),
    /// The scenario is over, and all that disturbs the network ends.
    Calm,
    /// The world's beginning.
    Start,
    /// The end of the run.
    End,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Cause::Message { from, to, kind } => write!(f, "{kind} from n{from} to n{to}"),
            Cause::Timer { node, kind } => write!(f, "timer {kind} of n{node}"),
            Cause::Order { node, kind } => write!(f, "order {kind} to n{node}"),
            Cause::FaultBegan(index) => write!(f, "begin of fault {}", index + 1),
            Cause::FaultEnded(index) => write!(f, "end of fault {}", index + 1),
            Cause::Churn(kind) => write!(f, "churn: {kind}"),
            Cause::Calm => f.write_str("begin of the quiet phase"),
            Cause::Start => f.write_str("start"),
            Cause::End => f.write_str("end of the run"),
        }
    }
}

/// How a member ceased to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It has handed over what it owned, and says good-bye.
    Left,
    /// It stopped without a word.
    Crashed,
    /// It lost all its successors.
    Stranded,
}

/// A look-up as a client sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LookupEnd {
    /// Its number.
    pub lookup: u64,
    /// Who asked.
    pub asker: u32,
    /// What for.
    pub key: Id,
    /// When it began.
    pub issued: Time,
    /// The owner's number and the way there, or why none was found.
    pub result: Result<(u32, OwnerFound), LookupError>,
    /// Nodes that did not answer in time.
    pub timeouts: u32,
}

/// A write as a client issues it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WriteIssue {
    /// Its number, which no other read or write of the run has; its value says it.
    pub write: u64,
    /// Whom the client asks.
    pub asker: u32,
    /// Which record. The field's name is empty.
    pub key: Id,
    /// Whether it deletes.
    pub deletes: bool,
    /// How long its value lives, if not for good.
    pub lives: Option<Duration>,
    /// What must be there for it to be done.
    pub condition: Condition,
    /// The last stamp that the client has seen.
    pub past: Stamp,
}

/// A write as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteEnd {
    /// What was asked.
    pub issue: WriteIssue,
    /// When it began.
    pub issued: Time,
    /// Where it stands, or why it was not done. It may have been done all the same.
    pub result: Result<Written, AccessError>,
}

/// A reading as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadEnd {
    /// Its number.
    pub read: u64,
    /// Who asked.
    pub asker: u32,
    /// Which record.
    pub key: Id,
    /// When it began.
    pub issued: Time,
    /// What was found, or why nothing could be.
    pub result: Result<Reading, AccessError>,
}

/// What a reading found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// What the field holds; `None` if it is not there.
    pub seen: Option<Seen>,
    /// Whether the key's owner answered for it.
    pub authoritative: bool,
    /// The number of that owner, if it is known.
    pub owner: Option<u32>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The write's stamp.
    pub stamp: Stamp,
    /// The number of the write whose value it is; `None` for a deletion, or for a value that has
    /// expired and is gone.
    pub write: Option<u64>,
    /// Whether there is a value that no client could have written.
    pub strange: bool,
    /// Whether its value has expired: to the client, nothing is there.
    pub expired: bool,
}

/// The peer that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Its number.
    pub number: u32,
    /// Whether its machine is up.
    pub up: bool,
}

/// How the disks of machines went out of reach for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskGone {
    /// All that was on them is lost.
    Lost,
    /// Their machines crashed, and never start again.
    Away,
    /// Their machines left the ring.
    Left,
}

/// A copy of which a client was told, and that nobody has heard of from who holds it: its machine
/// was killed right after it stored it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unheard {
    /// The machine's number.
    pub number: u32,
    /// Its node.
    pub id: Id,
    /// Which record.
    pub key: Id,
    /// The stamp of the write that it holds.
    pub stamp: Stamp,
    /// When it was killed.
    pub killed: Time,
}

/// A fault as it took effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Its place in the scenario.
    pub index: usize,
    /// Which time it is that a fault begins: each beginning of each fault has its own number.
    pub occurrence: usize,
    /// `crash`, `partition`, …
    pub kind: &'static str,
    /// The nodes it concerns, in groups: the parts of a partition, the two ends of a one-way
    /// cut, one group for all others.
    pub groups: Vec<Vec<u32>>,
    /// How many nodes it hits. A cut with nobody on one side hits none, nor does damage to a disk
    /// on which there is nothing.
    pub hit: u32,
    /// When it will end; `None` if it stays.
    pub until: Option<Time>,
}

/// A member as watchers see it.
#[derive(Debug)]
pub struct NodeView<'a, V: ?Sized> {
    /// Its number.
    pub number: u32,
    /// As others know it.
    pub peer: Peer,
    /// What its protocol shows of it.
    pub view: &'a V,
}

impl<V: ?Sized> Clone for NodeView<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: ?Sized> Copy for NodeView<'_, V> {}

/// What there is to see of a node in a world.
pub type View<W> = <<W as World>::Protocol as Simulated>::View;

/// A world as a conductor sees it.
pub trait World {
    /// What scenarios and reports call it.
    const NAME: &'static str;
    /// Whether its nodes run in real time, on machines that have other things to do too.
    const REAL_TIME: bool = false;
    /// What its nodes speak.
    type Protocol: Simulated;

    /// The scenario's t = 0 in the world's time.
    fn origin(&self) -> Time;
    /// What a right clock shows at the world's time 0, in milliseconds since 1970.
    fn epoch_ms(&self) -> u64 {
        EPOCH_MS
    }
    /// The world's time.
    fn now(&self) -> Time;
    /// The hash of every event so far.
    fn digest(&self) -> Digest;
    /// Events handled since t = 0.
    fn handled(&self) -> u64;
    /// Messages delivered since t = 0.
    fn delivered(&self) -> u64;
    /// Messages lost since t = 0: to chance, to cuts, and on the way to nodes that are down.
    fn lost(&self) -> u64;
    /// Bytes sent since t = 0.
    fn bytes(&self) -> u64;
    /// How many members there are now.
    fn members(&self) -> usize;
    /// All members now.
    fn each_member(&self) -> impl Iterator<Item = NodeView<'_, View<Self>>>;
    /// Bytes of messages about repairing records sent since t = 0; `None` where nobody can tell.
    fn repair_bytes(&self) -> Option<u64>;
    /// By the occurrence ([`Effect::occurrence`]): what nodes saw of others meanwhile.
    fn seen(&mut self) -> BTreeMap<usize, FailureObservations> {
        BTreeMap::new()
    }
    /// What this world did otherwise than the scenario says, or can't do; in sentences.
    fn notes(&self) -> &[String] {
        &[]
    }
    /// How many nodes run that want to be members and are none: they are still joining, lost all
    /// they knew, or have just started again. Whoever sleeps or is about to leave is not among them.
    fn outside(&self) -> usize;
    /// Whether nobody is left to be a network: no process runs, or a single one that has never been
    /// a member as far as it can know.
    fn is_deserted(&self) -> bool {
        false
    }
    /// The scenario is over. What disturbs the network, clocks and disks ends; machines that sleep
    /// for good are gone for good. Machines that are down stay so.
    fn calm(&mut self, watcher: &mut impl Watcher<Self::Protocol>);
    /// A client reads a key, from a random member.
    fn read(&mut self, key: Id, watcher: &mut impl Watcher<Self::Protocol>);
    /// Handles all that is due before `end`, and lets time pass until then.
    fn run_until(&mut self, end: Time, watcher: &mut impl Watcher<Self::Protocol>);
    /// Why the world can't go on, if it can't: what a program under test did that none may. What
    /// it tells after that means nothing.
    fn broken(&self) -> Option<&str> {
        None
    }
}

/// Watches a world. All methods do nothing unless implemented.
pub trait Watcher<P: Simulated> {
    /// A node became a member.
    fn joined(&mut self, _at: Moment, _node: NodeView<'_, P::View>) {}
    /// A member's neighbours changed.
    fn changed(&mut self, _at: Moment, _node: NodeView<'_, P::View>) {}
    /// So many nodes that have been members are up, are none now, and have not been told to leave.
    fn strays(&mut self, _at: Moment, _count: usize) {}
    /// A member ceased to be one.
    fn gone(&mut self, _at: Moment, _number: u32, _how: Gone) {}
    /// Several members ceased to be so at one instant. None of them is asked about in between.
    fn gone_together(&mut self, at: Moment, numbers: &[u32], how: Gone) {
        for &number in numbers {
            self.gone(at, number, how);
        }
    }
    /// A client began a look-up.
    fn lookup_issued(&mut self, _at: Moment, _lookup: u64, _asker: u32, _key: Id) {}
    /// A look-up ended.
    fn lookup_ended(&mut self, _at: Moment, _end: &LookupEnd) {}
    /// The asker stopped before its look-up ended.
    fn lookup_abandoned(&mut self, _at: Moment, _lookup: u64) {}
    /// A client issues a write.
    fn write_issued(&mut self, _at: Moment, _issue: &WriteIssue) {}
    /// A write ended.
    fn write_ended(&mut self, _at: Moment, _end: &WriteEnd) {}
    /// The asker stopped before this write ended.
    fn write_abandoned(&mut self, _at: Moment, _write: u64) {}
    /// A client began to read a key.
    fn read_issued(&mut self, _at: Moment, _read: u64, _asker: u32, _key: Id) {}
    /// A reading ended.
    fn read_ended(&mut self, _at: Moment, _end: &ReadEnd) {}
    /// The asker stopped before its reading ended.
    fn read_abandoned(&mut self, _at: Moment, _read: u64) {}
    /// What a node changed is on its disk; `id` is the node's.
    fn committed(&mut self, _at: Moment, _number: u32, _id: Id, _batch: &Batch) {}
    /// A holder was killed before it could tell that a copy is on its disk.
    fn unheard(&mut self, _at: Moment, _copy: &Unheard) {}
    /// The record of a key on a disk is no longer what was written.
    fn spoilt(&mut self, _at: Moment, _number: u32, _key: Id) {}
    /// The disks of these machines are gone for good, all at one instant.
    fn disks_gone(&mut self, _at: Moment, _numbers: &[u32], _how: DiskGone) {}
    /// The disks of these machines, whose nodes have these ids, hold the records of the batch now and
    /// no others; all at one instant.
    fn disks_replaced(&mut self, _at: Moment, _disks: &[(u32, Id, Batch)]) {}
    /// A fault began.
    fn fault_began(&mut self, _at: Moment, _effect: &Effect) {}
    /// A fault ended.
    fn fault_ended(&mut self, _at: Moment, _effect: &Effect) {}
    /// The side of a partition on which each node is now; `None` when all are together.
    fn sides(&mut self, _at: Moment, _sides: Option<&[u32]>) {}
    /// A node told something that no other method passes on. `about` is the peer it is about, if
    /// it is about one that has a number.
    fn on_event(
        &mut self,
        _at: Moment,
        _number: u32,
        _event: &Event<P::Told>,
        _about: Option<Subject>,
    ) {
    }
    /// A node is about to be handed something. `standing` says where it stands towards the network,
    /// in a word, and is asked only by those who want to know.
    fn handed(&mut self, _at: Moment, _number: u32, _standing: &dyn Fn() -> &'static str) {}
    /// Whether it wants to be told what this node handles and says: the next three methods. A world
    /// asks before each input, and collects nothing for those who don't. Only the `events` world,
    /// where messages are values, can tell.
    fn follows_steps(&self, _number: u32) -> bool {
        false
    }
    /// A node is about to handle this.
    fn handles(&mut self, _at: Moment, _number: u32, _input: &Input<P>) {}
    /// While it handled it, the node sent this, in this order; it may get lost.
    fn sent(&mut self, _at: Moment, _number: u32, _to: Peer, _message: &P::Message) {}
    /// It has handled it, and whatever it told meanwhile has been passed on.
    fn handled(&mut self, _at: Moment, _node: NodeView<'_, P::View>) {}
    /// An event is about to be handled: the counterpart of a log line, made only if called.
    fn handling(&mut self, _number: u64, _now: Time, _line: &dyn Fn() -> String) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl<P: Simulated> Watcher<P> for Nobody {}
