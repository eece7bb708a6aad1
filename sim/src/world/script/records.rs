//! Clients that read and write records, and the operations they wait for.
//!
//! A workload has a handful of clients, each of which hands back the last stamp it saw: so it is
//! real that a write comes after another was seen. No two writes have the same value.

use std::collections::BTreeMap;

use cuerda_core::protocol::{AccessError, Condition, Fetched, Input, Write, Written};
use cuerda_core::record::{Field, Stamp};
use cuerda_core::ring::Id;

use super::Machines;
use super::zipf::Zipf;
use crate::scenario::{Access, Scenario, WorkloadKind};
use crate::world::{
    Cause, Moment, Random, RandomStream, ReadEnd, Reading, Seen, Time, Watcher, WriteEnd,
    WriteIssue,
};

/// Clients of a workload.
const CLIENTS: usize = 8;

/// All clients of records in a run.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    pub(super) random: Random,
    /// Counts reads and writes.
    issued: u64,
    open: BTreeMap<u64, Open>,
    /// By the scenario's workloads; `None` for those that are none on records.
    loads: Vec<Option<Load>>,
}

/// What the clients of a workload know.
#[derive(Clone, Debug)]
struct Load {
    popularity: Zipf,
    /// The last stamp that each client saw.
    past: [Stamp; CLIENTS],
    /// The stamp last seen for a key, for compare-and-set; `None` where nothing was found.
    seen: BTreeMap<u32, Option<Stamp>>,
}

/// A read or write that has not ended.
#[derive(Clone, Copy, Debug)]
struct Open {
    asker: u32,
    key: Id,
    issued: Time,
    /// The workload, its client and the key's number; `None` for readers that come from elsewhere.
    client: Option<(usize, usize, u32)>,
    /// For a write.
    write: Option<WriteIssue>,
}

impl Clients {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Clients {
        let load = |kind: WorkloadKind| match kind {
            WorkloadKind::Lookup | WorkloadKind::KeyLookup(_) => None,
            WorkloadKind::Records(access) => Some(Load {
                popularity: Zipf::new(access.keys, access.zipf),
                past: [Stamp::ZERO; CLIENTS],
                seen: BTreeMap::new(),
            }),
        };
        let loads = scenario.workloads.iter().map(|it| load(it.kind)).collect();
        Clients {
            random: Random::new(seed, RandomStream::Records),
            issued: 0,
            open: BTreeMap::new(),
            loads,
        }
    }

    fn draw_key(&mut self, index: usize) -> u32 {
        let load = self.loads[index].as_ref();
        load.map_or(0, |load| load.popularity.draw(&mut self.random))
    }

    fn learn(&mut self, open: &Open, latest: Stamp, field: Option<Option<Stamp>>) {
        let Some((load, client, key)) = open.client else {
            return;
        };
        let Some(load) = &mut self.loads[load] else {
            return;
        };
        load.past[client] = load.past[client].max(latest);
        if let Some(stamp) = field {
            load.seen.insert(key, stamp);
        }
    }
}

/// A client of a workload reads or writes.
pub(super) fn act<W: Machines>(
    world: &mut W,
    index: usize,
    access: Access,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let records = &mut world.script_mut().records;
    let client = records.random.below(CLIENTS as u64) as usize;
    let number = records.draw_key(index);
    let reads = records.random.happens(access.reads);
    let key = Id::of_key(format!("k{number}").as_bytes());
    let load = records.loads[index].as_ref();
    let past = load.map_or(Stamp::ZERO, |load| load.past[client]);
    let client = Some((index, client, number));
    if reads {
        return begin_read(world, key, past, client, watcher);
    }
    let records = &mut world.script_mut().records;
    let deletes = records.random.happens(access.deletes);
    let condition = if records.random.happens(access.conditional) {
        let load = records.loads[index].as_ref();
        match load.and_then(|load| load.seen.get(&number)) {
            Some(&Some(stamp)) => Condition::Stamp(stamp),
            Some(None) | None => Condition::Absent,
        }
    } else {
        Condition::None
    };
    let (least, greatest) = access.value;
    let spread = u64::from(greatest - least) + 1;
    let size = least as usize + records.random.below(spread) as usize;
    let Some(asker) = pick_asker(world) else {
        return;
    };
    let issued = world.now() + world.lag();
    let records = &mut world.script_mut().records;
    let write = records.next();
    let lives = access.lives.filter(|_| !deletes);
    let issue = WriteIssue {
        write,
        asker,
        key,
        deletes,
        lives,
        past,
    };
    let order = Write {
        value: (!deletes).then(|| format!("{write:0size$}").into_bytes().into()),
        lives,
        condition,
        past,
        ..Write::delete("")
    };
    records.open.insert(
        write,
        Open {
            asker,
            key,
            issued,
            client,
            write: Some(issue),
        },
    );
    let cause = Cause::Order {
        node: asker,
        kind: "write",
    };
    watcher.write_issued(world.moment(cause), &issue);
    let input = Input::Write {
        token: write,
        key,
        write: order,
    };
    world.order(asker, input, "write", watcher);
}

