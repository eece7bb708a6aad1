//! What is drawn for one scenario, and what has been drawn already: later draws lean on earlier
//! ones, since faults that have nothing to do with each other seldom break anything together.
//!
//! All times are in milliseconds. Nothing here knows a kind of fault.

use std::time::Duration;

use toml::{Table, Value};

use crate::scenario::quantity::format_duration;
use crate::world::{Random, RandomStream};

/// A second, in the unit of this file.
pub(super) const SECOND: u64 = 1000;

/// A minute.
pub(super) const MINUTE: u64 = 60 * SECOND;

/// Draws, and remembers what later draws lean on.
#[derive(Clone, Debug)]
pub(super) struct Hand {
    random: Random,
    /// How many nodes there are at t = 0.
    pub(super) nodes: u32,
    /// How many of them each process has.
    pub(super) virtual_nodes: u32,
    /// How many more come by faults drawn so far.
    pub(super) newcomers: u32,
    /// How many of them hold a record, and how long successor lists are.
    pub(super) replicas: u32,
    pub(super) successors: u32,
    /// The period of stabilization.
    pub(super) period: u64,
    /// How many keys clients use; none if nothing is stored.
    pub(super) keys: u32,
    /// When the part without faults begins.
    pub(super) calm: u64,
    /// Lengths of time that mean something in this scenario: time-outs, periods, lifetimes.
    lengths: Vec<u64>,
    /// Instants at which something begins or ends.
    moments: Vec<u64>,
    /// From when to when something is wrong.
    spans: Vec<(u64, u64)>,
    /// Whom an earlier fault hit.
    victims: Vec<Value>,
}

impl Hand {
    /// The draws of this seed.
    pub(super) fn new(seed: u64) -> Hand {
        Hand {
            random: Random::new(seed, RandomStream::Exploration),
            nodes: 1,
            virtual_nodes: 1,
            newcomers: 0,
            replicas: 1,
            successors: 1,
            period: SECOND,
            keys: 0,
            calm: 0,
            lengths: Vec::new(),
            moments: Vec::new(),
            spans: Vec::new(),
            victims: Vec::new(),
        }
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, share: u64) -> bool {
        self.random.below(100) < share
    }

    /// Evenly from `least` to `most`, both included.
    pub(super) fn number(&mut self, least: u64, most: u64) -> u64 {
        least + self.random.below(most.saturating_sub(least) + 1)
    }

    /// From `least` to `most`, each order of magnitude as often as any other.
    pub(super) fn magnitude(&mut self, least: u64, most: u64) -> u64 {
        let (from, to) = (
            libm::log(least.max(1) as f64),
            libm::log(most.max(1) as f64),
        );
        let drawn = libm::exp(from + (to - from) * self.random.share());
        (libm::round(drawn) as u64).clamp(least, most.max(least))
    }

