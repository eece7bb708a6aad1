//! The `events` world: nodes on a discrete-event engine.
//!
//! Virtual time, one thread, and no bytes: a message is a value that arrives later, or does
//! not. A world is itself a value. Cloned, it is a fork: given the same inputs, both go the
//! same way.
//!
//! ```text
//!   mod.rs       the world: takes the next event and hands it to its node
//!   machines.rs  what the script does to it: machines that start, stop, sleep
//!   wire.rs      what the network does to messages; the nodes' Network
//!   disk.rs      disks that are slow or about to break, and what waits for them
//!   twins.rs     what processes with one key notice of each other
//!   queue.rs     what happens next;  envelopes.rs  messages under way
//! ```
//!
//! A crash loses what is under way to the node and stops its timers; what it has sent arrives.
//! A paused node handles nothing; when it wakes it handles what has come meanwhile, in order.
//! What a node stores is on its disk at once, unless a fault slows the disk.

mod disk;
mod envelopes;
mod machines;
// Public for `benches/queue.rs` alone, which compares it with other queues.
#[doc(hidden)]
pub mod queue;
#[cfg(test)]
mod tests;
mod twins;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use cuerda_core::chord::Node;
use cuerda_core::protocol::{Event, Input, RequestId, Timer, Wire as _};
use cuerda_core::ring::Address;
use cuerda_core::store::{Batch, MemoryStore, Store};

use super::clock::Clock;
use super::paths::Paths;
use super::script::{self, Script, network_faults::NetworkFaults};
use super::{Cause, Digest, Moment, NodeView, Random, RandomStream, Simulated, Time, Watcher};
use crate::scenario::Scenario;
use disk::Disk;
use envelopes::Envelopes;
use queue::{Entry, Queue};
use twins::Acquaintances;
use wire::{Air, Counters, Kept, NodeContext, Said, Sent, kind};

/// The most nodes that a world has room for: their addresses have 24 bits.
pub const NODES_MAX: u32 = 1 << 24;

/// A world at a moment, whose nodes speak `P`.
#[derive(Clone, Debug)]
pub struct World<P: Simulated = Node> {
    script: Script,
    config: Arc<P::Config>,
    hosts: Vec<Host<P>>,
    air: Air<P::Message>,
    emitted: Vec<Event<P::Told>>,
    /// What a node sent that waits for its disk.
    kept: Kept<P::Message>,
    /// Room for what a node says, if somebody wants to know.
    said: Vec<Sent<P::Message>>,
    digest: Digest,
    handled: u64,
    /// `None` if no key is ever started twice.
    acquaintances: Option<Box<Acquaintances>>,
}

/// A machine: it may be up or down, and runs one node.
#[derive(Clone, Debug)]
struct Host<P: Simulated> {
    node: P,
    /// Counts starts, but for the node that a machine has before its first.
    incarnation: u32,
    /// The same, as far as queue entries tell it: timers of an earlier start are void.
    epoch: u16,
    up: bool,
    /// How many faults pause it.
    paused: u32,
    /// Messages sent before this are lost.
    up_since: Time,
    clock: Clock,
    /// What came while it was paused.
    backlog: Vec<Entry>,
    store: Option<Box<MemoryStore>>,
    /// `None` as long as nothing is wrong with it.
    disk: Option<Box<Disk<P>>>,
}

impl<P: Simulated> Host<P> {
    /// A machine that is down and was never up, with this node.
    fn new(node: P) -> Host<P> {
        Host {
            node,
            incarnation: 0,
            epoch: 0,
            up: false,
            paused: 0,
            up_since: 0,
            clock: Clock::default(),
            backlog: Vec::new(),
            store: None,
            disk: None,
        }
    }

    /// Whether an entry still concerns this start of the machine.
    #[inline]
    fn is_of_now(&self, entry: &Entry) -> bool {
        self.up && self.epoch == entry.epoch
    }

    /// Whether a timer is still of interest to the node. Most are not: each request has one,
    /// and its reply comes first.
    #[inline]
    fn expects(&self, timer: P::Timer) -> bool {
        timer
            .request()
            .is_none_or(|number| self.node.awaits(number))
    }
}

impl World {
    /// A world of Chord nodes as the scenario describes it, at t = 0.
    ///
    /// # Panics
    /// If the scenario has no node, or more than [`NODES_MAX`].
    #[must_use]
    pub fn new(scenario: &Arc<Scenario>, seed: u64) -> World {
        World::with(scenario, seed, Arc::new(scenario.node.clone()))
    }
}

