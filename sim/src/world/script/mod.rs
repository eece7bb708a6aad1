//! What a scenario does to a world, whichever world it is: who looks things up, who comes and
//! goes, what goes wrong and to whom, and who is a member.
//!
//! All worlds play the same script: they draw the same random numbers in the same order, so that
//! one scenario and seed has the same ids, the same look-ups and the same faults in each. What a
//! machine is, how time passes and how a message travels is the world's own business; the script
//! reaches it through [`machines::Machines`] alone, which knows no protocol.
//!
//! ```text
//!   mod.rs                   the script's state
//!   machines.rs              what it asks of a world
//!   plan.rs                  does what is due
//!   agenda.rs                when that is
//!   clients.rs               workloads and churn
//!   sessions.rs              how long nodes stay and are away
//!   coming.rs                how nodes come and go
//!   occurrences.rs           when and how often something goes wrong
//!   faults.rs                what does
//!   aim.rs, select.rs        to whom
//!   processes.rs             what operators do to processes, disks and clocks
//!   network_faults.rs        the network's faults in force
//!   sides.rs                 who is cut off from whom
//!   lookups.rs               look-ups under way
//!   zipf.rs                  which of many keys
//!   records.rs               clients of records
//!   members.rs               who is a member
//!   events.rs                what nodes tell, passed on
//!   disks.rs                 disks that go wrong
//!   failure_observations.rs  what nodes see of faults
//!   start.rs                 how the ring comes about
//!   quiet.rs                 what is left when the scenario is over
//! ```

mod agenda;
mod aim;
mod clients;
mod coming;
mod disks;
mod events;
mod failure_observations;
mod faults;
mod lookups;
mod machines;
mod members;
pub(super) mod network_faults;
mod occurrences;
mod plan;
mod processes;
mod quiet;
mod records;
mod select;
mod sessions;
mod sides;
pub(super) mod start;
mod zipf;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cuerda_core::ring::Peer;
use ed25519_dalek::SigningKey;

use super::{DiskGone, Effect, Random, RandomStream, Time};
use crate::scenario::{FaultKind, Popularity, Scenario, TURMOIL_NODES, Workload, WorkloadKind};
use agenda::Control;
pub(super) use agenda::plan;
pub(super) use coming::{add, enter, stop_twin};
pub(super) use disks::broke;
pub(super) use events::{pass_on, take_down};
pub(super) use failure_observations::seen;
use lookups::OpenLookups;
pub(super) use machines::{Broken, DiskCopy, Faults, Lifecycle, Machines, Orders};
use members::Members;
use occurrences::Occurrences;
pub(super) use plan::control;
pub(super) use quiet::{calm, is_deserted, outside};
use records::Clients;
pub(super) use records::read;
use sessions::Absent;
use zipf::Zipf;

