//! A node's view of the host while it handles an input.

use std::ops::Range;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use tokio::time::Instant;

use super::node_store::NodeStore;
use super::timers::{Due, Timers};
use cuerda_core::protocol::{Event, Network, Protocol, Timer as _};
use cuerda_core::ring::Peer;

/// What the nodes of a host have sent and told in this batch, not yet released.
#[derive(Debug)]
pub(super) struct Outbox<P: Protocol> {
    /// Which node sent what to whom.
    pub(super) sent: Vec<(u8, Peer, P::Message)>,
    /// What the node that is handling an input told.
    pub(super) events: Vec<Event<P::Told>>,
    /// What nodes told that depends on their stores.
    pub(super) answers: Vec<(u8, Event<P::Told>)>,
}

impl<P: Protocol> Default for Outbox<P> {
    fn default() -> Outbox<P> {
        Outbox {
            sent: Vec::new(),
            events: Vec::new(),
            answers: Vec::new(),
        }
    }
}

pub(super) struct NodeContext<'a, P: Protocol> {
    pub(super) node: u8,
    pub(super) now: Instant,
    pub(super) wall_clock: u64,
    pub(super) outbox: &'a mut Outbox<P>,
    pub(super) timers: &'a mut Timers<P::Timer>,
    pub(super) random: &'a mut ChaCha8Rng,
    pub(super) store: &'a mut NodeStore,
}

impl<P: Protocol> Network<P> for NodeContext<'_, P> {
    type Store = NodeStore;

    fn send(&mut self, to: Peer, message: P::Message) {
        self.outbox.sent.push((self.node, to, message));
    }

    fn set_timer(&mut self, timer: P::Timer, after: Range<Duration>) {
        let (node, delay) = (self.node, between(self.random, after));
        let due = match timer.request() {
            Some(number) => Due::Request {
                node,
                timer,
                number,
                patience: delay,
                extended: false,
            },
            None => Due::Node(node, timer),
        };
        self.timers.set(self.now + delay, due);
    }

    fn emit(&mut self, event: Event<P::Told>) {
        self.outbox.events.push(event);
    }

    fn wall_clock(&self) -> u64 {
        self.wall_clock
    }

    fn store(&mut self) -> &mut NodeStore {
        self.store
    }
}

/// A duration drawn evenly from a range; its start if it is empty.
fn between(random: &mut ChaCha8Rng, range: Range<Duration>) -> Duration {
    let width = range.end.saturating_sub(range.start).as_nanos();
    let width = u64::try_from(width).unwrap_or(u64::MAX);
    if width == 0 {
        return range.start;
    }
    // The high half of the product is even enough: a width is far below 2^64.
    let drawn = (u128::from(random.next_u64()) * u128::from(width)) >> 64;
    range.start + Duration::from_nanos(drawn as u64)
}

/// A number from 0 to 1, 1 left out.
pub(super) fn fraction(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    #[test]
    fn delays_are_drawn_from_the_whole_range() {
        let mut random = ChaCha8Rng::from_seed([7; 32]);
        let range = Duration::from_millis(500)..Duration::from_millis(1500);
        let drawn: Vec<Duration> = (0..1000)
            .map(|_| between(&mut random, range.clone()))
            .collect();
        assert!(drawn.iter().all(|delay| range.contains(delay)));
        let mean = drawn.iter().sum::<Duration>() / 1000;
        assert!((950..1050).contains(&mean.as_millis()), "{mean:?}");
        let fixed = Duration::from_secs(1);
        assert_eq!(between(&mut random, fixed..fixed), fixed);
    }
}