impl<P: Simulated> World<P> {
    /// A world as the scenario describes it, at t = 0, of nodes with these settings.
    ///
    /// # Panics
    /// If the scenario has no node, or more than [`NODES_MAX`].
    #[must_use]
    pub fn with(scenario: &Arc<Scenario>, seed: u64, config: Arc<P::Config>) -> World<P> {
        assert!(
            (1..=NODES_MAX).contains(&scenario.nodes),
            "1 to {NODES_MAX} nodes fit a world"
        );
        let stream = |purpose| Random::new(seed, purpose);
        let mut world = World {
            script: Script::new(scenario, seed),
            config,
            hosts: Vec::new(),
            air: Air {
                now: 0,
                queue: Queue::new(expected_rate(scenario)),
                envelopes: Envelopes::default(),
                paths: Paths::new(&scenario.network, scenario.virtual_nodes.into(), seed),
                loss: scenario.network.loss,
                duplicate: scenario.network.duplicate,
                chance: stream(RandomStream::Network),
                jitter: stream(RandomStream::Timers),
                network_faults: NetworkFaults::default(),
                nodes: 0,
                per_process: u32::from(scenario.virtual_nodes).max(1),
                ids: Vec::new(),
                moved: BTreeMap::new(),
                counters: Counters::default(),
                said: None,
            },
            emitted: Vec::new(),
            kept: Vec::new(),
            said: Vec::new(),
            digest: Digest::new(),
            handled: 0,
            acquaintances: Acquaintances::of(scenario),
        };
        script::start::start(&mut world);
        world.script.origin = world.air.now;
        world.air.counters = Counters::default();
        world.handled = 0;
        script::plan(&mut world);
        world
    }

    /// The node of a machine, whole: for those who look at more than its view.
    ///
    /// # Panics
    /// If there is no such machine.
    #[must_use]
    pub fn node(&self, number: u32) -> &P {
        &self.hosts[number as usize].node
    }

    /// Reads a little of all nodes that are next. A large ring does not fit the cache, and an
    /// event that finds its node in main memory waits for one line after the other; read for a
    /// handful of events together, the lines arrive side by side. It changes nothing but speed.
    fn fetch_ahead(&mut self, end: Time) {
        let Some(next) = self.air.queue.find_next(end) else {
            return;
        };
        // Most timers are for requests that have been answered, and end at a look.
        let request = |entry: &Entry| {
            let timer = wire::timer::<P::Timer>(entry);
            timer.and_then(Timer::request)
        };
        let mut seen = 0;
        for entry in next {
            if let Some(host) = self.hosts.get(entry.node as usize) {
                if let Some(number) = request(entry) {
                    seen += u64::from(host.is_of_now(entry) && host.node.awaits(number));
                    continue;
                }
                seen += u64::from(host.up) + host.node.prefetch();
                if entry.kind == kind::ENVELOPE {
                    seen += self.air.envelopes.get(entry.value).sent;
                }
            }
        }
        for entry in next.iter().filter(|entry| request(entry).is_none()) {
            if let Some(host) = self.hosts.get(entry.node as usize) {
                seen += host.node.prefetch_tables();
            }
        }
        std::hint::black_box(seen);
    }

    // Called in one place, and so often that a frame of its own shows.
    #[inline(always)]
    fn step(&mut self, entry: Entry, watcher: &mut impl Watcher<P>) {
        self.handled += 1;
        match entry.kind {
            kind::ENVELOPE => self.step_envelope(entry, watcher),
            kind::CONTROL => self.step_control(entry, watcher),
            kind::TWIN => self.step_errand(entry, watcher),
            _ => self.step_timer(entry, watcher),
        }
    }

    fn step_control(&mut self, entry: Entry, watcher: &mut impl Watcher<P>) {
        let digested = kind::digested(entry.kind);
        self.digest
            .add(entry.time, (u64::from(entry.value) << 8) | digested);
        watcher.handling(self.handled, entry.time, &|| {
            self.script.describe(entry.value)
        });
        script::control(self, entry.value, entry.time, watcher);
    }

    #[inline]
    fn step_envelope(&mut self, entry: Entry, watcher: &mut impl Watcher<P>) {
        let envelope = self.air.envelopes.get(entry.value);
        let (from, what) = (envelope.from_number, envelope.message.kind());
        let first = what.bytes().next().map_or(0, u64::from);
        let first = first | (what.len() as u64) << 8;
        let about = (u64::from(entry.node) << 32) | kind::digested(entry.kind);
        self.digest
            .add(entry.time ^ (u64::from(from) << 40), about | first << 8);
        watcher.handling(self.handled, entry.time, &|| {
            format!("n{from} -> n{}: {:?}", entry.node, envelope.message)
        });
        let host = &mut self.hosts[entry.node as usize];
        if host.paused > 0 && host.up {
            host.backlog.push(entry);
        } else {
            self.deliver(entry, what, watcher);
        }
    }

