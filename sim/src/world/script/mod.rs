//! What a scenario does to a world, whichever world it is: who looks things up, who comes and
//! goes, what goes wrong and to whom, and who is a member.
//!
//! All worlds play the same script: they draw the same random numbers in the same order, so that
//! one scenario and seed has the same ids, the same look-ups and the same faults in each. What a
//! machine is, how time passes and how a message travels is the world's own business; the script
//! reaches it through [`Machines`] alone.
//!
//! ```text
//!   mod.rs       the script's state, and what it must be able to do to a world
//!   plan.rs      when the scenario does what;     clients.rs  workloads and churn
//!   faults.rs    what goes wrong;                 select.rs   to whom
//!   cuts.rs      the network's faults in force;   members.rs  who is a member
//!   lookups.rs   look-ups under way;              told.rs     what nodes tell, passed on
//!   records.rs   clients of records;              disks.rs    disks that go wrong
//!   start.rs     how the ring comes about;       sights.rs  what nodes see of faults
//! ```

mod clients;
pub(super) mod cuts;
mod disks;
mod faults;
mod lookups;
mod members;
mod plan;
mod records;
mod select;
mod sights;
pub(super) mod start;
mod told;

use std::collections::BTreeSet;
use std::sync::Arc;

use cuerda::host::Identity;
use cuerda_core::chord::{Input, Node};
use cuerda_core::store::MemoryStore;

use super::{Effect, Moment, Purpose, Random, Sights, Time, Watcher};
use crate::scenario::{Disk, DiskFault, FaultKind, Scenario, TURMOIL_NODES};
pub(super) use clients::{add, enter};
use cuts::Cuts;
pub(super) use disks::{Broken, broke};
use lookups::OpenLookups;
use members::Members;
pub(super) use plan::{Control, control, plan};
use records::Clients;
pub(super) use records::read;
pub(super) use sights::seen;
pub(super) use told::{pass_on, take_down};

/// The script of one run, as far as it has been played.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) scenario: Arc<Scenario>,
    pub(super) members: Members,
    lookups: OpenLookups,
    records: Clients,
    /// Who was told to leave and has not gone yet.
    leaving: BTreeSet<u32>,
    controls: Vec<Control>,
    /// The faults in force.
    faults: Vec<Effect>,
    sights: sights::Watched,
    ids: Random,
    workload: Random,
    churn: Random,
    chooser: Random,
    contacts: Random,
    /// The scenario's t = 0.
    pub(super) origin: Time,
}

impl Script {
    pub(super) fn new(scenario: &Arc<Scenario>, seed: u64) -> Script {
        let stream = |purpose| Random::new(seed, purpose);
        Script {
            scenario: Arc::clone(scenario),
            members: Members::default(),
            lookups: OpenLookups::default(),
            records: Clients::new(scenario, seed),
            leaving: BTreeSet::new(),
            controls: Vec::new(),
            faults: Vec::new(),
            sights: sights::Watched::default(),
            ids: stream(Purpose::Ids),
            workload: stream(Purpose::Workload),
            churn: stream(Purpose::Churn),
            chooser: stream(Purpose::Faults),
            contacts: stream(Purpose::Contacts),
            origin: 0,
        }
    }

    /// The key of the next machine. Rings that fit the `turmoil` world have real key pairs, in
    /// every world, so that ids agree; in larger ones nobody has to prove anything, and the bytes
    /// drawn are taken for the public key.
    pub(super) fn next_key(&mut self) -> Key {
        let mut drawn = [0; 32];
        self.ids.fill(&mut drawn);
        let real = self.scenario.nodes <= TURMOIL_NODES;
        Key {
            seed: drawn,
            public: if real { public(drawn) } else { drawn },
        }
    }

    /// How a control is told, for a listener.
    pub(super) fn describe(&self, place: u32) -> String {
        format!("{:?}", self.controls[place as usize])
    }

