//! What can go wrong, and to whom. When it does is not told here.

use std::time::Duration;

use super::Selector;

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
