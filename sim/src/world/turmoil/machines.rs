//! What the script does to this world's machines, and what a conductor sees of the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cuerda::host::{Begin, Hosted, Security};
use cuerda_core::protocol::Input;
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::MemoryStore;

use super::life::{Slot, Start, run};
use super::{Machine, World, net};
use crate::world::deterministic_tls::provider;
use crate::world::script::{
    self, Broken, DiskCopy, Faults, Lifecycle, Orders, Script, network_faults::NetworkFaults,
    public,
};
use crate::world::{Digest, FailureObservations, NodeView, Simulated, Time, Watcher, address_of};

impl<P: Simulated + Hosted> crate::world::World for World<P> {
    const NAME: &'static str = "turmoil";
    type Protocol = P;

    fn origin(&self) -> Time {
        self.script.origin
    }

    fn now(&self) -> Time {
        self.now
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    /// Messages that nodes handled, and what the scenario does.
    fn handled(&self) -> u64 {
        self.handled
    }

    fn delivered(&self) -> u64 {
        self.net.lock().counters.delivered - self.before.delivered
    }

    /// Those under way, or waiting for a connection, among them: nobody can tell them apart.
    fn lost(&self) -> u64 {
        let sent = self.net.lock().counters.sent - self.before.sent;
        sent.saturating_sub(self.delivered())
    }

    /// All that went onto connections, TLS included.
    fn bytes(&self) -> u64 {
        self.net.lock().counters.bytes - self.before.bytes
    }

    fn repair_bytes(&self) -> Option<u64> {
        Some(self.net.lock().counters.repair_bytes - self.before.repair_bytes)
    }

    fn seen(&mut self) -> BTreeMap<usize, FailureObservations> {
        script::seen(self)
    }

    fn outside(&self) -> usize {
        script::outside(self)
    }

    fn is_deserted(&self) -> bool {
        script::is_deserted(self)
    }

    fn calm(&mut self, watcher: &mut impl Watcher<P>) {
        script::calm(self, watcher);
    }

    fn read(&mut self, key: Id, watcher: &mut impl Watcher<P>) {
        script::read(self, key, watcher);
    }

    fn members(&self) -> usize {
        self.script.members.len()
    }

    fn each_member(&self) -> impl Iterator<Item = NodeView<'_, P::View>> {
        let members = self.script.members.all().iter();
        members.map(|&number| {
            let node = &self.machines[number as usize].node;
            NodeView {
                number,
                peer: node.me(),
                view: node.view(),
            }
        })
    }

    /// Whole ticks only: what is left of the time passes with the next call.
    fn run_until(&mut self, end: Time, watcher: &mut impl Watcher<P>) {
        while self.broken.is_none() && self.now + self.tick <= end {
            self.act(watcher);
            self.step(watcher);
        }
        if self.broken.is_none() {
            self.act(watcher);
        }
    }

    fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }
}

fn lock(store: &Mutex<MemoryStore>) -> MutexGuard<'_, MemoryStore> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: Simulated + Hosted> World<P> {
    /// Switches a machine on.
    fn switch_on(&mut self, number: u32, node: P, begin: Begin<P>) {
        let epoch = {
            let mut net = self.net.lock();
            let machine = &mut net.machines[number as usize];
            machine.up = true;
            machine.epoch += 1;
            let epoch = machine.epoch;
            net.changed();
            epoch
        };
        let (mut jitter, mut tls) = ([0; 32], [0; 32]);
        self.jitter.fill(&mut jitter);
        self.jitter.fill(&mut tls);
        let machine = &mut self.machines[number as usize];
        machine.incarnation += 1;
        machine.slot.plan(Start {
            number,
            epoch,
            incarnation: machine.incarnation,
            key: machine.key,
            store: Arc::clone(&machine.store),
            jitter,
            begin,
            config: Arc::clone(&self.config),
            security: Security::Tls(provider(tls)),
        });
        machine.node = node;
        machine.handled = None;
        self.sim.bounce(machine.ip);
    }
}

/// The node on this machine, whose key is derived from this seed.
fn peer_of(number: u32, key: [u8; 32]) -> Peer {
    Peer {
        id: Id::of_node(&public(key), 0),
        address: address_of(number),
    }
}

impl<P: Simulated + Hosted> Lifecycle for World<P> {
    fn config(&self) -> Arc<P::Config> {
        Arc::clone(&self.config)
    }

    fn peer(&self, number: u32) -> Peer {
        self.machines[number as usize].node.me()
    }

    fn view(&self, number: u32) -> &P::View {
        self.machines[number as usize].node.view()
    }

    fn is_member(&self, number: u32) -> bool {
        self.machines[number as usize].node.is_member()
    }

    fn remembered(&self, number: u32) -> Vec<Peer> {
        self.machines[number as usize].node.remembered()
    }

    fn incarnation(&self, number: u32) -> u32 {
        self.machines[number as usize].incarnation
    }

    fn script(&self) -> &Script {
        &self.script
    }

    fn script_mut(&mut self) -> &mut Script {
        &mut self.script
    }

    fn machines(&self) -> u32 {
        u32::try_from(self.machines.len()).expect("few machines fit")
    }

    fn is_up(&self, number: u32) -> bool {
        self.net.lock().is_up(number)
    }

