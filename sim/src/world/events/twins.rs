//! Processes that have one key, as those notice them who have connections with both.
//!
//! There are no connections in this world. Two processes are taken to have one with each other since
//! a message between them arrived, until none does for [`IDLE`]; who crashes does not close its
//! own. What the processes make of that is decided by [`twins`](cuerda_core::protocol::twins), as on
//! real sockets: who is asked whether it is there still, who is refused, told and stops. Here is
//! what the network does to it: looking takes time, and comes to nothing where one of the two ways
//! is cut. This decides nothing, and nothing is kept where no scenario starts a key twice.

use std::collections::BTreeMap;
use std::time::Duration;

use cuerda_core::protocol::twins::{Heard, Met, Refused, Start, Step, Twins};
use cuerda_core::ring::{Address, Id, Peer};

use super::queue::Entry;
use super::wire::wall_clock;
use super::{World, kind};
use crate::scenario::{FaultKind, Scenario};
use crate::world::{SECOND, Simulated, Time, Watcher, script};

/// How long a connection stays that nobody uses, as by the program's default settings.
const IDLE: Time = 300 * SECOND;
/// How long it takes until it is clear that nobody can be connected to, as by the same.
const CONNECT_TIMEOUT: Time = 10 * SECOND;
/// How often something crosses the network until two that connect have proved their keys: twice
/// there and back.
const CROSSINGS: u64 = 4;

/// What all processes know of each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Acquaintances {
    processes: BTreeMap<u32, Process>,
    /// What is under way, by the value of its queue entry.
    errands: BTreeMap<u32, Errand>,
    next_errand: u32,
}

/// A process, since it was started.
#[derive(Clone, Debug, Default)]
struct Process {
    start: Start,
    twins: Twins<Id>,
    /// Those it has connections with, by their keys, and when these were last used.
    known: BTreeMap<Id, Vec<(Heard, Time)>>,
}

/// What a process is about to find out.
#[derive(Clone, Copy, Debug)]
enum Errand {
    /// Whether the holder of this key is at an address.
    Look(Id, Address),
    /// That somebody says that a process with its own key is there.
    Told(Address),
}

impl Acquaintances {
    /// `None` if the scenario starts no key twice: then there is nothing to notice.
    pub(super) fn of(scenario: &Scenario) -> Option<Box<Acquaintances>> {
        let mut kinds = scenario.faults.iter().map(|fault| &fault.kind);
        let any = kinds.any(|kind| matches!(kind, FaultKind::Twin { .. }));
        any.then(Box::default)
    }

    fn process(&mut self, number: u32) -> &mut Process {
        self.processes.entry(number).or_default()
    }
}

impl Process {
    fn of_key(&self, key: Id) -> Vec<Heard> {
        let known = self.known.get(&key).into_iter().flatten();
        known.map(|(heard, _)| *heard).collect()
    }
}

impl<P: Simulated> World<P> {
    /// A process starts with this node. All nodes of one have the same start.
    pub(super) fn starts(&mut self, number: u32) {
        let siblings = self.script.siblings(number);
        let Some(acquaintances) = &mut self.acquaintances else {
            return;
        };
        let mut others = siblings.clone().filter(|&other| other != number);
        if others.any(|other| self.hosts[other as usize].up) {
            return;
        }
        let process = number / self.air.per_process;
        let host = &self.hosts[number as usize];
        let now = self.air.now;
        let start = Start {
            at_ms: wall_clock(now, host.clock.ahead_ms(now)),
            // No two starts have the same, and nothing else is asked of it.
            instance: u64::from(process) << 32 | u64::from(host.incarnation),
        };
        let begun = Process {
            start,
            ..Process::default()
        };
        acquaintances.processes.insert(process, begun);
    }

    /// The first node of a process, which stands for it.
    fn first(&self, process: u32) -> u32 {
        process * self.air.per_process
    }

    /// What a process has in place of a key.
    fn key(&self, process: u32) -> Id {
        self.hosts[self.first(process) as usize].node.me().id
    }

    fn heard(&mut self, process: u32) -> Heard {
        let address = self.hosts[self.first(process) as usize].node.me().address;
        let acquaintances = self.acquaintances.get_or_insert_default();
        let start = acquaintances.process(process).start;
        Heard { start, address }
    }

