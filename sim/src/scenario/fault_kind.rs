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
    /// The nodes' processes are killed; when it ends they start again and join with what they
    /// remember. Nodes that are down start then, too.
    Restart {
        /// Which.
        nodes: Selector,
        /// Whether they find their disks again.
        disk: Disk,
    },
    /// The nodes' processes are killed; when it ends they start again with the same key and disk at
    /// an address that they never had.
    Move {
        /// Which.
        nodes: Selector,
    },
    /// The nodes' processes are killed, and when it ends they start again with a disk as it was
    /// before: its records, the peers remembered there and the count of its starts.
    Snapshot {
        /// Which, among those that were members when the copies were made.
        nodes: Selector,
        /// The copies were made so long before.
        age: Duration,
    },
    /// A second process starts for each of the nodes, with its key and a copy of its disk, at an
    /// address of its own; when it ends that process is killed for good.
    Twin {
        /// Which.
        nodes: Selector,
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
    /// Messages from the first to the second take longer; the others, and those the other way,
    /// don't.
    SlowLink {
        /// The senders.
        from: Selector,
        /// The receivers.
        to: Selector,
        /// How much, for each message.
        extra: Duration,
    },
    /// A share of the messages from the first to the second is lost.
    LossLink {
        /// The senders.
        from: Selector,
        /// The receivers.
        to: Selector,
        /// The share, 0 to 1.
        share: f64,
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
    /// The nodes' wall clocks are set, or run at another speed. When it ends they are right again.
    Clock {
        /// Which.
        nodes: Selector,
        /// They are set ahead by so many milliseconds; negative is back.
        jump_ms: i64,
        /// They gain so many millionths of the time that goes by; negative is slow.
        drift_ppm: i64,
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

impl FaultKind {
    /// Whom it hits, if it is about one selector's nodes.
    #[must_use]
    pub const fn nodes(&self) -> Option<&Selector> {
        match self {
            FaultKind::Crash { nodes, .. }
            | FaultKind::Restart { nodes, .. }
            | FaultKind::Move { nodes }
            | FaultKind::Snapshot { nodes, .. }
            | FaultKind::Twin { nodes }
            | FaultKind::Pause { nodes }
            | FaultKind::Slow { nodes, .. }
            | FaultKind::Loss { nodes, .. }
            | FaultKind::Reset { nodes, .. }
            | FaultKind::Skew { nodes, .. }
            | FaultKind::Clock { nodes, .. }
            | FaultKind::Disk { nodes, .. }
            | FaultKind::Leave { nodes } => Some(nodes),
            FaultKind::Partition { .. }
            | FaultKind::OneWay { .. }
            | FaultKind::SlowLink { .. }
            | FaultKind::LossLink { .. }
            | FaultKind::Join { .. } => None,
        }
    }

    /// What scenarios and reports call it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            FaultKind::Crash { .. } => "crash",
            FaultKind::Restart { .. } => "restart",
            FaultKind::Move { .. } => "move",
            FaultKind::Snapshot { .. } => "snapshot",
            FaultKind::Twin { .. } => "twin",
            FaultKind::Pause { .. } => "pause",
            FaultKind::Partition { .. } => "partition",
            FaultKind::OneWay { .. } => "one_way",
            FaultKind::Slow { .. } | FaultKind::SlowLink { .. } => "slow",
            FaultKind::Loss { .. } | FaultKind::LossLink { .. } => "loss",
            FaultKind::Reset { .. } => "reset",
            FaultKind::Skew { .. } => "skew",
            FaultKind::Clock { .. } => "clock",
            FaultKind::Disk { .. } => "disk",
            FaultKind::Leave { .. } => "leave",
            FaultKind::Join { .. } => "join",
        }
    }
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

impl DiskFault {
    /// Whether it stops the node, which starts again when it ends. The others leave a node as it is:
    /// who is down for another reason when they end stays down.
    #[must_use]
    pub const fn stops(self) -> bool {
        match self {
            DiskFault::Fails | DiskFault::Torn => true,
            DiskFault::Flip(_) | DiskFault::Slow(_) => false,
        }
    }
}
