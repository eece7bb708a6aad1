//! What the script does to this world's machines, and what a conductor sees of the world.

use std::collections::BTreeMap;
use std::sync::Arc;

use cuerda_core::protocol::Input;
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::MemoryStore;

use super::queue::Entry;
use super::{Host, World, kind};
use crate::world::script::{
    self, Broken, DiskCopy, Faults, Lifecycle, Orders, Script, network_faults::NetworkFaults,
};
use crate::world::{
    Cause, Digest, FailureObservations, NodeView, Random, RandomStream, Simulated, Time, Watcher,
    address_of, moved,
};

impl<P: Simulated> crate::world::World for World<P> {
    const NAME: &'static str = "events";
    type Protocol = P;

    fn origin(&self) -> Time {
        self.script.origin
    }

    fn now(&self) -> Time {
        self.air.now
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    /// Messages, timers, and what the scenario does.
    fn handled(&self) -> u64 {
        self.handled
    }

    fn delivered(&self) -> u64 {
        self.air.counters.delivered
    }

    fn lost(&self) -> u64 {
        self.air.counters.lost
    }

    /// As the messages' wire format counts them.
    fn bytes(&self) -> u64 {
        self.air.counters.bytes
    }

    fn members(&self) -> usize {
        self.script.members.len()
    }

    fn each_member(&self) -> impl Iterator<Item = NodeView<'_, P::View>> {
        let members = self.script.members.all().iter();
        members.map(|&number| {
            let node = &self.hosts[number as usize].node;
            NodeView {
                number,
                peer: node.me(),
                view: node.view(),
            }
        })
    }

    fn repair_bytes(&self) -> Option<u64> {
        Some(self.air.counters.repair_bytes)
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

    fn run_until(&mut self, end: Time, watcher: &mut impl Watcher<P>) {
        loop {
            self.fetch_ahead(end);
            let Some(entry) = self.air.queue.pop_before(end) else {
                break;
            };
            self.air.now = entry.time;
            self.step(entry, watcher);
        }
        self.air.now = self.air.now.max(end);
    }
}

impl<P: Simulated> World<P> {
    /// Puts a node behind all others, and returns its number.
    fn put_node(&mut self, me: Peer) -> u32 {
        let number = self.air.nodes;
        self.hosts
            .push(Host::new(P::new(me, Arc::clone(&self.config), 0)));
        if self.air.per_process > 1 {
            self.air.ids.push(me.id);
        }
        self.air.nodes = number + 1;
        number
    }
}

impl<P: Simulated> Lifecycle for World<P> {
    fn config(&self) -> Arc<P::Config> {
        Arc::clone(&self.config)
    }

    fn peer(&self, number: u32) -> Peer {
        self.hosts[number as usize].node.me()
    }

    fn number_of(&self, peer: Peer) -> Option<u32> {
        self.air.number_of(peer)
    }

    fn view(&self, number: u32) -> &P::View {
        self.hosts[number as usize].node.view()
    }

    fn is_member(&self, number: u32) -> bool {
        self.hosts[number as usize].node.is_member()
    }

    fn remembered(&self, number: u32) -> Vec<Peer> {
        self.hosts[number as usize].node.remembered()
    }

    fn incarnation(&self, number: u32) -> u32 {
        self.hosts[number as usize].incarnation
    }

    fn script(&self) -> &Script {
        &self.script
    }

    fn script_mut(&mut self) -> &mut Script {
        &mut self.script
    }

    fn reseed(&mut self, seed: u64) {
        self.air.chance = Random::new(seed, RandomStream::Network);
        self.air.jitter = Random::new(seed, RandomStream::Timers);
    }

    fn machines(&self) -> u32 {
        self.air.nodes
    }

    fn is_up(&self, number: u32) -> bool {
        self.hosts[number as usize].up
    }

    fn add(&mut self) -> u32 {
        let number = self.air.nodes;
        let key = self.script.key_of_next(number);
        let each = self.air.per_process;
        let place = u8::try_from(number % each).expect("a process has 64 nodes at most");
        self.put_node(Peer {
            id: Id::of_node(&key.public, place),
            address: address_of(number / each),
        })
    }

    fn boot(&mut self, number: u32) {
        let host = &self.hosts[number as usize];
        let config = Arc::clone(&self.config);
        let node = P::new(host.node.me(), config, host.incarnation + 1);
        self.boot_member(number, node);
    }

    fn boot_member(&mut self, number: u32, node: P) {
        let now = self.air.now;
        let host = &mut self.hosts[number as usize];
        host.up = true;
        host.up_since = now;
        host.epoch = host.epoch.wrapping_add(1);
        host.incarnation += 1;
        host.node = node;
        self.starts(number);
    }

    fn resume(&mut self) {
        for number in 0..self.air.nodes {
            self.order(number, Input::Resume, "resume", &mut crate::world::Nobody);
        }
    }

