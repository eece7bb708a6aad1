//! Nodes that write, merge, expire and collect in any order, beside a naive list of all writes
//! and of who has heard of which.

use std::collections::BTreeSet;

use super::super::{Conflict, StampClock, Value};
use super::*;

const NODES: usize = 4;
const NAMES: [&str; 2] = ["p", "q"];
const START: u64 = 1_000_000_000;
const LIFETIME: u64 = 2_000;

#[derive(Clone, Debug)]
enum Step {
    /// A node writes a value, perhaps one that expires, or deletes.
    Write {
        node: usize,
        name: usize,
        value: Option<u8>,
        expires_in: Option<u64>,
    },
    /// A node merges what another has: all of it or one field.
    Merge {
        from: usize,
        to: usize,
        only: Option<usize>,
    },
    /// A node frees the room of what has expired.
    Expire { node: usize },
    /// All forget the tombstones that all confirm.
    Collect,
    /// Time passes.
    Pass(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let node = || 0..NODES;
    let name = || 0..NAMES.len();
    let value = prop::option::weighted(0.7, any::<u8>());
    let expires_in = prop::option::weighted(0.3, 1..3_000_u64);
    prop_oneof![
        4 => (node(), name(), value, expires_in).prop_map(|(node, name, value, expires_in)| {
            Step::Write { node, name, value, expires_in }
        }),
        6 => (node(), node(), prop::option::of(name()))
            .prop_map(|(from, to, only)| Step::Merge { from, to, only }),
        1 => node().prop_map(|node| Step::Expire { node }),
        2 => Just(Step::Collect),
        2 => (1..4_000_u64).prop_map(Step::Pass),
    ]
}

/// Clocks that differ by seconds, so that tombstones grow old enough to be collected, or by
/// minutes.
fn any_skews() -> impl Strategy<Value = [u64; NODES]> {
    prop_oneof![
        3 => prop::array::uniform4(0..1_500_u64),
        1 => prop::array::uniform4(0..600_000_u64),
    ]
}

/// A write as the model remembers it: who wrote what, and what its writer knew.
struct Write {
    name: &'static str,
    field: Field,
    /// Writes to the same name that the writer had heard of.
    past: BTreeSet<usize>,
}

/// A node under test, its twin that never collects, and what the model says it has heard of.
struct Holder {
    clock: StampClock,
    /// How wrong its wall clock is, in milliseconds.
    skew: u64,
    record: Record,
    twin: Record,
    known: BTreeSet<usize>,
}

struct World {
    now: u64,
    writes: Vec<Write>,
    holders: Vec<Holder>,
}

impl World {
    fn new(skews: [u64; NODES]) -> World {
        let holders = skews.into_iter().zip(0_u64..).map(|(skew, number)| Holder {
            clock: StampClock::new(Id::from_high(number)),
            skew,
            record: Record::default(),
            twin: Record::default(),
            known: BTreeSet::new(),
        });
        World {
            now: START,
            writes: Vec::new(),
            holders: holders.collect(),
        }
    }

    /// The write that a node should show under a name: the newest it has heard of.
    fn newest(&self, node: usize, name: &str) -> Option<usize> {
        let known = self.holders[node].known.iter().copied();
        known
            .filter(|&write| self.writes[write].name == name)
            .max_by_key(|&write| self.writes[write].field.stamp())
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Write {
                node,
                name,
                value,
                expires_in,
            } => {
                let name = NAMES[name];
                let found = self.newest(node, name);
                let holder = &mut self.holders[node];
                let wall = self.now + holder.skew;
                let replaces = holder.twin.field(name).map(Field::stamp);
                let past = replaces.unwrap_or(Stamp::ZERO);
                let stamp = holder
                    .clock
                    .issue_above(wall, past)
                    .expect("skews are small");
                let expires = expires_in.map(|after| self.now + after);
                let field = match value {
                    Some(byte) => Field::new(stamp, replaces, vec![byte], expires),
                    None => Field::tombstone(stamp, replaces),
                };
                assert_eq!(
                    replaces,
                    found.map(|write| self.writes[write].field.stamp())
                );
                let told = holder.twin.put(name, field.clone());
                assert_eq!(
                    (told.beaten, told.conflicts),
                    (vec![], vec![]),
                    "a write always wins"
                );
                assert_eq!(holder.record.put(name, field.clone()).beaten, []);
                let known = holder.known.iter().copied();
                let past = known
                    .filter(|&write| self.writes[write].name == name)
                    .collect();
                holder.known.insert(self.writes.len());
                self.writes.push(Write { name, field, past });
            }
            Step::Merge { from, to, only } => self.merge(from, to, only.map(|name| NAMES[name])),
            Step::Expire { node } => {
                let holder = &mut self.holders[node];
                holder.twin.expire(self.now);
                holder.record.expire(self.now);
            }
            Step::Collect => {
                let all: Vec<_> = self.holders.iter().map(|h| h.record.clone()).collect();
                for holder in &mut self.holders {
                    holder.record.collect(self.now, LIFETIME, |name, stamp| {
                        let confirms = |record: &Record| {
                            let field = record.field(name);
                            field.is_some_and(|field| field.stamp() == stamp)
                        };
                        all.iter().all(confirms)
                    });
                }
            }
            Step::Pass(time) => self.now += time,
        }
    }

