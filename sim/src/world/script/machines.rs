//! All that a script asks of the world it is played in.

use std::sync::Arc;

use cuerda_core::protocol::{Input, Protocol};
use cuerda_core::ring::Peer;
use cuerda_core::store::MemoryStore;

use super::Script;
use super::network_faults::NetworkFaults;
use crate::world::{
    Cause, FailureObservations, Moment, NodeView, Time, View, Watcher, World, number_of,
};

/// The settings of a world's nodes.
type Config<W> = <<W as World>::Protocol as Protocol>::Config;

/// Machines, and the nodes that run on them: what there is, and how they start and stop.
pub(in crate::world) trait Lifecycle: World {
    fn script(&self) -> &Script;
    fn script_mut(&mut self) -> &mut Script;
    /// The settings of all nodes.
    fn config(&self) -> Arc<Config<Self>>;

    /// How many machines there are, up or down.
    fn machines(&self) -> u32;
    /// The node of a machine as others know it: its last one, if it is down.
    fn peer(&self, number: u32) -> Peer;
    /// The number of the node that is this peer, if it has one.
    fn number_of(&self, peer: Peer) -> Option<u32> {
        number_of(peer.address)
    }
    /// What there is to see of that node.
    fn view(&self, number: u32) -> &View<Self>;
    /// Whether that node belongs to a ring.
    fn is_member(&self, number: u32) -> bool;
    /// The peers that it should be told of again after a restart.
    fn remembered(&self, number: u32) -> Vec<Peer>;
    /// Counts the starts of a machine.
    fn incarnation(&self, number: u32) -> u32;
    fn is_up(&self, number: u32) -> bool;
    /// Whether a machine is on its way out already, while the script still takes it for up.
    fn is_killed(&self, _number: u32) -> bool {
        false
    }

    /// Adds a machine that is down, and returns its number.
    fn add(&mut self) -> u32;
    /// Starts a machine: a new incarnation of its node, which knows nothing yet.
    fn boot(&mut self, number: u32);
    /// Starts a machine for the first time, with this node, which is a member.
    fn boot_member(&mut self, number: u32, node: Self::Protocol);
    /// The members that were started so begin to work, all together.
    fn resume(&mut self);
    /// These machines are about to be stopped together. Where that takes time it is done now, and
    /// what was told until it was done is passed on.
    fn kill(&mut self, _numbers: &[u32], _watcher: &mut impl Watcher<Self::Protocol>) {}
    /// Stops a machine at once: nothing comes to it any more.
    fn stop(&mut self, number: u32);

    /// From now on what the network does and the jitter of timers are drawn from this seed. Worlds
    /// that can't do so are given no scenario that asks for it.
    fn reseed(&mut self, _seed: u64) {}

    /// Calls [`control`](super::control) with this place when it is time, if the run lasts so long.
    fn schedule(&mut self, time: Time, place: u32);

    /// The node of a machine as watchers see it.
    fn seen_as(&self, number: u32) -> NodeView<'_, View<Self>> {
        NodeView {
            number,
            peer: self.peer(number),
            view: self.view(number),
        }
    }

    /// What is being done from outside, now.
    fn moment(&self, cause: Cause) -> Moment {
        Moment {
            now: self.now(),
            cause,
        }
    }
}

/// How a disk is about to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Broken {
    /// The next batch that should come to an end on the disk fails, and all behind it.
    Fails,
    /// The power goes while the last batch is on its way: what was sealed before it is there.
    Torn,
}

/// What is on the disk of a machine, as it was at a moment.
#[derive(Clone, Debug)]
pub(in crate::world) struct DiskCopy {
    /// The records; `None` if nothing was ever stored.
    pub(in crate::world) store: Option<Box<MemoryStore>>,
    /// How often its machine had started.
    pub(in crate::world) incarnation: u32,
    /// The peers remembered.
    pub(in crate::world) remembered: Vec<Peer>,
}

/// Why some of what follows has no meaning in some worlds.
const REFUSED: &str = "a scenario with such a fault is refused by this world";

/// What goes wrong with machines, their disks and clocks, and the network between them.
///
/// A world that can't do some of it refuses the scenario before it begins
/// ([`Scenario`](crate::scenario::Scenario)), and is never asked.
pub(in crate::world) trait Faults: Lifecycle {
    /// One more fault pauses this machine.
    fn pause(&mut self, number: u32);
    /// One fault less does.
    fn wake(&mut self, number: u32);
    fn is_paused(&self, number: u32) -> bool;
    /// Its wall clock is off by so much more.
    fn skew(&mut self, number: u32, by_ms: i64);

    /// What was on the disk of a machine that is down is gone.
    fn lose_disk(&mut self, number: u32);
    /// Reads or changes what a machine has stored, if it has stored anything.
    fn with_store<T>(&mut self, number: u32, act: impl FnOnce(&mut MemoryStore) -> T) -> Option<T>;
    /// Each commit of this machine takes so many nanoseconds more, or less if it is negative.
    fn slow_disk(&mut self, number: u32, by: i64);
    /// The disk of this machine is about to break, and the node with it; or no longer.
    fn break_disk(
        &mut self,
        number: u32,
        how: Option<Broken>,
        watcher: &mut impl Watcher<Self::Protocol>,
    );

    /// By itself the network loses nothing any more, and repeats nothing.
    fn calm_network(&mut self);

    /// Its wall clock gains so many more millionths of the time from now on.
    fn drift(&mut self, _number: u32, _by_ppm: i64) {
        unreachable!("{REFUSED}")
    }
    /// What is on the disk of a machine now.
    fn copy_disk(&self, _number: u32) -> DiskCopy {
        unreachable!("{REFUSED}")
    }
    /// A machine that is down has this on its disk from now on.
    fn put_disk(&mut self, _number: u32, _copy: DiskCopy) {
        unreachable!("{REFUSED}")
    }
    /// A machine that is down is at an address that it never had, from now on.
    fn relocate(&mut self, _number: u32) {
        unreachable!("{REFUSED}")
    }
    /// Adds a machine that is down, whose node has the key of this one's, and returns its number.
    fn add_twin(&mut self, _of: u32) -> u32 {
        unreachable!("{REFUSED}")
    }

    /// Reads or changes the network's faults.
    fn network_faults<T>(&mut self, act: impl FnOnce(&mut NetworkFaults) -> T) -> T;
    /// What all nodes have seen of others so far.
    fn seen_so_far(&mut self) -> FailureObservations;
}

/// Clients and operators, who give orders to nodes.
pub(in crate::world) trait Orders: Lifecycle {
    /// Gives an order to a node.
    fn order(
        &mut self,
        number: u32,
        input: Input<Self::Protocol>,
        kind: &'static str,
        watcher: &mut impl Watcher<Self::Protocol>,
    );

    /// How much later than now an order reaches its node.
    fn lag(&self) -> Time {
        0
    }
}

/// A world that a script can be played in.
pub(in crate::world) trait Machines: Lifecycle + Faults + Orders {}

impl<W: Lifecycle + Faults + Orders> Machines for W {}