    fn stop(&mut self, number: u32) {
        let host = &mut self.hosts[number as usize];
        host.up = false;
        host.epoch = host.epoch.wrapping_add(1);
        if let Some(store) = &mut host.store {
            store.crash();
        }
        if let Some(disk) = &mut host.disk {
            disk.waiting.clear();
        }
        for entry in std::mem::take(&mut host.backlog) {
            if entry.kind == kind::ENVELOPE {
                let envelope = self.air.envelopes.take(entry.value);
                self.air.counters.lose(&envelope.message);
            }
        }
    }

    fn schedule(&mut self, time: Time, place: u32) {
        let entry = Entry::new(time, u32::MAX, kind::CONTROL, 0, place);
        self.air.queue.push(entry);
    }
}

impl<P: Simulated> Faults for World<P> {
    fn pause(&mut self, number: u32) {
        self.hosts[number as usize].paused += 1;
    }

    /// A paused node that no other fault pauses handles what has come meanwhile.
    fn wake(&mut self, number: u32) {
        let now = self.air.now;
        let host = &mut self.hosts[number as usize];
        host.paused -= 1;
        if host.paused == 0 {
            for mut entry in std::mem::take(&mut host.backlog) {
                entry.time = now;
                self.air.queue.push(entry);
            }
        }
    }

    fn is_paused(&self, number: u32) -> bool {
        self.hosts[number as usize].paused > 0
    }

    fn skew(&mut self, number: u32, by_ms: i64) {
        self.hosts[number as usize].clock.set(by_ms);
    }

    /// Its records are lost. It keeps its key: nobody has to prove one here.
    fn lose_disk(&mut self, number: u32) {
        self.hosts[number as usize].store = None;
    }

    fn drift(&mut self, number: u32, by_ppm: i64) {
        let now = self.air.now;
        self.hosts[number as usize].clock.drift(now, by_ppm);
    }

    /// What was on its way to the disk is not on it.
    fn copy_disk(&self, number: u32) -> DiskCopy {
        let host = &self.hosts[number as usize];
        let mut store = host.store.clone();
        if let Some(store) = &mut store {
            store.crash();
        }
        DiskCopy {
            store,
            incarnation: host.incarnation,
            remembered: host.node.remembered(),
        }
    }

    fn put_disk(&mut self, number: u32, copy: DiskCopy) {
        let host = &mut self.hosts[number as usize];
        host.store = copy.store;
        host.incarnation = copy.incarnation;
    }

    fn relocate(&mut self, number: u32) {
        let host = &mut self.hosts[number as usize];
        let Peer { id, address } = host.node.me();
        let address = moved(address);
        let config = Arc::clone(&self.config);
        host.node = P::new(Peer { id, address }, config, host.incarnation);
        let process = number / self.air.per_process;
        self.air.moved.insert(process, address);
    }

    fn add_twin(&mut self, of: u32) -> u32 {
        let number = self.air.nodes;
        let id = self.hosts[of as usize].node.me().id;
        let address = address_of(number / self.air.per_process);
        self.put_node(Peer { id, address })
    }

    fn with_store<T>(&mut self, number: u32, act: impl FnOnce(&mut MemoryStore) -> T) -> Option<T> {
        let store = self.hosts[number as usize].store.as_mut();
        store.map(|store| act(store))
    }

    fn slow_disk(&mut self, number: u32, by: i64) {
        let disk = self.hosts[number as usize].disk.get_or_insert_default();
        disk.slow = disk.slow.saturating_add_signed(by);
    }

    fn break_disk(&mut self, number: u32, how: Option<Broken>, watcher: &mut impl Watcher<P>) {
        if how == Some(Broken::Torn)
            && let Some(last) = self.last_under_way(number)
        {
            let cause = Cause::Order {
                node: number,
                kind: "tear",
            };
            let at = self.moment(cause);
            return self.tear(number, last - 1, at, watcher);
        }
        self.hosts[number as usize]
            .disk
            .get_or_insert_default()
            .broken = how;
    }

    fn calm_network(&mut self) {
        self.air.loss = 0.0;
        self.air.duplicate = 0.0;
        self.air.paths.mend();
    }

    fn network_faults<T>(&mut self, act: impl FnOnce(&mut NetworkFaults) -> T) -> T {
        act(&mut self.air.network_faults)
    }

    /// Nobody refuses or resets anything here: all that fails is silence. Only questions that get
    /// no answer at all are counted, not those whose answer is late.
    fn seen_so_far(&mut self) -> FailureObservations {
        FailureObservations {
            timed_out: self.air.counters.unanswered,
            ..FailureObservations::default()
        }
    }
}

impl<P: Simulated> Orders for World<P> {
    fn order(
        &mut self,
        number: u32,
        input: Input<P>,
        kind: &'static str,
        watcher: &mut impl Watcher<P>,
    ) {
        if let Input::Join(peers) | Input::Remember(peers) = &input {
            self.seeks(number, peers);
        }
        let cause = Cause::Order { node: number, kind };
        self.hand(number, input, None, cause, watcher);
    }
}