    /// How long this world has lasted.
    const fn age(&self) -> Duration {
        Duration::from_nanos(self.air.now)
    }

    /// Whether two processes can connect: both run, and what each says gets to the other.
    fn can_connect(&self, one: u32, other: u32) -> bool {
        let ends = [self.first(one), self.first(other)];
        let [from, to] = ends;
        let runs = |number: u32| {
            let host = &self.hosts[number as usize];
            host.up && host.paused == 0
        };
        let faults = &self.air.network_faults;
        let cut = faults.block(from, to) || faults.block(to, from);
        ends.into_iter().all(runs) && !cut && !self.air.paths.is_broken(from, to)
    }

    /// A message that was sent then is about to be handled by another node. False if it is not:
    /// the connection that it came by leads to the process's own key, or is refused.
    pub(super) fn meets(
        &mut self,
        from: u32,
        to: u32,
        sent: Time,
        watcher: &mut impl Watcher<P>,
    ) -> bool {
        if self.acquaintances.is_none() {
            return true;
        }
        let (from, to) = (from / self.air.per_process, to / self.air.per_process);
        if from == to {
            return true;
        }
        if self.key(from) == self.key(to) {
            if self.can_connect(from, to) {
                self.meet(from, to, watcher);
            }
            return false;
        }
        let came = self.hears(to, from);
        // What an earlier start of the sender knew is forgotten.
        let sender = &self.hosts[self.first(from) as usize];
        let knows = sender.up && sent >= sender.up_since;
        let went = !knows || self.hears(from, to);
        came && went
    }

    /// A process hears another, by a connection that both know. False if it refuses the other.
    fn hears(&mut self, process: u32, other: u32) -> bool {
        let (key, heard) = (self.key(other), self.heard(other));
        let (now, age) = (self.air.now, self.age());
        let acquaintances = self.acquaintances.get_or_insert_default();
        let process_of = acquaintances.process(process);
        let known = process_of.known.entry(key).or_default();
        known.retain(|(_, used)| now < used.saturating_add(IDLE));
        let newcomer = match known.iter_mut().find(|(known, _)| *known == heard) {
            Some((_, used)) => {
                *used = now;
                process_of.twins.not_gone(key, heard.start)
            }
            None => {
                known.push((heard, now));
                Some(heard.start)
            }
        };
        let Some(newcomer) = newcomer else {
            return true;
        };
        let known = process_of.of_key(key);
        match process_of.twins.heard(key, newcomer, &known, age) {
            None => true,
            Some(Step::Look(address)) => {
                self.look(process, key, address);
                true
            }
            Some(Step::Refuse(refused)) => {
                self.refuse(process, key, refused);
                refused.younger.start != heard.start
            }
        }
    }

    /// A process is told of peers, and connects to them. If one has its own key, both see it; if that
    /// is the process itself, there is nothing to see.
    pub(super) fn seeks(&mut self, number: u32, peers: &[Peer]) {
        let process = number / self.air.per_process;
        if self.acquaintances.is_none() {
            return;
        }
        let own = self.key(process);
        for peer in peers {
            let there = self.process_at(peer.address);
            if there.is_some_and(|there| there != process && self.key(there) == own) {
                self.look(process, own, peer.address);
            }
        }
    }

    /// The connection with the younger of two is closed, and both are told.
    fn refuse(&mut self, process: u32, key: Id, refused: Refused) {
        let (older, younger) = (refused.older, refused.younger);
        let acquaintances = self.acquaintances.get_or_insert_default();
        if let Some(known) = acquaintances.process(process).known.get_mut(&key) {
            known.retain(|(heard, _)| heard.start != younger.start);
        }
        let mut told = Vec::new();
        for (one, twin) in [(older, younger), (younger, older)] {
            let mut processes = acquaintances.processes.iter();
            let number = processes.find(|(_, other)| other.start == one.start);
            told.extend(number.map(|(&number, _)| (number, twin.address)));
        }
        for (number, twin) in told {
            if self.can_connect(process, number) {
                self.begin(number, Errand::Told(twin), 1, process);
            }
        }
    }

