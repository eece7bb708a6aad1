//! The queue of pending events, and what else it could be.
//!
//! ```sh
//! cargo bench --bench queue
//! ```
//!
//! Four stable priority queues with the same entries of 24 bytes: the standard library's binary
//! heap, a heap with four children a node, Brown's calendar queue, and the timing wheel that
//! the `events` world uses. Each holds a steady number of entries, 4,000 to 400,000; one step
//! takes the next out and puts in what follows from it:
//!
//! * `hold`, the classic model: one entry, after an exponentially distributed time.
//! * `ring`, what a ring of nodes does: periodic timers of a second (jittered by half), each of
//!   which sends a message (50 ms), which is answered, and sets a request timer (500 ms).
//!
//! Before anything is measured, all four must yield the same order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cuerda_sim::world::events::queue::{Entry, Queue};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECOND: u64 = 1_000_000_000;

/// An entry of the three alternatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Item {
    time: u64,
    sequence: u64,
    value: u64,
}

impl Item {
    /// One number to compare, without a branch that nobody can predict.
    const fn rank(&self) -> u128 {
        ((self.time as u128) << 64) | self.sequence as u128
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Item) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Item) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    fn lt(&self, other: &Item) -> bool {
        self.rank() < other.rank()
    }

    fn le(&self, other: &Item) -> bool {
        self.rank() <= other.rank()
    }
}

const _: () = assert!(size_of::<Item>() == 24);

/// What all of them can do. Entries of one time come out in the order they went in.
trait Pending {
    /// Empty, tuned for about this many entries in a simulated second.
    fn new(rate: f64) -> Self;
    fn push(&mut self, time: u64, value: u32);
    fn pop(&mut self) -> Option<(u64, u32)>;
}

impl Pending for Queue {
    fn new(rate: f64) -> Queue {
        Queue::new(rate)
    }

    fn push(&mut self, time: u64, value: u32) {
        Queue::push(self, Entry::new(time, 0, 0, 0, value));
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let entry = self.pop_before(u64::MAX)?;
        Some((entry.time, entry.value))
    }
}

#[derive(Default)]
struct Binary {
    heap: BinaryHeap<Reverse<Item>>,
    pushed: u64,
}

impl Pending for Binary {
    fn new(_: f64) -> Binary {
        Binary::default()
    }

    fn push(&mut self, time: u64, value: u32) {
        self.pushed += 1;
        self.heap.push(Reverse(Item {
            time,
            sequence: self.pushed,
            value: value.into(),
        }));
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let Reverse(item) = self.heap.pop()?;
        Some((item.time, item.value as u32))
    }
}

/// A heap in which each entry has four children: half as deep, and the children that are
/// compared share a cache line or two.
#[derive(Default)]
struct Quaternary {
    heap: Vec<Item>,
    pushed: u64,
}

impl Quaternary {
    fn least_child(&self, at: usize) -> Option<usize> {
        let first = 4 * at + 1;
        if let Some([a, b, c, d]) = self.heap.get(first..first + 4) {
            let (left, l) = if b < a { (1, b) } else { (0, a) };
            let (right, r) = if d < c { (3, d) } else { (2, c) };
            return Some(first + if r < l { right } else { left });
        }
        (first..self.heap.len()).min_by_key(|&child| self.heap[child].rank())
    }
}

impl Pending for Quaternary {
    fn new(_: f64) -> Quaternary {
        Quaternary::default()
    }

