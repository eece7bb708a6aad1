//! What happens next: the pending events in the order of their times.
//!
//! A hierarchical timing wheel. An event is appended to the slot of its time, 24 bytes into
//! memory that is written anyway; a slot is sorted when its turn comes, while it is small and in
//! the cache. A binary heap of the same entries touches a cache line for each of its levels,
//! which at a hundred thousand nodes costs several times as much (`benches/queue.rs` compares
//! them).

use crate::world::Time;

/// A pending event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it is due.
    pub time: Time,
    /// Orders those that are due at one instant by when they were pushed.
    sequence: u32,
    /// The node it is for.
    pub node: u32,
    /// What it is.
    pub kind: u16,
    /// The start of the node that it belongs to.
    pub epoch: u16,
    /// What it carries: a number that its kind gives a meaning.
    pub value: u32,
}

impl Entry {
    /// An event that is not yet pending.
    #[must_use]
    pub const fn new(time: Time, node: u32, kind: u16, epoch: u16, value: u32) -> Entry {
        Entry {
            time,
            sequence: 0,
            node,
            kind,
            epoch,
            value,
        }
    }

    /// Whether `self` comes before `other`. Sequence numbers wrap; those that meet at one
    /// instant are never two thousand million apart.
    const fn is_before(&self, other: &Entry) -> bool {
        self.time < other.time
            || self.time == other.time && (self.sequence.wrapping_sub(other.sequence) as i32) < 0
    }
}

/// Slots of a level: 2^10.
const SLOT_BITS: u32 = 10;
const SLOTS: usize = 1 << SLOT_BITS;
/// Three levels span 2^30 slots of the finest; what lies beyond waits in `far`.
const LEVELS: usize = 3;

/// The pending events.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The width of a slot of the finest level is 2^`shift` ns.
    shift: u32,
    /// The slot that is being emptied, as a number counted from time zero.
    slot: u64,
    /// What is due in that slot, the last first.
    current: Vec<Entry>,
    levels: Vec<Level>,
    far: Vec<Entry>,
    sequence: u32,
    count: usize,
}

#[derive(Clone, Debug)]
struct Level {
    slots: Vec<Vec<Entry>>,
    /// One bit for each slot that holds something.
    occupied: [u64; SLOTS / 64],
    /// Memory of emptied slots, the last one first: slots take it from here when they begin to
    /// fill, so that a few stretches of memory that are in the cache serve all of them.
    spare: Vec<Vec<Entry>>,
}

impl Level {
    fn new() -> Level {
        Level {
            slots: vec![Vec::new(); SLOTS],
            occupied: [0; SLOTS / 64],
            spare: Vec::new(),
        }
    }

    fn push(&mut self, slot: usize, entry: Entry) {
        let bit = 1 << (slot % 64);
        if self.occupied[slot / 64] & bit == 0 {
            self.occupied[slot / 64] |= bit;
            self.slots[slot] = self.spare.pop().unwrap_or_default();
        }
        self.slots[slot].push(entry);
    }

    /// Takes out what a slot holds.
    fn take(&mut self, slot: usize) -> Vec<Entry> {
        self.occupied[slot / 64] &= !(1 << (slot % 64));
        std::mem::take(&mut self.slots[slot])
    }

    /// The first slot at or after this one that holds something.
    fn next(&self, slot: usize) -> Option<usize> {
        let mut word = slot / 64;
        let mut bits = self.occupied.get(word)? & (u64::MAX << (slot % 64));
        while bits == 0 {
            word += 1;
            bits = *self.occupied.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }
}

impl Queue {
    /// An empty queue, tuned for about this many events in a simulated second.
    #[must_use]
    pub fn new(events_per_second: f64) -> Queue {
        // Some twenty events a slot: few enough to sort in the cache, and as many as it takes for
        // `World::fetch_ahead` to wait for the memory of all of them together.
        let width = 32.0e9 / events_per_second.max(1.0);
        let shift = libm::log2(width) as u32;
        Queue {
            shift: shift.clamp(8, 24),
            slot: 0,
            current: Vec::new(),
            levels: (0..LEVELS).map(|_| Level::new()).collect(),
            far: Vec::new(),
            sequence: 0,
            count: 0,
        }
    }

    /// How many events are pending.
    #[cfg(test)]
    pub(crate) const fn pending(&self) -> usize {
        self.count
    }

    /// Adds an event. One whose time is over is due at once.
    pub fn push(&mut self, mut entry: Entry) {
        entry.sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        self.count += 1;
        if entry.time >> self.shift <= self.slot {
            let at = self.current.partition_point(|other| entry.is_before(other));
            self.current.insert(at, entry);
        } else {
            self.place(entry);
        }
    }

