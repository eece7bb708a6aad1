//! The `turmoil` world: the whole program, from its protocol down to TLS and TCP, on machines and
//! a network that are simulated.
//!
//! Each machine runs [`cuerda::host::Host`], the driver that is deployed, on its own clock and on
//! the sockets of the crate turmoil, with a node of any protocol that is [`Hosted`]. The scenario
//! is played by the same script as in the `events` world, and the same checkers watch.
//!
//! ```text
//!   mod.rs      the world: steps, and what the machines tell in between
//!   machines.rs what the script does to it
//!   life.rs     what runs on a machine;       hooks.rs  what the world sees of it
//!   reports.rs  what it reports, until the step is over
//!   sockets.rs  connect and accept;           stream.rs bytes, each when it is due
//!   net.rs      latency, faults, and which machine is up
//! ```
//!
//! # Time
//!
//! It goes in steps of one tick (`[network] tick`, 5 ms unless the scenario says otherwise). In a
//! step the machines run one after the other, each for a whole tick of its own clock, which goes
//! in milliseconds. What the scenario does is done between two steps, at the first that begins
//! when it is due. What is sent reaches its machine at the beginning of a tick, and waits there
//! until it is due: so latencies of a tick and more are exact, rounded up to a millisecond, and
//! shorter ones are rounded up to a tick.
//!
//! # What is a fault here
//!
//! A crash is a loss of power: peers see silence, and what was not committed is gone. A pause stops
//! the driver and its sockets, but not the time-outs of its connections. Cuts hold bytes back until
//! they end; loss and duplication concern whole messages, before they are written.
//!
//! # What it costs
//!
//! Every machine of turmoil looks at every link in each step, so a step costs the cube of the
//! machines, whatever they do. Simulated seconds for one of real time, in a release build on one
//! of two shared cores, with ten look-ups a second (allow a factor of two):
//!
//! | nodes | 1 ms tick | 5 ms | 10 ms |
//! |---|---|---|---|
//! | 16 | 30 | 96 | 190 |
//! | 32 | 8.4 | 40 | 76 |
//! | 64 | 2.2 | 10 | 18 |
//!
//! Look-ups add little: a hundred a second bring 32 nodes down from 40 to 34. So up to the
//! [most nodes that a scenario may have here](crate::scenario::TURMOIL_NODES) a run is faster than
//! real time at any tick; by the cube, that would end at some 80 nodes with a tick of 1 ms and
//! some 140 with one of 5 ms.

mod hooks;
mod life;
mod machines;
mod net;
mod reports;
mod sockets;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use bytes::BytesMut;
use cuerda::host::{Ended, Envelope, Frame, Hosted};
use cuerda_core::chord::Node;
use cuerda_core::protocol::{Event, Wire as _};
use cuerda_core::store::MemoryStore;

use super::script::{self, Script};
use super::{
    Cause, Digest, EPOCH_MS, Moment, Random, RandomStream, Simulated, Time, Watcher, nanoseconds,
};
use crate::scenario::Scenario;
use life::Slot;
use net::Shared;
use reports::{Report, Reports, What};

/// A world at a moment, whose nodes speak `P`.
pub struct World<P: Simulated + Hosted = Node> {
    script: Script,
    config: Arc<P::Config>,
    sim: turmoil::Sim<'static>,
    net: Shared,
    reports: Reports<P>,
    machines: Vec<Machine<P>>,
    /// Where the programs' own randomness comes from, that of TLS included.
    jitter: Random,
    /// Keys of machines that lost theirs.
    keys: Random,
    tick: Time,
    now: Time,
    /// What the scenario does when; of those due at one time, the one put first comes first.
    agenda: BTreeMap<(Time, u64), u32>,
    put: u64,
    digest: Digest,
    handled: u64,
    /// What had been counted at t = 0.
    before: net::Counters,
    broken: Option<String>,
    frame: BytesMut,
}