    fn merge(&mut self, from: usize, to: usize, only: Option<&str>) {
        let sent = |record: &Record| -> Record {
            let fields = record.fields();
            let sent = fields.filter(|(name, _)| only.is_none_or(|only| only == *name));
            sent.map(|(name, field)| (name.to_owned(), field.clone()))
                .collect()
        };
        let (record, twin) = (
            sent(&self.holders[from].record),
            sent(&self.holders[from].twin),
        );
        let before = NAMES.map(|name| self.newest(to, name));
        let offered = NAMES.map(|name| self.newest(from, name));
        let heard: Vec<_> = self.holders[from].known.iter().copied().collect();
        let heard = heard
            .into_iter()
            .filter(|&write| only.is_none_or(|only| only == self.writes[write].name));
        let heard: BTreeSet<_> = heard.collect();
        let holder = &mut self.holders[to];
        let _ = holder.record.merge(record);
        let told = holder.twin.merge(twin);
        holder.known.extend(heard);
        for (index, name) in NAMES.into_iter().enumerate() {
            let (Some(mine), Some(theirs)) = (before[index], offered[index]) else {
                continue;
            };
            if only.is_some_and(|only| only != name) || mine == theirs {
                continue;
            }
            self.judge(mine, theirs, told.conflicts.iter().find(|c| c.name == name));
            let beaten = told.beaten.iter().any(|beaten| beaten.name == name);
            let stamp = |write: usize| self.writes[write].field.stamp();
            assert_eq!(beaten, stamp(theirs) < stamp(mine));
        }
    }

    /// Whether a conflict was told exactly when there was one, as far as that can be known.
    fn judge(&self, one: usize, other: usize, told: Option<&Conflict>) {
        let by_stamp = |&write: &usize| self.writes[write].field.stamp();
        let older = std::cmp::min_by_key(one, other, by_stamp);
        let newer = std::cmp::max_by_key(one, other, by_stamp);
        let past = &self.writes[newer].past;
        let truly = !past.contains(&older);
        if let Some(conflict) = told {
            assert!(truly, "told of a conflict that there was not: {conflict:?}");
            assert_eq!(
                (conflict.lost, conflict.kept),
                (by_stamp(&older), by_stamp(&newer))
            );
        } else if truly {
            // Only where the writer of the newer one had found something newer than the older.
            assert!(past.iter().any(|seen| by_stamp(seen) > by_stamp(&older)));
        }
    }

    /// Every node shows the newest of the writes it has heard of, and nothing else.
    fn check(&self) {
        for (node, holder) in self.holders.iter().enumerate() {
            for name in NAMES {
                let expected = self
                    .newest(node, name)
                    .map(|write| &self.writes[write].field);
                let value = expected.and_then(|field| field.read(self.now));
                assert_eq!(holder.twin.read(name, self.now), value);
                assert_eq!(
                    holder.record.read(name, self.now),
                    value,
                    "after collecting"
                );
                let found = holder.twin.field(name).map(Field::stamp);
                assert_eq!(found, expected.map(Field::stamp));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn nodes_show_the_newest_write_they_have_heard_of(
        skews in any_skews(),
        steps in prop::collection::vec(any_step(), 0..80),
    ) {
        let mut world = World::new(skews);
        for step in steps {
            world.apply(step);
            world.check();
        }
        // Everybody tells everybody; then all have the same, the newest of all.
        for from in (0..NODES).chain(0..NODES) {
            for to in 0..NODES {
                world.merge(from, to, None);
            }
        }
        world.check();
        let now = world.now;
        for holder in &mut world.holders {
            holder.twin.expire(now);
        }
        prop_assert!(world.holders.iter().all(|h| h.twin == world.holders[0].twin));
        for name in NAMES {
            let writes = world.writes.iter().filter(|write| write.name == name);
            let last = writes.max_by_key(|write| write.field.stamp());
            let value: Option<&Value> = last.and_then(|write| write.field.read(now));
            prop_assert_eq!(world.holders[0].twin.read(name, now), value);
        }
    }
}
