//! What the script does to this world's machines, and what a conductor sees of the world.

use std::collections::BTreeMap;
use std::sync::Arc;

use cuerda_core::chord::{Input, Node};
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::MemoryStore;

use super::queue::Entry;
use super::{Host, World, kind};
use crate::world::script::{self, Broken, Machines, Script, cuts::Cuts};
use crate::world::{Cause, Digest, Sights, Time, Watcher, address_of};

impl crate::world::World for World {
    const NAME: &'static str = "events";

    fn origin(&self) -> Time {
        self.script.origin
    }

    fn now(&self) -> Time {
        self.wire.now
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    /// Messages, timers, and what the scenario does.
    fn handled(&self) -> u64 {
        self.handled
    }

    fn delivered(&self) -> u64 {
        self.wire.counters.delivered
    }

    fn lost(&self) -> u64 {
        self.wire.counters.lost
    }

    /// As the messages' wire format counts them.
    fn bytes(&self) -> u64 {
        self.wire.counters.bytes
    }

    fn members(&self) -> usize {
        self.script.members.len()
    }

    fn each_member(&self) -> impl Iterator<Item = (u32, &Node)> {
        let members = self.script.members.all().iter();
        members.map(|&number| (number, &self.hosts[number as usize].node))
    }

    fn repair_bytes(&self) -> Option<u64> {
        Some(self.wire.counters.repair_bytes)
    }

    fn seen(&mut self) -> BTreeMap<usize, Sights> {
        script::seen(self)
    }

    fn read(&mut self, key: Id, watcher: &mut impl Watcher) {
        script::read(self, key, watcher);
    }

    fn run_until(&mut self, end: Time, watcher: &mut impl Watcher) {
        loop {
            self.fetch_ahead(end);
            let Some(entry) = self.wire.queue.pop_before(end) else {
                break;
            };
            self.wire.now = entry.time;
            self.step(entry, watcher);
        }
        self.wire.now = self.wire.now.max(end);
    }
}

impl Machines for World {
    fn script(&self) -> &Script {
        &self.script
    }

    fn script_mut(&mut self) -> &mut Script {
        &mut self.script
    }

    fn machines(&self) -> u32 {
        self.wire.nodes
    }

    fn node(&self, number: u32) -> &Node {
        &self.hosts[number as usize].node
    }

    fn is_up(&self, number: u32) -> bool {
        self.hosts[number as usize].up
    }

    fn is_paused(&self, number: u32) -> bool {
        self.hosts[number as usize].paused > 0
    }

    fn add(&mut self) -> u32 {
        let number = u32::try_from(self.hosts.len()).expect("node numbers fit 32 bits");
        let key = self.script.next_key();
        let me = Peer {
            id: Id::of_node(&key.public, 0),
            address: address_of(number),
        };
        self.hosts.push(Host {
            node: Node::new(me, Arc::clone(&self.config), 0),
            epoch: 0,
            up: false,
            paused: 0,
            up_since: 0,
            skew_ms: 0,
            backlog: Vec::new(),
            store: None,
            disk: None,
        });
        self.wire.nodes = number + 1;
        number
    }

    fn boot(&mut self, number: u32) {
        let host = &self.hosts[number as usize];
        let (me, incarnation) = (host.node.me(), host.node.incarnation() + 1);
        let node = Node::new(me, Arc::clone(&self.config), incarnation);
        self.boot_member(number, node);
    }

    fn boot_member(&mut self, number: u32, node: Node) {
        let now = self.wire.now;
        let host = &mut self.hosts[number as usize];
        host.up = true;
        host.up_since = now;
        host.epoch = host.epoch.wrapping_add(1);
        host.node = node;
    }

    fn resume(&mut self) {
        for number in 0..self.wire.nodes {
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
            if entry.kind == kind::LETTER {
                let letter = self.wire.letters.take(entry.value);
                self.wire.counters.lose(&letter.message);
            }
        }
    }

    /// Its records are lost. It keeps its key: nobody has to prove one here.
    fn lose_disk(&mut self, number: u32) {
        self.hosts[number as usize].store = None;
    }

    fn with_store<T>(&mut self, number: u32, act: impl FnOnce(&mut MemoryStore) -> T) -> Option<T> {
        let store = self.hosts[number as usize].store.as_mut();
        store.map(|store| act(store))
    }

    fn slow_disk(&mut self, number: u32, by: i64) {
        let disk = self.hosts[number as usize].disk.get_or_insert_default();
        disk.slow = disk.slow.saturating_add_signed(by);
    }

    fn break_disk(&mut self, number: u32, how: Option<Broken>, watcher: &mut impl Watcher) {
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

    fn order(&mut self, number: u32, input: Input, kind: &'static str, watcher: &mut impl Watcher) {
        let cause = Cause::Order { node: number, kind };
        self.hand(number, input, None, cause, watcher);
    }

    fn pause(&mut self, number: u32) {
        self.hosts[number as usize].paused += 1;
    }

    /// A paused node that no other fault pauses handles what has come meanwhile.
    fn wake(&mut self, number: u32) {
        let now = self.wire.now;
        let host = &mut self.hosts[number as usize];
        host.paused -= 1;
        if host.paused == 0 {
            for mut entry in std::mem::take(&mut host.backlog) {
                entry.time = now;
                self.wire.queue.push(entry);
            }
        }
    }

    fn skew(&mut self, number: u32, by_ms: i64) {
        let skew = &mut self.hosts[number as usize].skew_ms;
        *skew = skew.saturating_add(by_ms);
    }

    fn cuts<T>(&mut self, act: impl FnOnce(&mut Cuts) -> T) -> T {
        act(&mut self.wire.cuts)
    }

    /// Nobody refuses or resets anything here: all that fails is silence. Only questions that get
    /// no answer at all are counted, not those whose answer is late.
    fn seen_so_far(&mut self) -> Sights {
        Sights {
            timed_out: self.wire.counters.unanswered,
            ..Sights::default()
        }
    }

    fn schedule(&mut self, time: Time, place: u32) {
        let entry = Entry::new(time, u32::MAX, kind::CONTROL, 0, place);
        self.wire.queue.push(entry);
    }
}