    /// Whether a fault in force will start this machine again when it ends.
    fn returns(&self, number: u32) -> bool {
        let starts_again = |effect: &&Effect| {
            let kind = &self.scenario.faults[effect.index].kind;
            let stops = match kind {
                FaultKind::Crash { .. } | FaultKind::Leave { .. } => true,
                FaultKind::Disk { what, .. } => {
                    matches!(what, DiskFault::Fails | DiskFault::Torn)
                }
                _ => false,
            };
            stops && effect.until.is_some() && effect.groups[0].contains(&number)
        };
        self.faults.iter().any(|effect| starts_again(&effect))
    }

    /// The part that a new machine is in under this fault: that of all whom nobody named.
    fn last_part(&self, index: usize) -> u32 {
        let effect = self.faults.iter().find(|effect| effect.index == index);
        effect.map_or(0, |effect| effect.groups.len() as u32 - 1)
    }
}

/// A machine's key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// The secret half, where there is one.
    pub(super) seed: [u8; 32],
    pub(super) public: [u8; 32],
}

/// The public half of the key pair with this secret half.
pub(super) fn public(seed: [u8; 32]) -> [u8; 32] {
    Identity::from_seed(seed).public_key()
}

/// All that a script asks of the world it is played in.
pub(super) trait Machines: super::World {
    fn script(&self) -> &Script;
    fn script_mut(&mut self) -> &mut Script;

    /// How many machines there are, up or down.
    fn machines(&self) -> u32;
    /// The node of a machine: its last one, if it is down.
    fn node(&self, number: u32) -> &Node;
    fn is_up(&self, number: u32) -> bool;
    fn is_paused(&self, number: u32) -> bool;

    /// Adds a machine that is down, and returns its number.
    fn add(&mut self) -> u32;
    /// Starts a machine: a new incarnation of its node, which knows nothing yet.
    fn boot(&mut self, number: u32);
    /// Starts a machine for the first time, as a member with these tables.
    fn boot_member(&mut self, number: u32, node: Node);
    /// The members that were started so begin to work, all together.
    fn resume(&mut self);
    /// These machines are about to be stopped together. Where that takes time it is done now, and
    /// what was told until it was done is passed on.
    fn strike(&mut self, _numbers: &[u32], _watcher: &mut impl Watcher) {}
    /// Whether a machine is on its way out already, while the script still takes it for up.
    fn is_struck(&self, _number: u32) -> bool {
        false
    }
    /// Stops a machine at once: nothing comes to it any more.
    fn stop(&mut self, number: u32);
    /// What was on the disk of a machine that is down is gone.
    fn lose_disk(&mut self, number: u32);
    /// Reads or changes what a machine has stored, if it has stored anything.
    fn with_store<T>(&mut self, number: u32, act: impl FnOnce(&mut MemoryStore) -> T) -> Option<T>;
    /// Each commit of this machine takes so many nanoseconds more, or less if it is negative.
    fn slow_disk(&mut self, number: u32, by: i64);
    /// The disk of this machine is about to break, and the node with it; or no longer.
    fn break_disk(&mut self, number: u32, how: Option<Broken>, watcher: &mut impl Watcher);
    /// Gives an order to a node.
    fn order(&mut self, number: u32, input: Input, kind: &'static str, watcher: &mut impl Watcher);

    /// One more fault pauses this machine.
    fn pause(&mut self, number: u32);
    /// One fault less does.
    fn wake(&mut self, number: u32);
    /// Its wall clock is off by so much more.
    fn skew(&mut self, number: u32, by_ms: i64);
    /// Reads or changes the network's faults.
    fn cuts<T>(&mut self, act: impl FnOnce(&mut Cuts) -> T) -> T;

    /// What all nodes have seen of others so far.
    fn seen_so_far(&mut self) -> Sights;
    /// How much later than now an order reaches its node.
    fn lag(&self) -> Time {
        0
    }

    /// Calls [`control`] with this place when it is time, if the run lasts so long.
    fn schedule(&mut self, time: Time, place: u32);

    /// What is being done from outside, now.
    fn moment(&self, cause: super::Cause) -> Moment {
        Moment {
            now: self.now(),
            cause,
        }
    }
}

/// Whether what a node remembered is found again.
const fn is_kept(disk: Disk) -> bool {
    matches!(disk, Disk::Kept)
}
