//! The network that the machines share: its latency, its faults, and the state of each machine as
//! its kernel would show it to others.
//!
//! turmoil carries the bytes, as fast as it can and over links that are never cut. All that makes
//! a network slow or unreliable is decided here, by the scenario's own random stream, and applied
//! by the [sockets](super::sockets): so faults add up, and a cut is silence and not a refusal.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use cuerda::host::Counters as Counted;

use crate::scenario::Scenario;
use crate::world::clock::Clock;
use crate::world::paths::Paths;
use crate::world::script::Broken;
use crate::world::script::network_faults::NetworkFaults;
use crate::world::{EPOCH_MS, Random, RandomStream, Time, nanoseconds, number_of};

/// The network, as machines and the world hold it. A world has one thread, so nobody ever waits
/// for the lock.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Net>>);

/// The network.
pub(super) struct Net {
    pub(super) network_faults: NetworkFaults,
    pub(super) machines: Vec<Machine>,
    pub(super) counters: Counters,
    /// What each program that ever ran has counted.
    pub(super) counted: Vec<Arc<Counted>>,
    paths: Paths,
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    chance: Random,
    /// Where reads are split: of no consequence to a right program.
    splits: Random,
    connections: BTreeMap<Ends, Connection>,
    /// Who stands still until something changes, by a number of its own.
    waiting: BTreeMap<u64, Waker>,
    tickets: u64,
}

/// A machine as its surroundings see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    pub(super) up: bool,
    /// Counts its starts. What belongs to an earlier one is nobody's any more.
    pub(super) epoch: u32,
    /// How many faults pause it.
    pub(super) paused: u32,
    pub(super) clock: Clock,
    /// How long a commit takes.
    pub(super) disk_slow: Time,
    /// How its disk is about to break.
    pub(super) disk_breaks: Option<Broken>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    /// Messages that nodes handed over to be sent.
    pub(super) sent: u64,
    pub(super) delivered: u64,
    /// Bytes that went onto connections, TLS included.
    pub(super) bytes: u64,
    /// Bytes of messages about repairing records, as their wire format counts them.
    pub(super) repair_bytes: u64,
}

/// A connection: where it was opened from, and where to.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// What both ends of a connection share.
#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    /// How many of its ends are there.
    ends: u8,
    /// It is reset when so many more bytes have gone through in one direction.
    doomed: Option<u64>,
    reset: bool,
}