impl Clients {
    fn next(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }
}

/// Somebody reads a key from a random member, of whom no workload knows.
pub(in crate::world) fn read<W: Machines>(
    world: &mut W,
    key: Id,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    begin_read(world, key, Stamp::ZERO, None, watcher);
}

fn begin_read<W: Machines>(
    world: &mut W,
    key: Id,
    past: Stamp,
    client: Option<(usize, usize, u32)>,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let Some(asker) = pick_asker(world) else {
        return;
    };
    let issued = world.now() + world.lag();
    let records = &mut world.script_mut().records;
    let token = records.next();
    let open = Open {
        asker,
        key,
        issued,
        client,
        write: None,
    };
    records.open.insert(token, open);
    let cause = Cause::Order {
        node: asker,
        kind: "read",
    };
    watcher.read_issued(world.moment(cause), token, asker, key);
    world.order(asker, Input::Read { token, key, past }, "read", watcher);
}

/// A random member that is awake. One number, whoever sleeps: a pause shifts nothing.
fn pick_asker<W: Machines>(world: &mut W) -> Option<u32> {
    let script = world.script_mut();
    let members = script.members.all().len();
    let first = script.records.random.below(members as u64) as usize;
    let members = world.script().members.all();
    let mut round = members[first..].iter().chain(&members[..first]).copied();
    round.find(|&number| !world.is_paused(number))
}

/// A write ended.
pub(super) fn written<W: Machines>(
    world: &mut W,
    token: u64,
    result: Result<Written, AccessError>,
    at: Moment,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let records = &mut world.script_mut().records;
    let Some(open) = records.open.remove(&token) else {
        return;
    };
    let Some(issue) = open.write else { return };
    if let Ok(written) = &result {
        let found = (!issue.deletes).then_some(written.stamp);
        records.learn(&open, written.stamp, Some(found));
    }
    let issued = open.issued;
    watcher.write_ended(
        at,
        &WriteEnd {
            issue,
            issued,
            result,
        },
    );
}

/// A reading ended.
pub(super) fn found<W: Machines>(
    world: &mut W,
    token: u64,
    result: Result<Fetched, AccessError>,
    at: Moment,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let records = &mut world.script_mut().records;
    let Some(open) = records.open.remove(&token) else {
        return;
    };
    let result = result.map(|fetched| {
        let field = fetched.record.as_ref().and_then(|record| record.field(""));
        let latest = field.map_or(Stamp::ZERO, Field::stamp).max(fetched.clock);
        let value = field.filter(|field| !field.is_tombstone());
        records.learn(&open, latest, Some(value.map(Field::stamp)));
        let seen = field.map(|field| {
            let write = field.value().and_then(|value| number(value.as_bytes()));
            Seen {
                stamp: field.stamp(),
                write,
                strange: write.is_none() && field.value().is_some(),
            }
        });
        Reading {
            seen,
            authoritative: fetched.authoritative,
        }
    });
    let Open {
        asker, key, issued, ..
    } = open;
    let end = ReadEnd {
        read: token,
        asker,
        key,
        issued,
        result,
    };
    watcher.read_ended(at, &end);
}

/// The number of the write that a value belongs to.
fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Nobody hears any more of what a node was asked.
pub(super) fn abandon<W: Machines>(
    world: &mut W,
    asker: u32,
    at: Moment,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let open = &mut world.script_mut().records.open;
    let of_asker: Vec<u64> = open
        .iter()
        .filter(|(_, open)| open.asker == asker)
        .map(|(&token, _)| token)
        .collect();
    for token in of_asker {
        match open.remove(&token).and_then(|open| open.write) {
            Some(_) => watcher.write_abandoned(at, token),
            None => watcher.read_abandoned(at, token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_says_the_number_of_its_write() {
        assert_eq!(number(format!("{:0100}", 77).as_bytes()), Some(77));
        assert_eq!(number(b"other"), None);
    }
}
