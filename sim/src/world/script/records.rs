//! Clients that read and write records, and the operations they wait for.
//!
//! A workload has some clients, each of which hands back the last stamp it saw, unless the scenario
//! says otherwise: so it is real that a write comes after another was seen. A stamp that is refused as
//! too far ahead is from a wrong clock, and need not be handed back, as its client is told: who was
//! told so once keeps no stamp in mind that is as far ahead of a right clock. No two writes have the
//! same value.

use std::collections::{BTreeMap, BTreeSet};

use cuerda_core::protocol::{AccessError, Condition, Denied, Fetched, Input, Write, Written};
use cuerda_core::record::{Field, Stamp, TooFarAhead};
use cuerda_core::ring::Id;

use super::Machines;
use super::zipf::Zipf;
use crate::scenario::{Access, HandsBack, Scenario, WorkloadKind};
use crate::world::names::number_of;
use crate::world::{
    Cause, Moment, Random, RandomStream, ReadEnd, Reading, Seen, Time, Watcher, WriteEnd,
    WriteIssue,
};

/// All clients of records in a run.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    pub(super) random: Random,
    /// Counts reads and writes.
    issued: u64,
    open: BTreeMap<u64, Open>,
    /// By the scenario's workloads; `None` for those that are none on records.
    loads: Vec<Option<Load>>,
    /// The keys that a client has deleted, as far as was told, and nobody has written to since.
    deleted: BTreeSet<u32>,
}

/// What the clients of a workload know.
#[derive(Clone, Debug)]
struct Load {
    popularity: Zipf,
    /// The last stamp that each client saw.
    past: Vec<Stamp>,
    /// Whether each was refused a stamp of a wrong clock.
    wary: Vec<bool>,
    hands_back: HandsBack,
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
                past: vec![Stamp::ZERO; access.clients as usize],
                wary: vec![false; access.clients as usize],
                hands_back: access.hands_back,
                seen: BTreeMap::new(),
            }),
        };
        let loads = scenario.workloads.iter().map(|it| load(it.kind)).collect();
        Clients {
            random: Random::new(seed, RandomStream::Records),
            issued: 0,
            open: BTreeMap::new(),
            loads,
            deleted: BTreeSet::new(),
        }
    }

    /// What a client hands back at this time of a right clock, in milliseconds since 1970.
    fn past(&self, index: usize, client: usize, now_ms: u64) -> Stamp {
        self.loads[index]
            .as_ref()
            .map_or(Stamp::ZERO, |load| load.past(client, now_ms))
    }

    /// A key that has been deleted; this one if there is none.
    fn draw_deleted(&mut self, otherwise: u32) -> u32 {
        let place = self.random.below(self.deleted.len() as u64) as usize;
        let drawn = self.deleted.iter().nth(place);
        drawn.copied().unwrap_or(otherwise)
    }

    fn draw_key(&mut self, index: usize) -> u32 {
        let load = self.loads[index].as_ref();
        load.map_or(0, |load| load.popularity.draw(&mut self.random))
    }

    /// A client is told something, at this time of a right clock, in milliseconds since 1970.
    fn learn(&mut self, open: &Open, latest: Stamp, field: Option<Option<Stamp>>, now_ms: u64) {
        let Some((load, client, key)) = open.client else {
            return;
        };
        let Some(load) = &mut self.loads[load] else {
            return;
        };
        if !load.wary[client] || TooFarAhead::judge(latest, now_ms).is_ok() {
            load.past[client] = load.past[client].max(latest);
        }
        if let Some(stamp) = field {
            load.seen.insert(key, stamp);
        }
    }

    /// What a client handed back was refused.
    fn unlearn(&mut self, open: &Open, refused: Stamp) {
        let load = open.client.map(|(load, client, _)| (load, client));
        if let Some((load, client)) = load
            && let Some(load) = &mut self.loads[load]
            && load.past[client] == refused
        {
            load.past[client] = Stamp::ZERO;
            load.wary[client] = true;
        }
    }
}