    /// One of these, of which there must be some.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.below(from.len() as u64) as usize]
    }

    /// The place of one of these, each as often as its weight says; 0 if none has any.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let all: u64 = weights.clone().map(u64::from).sum();
        let mut drawn = self.random.below(all);
        for (place, weight) in weights.enumerate() {
            if drawn < u64::from(weight) {
                return place;
            }
            drawn -= u64::from(weight);
        }
        0
    }

    /// A length of time that means something from now on.
    pub(super) fn means(&mut self, length: u64) {
        self.lengths.push(length);
    }

    /// A length of time between these, now and then about as long as one that means something.
    pub(super) fn related(&mut self, least: u64, most: u64) -> u64 {
        if self.lengths.is_empty() || self.percent(65) {
            return self.magnitude(least, most);
        }
        let lengths = self.lengths.clone();
        let length = self.pick(&lengths);
        let times = self.pick(&[50, 90, 100, 110, 200]);
        (length * times / 100).clamp(least, most)
    }

    /// Something begins or ends at this instant.
    pub(super) fn happens(&mut self, at: u64) {
        self.moments.push(at);
    }

    /// Something is wrong from one instant to another.
    pub(super) fn lasts(&mut self, from: u64, until: u64) {
        self.happens(from);
        self.happens(until);
        self.spans.push((from, until));
    }

    /// An instant at which a fault may begin: while faults may be, often just when something else
    /// begins or ends, or shortly before or after, or while it lasts.
    pub(super) fn moment(&mut self) -> u64 {
        let (first, last) = (5 * SECOND, self.calm.saturating_sub(2 * SECOND));
        if self.moments.is_empty() || self.percent(40) {
            let at = self.number(first, last);
            return whole(at).clamp(first, last);
        }
        if !self.spans.is_empty() && self.percent(30) {
            let spans = self.spans.clone();
            let (from, until) = self.pick(&spans);
            let at = self.number(from, until);
            return whole(at).clamp(first, last);
        }
        let moments = self.moments.clone();
        let at = self.pick(&moments);
        let off = match self.random.below(6) {
            0 | 1 => 0,
            2 => SECOND,
            3 => self.number(1, 5) * SECOND,
            4 => self.magnitude(10, SECOND),
            _ => self.magnitude(SECOND, 30 * SECOND) / SECOND * SECOND,
        };
        let at = if self.percent(65) {
            at + off
        } else {
            at.saturating_sub(off)
        };
        at.clamp(first, last)
    }

    /// How long something lasts that begins at `at`: often about as long as something that means
    /// something here, and never into the part without faults.
    pub(super) fn length(&mut self, at: u64) -> u64 {
        let room = self.calm.saturating_sub(at).max(SECOND);
        let drawn = if self.lengths.is_empty() || self.percent(50) {
            self.magnitude(2 * SECOND, room)
        } else {
            let lengths = self.lengths.clone();
            let length = self.pick(&lengths);
            let times = self.pick(&[50, 90, 100, 110, 150, 200, 300, 400]);
            length * times / 100
        };
        whole(drawn.max(SECOND)).clamp(1, room)
    }

    /// A number of nodes, towards the edges: one, all, all but one, about as many as hold a record
    /// or as stand in a successor list.
    pub(super) fn crowd(&mut self) -> u32 {
        let (n, k, r) = (self.nodes, self.replicas, self.successors);
        let edges = [
            1,
            1,
            2,
            k - 1,
            k,
            k + 1,
            r,
            r + 1,
            r + 3,
            n / 2,
            n - 1,
            n - 1,
            n,
            n,
        ];
        let drawn = if self.percent(75) {
            self.pick(&edges)
        } else {
            self.number(1, u64::from(n)) as u32
        };
        drawn.clamp(1, n)
    }

    /// Some nodes: often those whom an earlier fault hit, else a crowd.
    pub(super) fn victims(&mut self) -> Value {
        if !self.victims.is_empty() && self.percent(40) {
            let place = self.random.below(self.victims.len() as u64) as usize;
            return self.victims[place].clone();
        }
        let crowd = self.crowd();
        let victims = self.selector(crowd);
        self.meets(victims.clone());
        victims
    }

    /// These nodes are hit by something.
    pub(super) fn meets(&mut self, victims: Value) {
        self.victims.push(victims);
    }

    /// A way to name so many nodes.
    pub(super) fn selector(&mut self, crowd: u32) -> Value {
        let crowd = crowd.clamp(1, self.nodes);
        if crowd == self.nodes && self.percent(70) {
            return "100%".into();
        }
        if self.newcomers > 0 && self.percent(20) {
            return self.newcomers();
        }
        match self.random.below(10) {
            0..4 => self.holders(crowd),
            4..6 => i64::from(crowd).into(),
            6..9 => self.named(crowd),
            _ => self.stretch(crowd),
        }
    }

    /// The first so many holders of a key: neighbours.
    fn holders(&mut self, crowd: u32) -> Value {
        let key = self.number(0, u64::from(self.keys.clamp(1, 4)) - 1);
        match crowd {
            1 => format!("owner(key:k{key})").into(),
            _ => format!("successors(key:k{key}, {crowd})").into(),
        }
    }

    /// So many nodes by their names, the first ones or any.
    pub(super) fn named(&mut self, crowd: u32) -> Value {
        let mut numbers: Vec<u32> = (0..self.nodes).collect();
        if self.percent(50) {
            for place in (1..numbers.len()).rev() {
                numbers.swap(place, self.random.below(place as u64 + 1) as usize);
            }
        } else if self.percent(50) {
            // All but the first, which others were told to join by.
            numbers.rotate_left(1);
        }
        let mut numbers: Vec<u32> = numbers.into_iter().take(crowd as usize).collect();
        numbers.sort_unstable();
        match &numbers[..] {
            [number] => format!("n{number}").into(),
            numbers => {
                let names = numbers.iter().map(|number| format!("n{number}").into());
                Value::Array(names.collect())
            }
        }
    }

    /// Some of those that come, or all of them.
    fn newcomers(&mut self) -> Value {
        let many = match self.percent(60) {
            true => self.newcomers,
            false => self.number(1, u64::from(self.newcomers)) as u32,
        };
        let names = (self.nodes..self.nodes + many).map(|number| format!("n{number}").into());
        Value::Array(names.collect())
    }

    /// An arc of the circle with about so many nodes.
    fn stretch(&mut self, crowd: u32) -> Value {
        let from = self.number(0, 99);
        let share = u64::from((100 * crowd / self.nodes).clamp(1, 99));
        let to = (from + share) % 100;
        format!("arc({}..{})", hundredths(from), hundredths(to)).into()
    }
}