impl Shared {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Shared {
        Shared(Arc::new(Mutex::new(Net {
            network_faults: NetworkFaults::default(),
            machines: Vec::new(),
            counters: Counters::default(),
            counted: Vec::new(),
            paths: Paths::new(&scenario.network, 1, seed),
            loss: scenario.network.loss,
            duplicate: scenario.network.duplicate,
            chance: Random::new(seed, RandomStream::Network),
            splits: Random::new(seed, RandomStream::Splits),
            connections: BTreeMap::new(),
            waiting: BTreeMap::new(),
            tickets: 0,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Net> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Done when this holds; looked at whenever something changes.
    pub(super) async fn until(&self, holds: impl Fn(&Net) -> bool) {
        let ticket = self.lock().ticket();
        // Dropped half-way, it leaves nothing behind.
        let _clean = Clean(self, ticket);
        poll_fn(|context| {
            let mut net = self.lock();
            if holds(&net) {
                return Poll::Ready(());
            }
            net.wait(ticket, context.waker());
            Poll::Pending
        })
        .await;
    }

    /// Does this, but stands still as long as this machine sleeps.
    pub(super) async fn awake<T>(&self, number: u32, work: impl Future<Output = T>) -> T {
        let ticket = self.lock().ticket();
        let _clean = Clean(self, ticket);
        let mut work = pin!(work);
        poll_fn(|context| {
            let mut net = self.lock();
            if net.is_paused(number) {
                net.wait(ticket, context.waker());
                return Poll::Pending;
            }
            drop(net);
            work.as_mut().poll(context)
        })
        .await
    }
}

struct Clean<'a>(&'a Shared, u64);

impl Drop for Clean<'_> {
    fn drop(&mut self) {
        self.0.lock().forget(self.1);
    }
}

/// The machine with this address, whatever the port.
pub(super) fn number_of_ip(address: SocketAddr) -> Option<u32> {
    number_of(SocketAddr::new(address.ip(), 4000).into())
}

/// Simulated time, on whichever machine this is asked.
pub(super) fn now() -> Time {
    let elapsed = turmoil::sim_elapsed().expect("only machines of a running world ask");
    nanoseconds(elapsed)
}

impl Net {
    /// A number to wait with.
    pub(super) const fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Wakes this task when anything changes.
    pub(super) fn wait(&mut self, ticket: u64, waker: &Waker) {
        self.waiting.insert(ticket, waker.clone());
    }

    pub(super) fn forget(&mut self, ticket: u64) {
        self.waiting.remove(&ticket);
    }

    /// Wakes one task that waits.
    pub(super) fn wake(&mut self, ticket: u64) {
        if let Some(waker) = self.waiting.remove(&ticket) {
            waker.wake();
        }
    }

    /// Something has changed: whoever stands still looks again.
    pub(super) fn changed(&mut self) {
        for waker in std::mem::take(&mut self.waiting).into_values() {
            waker.wake();
        }
    }

    /// Whether this start of a machine is the one that runs, or that has been run last.
    pub(super) fn lives(&self, number: u32, epoch: u32) -> bool {
        let machine = self.machines.get(number as usize);
        machine.is_some_and(|machine| machine.up && machine.epoch == epoch)
    }

    pub(super) fn is_up(&self, number: u32) -> bool {
        let machine = self.machines.get(number as usize);
        machine.is_some_and(|machine| machine.up)
    }

    pub(super) fn epoch(&self, number: u32) -> u32 {
        let machine = self.machines.get(number as usize);
        machine.map_or(0, |machine| machine.epoch)
    }

    pub(super) fn is_paused(&self, number: u32) -> bool {
        let machine = self.machines.get(number as usize);
        machine.is_some_and(|machine| machine.paused > 0)
    }

    /// How long what is sent now is under way.
    pub(super) fn latency(&mut self, from: u32, to: u32) -> Time {
        let latency = self.paths.latency(from, to, &mut self.chance);
        latency.saturating_add(self.network_faults.delay(from, to))
    }

    /// Whether a message is lost by chance.
    pub(super) fn loses(&mut self, from: u32, to: u32) -> bool {
        self.network_faults.lose(from, to, &mut self.chance) || self.chance.happens(self.loss)
    }

    /// Whether a message is doubled by chance.
    pub(super) fn doubles(&mut self) -> bool {
        self.chance.happens(self.duplicate)
    }

    /// How many of these bytes one read gives: most often all.
    pub(super) fn split(&mut self, most: usize) -> usize {
        if most > 1 && self.splits.below(16) == 0 {
            1 + self.splits.below(most as u64 - 1) as usize
        } else {
            most
        }
    }

    pub(super) fn wall_clock(&self, number: u32, now: Time) -> u64 {
        let ahead = self.machines[number as usize].clock.ahead_ms(now);
        (EPOCH_MS + now / 1_000_000).saturating_add_signed(ahead)
    }

    pub(super) fn connected(&mut self, ends: Ends) {
        self.connections.entry(ends).or_default().ends += 1;
        self.apply_resets();
    }

    pub(super) fn disconnected(&mut self, ends: Ends) {
        if let Some(connection) = self.connections.get_mut(&ends) {
            connection.ends -= 1;
            if connection.ends == 0 {
                self.connections.remove(&ends);
            }
        }
    }

    /// Dooms the connections that the faults in force reset, and spares the others.
    pub(super) fn apply_resets(&mut self) {
        for (ends, connection) in &mut self.connections {
            let [one, other] = [ends.0, ends.1].map(|end| number_of_ip(end).unwrap_or(u32::MAX));
            let after = self.network_faults.reset(one, other);
            connection.doomed = after.map(|after| connection.doomed.unwrap_or(after));
            connection.reset |= connection.doomed == Some(0);
        }
    }

    pub(super) fn is_reset(&self, ends: &Ends) -> bool {
        let connection = self.connections.get(ends);
        connection.is_some_and(|connection| connection.reset)
    }

    /// So many bytes are about to be read from a connection. Says how many may be, before it is
    /// reset.
    pub(super) fn let_through(&mut self, ends: &Ends, bytes: usize) -> usize {
        let Some(connection) = self.connections.get_mut(ends) else {
            return bytes;
        };
        let Some(left) = &mut connection.doomed else {
            return bytes;
        };
        let through = bytes.min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= through as u64;
        if *left == 0 {
            connection.reset = true;
            self.changed();
        }
        through
    }
}