    /// turmoil would not apply a fault that is in force to a machine that comes later; here all
    /// faults are in the sockets, so that it may come when it is needed.
    fn add(&mut self) -> u32 {
        let number = self.machines();
        let key = self.script.next_key().seed;
        let me = peer_of(number, key);
        let ip = address_of(number).ip();
        let slot = Slot::default();
        self.net.lock().machines.push(net::Machine::default());
        self.sim.host(ip, {
            let (net, reports, slot) = (self.net.clone(), self.reports.clone(), slot.clone());
            move || run(net.clone(), reports.clone(), slot.clone())
        });
        self.sim.crash(ip);
        self.machines.push(Machine {
            ip,
            node: P::new(me, Arc::clone(&self.config), 0),
            incarnation: 0,
            store: Arc::default(),
            key,
            slot,
            handled: None,
        });
        number
    }

    fn boot(&mut self, number: u32) {
        let machine = &self.machines[number as usize];
        let config = Arc::clone(&self.config);
        let node = P::new(machine.node.me(), config, machine.incarnation + 1);
        self.switch_on(number, node, Begin::Wait);
    }

    fn boot_member(&mut self, number: u32, node: P) {
        let begin = Begin::Resume(vec![node.clone()]);
        self.switch_on(number, node, begin);
    }

    /// Nothing to do: the driver sees to it.
    fn resume(&mut self) {}

    /// The power is off: nobody is told, and what the machine was about to send is lost.
    fn stop(&mut self, number: u32) {
        let mut net = self.net.lock();
        net.machines[number as usize].up = false;
        net.changed();
        drop(net);
        let machine = &self.machines[number as usize];
        machine.slot.clear();
        self.sim.crash(machine.ip);
        lock(&machine.store).crash();
    }

    fn schedule(&mut self, time: Time, place: u32) {
        self.put += 1;
        self.agenda.insert((time, self.put), place);
    }
}

impl<P: Simulated + Hosted> Faults for World<P> {
    fn pause(&mut self, number: u32) {
        self.net.lock().machines[number as usize].paused += 1;
    }

    fn wake(&mut self, number: u32) {
        let mut net = self.net.lock();
        net.machines[number as usize].paused -= 1;
        net.changed();
    }

    fn is_paused(&self, number: u32) -> bool {
        self.net.lock().is_paused(number)
    }

    fn skew(&mut self, number: u32, by_ms: i64) {
        self.net.lock().machines[number as usize].clock.set(by_ms);
    }

    /// The key lay there too, beside the records: the next start has a new one.
    fn lose_disk(&mut self, number: u32) {
        let mut key = [0; 32];
        self.keys.fill(&mut key);
        let machine = &mut self.machines[number as usize];
        machine.key = key;
        machine.store = Arc::default();
        let me = peer_of(number, key);
        machine.node = P::new(me, Arc::clone(&self.config), machine.incarnation);
    }

    fn drift(&mut self, number: u32, by_ppm: i64) {
        let now = self.now;
        let mut net = self.net.lock();
        net.machines[number as usize].clock.drift(now, by_ppm);
    }

    /// What was on its way to the disk is not on it.
    fn copy_disk(&self, number: u32) -> DiskCopy {
        let machine = &self.machines[number as usize];
        let mut store = lock(&machine.store).clone();
        store.crash();
        DiskCopy {
            store: Some(Box::new(store)),
            incarnation: machine.incarnation,
            remembered: machine.node.remembered(),
        }
    }

    fn put_disk(&mut self, number: u32, copy: DiskCopy) {
        let machine = &mut self.machines[number as usize];
        let store = copy.store.map_or_else(MemoryStore::default, |store| *store);
        machine.store = Arc::new(Mutex::new(store));
        machine.incarnation = copy.incarnation;
    }

    fn with_store<T>(&mut self, number: u32, act: impl FnOnce(&mut MemoryStore) -> T) -> Option<T> {
        Some(act(&mut lock(&self.machines[number as usize].store)))
    }

    fn slow_disk(&mut self, number: u32, by: i64) {
        let slow = &mut self.net.lock().machines[number as usize].disk_slow;
        *slow = slow.saturating_add_signed(by);
    }

    /// A torn write takes effect at the next batch: one in progress still reaches the disk. A
    /// failure also hits a batch that a slow disk is still writing.
    fn break_disk(&mut self, number: u32, how: Option<Broken>, _: &mut impl Watcher<P>) {
        self.net.lock().machines[number as usize].disk_breaks = how;
    }

    fn calm_network(&mut self) {
        let mut net = self.net.lock();
        net.loss = 0.0;
        net.duplicate = 0.0;
    }

    fn network_faults<T>(&mut self, act: impl FnOnce(&mut NetworkFaults) -> T) -> T {
        let mut net = self.net.lock();
        let done = act(&mut net.network_faults);
        net.apply_resets();
        net.changed();
        done
    }

    fn seen_so_far(&mut self) -> FailureObservations {
        let net = self.net.lock();
        let programs = net.counted.iter().map(|counted| {
            let counters = counted.all();
            FailureObservations::of(|name| {
                let found = counters.iter().find(|(other, ..)| *other == name);
                found.map_or(0, |&(_, _, value)| value)
            })
        });
        programs.fold(FailureObservations::default(), std::ops::Add::add)
    }
}

impl<P: Simulated + Hosted> Orders for World<P> {
    /// It is handled in the next step. What the node tells then comes with it.
    fn order(&mut self, number: u32, input: Input<P>, kind: &'static str, _: &mut impl Watcher<P>) {
        if !self.machines[number as usize].slot.order(input) {
            self.breaks(format!("n{number} takes no more orders, such as {kind}"));
        }
    }
}
