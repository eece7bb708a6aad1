//! A world for tests, which writes down what a node asks of it.

use std::ops::Range;
use std::time::Duration;

use super::{Event, Network, Protocol};
use crate::ring::Peer;
use crate::store::MemoryStore;

/// A world that does nothing but write down what a node asks of it: for tests, of this crate
/// and of what is built on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorder<P: Protocol> {
    /// What was sent, oldest first.
    pub sent: Vec<(Peer, P::Message)>,
    /// Which timers were set, oldest first.
    pub timers: Vec<(P::Timer, Range<Duration>)>,
    /// What was told, oldest first.
    pub events: Vec<Event<P::Told>>,
    /// What [`Network::wall_clock`] says, in milliseconds.
    pub clock: u64,
    /// The node's records; committed at once.
    pub store: MemoryStore,
}

impl<P: Protocol> Default for Recorder<P> {
    fn default() -> Recorder<P> {
        Recorder {
            sent: Vec::new(),
            timers: Vec::new(),
            events: Vec::new(),
            clock: 0,
            store: MemoryStore::default(),
        }
    }
}

impl<P: Protocol> Recorder<P> {
    /// Takes out what was sent since the last call.
    pub fn take_sent(&mut self) -> Vec<(Peer, P::Message)> {
        std::mem::take(&mut self.sent)
    }

    /// Takes out the timers set since the last call.
    pub fn take_timers(&mut self) -> Vec<(P::Timer, Range<Duration>)> {
        std::mem::take(&mut self.timers)
    }

    /// Takes out what was told since the last call.
    pub fn take_events(&mut self) -> Vec<Event<P::Told>> {
        std::mem::take(&mut self.events)
    }
}

impl<P: Protocol> Network<P> for Recorder<P> {
    type Store = MemoryStore;

    fn send(&mut self, to: Peer, message: P::Message) {
        self.sent.push((to, message));
    }

    fn set_timer(&mut self, timer: P::Timer, after: Range<Duration>) {
        self.timers.push((timer, after));
    }

    fn emit(&mut self, event: Event<P::Told>) {
        self.events.push(event);
    }

    fn wall_clock(&self) -> u64 {
        self.clock
    }

    fn store(&mut self) -> &mut MemoryStore {
        &mut self.store
    }
}