    fn push(&mut self, time: u64, value: u32) {
        self.pushed += 1;
        let item = Item {
            time,
            sequence: self.pushed,
            value: value.into(),
        };
        let mut at = self.heap.len();
        self.heap.push(item);
        while at > 0 && item < self.heap[(at - 1) / 4] {
            self.heap[at] = self.heap[(at - 1) / 4];
            at = (at - 1) / 4;
        }
        self.heap[at] = item;
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let last = self.heap.pop()?;
        let Some(&first) = self.heap.first() else {
            return Some((last.time, last.value as u32));
        };
        // Down to a leaf without a look at the last one, which belongs near the leaves anyway.
        let mut at = 0;
        while let Some(child) = self.least_child(at) {
            self.heap[at] = self.heap[child];
            at = child;
        }
        while at > 0 && last < self.heap[(at - 1) / 4] {
            self.heap[at] = self.heap[(at - 1) / 4];
            at = (at - 1) / 4;
        }
        self.heap[at] = last;
        Some((first.time, first.value as u32))
    }
}

/// R. Brown, *Calendar Queues* (CACM 31(10), 1988): a year of days, each a sorted list; a day
/// holds the entries of its date in every year. The number of days doubles and halves with
/// the number of entries, and the length of a day follows the gaps between the next ones.
struct Calendar {
    /// Each with its next entry last.
    days: Vec<Vec<Item>>,
    /// The length of a day.
    width: u64,
    /// The day that is looked at, counted from time zero.
    today: u64,
    count: usize,
    pushed: u64,
}

impl Calendar {
    fn insert(&mut self, item: Item) {
        let at = (item.time / self.width) as usize & (self.days.len() - 1);
        let day = &mut self.days[at];
        let place = day.partition_point(|other| *other > item);
        day.insert(place, item);
        self.count += 1;
        self.today = self.today.min(item.time / self.width);
    }

    fn take(&mut self) -> Option<Item> {
        if self.count == 0 {
            return None;
        }
        for _ in 0..self.days.len() {
            let at = self.today as usize & (self.days.len() - 1);
            let next = self.days[at].last();
            if next.is_some_and(|item| item.time / self.width == self.today) {
                self.count -= 1;
                return self.days[at].pop();
            }
            self.today += 1;
        }
        // Nothing in a whole year: straight to the next entry.
        let next = self.days.iter().filter_map(|day| day.last()).min()?;
        self.today = next.time / self.width;
        self.take()
    }

    /// As the paper does: the mean gap of the next 25 entries, without those above twice the
    /// first mean, times three.
    fn resize(&mut self, days: usize) {
        let sample: Vec<Item> = (0..25).map_while(|_| self.take()).collect();
        let gaps: Vec<u64> = sample
            .windows(2)
            .map(|pair| pair[1].time - pair[0].time)
            .collect();
        let mean = |gaps: &[u64]| gaps.iter().sum::<u64>() / gaps.len().max(1) as u64;
        let first = mean(&gaps);
        let usual: Vec<u64> = gaps.into_iter().filter(|&gap| gap <= 2 * first).collect();
        let now = sample.first().map_or(0, |item| item.time);
        let old = std::mem::replace(&mut self.days, vec![Vec::new(); days]);
        self.width = (3 * mean(&usual)).max(1);
        self.today = now / self.width;
        self.count = 0;
        for item in old.into_iter().flatten().chain(sample) {
            self.insert(item);
        }
    }
}

impl Pending for Calendar {
    fn new(_: f64) -> Calendar {
        Calendar {
            days: vec![Vec::new(); 2],
            width: SECOND,
            today: 0,
            count: 0,
            pushed: 0,
        }
    }

    fn push(&mut self, time: u64, value: u32) {
        self.pushed += 1;
        self.insert(Item {
            time,
            sequence: self.pushed,
            value: value.into(),
        });
        if self.count > 2 * self.days.len() {
            self.resize(2 * self.days.len());
        }
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        let item = self.take()?;
        if self.count < self.days.len() / 2 && self.days.len() > 2 {
            self.resize(self.days.len() / 2);
        }
        Some((item.time, item.value as u32))
    }
}

/// Random numbers that cost next to nothing (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(bits) * u128::from(end)) >> 64) as u64
    }

    fn share(&mut self) -> f64 {
        (self.below(1 << 53) + 1) as f64 / (1u64 << 53) as f64
    }
}

