//! What is due when: one heap for the timers of all nodes, and of the driver itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tokio::time::Instant;

use cuerda_core::ring::Address;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due<T> {
    /// A node's own timer.
    Node(u8, T),
    /// The same for a request, with what the driver must know to be fair to it.
    Request {
        node: u8,
        timer: T,
        number: u32,
        /// How long the node wants to wait for the reply.
        patience: Duration,
        /// It was given more time already, since a connection had to be made first.
        extended: bool,
    },
    /// The next attempt to reach this address.
    Dial(Address),
    /// A client's question to a peer, by its number, has waited long enough.
    Ask(u32),
    /// Time to look for connections that nobody uses.
    Sweep,
}

/// The heap. Of two timers due at the same instant, the one set first comes first.
#[derive(Debug)]
pub(super) struct Timers<T> {
    heap: BinaryHeap<Reverse<(Instant, u64, Due<T>)>>,
    set: u64,
}

impl<T: Ord> Default for Timers<T> {
    fn default() -> Timers<T> {
        Timers {
            heap: BinaryHeap::new(),
            set: 0,
        }
    }
}

impl<T: Ord> Timers<T> {
    pub(super) fn set(&mut self, at: Instant, due: Due<T>) {
        self.set += 1;
        self.heap.push(Reverse((at, self.set, due)));
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes out the next one, if it is due by now.
    pub(super) fn take(&mut self, now: Instant) -> Option<Due<T>> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((.., due))| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuerda_core::chord::Timer;

    #[tokio::test(start_paused = true)]
    async fn they_come_in_the_order_of_their_times_and_then_of_their_setting() {
        let (mut timers, now) = (Timers::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        timers.set(later, Due::Sweep);
        timers.set(now, Due::Node(1, Timer::Fingers));
        timers.set(now, Due::Node(0, Timer::Stabilize));
        assert_eq!(timers.next(), Some(now));
        assert_eq!(timers.take(now), Some(Due::Node(1, Timer::Fingers)));
        assert_eq!(timers.take(now), Some(Due::Node(0, Timer::Stabilize)));
        assert_eq!(timers.take(now), None);
        assert_eq!(timers.take(later), Some(Due::Sweep));
        assert_eq!(timers.next(), None);
    }
}