    /// A process looks who is at an address.
    fn look(&mut self, process: u32, key: Id, address: Address) {
        match self.process_at(address) {
            Some(there) if self.can_connect(process, there) => {
                self.begin(process, Errand::Look(key, address), CROSSINGS, there);
            }
            _ => self.begin_in(process, Errand::Look(key, address), CONNECT_TIMEOUT),
        }
    }

    /// The process that listens at an address, if it runs.
    fn process_at(&self, address: Address) -> Option<u32> {
        let listens = |number: &u32| {
            let host = &self.hosts[self.first(*number) as usize];
            host.up && host.node.me().address == address
        };
        let processes = self.air.nodes / self.air.per_process;
        (0..processes).find(listens)
    }

    /// It takes so many messages between two processes until the first has found it out.
    fn begin(&mut self, process: u32, errand: Errand, crossings: u64, other: u32) {
        let (from, to) = (self.first(other), self.first(process));
        let late = self.air.network_faults.delay(from, to);
        let latency = self.air.paths.latency(from, to, &mut self.air.chance);
        let late = late.saturating_add(latency).saturating_mul(crossings);
        self.begin_in(process, errand, late);
    }

    fn begin_in(&mut self, process: u32, errand: Errand, late: Time) {
        let number = self.first(process);
        let epoch = self.hosts[number as usize].epoch;
        let acquaintances = self.acquaintances.get_or_insert_default();
        let place = acquaintances.next_errand;
        acquaintances.next_errand = place.wrapping_add(1);
        acquaintances.errands.insert(place, errand);
        let time = self.air.now.saturating_add(late);
        let entry = Entry::new(time, number, kind::TWIN, epoch, place);
        self.air.queue.push(entry);
    }

    /// A process has found out what it was about to.
    pub(super) fn step_errand(&mut self, entry: Entry, watcher: &mut impl Watcher<P>) {
        let about = (u64::from(entry.node) << 32) | kind::digested(entry.kind);
        self.digest
            .add(entry.time, about | u64::from(entry.value) << 8);
        watcher.handling(self.handled, entry.time, &|| {
            format!("n{}: looks for a twin", entry.node)
        });
        let host = &mut self.hosts[entry.node as usize];
        if host.paused > 0 && host.up {
            return host.backlog.push(entry);
        }
        let current = host.is_of_now(&entry);
        let process = entry.node / self.air.per_process;
        let age = self.age();
        let acquaintances = self.acquaintances.get_or_insert_default();
        let errand = acquaintances.errands.remove(&entry.value);
        let Some(errand) = errand.filter(|_| current) else {
            return;
        };
        match errand {
            Errand::Told(address) => {
                if acquaintances.process(process).twins.is_to_look(age) {
                    let own = self.key(process);
                    self.look(process, own, address);
                }
            }
            Errand::Look(key, address) => self.looked(process, key, address, watcher),
        }
    }

    fn looked(&mut self, process: u32, key: Id, address: Address, watcher: &mut impl Watcher<P>) {
        let there = self.process_at(address);
        let there = there.filter(|&there| self.can_connect(process, there));
        let holder = there.filter(|&there| self.key(there) == key);
        let found = holder.map(|there| self.heard(there).start);
        let age = self.age();
        let acquaintances = self.acquaintances.get_or_insert_default();
        let looker = acquaintances.process(process);
        let known = looker.of_key(key);
        let found = looker.twins.looked(key, found, &known, age);
        let Some(there) = there.filter(|&there| there != process) else {
            return;
        };
        if self.key(there) == self.key(process) {
            return self.meet(process, there, watcher);
        }
        if let Some(refused) = found.and_then(|found| found.refused) {
            self.refuse(process, key, refused);
        }
    }

    /// Two processes that have one key are connected: both see it, and the younger one stops.
    fn meet(&mut self, one: u32, other: u32, watcher: &mut impl Watcher<P>) {
        let key = self.key(one);
        let ends = [(one, self.heard(one)), (other, self.heard(other))];
        let age = self.age();
        let [(_, first), (_, second)] = ends;
        for ((process, ours), theirs) in ends.into_iter().zip([second, first]) {
            let acquaintances = self.acquaintances.get_or_insert_default();
            let twins = &mut acquaintances.process(process).twins;
            if twins.met(key, ours.start, theirs, age) == Met::Older {
                script::stop_twin(self, self.first(process), watcher);
            }
        }
    }
}