    /// A timer of the node's, or a disk that has what was under way to it.
    #[inline]
    fn step_timer(&mut self, entry: Entry, watcher: &mut impl Watcher<P>) {
        let timer = wire::timer::<P::Timer>(&entry);
        let about = (u64::from(entry.node) << 32) | kind::digested(entry.kind);
        self.digest
            .add(entry.time, about | u64::from(entry.value) << 8);
        watcher.handling(self.handled, entry.time, &|| {
            let what = timer.map_or("Commit", |timer| timer.kind());
            format!("n{}: timer {what} {}", entry.node, entry.value)
        });
        let host = &mut self.hosts[entry.node as usize];
        if host.paused > 0 && host.up {
            host.backlog.push(entry);
        } else if host.is_of_now(&entry) {
            match timer {
                None => self.commit(entry.node, watcher),
                Some(timer) if host.expects(timer) => {
                    let (node, kind) = (entry.node, timer.kind());
                    let cause = Cause::Timer { node, kind };
                    self.hand(node, Input::Timer(timer), None, cause, watcher);
                }
                Some(_) => {}
            }
        }
    }

    /// Hands a message to its node. `kind` is what the message is called.
    #[inline]
    fn deliver(&mut self, entry: Entry, kind: &'static str, watcher: &mut impl Watcher<P>) {
        let envelope = self.air.envelopes.take(entry.value);
        let host = &self.hosts[entry.node as usize];
        let gone = !host.up || envelope.sent < host.up_since;
        if gone || !self.meets(envelope.from_number, entry.node, envelope.sent, watcher) {
            self.air.counters.lose(&envelope.message);
            return;
        }
        self.air.counters.delivered += 1;
        let now = self.air.now;
        let asked = envelope.message.asks();
        let asked = asked.map(|id| (envelope.from.address, id, envelope.sent));
        let took = envelope
            .asked
            .map(|sent| std::time::Duration::from_nanos(now - sent));
        let cause = Cause::Message {
            from: envelope.from_number,
            to: entry.node,
            kind,
        };
        let input = Input::Message {
            from: envelope.from,
            message: envelope.message,
            took,
        };
        self.hand(entry.node, input, asked, cause, watcher);
    }

    fn hand(
        &mut self,
        number: u32,
        input: Input<P>,
        asked: Option<(Address, RequestId, Time)>,
        cause: Cause,
        watcher: &mut impl Watcher<P>,
    ) {
        let now = self.air.now;
        let at = Moment {
            now: self.air.now,
            cause,
        };
        let follows = watcher.follows_steps(number);
        if follows {
            watcher.handles(at, number, &input);
            self.air.said = Some(std::mem::take(&mut self.said));
        }
        let host = &mut self.hosts[number as usize];
        watcher.handed(at, number, &|| host.node.standing());
        let holds = host.disk.as_ref().is_some_and(|disk| disk.holds());
        let mut context = NodeContext {
            air: &mut self.air,
            me: host.node.me(),
            number,
            epoch: host.epoch,
            ahead_ms: host.clock.ahead_ms(now),
            asked,
            emitted: &mut self.emitted,
            store: &mut host.store,
            kept: holds.then_some(&mut self.kept),
        };
        host.node.handle(input, &mut context);
        let batch = host.store.as_mut().and_then(|store| store.seal());
        if let Some(mut all) = self.air.said.take() {
            for said in all.drain(..) {
                let message = match &said.message {
                    Said::Posted(place) => &self.air.envelopes.get(*place).message,
                    Said::Lost(message) => message,
                };
                watcher.sent(at, number, said.to, message);
            }
            self.said = all;
        }
        if holds {
            self.hold(number, batch.as_ref(), at, watcher);
        } else {
            if let Some(batch) = batch {
                self.committed(number, &batch, at, watcher);
            }
            if !self.emitted.is_empty() {
                self.pass_on(number, at, watcher);
            }
        }
        if follows {
            let node = &self.hosts[number as usize].node;
            let (peer, view) = (node.me(), node.view());
            watcher.handled(at, NodeView { number, peer, view });
        }
    }

    /// A batch is on the disk.
    fn committed(&mut self, number: u32, batch: &Batch, at: Moment, watcher: &mut impl Watcher<P>) {
        let host = &mut self.hosts[number as usize];
        if let Some(store) = &mut host.store {
            store.committed(batch.number);
        }
        watcher.committed(at, number, host.node.me().id, batch);
    }

    /// Does what the events of a node mean for the world, and tells the watcher.
    fn pass_on(&mut self, number: u32, at: Moment, watcher: &mut impl Watcher<P>) {
        let mut events = std::mem::take(&mut self.emitted);
        for event in events.drain(..) {
            script::pass_on(self, number, event, at, watcher);
        }
        self.emitted = events;
    }
}

/// About how many events a simulated second will have, to tune the queue by.
fn expected_rate(scenario: &Scenario) -> f64 {
    let per_node = 5.0 / scenario.node.stabilize_every.as_secs_f64()
        + 60.0 / scenario.node.fix_fingers_every.as_secs_f64();
    let lookups: f64 = scenario
        .workloads
        .iter()
        .map(|workload| workload.rate)
        .sum();
    f64::from(scenario.nodes) * per_node + 15.0 * lookups
}