/// Hundredths as a fraction.
fn hundredths(number: u64) -> String {
    match number {
        0 => "0".to_owned(),
        number if number.is_multiple_of(10) => format!("0.{}", number / 10),
        number => format!("0.{number:02}"),
    }
}

/// A length of time in numbers that a person would write.
pub(super) fn whole(milliseconds: u64) -> u64 {
    let grain = match milliseconds {
        0..1_000 => 10,
        1_000..10_000 => 500,
        10_000..120_000 => SECOND,
        _ => 10 * SECOND,
    };
    (milliseconds + grain / 2) / grain * grain
}

/// A length of time as scenarios write it.
pub(super) fn time(milliseconds: u64) -> Value {
    format_duration(Duration::from_millis(milliseconds)).into()
}

/// A section with these entries.
pub(super) fn section<const N: usize>(entries: [(&str, Value); N]) -> Table {
    Table::from_iter(entries.map(|(key, value)| (key.to_owned(), value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_keep_their_bounds_and_reach_them() {
        let mut hand = Hand::new(1);
        let mut seen = [false; 3];
        for _ in 0..1000 {
            seen[hand.number(0, 2) as usize] = true;
            assert!((7..=7000).contains(&hand.magnitude(7, 7000)));
            assert_eq!(hand.magnitude(5, 5), 5);
            assert_eq!(hand.weighted([0, 3, 0].into_iter()), 1);
        }
        assert_eq!(seen, [true; 3]);
    }

    #[test]
    fn faults_begin_and_end_before_the_calm() {
        let mut hand = Hand::new(2);
        hand.calm = 2 * MINUTE;
        hand.happens(MINUTE);
        hand.means(10 * MINUTE);
        let mut at_once = 0;
        for _ in 0..1000 {
            let at = hand.moment();
            at_once += u32::from(at == MINUTE);
            assert!((5 * SECOND..2 * MINUTE).contains(&at));
            assert!(at + hand.length(at) <= hand.calm);
        }
        assert!(at_once > 100, "at the very instant: {at_once} of 1000");
    }

    #[test]
    fn edges_are_favoured() {
        let mut hand = Hand::new(3);
        (hand.nodes, hand.replicas, hand.successors) = (20, 3, 8);
        let mut counts = [0; 21];
        for _ in 0..1000 {
            counts[hand.crowd() as usize] += 1;
        }
        for edge in [1, 2, 3, 4, 8, 9, 19, 20] {
            assert!(counts[edge] > 30, "{edge}: {}", counts[edge]);
        }
        assert_eq!(counts[0], 0);
    }
}