/// A machine, as the world keeps it.
struct Machine<P: Hosted> {
    ip: IpAddr,
    /// Its node, as it was when it last told something.
    node: P,
    /// Counts its starts.
    incarnation: u32,
    /// What is on its disk.
    store: Arc<Mutex<MemoryStore>>,
    /// The secret half of its key.
    key: [u8; 32],
    slot: Slot<P>,
    /// The last message that it handled: when, from whom, and of what kind.
    handled: Option<(Time, u32, &'static str)>,
}

/// Dropped, the machines are switched off: nobody is told anything any more.
impl<P: Simulated + Hosted> Drop for World<P> {
    fn drop(&mut self) {
        for machine in &mut self.net.lock().machines {
            machine.up = false;
        }
    }
}

impl World {
    /// A world of Chord nodes as the scenario describes it, at t = 0.
    ///
    /// # Panics
    /// If the scenario has no node.
    #[must_use]
    pub fn new(scenario: &Arc<Scenario>, seed: u64) -> World {
        World::with(scenario, seed, Arc::new(scenario.node.clone()))
    }
}

impl<P: Simulated + Hosted> World<P> {
    /// A world as the scenario describes it, at t = 0, of nodes with these settings.
    ///
    /// # Panics
    /// If the scenario has no node.
    #[must_use]
    pub fn with(scenario: &Arc<Scenario>, seed: u64, config: Arc<P::Config>) -> World<P> {
        assert!(scenario.nodes > 0, "a world has a node");
        let tick = scenario.network.tick;
        let mut builder = turmoil::Builder::new();
        builder
            .rng_seed(seed)
            .epoch(UNIX_EPOCH + Duration::from_millis(EPOCH_MS))
            .simulation_duration(Duration::MAX)
            .tick_duration(tick)
            .min_message_latency(Duration::ZERO)
            .max_message_latency(Duration::ZERO)
            // More than one machine can have open: a full queue would be a panic.
            .tcp_capacity(1 << 14)
            .ephemeral_ports(4001..=65535);
        let mut world = World {
            script: Script::new(scenario, seed),
            config,
            sim: builder.build(),
            net: Shared::new(scenario, seed),
            reports: Reports::default(),
            machines: Vec::new(),
            jitter: Random::new(seed, RandomStream::Timers),
            keys: Random::new(seed, RandomStream::Keys),
            tick: nanoseconds(tick),
            now: 0,
            agenda: BTreeMap::new(),
            put: 0,
            digest: Digest::new(),
            handled: 0,
            before: net::Counters::default(),
            broken: None,
            frame: BytesMut::new(),
        };
        script::start::start(&mut world);
        world.script.origin = world.now;
        world.before = world.net.lock().counters;
        world.handled = 0;
        script::plan(&mut world);
        world
    }

    /// Does what is due by now.
    fn act(&mut self, watcher: &mut impl Watcher<P>) {
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= self.now
        {
            let ((due, _), place) = entry.remove_entry();
            self.handled += 1;
            self.digest.add(self.now, u64::from(place));
            let script = &self.script;
            watcher.handling(self.handled, self.now, &|| script.describe(place));
            script::control(self, place, due, watcher);
        }
    }

    /// Lets all machines run for a tick, and hears what they tell.
    fn step(&mut self, watcher: &mut impl Watcher<P>) {
        if let Err(error) = self.sim.step() {
            self.breaks(format!("a program failed: {error}"));
        }
        self.now += self.tick;
        for report in self.reports.take() {
            self.hear(report, watcher);
        }
    }

    fn hear(&mut self, report: Report<P>, watcher: &mut impl Watcher<P>) {
        let Report {
            at: now,
            number,
            epoch,
            what,
        } = report;
        // What happened before it was switched off is over.
        if !self.net.lock().lives(number, epoch) {
            return;
        }
        let machine = &mut self.machines[number as usize];
        let cause = match machine.handled {
            // A node does nothing of itself but when a message, a timer or an order comes, and
            // the driver does not tell which of the latter two.
            Some((at, from, kind)) if at == now => Cause::Message {
                from,
                to: number,
                kind,
            },
            _ => Cause::Timer {
                node: number,
                kind: "of its own",
            },
        };
        let at = Moment { now, cause };
        match what {
            What::Message(from, message) => {
                machine.handled = Some((now, from, message.kind()));
                self.handled += 1;
                watcher.handling(self.handled, now, &|| {
                    format!("n{from} -> n{number}: {message:?}")
                });
                self.digest
                    .add(now, u64::from(from) << 32 | u64::from(number));
                let (from, to) = (0, 0);
                self.digest_frame(&Frame::Envelope(Envelope { from, to, message }));
            }
            What::Event(event, node) => {
                if let Some(node) = node {
                    machine.node = *node;
                }
                // It goes when it has said good-bye.
                if event != Event::Left {
                    script::pass_on(self, number, event, at, watcher);
                }
            }
            What::Committed(id, batch) => watcher.committed(at, number, id, &batch),
            What::Broke => {
                self.net.lock().machines[number as usize].disk_breaks = None;
                script::broke(self, number, at, watcher);
            }
            What::Ended(Ended::Left | Ended::LeftBehind(_)) => {
                script::pass_on(self, number, Event::Left, at, watcher);
            }
            What::Ended(Ended::Stopped) => {
                self.breaks(format!(
                    "the program on n{number} stopped, and nobody told it to"
                ));
            }
            What::Ended(Ended::Twin(older)) => {
                self.breaks(format!(
                    "the program on n{number} stopped for another with its key at {older}, and \
                     each machine has a key of its own"
                ));
            }
            What::Failed(error) => {
                self.breaks(format!("the program on n{number} could not start: {error}"));
            }
        }
    }

    /// Takes what travelled into the digest.
    fn digest_frame(&mut self, frame: &Frame<P::Message>) {
        self.frame.clear();
        if !frame.encode(&mut self.frame) {
            return;
        }
        for part in self.frame.chunks(16) {
            let mut words = [0; 16];
            words[..part.len()].copy_from_slice(part);
            let words = u128::from_le_bytes(words);
            self.digest.add(words as u64, (words >> 64) as u64);
        }
    }

    /// The world can't go on. The first reason counts.
    fn breaks(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }
}