/// The script of one run, as far as it has been played.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) scenario: Arc<Scenario>,
    pub(super) members: Members,
    lookups: OpenLookups,
    records: Clients,
    /// Who was told to leave and has not gone yet.
    leaving: BTreeSet<u32>,
    /// Who has been a member, is up and none now, and was not told to leave.
    strays: BTreeSet<u32>,
    /// Machines that lost their disk and have not been members since: what they have knows of no
    /// ring.
    blank: BTreeSet<u32>,
    /// By the machine: through which others it was told to join when it was started last.
    told: BTreeMap<u32, Vec<u32>>,
    controls: Vec<Control>,
    occurrences: Occurrences,
    /// By the occurrence that will bring them back: copies of disks.
    copies: BTreeMap<usize, Vec<(u32, DiskCopy)>>,
    /// The peers remembered on disks whose nodes do not know it.
    remembered: BTreeMap<u32, Vec<Peer>>,
    /// By the occurrence: since when it has made clocks wrong.
    wrong_since: BTreeMap<usize, Time>,
    /// Machines that stopped for good, unless a fault to come starts them.
    withheld: BTreeMap<u32, DiskGone>,
    /// The faults in force.
    faults: Vec<Effect>,
    failure_observations: failure_observations::Watched,
    ids: Random,
    /// The key of the node that was added last.
    last_key: Option<Key>,
    workload: Random,
    /// By the scenario's workloads: which keys they look up; `None` where all of the circle.
    popularities: Vec<Option<Zipf>>,
    churn: Random,
    sessions: Random,
    /// Processes that are away and come back, by their first nodes.
    absent: Absent,
    chooser: Random,
    fault_times: Random,
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
            strays: BTreeSet::new(),
            blank: BTreeSet::new(),
            told: BTreeMap::new(),
            controls: Vec::new(),
            occurrences: Occurrences::default(),
            copies: BTreeMap::new(),
            remembered: BTreeMap::new(),
            wrong_since: BTreeMap::new(),
            withheld: BTreeMap::new(),
            faults: Vec::new(),
            failure_observations: failure_observations::Watched::default(),
            ids: stream(RandomStream::Ids),
            last_key: None,
            workload: stream(RandomStream::Workload),
            popularities: scenario.workloads.iter().map(popularity).collect(),
            churn: stream(RandomStream::Churn),
            sessions: stream(RandomStream::Sessions),
            absent: Absent::default(),
            chooser: stream(RandomStream::Faults),
            fault_times: stream(RandomStream::FaultTimes),
            contacts: stream(RandomStream::Contacts),
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

    /// How many nodes a process has.
    pub(super) fn per_process(&self) -> u32 {
        u32::from(self.scenario.virtual_nodes).max(1)
    }

    /// All nodes of the process that this one belongs to.
    pub(super) fn siblings(&self, number: u32) -> std::ops::Range<u32> {
        let each = self.per_process();
        let first = number - number % each;
        first..first + each
    }

    /// The key of the next node, which will have this number: that of its process.
    pub(super) fn key_of_next(&mut self, number: u32) -> Key {
        match self.last_key {
            Some(key) if !number.is_multiple_of(self.per_process()) => key,
            _ => {
                let key = self.next_key();
                self.last_key = Some(key);
                key
            }
        }
    }

    /// How a control is told, for a listener.
    pub(super) fn describe(&self, place: u32) -> String {
        format!("{:?}", self.controls[place as usize])
    }

    /// Whether a fault in force will start this machine again when it ends, or its absence will end.
    fn returns(&self, number: u32) -> bool {
        let starts_again = |effect: &&Effect| {
            let kind = &self.scenario.faults[effect.index].kind;
            let stops = match kind {
                FaultKind::Crash { .. }
                | FaultKind::Restart { .. }
                | FaultKind::Move { .. }
                | FaultKind::Snapshot { .. }
                | FaultKind::Leave { .. } => true,
                FaultKind::Disk { what, .. } => what.stops(),
                _ => false,
            };
            stops && effect.until.is_some() && effect.groups[0].contains(&number)
        };
        let is_absent = self.absent.contains(&self.siblings(number).start);
        let is_next = self.occurrences.will_start(number);
        is_absent || is_next || self.faults.iter().any(|effect| starts_again(&effect))
    }

    /// The part that a new machine is in under this occurrence: that of all whom nobody named.
    fn last_part(&self, occurrence: usize) -> u32 {
        let mut faults = self.faults.iter();
        let effect = faults.find(|effect| effect.occurrence == occurrence);
        effect.map_or(0, |effect| effect.groups.len() as u32 - 1)
    }
}

/// Which keys a workload looks up, unless they come from all of the circle.
fn popularity(workload: &Workload) -> Option<Zipf> {
    match workload.kind {
        WorkloadKind::KeyLookup(Popularity { keys, zipf }) => Some(Zipf::new(keys, zipf)),
        WorkloadKind::Lookup | WorkloadKind::Records(_) => None,
    }
}

/// A machine's key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// The secret half, where there is one.
    #[cfg_attr(
        not(any(feature = "turmoil", feature = "containers")),
        expect(dead_code, reason = "nobody proves a key to nodes as values")
    )]
    pub(super) seed: [u8; 32],
    pub(super) public: [u8; 32],
}

/// The public half of the key pair with this secret half.
pub(super) fn public(seed: [u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(&seed).verifying_key().to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 1.
    const SECRET: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
        0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
        0x7f, 0x60,
    ];
    const PUBLIC: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07,
        0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07,
        0x51, 0x1a,
    ];

    #[test]
    fn a_public_key_is_that_of_ed25519() {
        assert_eq!(public(SECRET), PUBLIC);
    }

    /// Otherwise the ids of a scenario would differ from world to world.
    #[test]
    #[cfg(feature = "turmoil")]
    fn a_public_key_is_the_one_that_the_program_proves() {
        for seed in [[0; 32], [0xff; 32], SECRET] {
            assert_eq!(
                public(seed),
                cuerda::host::Identity::from_seed(seed).public_key()
            );
        }
    }
}