    /// Puts an event that lies behind the current slot into the finest level that reaches it.
    fn place(&mut self, entry: Entry) {
        let slot = entry.time >> self.shift;
        for (number, level) in self.levels.iter_mut().enumerate() {
            let bits = SLOT_BITS * number as u32;
            // In the same lap of this level's wheel as now?
            if slot >> (bits + SLOT_BITS) == self.slot >> (bits + SLOT_BITS) {
                return level.push((slot >> bits) as usize % SLOTS, entry);
            }
        }
        self.far.push(entry);
    }

    /// When all that was known to come next is taken out: finds what does, some events at a
    /// time, so that a caller can get ready for them together. `None` if the last ones found
    /// are not yet taken out, or if nothing is due before `end`.
    pub fn find_next(&mut self, end: Time) -> Option<&[Entry]> {
        (self.current.is_empty() && self.advance(end)).then_some(&self.current[..])
    }

    /// Takes the next event out, if it is due before `end`.
    pub fn pop_before(&mut self, end: Time) -> Option<Entry> {
        if self.current.is_empty() && !self.advance(end) {
            return None;
        }
        if self.current.last()?.time >= end {
            return None;
        }
        self.count -= 1;
        self.current.pop()
    }

    /// Moves to the next slot that holds something, and sorts it. False if none does, or if it
    /// begins at or after `end`; what is pushed meanwhile may still come before it.
    fn advance(&mut self, end: Time) -> bool {
        loop {
            let within = self.slot as usize % SLOTS;
            if let Some(next) = self.levels[0].next(within) {
                let slot = self.slot - within as u64 + next as u64;
                if slot << self.shift >= end {
                    return false;
                }
                self.slot = slot;
                let entries = self.levels[0].take(next);
                let emptied = std::mem::replace(&mut self.current, entries);
                self.levels[0].spare.push(emptied);
                self.current.sort_unstable_by(|a, b| {
                    if a.is_before(b) {
                        std::cmp::Ordering::Greater
                    } else {
                        std::cmp::Ordering::Less
                    }
                });
                return true;
            }
            if !self.cascade(end) {
                return false;
            }
        }
    }

    /// The finest level is empty: spreads the next coarser slot over it. False if all is empty,
    /// or if that slot begins at or after `end`.
    fn cascade(&mut self, end: Time) -> bool {
        for number in 1..LEVELS {
            let bits = SLOT_BITS * number as u32;
            let lap = self.slot >> bits;
            let within = lap as usize % SLOTS;
            let Some(next) = self.levels[number].next(within) else {
                continue;
            };
            let slot = (lap - within as u64 + next as u64) << bits;
            if slot << self.shift >= end {
                return false;
            }
            self.slot = slot.max(self.slot);
            let mut entries = self.levels[number].take(next);
            for entry in entries.drain(..) {
                self.place(entry);
            }
            self.levels[number].spare.push(entries);
            return true;
        }
        let Some(first) = self.far.iter().map(|entry| entry.time).min() else {
            return false;
        };
        let slot = (first >> self.shift) & !((1 << (SLOT_BITS * LEVELS as u32)) - 1);
        if slot << self.shift >= end {
            return false;
        }
        self.slot = slot.max(self.slot);
        for entry in std::mem::take(&mut self.far) {
            self.place(entry);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Random, RandomStream};
    use proptest::prelude::*;
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    proptest! {
        /// The same order as a heap of (time, order of pushing), whatever comes when.
        #[test]
        fn it_is_a_stable_priority_queue(
            seed: u64, rate in prop_oneof![Just(1.0), Just(1e4), Just(1e8)], scale in 0u32..45,
        ) {
            let mut random = Random::new(seed, RandomStream::Timers);
            let mut queue = Queue::new(rate);
            let mut heap = BinaryHeap::new();
            let (mut now, mut pushed) = (0, 0);
            for _ in 0..400 {
                for _ in 0..random.below(4) {
                    let bits = random.below(u64::from(scale) + 1);
                    let delay = random.below(1 << bits);
                    queue.push(Entry::new(now + delay, 0, 0, 0, pushed));
                    heap.push(Reverse((now + delay, pushed)));
                    pushed += 1;
                }
                let bits = random.below(u64::from(scale) + 1);
                let end = now + random.below(1 << bits);
                while let Some(entry) = queue.pop_before(end) {
                    let Some(Reverse(expected)) = heap.pop() else { panic!("one too many") };
                    prop_assert_eq!((entry.time, entry.value), expected);
                    now = entry.time;
                }
                prop_assert!(heap.peek().is_none_or(|Reverse((time, _))| *time >= end));
                prop_assert_eq!(queue.pending(), heap.len());
                now = now.max(end);
            }
        }
    }

    #[test]
    fn sequence_numbers_may_wrap() {
        let mut queue = Queue::new(1000.0);
        queue.sequence = u32::MAX - 1;
        for value in 0..4 {
            queue.push(Entry::new(77, 0, 0, 0, value));
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop_before(100))
            .map(|entry| entry.value)
            .collect();
        assert_eq!(order, [0, 1, 2, 3]);
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 24);
    }
}
