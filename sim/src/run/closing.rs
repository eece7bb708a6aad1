//! What comes after the end of a run in which something was stored.
//!
//! The scenario does nothing any more; faults that stay go on. The ring is given time to settle,
//! and to bring all records to where they belong. Then the copies are held against each other, and
//! every key with an acknowledged write is read once from a random member. What the report says of
//! look-ups, of the ring and of traffic is as it was before.

use super::judge::Judge;
use crate::check::judged::Judged;
use crate::scenario::Scenario;
use crate::world::{SECOND, Time, World, nanoseconds};

/// The most keys that are read.
const KEYS: usize = 2000;
/// Into how many parts a wait is cut, to see whether it may end.
const PARTS: u64 = 40;
/// The time between two readings; no world goes in longer steps.
const GAP: Time = SECOND / 100;
/// How long readings may take.
const READING: Time = 60 * SECOND;

/// Waits and reads. Nothing happens where nothing was stored, or nobody checks it.
pub(super) fn close<W: World>(
    world: &mut W,
    scenario: &Scenario,
    judge: &mut Judge<'_, W::Protocol>,
) where
    W::Protocol: Judged,
{
    let Some(records) = judge
        .records
        .as_ref()
        .filter(|records| records.is_checked())
    else {
        return;
    };
    let repair = nanoseconds(scenario.node.repair_every());
    let (from, patience) = (world.now(), records.patience);
    let step = (3 * patience / PARTS).max(SECOND / 10);
    let is_over = |judge: &Judge<'_, W::Protocol>, now: Time| {
        let records = judge.records.as_ref();
        let still = records.is_some_and(|it| it.checker.last_commit() + 2 * repair <= now);
        judge.is_quiet(now) && (still || now >= from + 3 * patience)
    };
    // A ring that does not settle in this time is not judged.
    while world.now() < from + 4 * patience && !is_over(judge, world.now()) {
        let end = world.now() + step;
        world.run_until(end, judge);
        if world.broken().is_some() {
            return;
        }
    }
    let now = world.now();
    let mut circle: Vec<_> = world
        .each_member()
        .map(|node| (node.peer.id, node.number))
        .collect();
    circle.sort_unstable();
    judge.stored_at_end(now, &circle);
    if !judge.is_quiet(now) {
        return;
    }
    read_all(world, judge);
}

fn read_all<W: World>(world: &mut W, judge: &mut Judge<'_, W::Protocol>)
where
    W::Protocol: Judged,
{
    let now = world.now();
    let Some(records) = &mut judge.records else {
        return;
    };
    records.begin_last(now, KEYS);
    loop {
        let keys = match &judge.records {
            Some(records) => records.to_read(),
            None => return,
        };
        if keys.is_empty() {
            return;
        }
        for key in keys {
            world.read(key, judge);
            let end = world.now() + GAP;
            world.run_until(end, judge);
        }
        let until = world.now() + READING;
        let is_reading = |judge: &Judge<'_, W::Protocol>| {
            let records = judge.records.as_ref();
            records.is_some_and(super::records::RecordWatch::is_reading)
        };
        while is_reading(judge) && world.now() < until {
            let end = world.now() + SECOND / 10;
            world.run_until(end, judge);
            if world.broken().is_some() {
                return;
            }
        }
        if is_reading(judge) {
            return;
        }
    }
}