impl Load {
    fn past(&self, client: usize, now_ms: u64) -> Stamp {
        match self.hands_back {
            HandsBack::LastSeen => self.past[client],
            HandsBack::Nothing => Stamp::ZERO,
            HandsBack::OwnClock(most) => {
                let most = i64::try_from(most.as_millis()).unwrap_or(i64::MAX / 4);
                let gaps = self.past.len().saturating_sub(1).max(1) as i128;
                let off = i128::from(most) * 2 * client as i128 / gaps - i128::from(most);
                let off = i64::try_from(off).unwrap_or(i64::MAX);
                Stamp {
                    milliseconds: now_ms.saturating_add_signed(off),
                    ..Stamp::ZERO
                }
            }
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
    let now_ms = right_clock(world);
    let records = &mut world.script_mut().records;
    let client = records.random.below(access.clients.into()) as usize;
    let mut number = records.draw_key(index);
    let past = records.past(index, client, now_ms);
    if records.random.happens(access.reads) {
        if records.random.happens(access.reads_of_deleted) {
            number = records.draw_deleted(number);
        }
        let client = Some((index, client, number));
        return begin_read(world, key_of(number), past, client, watcher);
    }
    let records = &mut world.script_mut().records;
    let deletes = records.random.happens(access.deletes);
    let condition = if records.random.happens(access.conditional) {
        if let Some(keys) = access.conditional_keys {
            number = records.random.below(keys.into()) as u32;
        }
        let load = records.loads[index].as_ref();
        match load.and_then(|load| load.seen.get(&number)) {
            Some(&Some(stamp)) => Condition::Stamp(stamp),
            Some(None) | None => Condition::Absent,
        }
    } else {
        Condition::None
    };
    let (key, client) = (key_of(number), Some((index, client, number)));
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
        condition,
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

/// What a right clock shows, in milliseconds since 1970.
fn right_clock<W: Machines>(world: &W) -> u64 {
    world.epoch_ms().saturating_add(world.now() / 1_000_000)
}

/// The id of the key of this number.
fn key_of(number: u32) -> Id {
    Id::of_key(format!("k{number}").as_bytes())
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
    let now_ms = right_clock(world);
    let records = &mut world.script_mut().records;
    let Some(open) = records.open.remove(&token) else {
        return;
    };
    let Some(issue) = open.write else { return };
    if let Ok(written) = &result {
        let found = (!issue.deletes).then_some(written.stamp);
        records.learn(&open, written.stamp, Some(found), now_ms);
        if let Some((_, _, number)) = open.client {
            match issue.deletes {
                true => records.deleted.insert(number),
                false => records.deleted.remove(&number),
            };
        }
    }
    if let Err(AccessError::Denied(Denied::Ahead(ahead))) = &result
        && ahead.stamp == issue.past
    {
        records.unlearn(&open, ahead.stamp);
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
    let now_ms = right_clock(world);
    let records = &mut world.script_mut().records;
    let Some(open) = records.open.remove(&token) else {
        return;
    };
    let result = result.map(|fetched| {
        // A world that is told only what is there says no time.
        let clock = Some(fetched.now).filter(|now| *now != 0);
        let field = fetched.record.as_ref().and_then(|record| record.field(""));
        let latest = field.map_or(Stamp::ZERO, Field::stamp).max(fetched.clock);
        // What is told, not what is stored.
        let told = |field: &&Field| match clock {
            Some(clock) => field.read(clock).is_some(),
            None => field.value().is_some(),
        };
        let value = field.filter(told);
        let value_stamp = Some(value.map(Field::stamp));
        records.learn(&open, latest, value_stamp, now_ms);
        let seen = field.map(|field| {
            let write = field.value().and_then(|value| number(value.as_bytes()));
            Seen {
                stamp: field.stamp(),
                write,
                strange: write.is_none() && field.value().is_some(),
                expired: !told(&field) && (field.value().is_some() || field.expires().is_some()),
            }
        });
        Reading {
            seen,
            authoritative: fetched.authoritative,
            owner: number_of(fetched.from.address).filter(|_| fetched.authoritative),
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
    use cuerda_core::record::limits::TAKEN_MAX;

    use super::*;

    fn clients(zipf: f64) -> Clients {
        Clients {
            random: Random::new(3, RandomStream::Records),
            issued: 0,
            open: BTreeMap::new(),
            loads: vec![Some(Load {
                popularity: Zipf::new(100, zipf),
                past: vec![Stamp::ZERO; 3],
                wary: vec![false; 3],
                hands_back: HandsBack::LastSeen,
                seen: BTreeMap::new(),
            })],
            deleted: BTreeSet::new(),
        }
    }

    #[test]
    fn a_client_hands_back_no_stamp_that_was_refused() {
        let at = |milliseconds| Stamp {
            milliseconds,
            ..Stamp::ZERO
        };
        let mut clients = clients(0.0);
        let open = Open {
            asker: 0,
            key: Id::ZERO,
            issued: 0,
            client: Some((0, 1, 7)),
            write: None,
        };
        let far = TAKEN_MAX + 77;
        clients.learn(&open, at(far), None, 70);
        assert_eq!(clients.past(0, 1, 0), at(far), "nobody has refused it");
        clients.unlearn(&open, at(66));
        assert_eq!(clients.past(0, 1, 0), at(far), "it has seen more since");
        clients.unlearn(&open, at(far));
        assert_eq!(clients.past(0, 1, 0), Stamp::ZERO);
        clients.learn(&open, at(55), None, 70);
        clients.learn(&open, at(far), None, 70);
        assert_eq!(clients.past(0, 1, 0), at(55));
        clients.learn(&open, at(far), None, 77);
        assert_eq!(clients.past(0, 1, 0), at(far), "time has come near it");
    }

    #[test]
    fn clients_hand_back_what_they_saw_or_nothing_or_what_their_clocks_show() {
        let saw = Stamp {
            milliseconds: 77,
            ..Stamp::ZERO
        };
        let mut clients = clients(0.0);
        let mut hand_back = |what| {
            let load = clients.loads[0].as_mut().unwrap();
            load.hands_back = what;
            load.past[2] = saw;
            [0, 1, 2].map(|client| clients.past(0, client, 100_000).milliseconds)
        };
        assert_eq!(hand_back(HandsBack::LastSeen), [0, 0, 77]);
        assert_eq!(hand_back(HandsBack::Nothing), [0, 0, 0]);
        let off = HandsBack::OwnClock(std::time::Duration::from_secs(5));
        assert_eq!(hand_back(off), [95_000, 100_000, 105_000]);
    }

    #[test]
    fn only_keys_that_are_deleted_are_drawn_as_such() {
        let mut clients = clients(0.0);
        assert_eq!(clients.draw_deleted(7), 7);
        clients.deleted.extend([3, 5]);
        let drawn: BTreeSet<u32> = (0..50).map(|_| clients.draw_deleted(7)).collect();
        assert_eq!(drawn, [3, 5].into());
    }

    #[test]
    fn a_value_says_the_number_of_its_write() {
        assert_eq!(number(format!("{:0100}", 77).as_bytes()), Some(77));
        assert_eq!(number(b"other"), None);
    }
}
