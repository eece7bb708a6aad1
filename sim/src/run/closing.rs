//! The quiet phase that follows the end of a run: what the protocol promises "in the end" is looked
//! at here.
//!
//! The scenario does nothing any more, and what disturbed the network ends. The ring is given time
//! to settle, and to bring all records to where they belong. Whether it settles is a check of its
//! own; then the copies are held against each other, and every key with an acknowledged write is
//! read once from a random member. What can't be looked at is named: nothing is left out silently.
//! What the report says of look-ups, of the ring, of traffic and of operations is as it was before,
//! and so is the digest.

use super::judge::Judge;
use crate::check::judged::Judged;
use crate::scenario::Scenario;
use crate::world::{Cause, Moment, SECOND, Time, World, nanoseconds};

/// The most keys that are read.
const KEYS: usize = 2000;
/// Into how many parts a wait is cut, to see whether it may end.
const PARTS: u64 = 40;
/// The time between two readings; no world goes in longer steps.
const GAP: Time = SECOND / 100;
/// How long readings may take.
const READING: Time = 60 * SECOND;
/// How many stabilization periods a ring may take to settle when nothing disturbs it any more:
/// twice what excuses last.
const SETTLING: u64 = 2 * crate::check::excuse::PERIODS;

/// After how many times `found_after` at the latest every node is in a ring, or one of its own.
const FOUNDING: u64 = 14;

/// What is looked at in the quiet phase, as the report's numbers that say it.
pub(super) const SETTLED: &str = "ring.settled_after_s";
const COPIES: &str = "writes.missing_copies";
const READABLE: &str = "reads.unreadable";

/// The quiet phase of a run: what is to be looked at in it, and what could not be.
struct Closing<'a> {
    scenario: &'a Scenario,
    /// Whether it is a check that the ring settles.
    ring: bool,
    /// Whether there are records to look at.
    records: bool,
    began: Time,
}

/// Ends what disturbs the world, waits, looks and reads. Nothing happens where nothing is checked.
pub(super) fn close<W: World>(
    world: &mut W,
    scenario: &Scenario,
    judge: &mut Judge<'_, W::Protocol>,
) where
    W::Protocol: Judged,
{
    let closing = Closing {
        scenario,
        ring: judge.checks_structure(),
        records: judge.checks_records(),
        began: world.now(),
    };
    if world.broken().is_some() || !(closing.ring || closing.records) {
        return;
    }
    if scenario.quiet.is_some_and(|quiet| quiet.is_zero()) {
        return closing.leave_out(judge);
    }
    let at = Moment {
        now: world.now(),
        cause: Cause::Calm,
    };
    let network = &scenario.network;
    judge.calm(at, network.loss > 0.0 || network.broken_links > 0.0);
    world.calm(judge);
    closing.wait(world, judge);
    if world.broken().is_some() {
        return;
    }
    let settled = closing.look_at_ring(world, judge);
    if closing.records {
        closing.look_at_copies(world, judge);
        if settled && judge.is_quiet(world.now()) {
            read_all(world, judge);
        } else {
            judge.unchecked.push(READABLE);
        }
        // The ring has not settled, or nobody knows where keys belong in it.
        if !judge.knows_copies() {
            judge.unchecked.push(COPIES);
        }
        judge.unchecked.sort_unstable();
    }
}

impl Closing<'_> {
    /// Names all that is not looked at.
    fn leave_out<P: Judged>(&self, judge: &mut Judge<'_, P>) {
        if self.records {
            judge.unchecked.extend([READABLE, COPIES]);
        }
        if self.ring {
            judge.unchecked.push(SETTLED);
        }
        judge.unchecked.sort_unstable();
    }

    /// How long the ring has if the scenario does not say it.
    fn patience<P: Judged>(&self, judge: &Judge<'_, P>) -> Time {
        let node = &self.scenario.node;
        let settling = nanoseconds(node.stabilize_every).saturating_mul(SETTLING);
        let records = judge.patience().filter(|_| self.records).unwrap_or(0);
        // Who is cut off founds a ring of its own first, one among others or, much later, alone; then
        // the others find it.
        let founding = nanoseconds(node.found_after).saturating_mul(FOUNDING);
        settling.max(4 * records).saturating_add(founding)
    }

    fn wait<W: World>(&self, world: &mut W, judge: &mut Judge<'_, W::Protocol>)
    where
        W::Protocol: Judged,
    {
        let patience = self.patience(judge);
        let patience = self.scenario.quiet.map_or(patience, nanoseconds);
        let step = (patience / PARTS).clamp(SECOND / 10, 10 * SECOND);
        let end = self.began.saturating_add(patience);
        while world.now() < end && !self.is_over(world, judge) {
            let next = end.min(world.now() + step);
            world.run_until(next, judge);
            if world.broken().is_some() {
                return;
            }
        }
    }

    /// Whether all that is to be looked at can be.
    fn is_over<W: World>(&self, world: &W, judge: &Judge<'_, W::Protocol>) -> bool
    where
        W::Protocol: Judged,
    {
        let now = world.now();
        if !judge.is_ideal() || world.outside() > 0 {
            return false;
        }
        let Some(records) = judge.records.as_ref().filter(|_| self.records) else {
            return true;
        };
        let repair = nanoseconds(self.scenario.node.repair_every());
        let still = records.checker.last_commit() + 2 * repair <= now;
        judge.is_quiet(now) && (still || now >= self.began + 3 * records.patience)
    }

    /// Whether the ring has settled. If not, that is a violation where it is checked and had all the
    /// time it needs.
    fn look_at_ring<W: World>(&self, world: &W, judge: &mut Judge<'_, W::Protocol>) -> bool
    where
        W::Protocol: Judged,
    {
        let (now, outside) = (world.now(), world.outside());
        if judge.is_ideal() && outside == 0 {
            judge.settled(self.began);
            return true;
        }
        if !self.ring {
            return false;
        }
        if now - self.began < self.patience(judge) {
            judge.unchecked.push(SETTLED);
        } else {
            let waited = now - self.began;
            match world.is_deserted() {
                true => judge.nobody_left(now, waited),
                false => judge.never_settled(now, waited, outside),
            }
        }
        false
    }

    fn look_at_copies<W: World>(&self, world: &W, judge: &mut Judge<'_, W::Protocol>)
    where
        W::Protocol: Judged,
    {
        let members = world.each_member();
        let mut circle: Vec<_> = members.map(|node| (node.peer.id, node.number)).collect();
        circle.sort_unstable();
        judge.stored_at_end(world.now(), &circle);
    }
}

/// Reads every key once. Nothing disturbs the ring, so each reading must end, and find what it must.
fn read_all<W: World>(world: &mut W, judge: &mut Judge<'_, W::Protocol>)
where
    W::Protocol: Judged,
{
    let now = world.now();
    let Some(records) = &mut judge.records else {
        return;
    };
    for key in records.begin_last(now, KEYS) {
        world.read(key, judge);
        let end = world.now() + GAP;
        world.run_until(end, judge);
    }
    let until = world.now() + READING;
    let is_reading = |judge: &Judge<'_, W::Protocol>| {
        let records = judge.records.as_ref();
        records.is_some_and(super::records::RecordWatch::is_reading)
    };
    while is_reading(judge) && world.now() < until && world.broken().is_none() {
        let end = world.now() + SECOND / 10;
        world.run_until(end, judge);
    }
    if let Some(records) = &mut judge.records {
        records.end_last();
    }
}