/// What happens in a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Model {
    Hold,
    Ring,
}

/// The kinds of entry of [`Model::Ring`].
const PERIODIC: u32 = 0;
const QUESTION: u32 = 1;
const ANSWER: u32 = 2;
const TIMEOUT: u32 = 3;

/// A queue in use.
struct Load<Q> {
    queue: Q,
    chance: Chance,
    model: Model,
}

impl<Q: Pending> Load<Q> {
    /// With about `pending` entries, and past the first two seconds, which are not typical.
    fn new(model: Model, pending: u32) -> Load<Q> {
        // A node of the ring has 1 periodic timer, 0.5 request timers and 0.1 messages pending,
        // and 4 events in a second.
        let nodes = match model {
            Model::Hold => pending,
            Model::Ring => (f64::from(pending) / 1.6) as u32,
        };
        let rate = f64::from(nodes) * if model == Model::Hold { 1.0 } else { 4.0 };
        let mut load = Load {
            queue: Q::new(rate),
            chance: Chance(0x9e37_79b9_7f4a_7c15),
            model,
        };
        for _ in 0..nodes {
            let time = load.chance.below(SECOND);
            load.queue.push(time, PERIODIC);
        }
        while load.step().0 < 2 * SECOND {}
        load
    }

    fn step(&mut self) -> (u64, u32) {
        let (now, kind) = self.queue.pop().expect("it never runs empty");
        match (self.model, kind) {
            (Model::Hold, _) => {
                let delay = -self.chance.share().ln() * SECOND as f64;
                self.queue.push(now + delay as u64, kind);
            }
            (Model::Ring, PERIODIC) => {
                let delay = SECOND / 2 + self.chance.below(SECOND);
                self.queue.push(now + SECOND / 20, QUESTION);
                self.queue.push(now + SECOND / 2, TIMEOUT);
                self.queue.push(now + delay, PERIODIC);
            }
            (Model::Ring, QUESTION) => self.queue.push(now + SECOND / 20, ANSWER),
            (Model::Ring, _) => {}
        }
        (now, kind)
    }
}

fn agree() {
    for model in [Model::Hold, Model::Ring] {
        let mut wheel = Load::<Queue>::new(model, 4000);
        let mut binary = Load::<Binary>::new(model, 4000);
        let mut quaternary = Load::<Quaternary>::new(model, 4000);
        let mut calendar = Load::<Calendar>::new(model, 4000);
        for _ in 0..100_000 {
            let next = wheel.step();
            assert_eq!(next, binary.step());
            assert_eq!(next, quaternary.step());
            assert_eq!(next, calendar.step());
        }
    }
    // At one instant, by order of pushing.
    fn at_once<Q: Pending>() {
        let mut queue = Q::new(100.0);
        for value in 0..100 {
            queue.push(7, value);
        }
        assert!((0..100).all(|value| queue.pop() == Some((7, value))));
        assert_eq!(queue.pop(), None);
    }
    at_once::<Queue>();
    at_once::<Binary>();
    at_once::<Quaternary>();
    at_once::<Calendar>();
}

fn steps<Q: Pending>(criterion: &mut Criterion, name: &str, queue: &str, model: Model) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    for pending in [4_000, 40_000, 400_000] {
        let mut load = Load::<Q>::new(model, pending);
        group.bench_function(BenchmarkId::new(queue, pending), |bencher| {
            bencher.iter(|| load.step());
        });
    }
}

fn queues(criterion: &mut Criterion) {
    agree();
    for (name, model) in [("hold", Model::Hold), ("ring", Model::Ring)] {
        steps::<Binary>(criterion, name, "binary heap", model);
        steps::<Quaternary>(criterion, name, "4-ary heap", model);
        steps::<Calendar>(criterion, name, "calendar queue", model);
        steps::<Queue>(criterion, name, "timing wheel", model);
    }
}

criterion_group!(benches, queues);
criterion_main!(benches);
