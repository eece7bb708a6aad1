//! Whether Chord's nodes take the steps that the protocol prescribes.
//!
//! The ring's invariants say what must hold of all members together, and clients see little of a
//! step that was left out: the next round makes up for it. Here each node is watched by itself: what
//! it was handed, what it sent because of that, and whom it took for its neighbours before and after.
//! A rule names what must follow from what, and the paper or the file that says so:
//!
//! ```text
//!   act.rs         one input and all that came of it, as the rules read it
//!   steps.rs       stabilize and rectify (Zave 2017, section IV)
//!   membership.rs  joining, founding, finding back, leaving (Zave 2017, IV; Stoica et al. 2003, IV-E)
//!   lookups.rs     look-ups: whom they ask, when they end (Stoica et al. 2003, IV)
//!   reunion.rs     probes and what follows from them (Shafaat et al. 2009)
//!   records.rs     stamps and clocks; who may serve an arc, and when it is let go of
//!   copies.rs      what is on a disk: acknowledged, forgotten, set aside
//!   repair.rs      what brings copies to where they belong, and when a condition is granted
//!   accesses.rs    clients' writes on their way to the owner
//!   everyone.rs    what is said of others' disks, held against these
//! ```
//!
//! It asks no node and knows no more than was said: where a node may have had a reason that nothing
//! shows, no rule applies. A node that the rules call wrong is wrong.

mod accesses;
mod act;
mod clocks;
mod copies;
mod everyone;
mod lookups;
mod membership;
mod records;
mod repair;
mod reunion;
mod steps;
#[cfg(test)]
mod tests;

use std::time::Duration;

use cuerda_core::chord::{Message, Node, limits};
use cuerda_core::protocol::{Condition, Event, Input};
use cuerda_core::record::limits::SKEW_MAX;
use cuerda_core::ring::{Id, Neighbours, Peer};
use cuerda_core::store::Batch;

use super::rules::{Breach, Rules};
use crate::scenario::{DiskFault, Fault, FaultKind, Scenario};
use crate::world::{
    DiskGone, EPOCH_MS, Effect, Gone, LookupEnd, Moment, NodeView, ReadEnd, Subject, Time, Watcher,
    WriteEnd, nanoseconds,
};
use accesses::Accesses;
use act::{Act, Told};
use clocks::Clocks;
use copies::Copies;
use everyone::Everyone;
use lookups::Chains;
use membership::Life;
use records::Serving;
use repair::Repair;
use reunion::Probes;
use steps::Steps;

/// Up to so many nodes are all followed.
const ALL_FOLLOWED: u32 = 95;

/// Of a larger ring about so many nodes are followed, and newcomers in the same proportion: all run
/// the same code, and following one costs about as much as running it.
const FOLLOWED: u32 = 16;

/// Watches the steps of nodes.
#[derive(Clone, Debug)]
pub struct Conformance {
    settings: Settings,
    /// Of so many nodes it follows one.
    every: u32,
    /// By their numbers, as far as they are followed.
    nodes: Vec<Seen>,
    everyone: Everyone,
    /// Of each fault whether it makes disks keep messages back.
    slow_disks: Vec<bool>,
    /// Of each fault by how many milliseconds it sets clocks ahead, if farther than any stamp may be.
    wrong_clocks: Vec<Option<u64>>,
    /// What is being handled.
    act: Act,
    breaches: Vec<Breach>,
}

/// What the rules need of the nodes' settings.
#[derive(Clone, Copy, Debug)]
struct Settings {
    room: usize,
    attempts: u8,
    /// The longest back-off of a probe, in stabilization periods.
    probe_periods_max: u64,
    found_after: Duration,
    hand_over_within: Time,
    tombstones_for_ms: u64,
    repair_every_ms: u64,
    /// Within this time, at most, something that was to be done at once must have been begun.
    patience: Time,
    /// Within this time a member has stabilized, whomever it had to wait for.
    stabilized_within: Time,
    /// No answer to a single question is waited for longer.
    timeout_max: Time,
    acks: u8,
    replicas: usize,
    remembered: usize,
}

/// What is known of a node.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// As it was after what it last handled; `None` before.
    neighbours: Option<Neighbours>,
    is_member: bool,
    steps: Steps,
    life: Life,
    chains: Chains,
    probes: Probes,
    serving: Serving,
    clocks: Clocks,
    copies: Copies,
    repair: Repair,
    accesses: Accesses,
}

impl Seen {
    /// Its process has just been started: what it was doing is over.
    fn starts(&mut self) {
        self.is_member = false;
        self.steps = Steps::default();
        self.chains = Chains::default();
        self.probes = Probes::default();
        self.repair = Repair::default();
        self.accesses = Accesses::default();
        self.serving.starts();
        self.clocks.starts();
        self.copies.starts();
    }
}

/// What a rule is given.
struct Case<'a> {
    settings: Settings,
    now: Time,
    act: &'a Act,
    me: Peer,
    before: &'a Neighbours,
    after: &'a Neighbours,
    number: u32,
    /// Its disk keeps back what depends on it.
    disk_is_slow: bool,
    breaches: &'a mut Vec<Breach>,
}

impl Case<'_> {
    /// Milliseconds since 1970 by a clock that is right.
    fn wall_clock(&self) -> u64 {
        EPOCH_MS + self.now / 1_000_000
    }

    fn breach(&mut self, rule: &'static str, detail: String) {
        self.breaches.push(Breach {
            rule,
            node: self.number,
            detail,
        });
    }
}

/// Whether a fault makes disks keep back what depends on them.
fn slows_disks(fault: &Fault) -> bool {
    match &fault.kind {
        FaultKind::Disk { what, .. } => !matches!(what, DiskFault::Flip(_)),
        _ => false,
    }
}

/// By how many milliseconds a fault sets clocks ahead, if farther than any stamp may be.
fn sets_clocks_wrong(fault: &Fault) -> Option<u64> {
    let by = match &fault.kind {
        FaultKind::Skew { by_ms, .. } => *by_ms,
        FaultKind::Clock { jump_ms, .. } => *jump_ms,
        _ => 0,
    };
    u64::try_from(by).ok().filter(|by| *by > 2 * SKEW_MAX)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The next nodes of other processes, at most so many: those who should hold what a node serves.
fn next_processes(neighbours: &Neighbours, most: usize) -> Vec<Id> {
    let mut known = vec![neighbours.me().address];
    let mut others = Vec::new();
    for peer in neighbours.successors().iter() {
        if others.len() < most && !known.contains(&peer.address) {
            known.push(peer.address);
            others.push(peer.id);
        }
    }
    others
}

/// A node in a sentence: the beginning of its identifier.
fn short(peer: Id) -> String {
    format!("{peer:.8}")
}

impl Conformance {
    fn seen(&mut self, number: u32) -> &mut Seen {
        let at = (number / self.every) as usize;
        if self.nodes.len() <= at {
            self.nodes.resize_with(at + 1, Seen::default);
        }
        &mut self.nodes[at]
    }

    fn follows(&self, number: u32) -> bool {
        number.is_multiple_of(self.every)
    }

    /// Whether this is about the node that handles something now.
    fn is_acting(&self, number: u32) -> bool {
        self.act.number == Some(number)
    }

    fn judge(&mut self, now: Time, node: NodeView<'_, Neighbours>) {
        let number = node.number;
        self.seen(number);
        let Conformance {
            settings,
            every,
            nodes,
            everyone,
            act,
            breaches,
            ..
        } = self;
        let seen = &mut nodes[(number / *every) as usize];
        let before = seen.neighbours.take();
        let mut case = Case {
            settings: *settings,
            now,
            act,
            me: node.peer,
            before: before.as_ref().unwrap_or(node.view),
            after: node.view,
            number,
            disk_is_slow: seen.serving.is_disk_slow(),
            breaches,
        };
        seen.life.judge(&mut case);
        seen.is_member = (seen.is_member || act.joined) && !act.is_gone();
        let is_member = seen.is_member;
        let home = seen.chains.judge(&mut case);
        seen.probes.judge(&mut case, is_member, home, &seen.steps);
        let queries = seen.chains.open() + seen.probes.open(now, settings.timeout_max);
        seen.steps.judge(&mut case, is_member, queries);
        seen.serving
            .judge(&mut case, seen.life.asked_to_leave(), &seen.copies);
        seen.clocks.judge(&mut case, is_member);
        seen.accesses.judge(&mut case);
        everyone.judge(&mut case, &seen.copies);
        let leaves = seen.life.asked_to_leave().is_some();
        if is_member {
            seen.repair.judge(&mut case, &seen.copies, leaves);
        }
        let misled_by = seen.clocks.misled_by();
        seen.copies.judge(&mut case, is_member, misled_by);
        // A node that tells of no change has none.
        let changed = act.changed || act.joined || act.left || act.stranded;
        seen.neighbours = before
            .filter(|_| !changed)
            .or_else(|| Some(node.view.clone()));
        act.clear();
    }
}

impl Rules<Node> for Conformance {
    fn start<'a>(
        scenario: &Scenario,
        _: Time,
        members: impl Iterator<Item = NodeView<'a, Neighbours>>,
    ) -> Conformance {
        let node = &scenario.node;
        let most = node.probe_every_max.unwrap_or(node.stabilize_every * 2);
        let period = node.stabilize_every.as_nanos().max(1);
        let periods = most.as_nanos().div_ceil(period).max(1);
        let every = match scenario.nodes {
            ..=ALL_FOLLOWED => 1,
            nodes => nodes / FOLLOWED,
        };
        let tries = u32::from(node.attempts) + u32::from(limits::BUSY_WAITS) + 2;
        let patience = node.request_timeout_max * tries + Duration::from_secs(2);
        let stabilized_within = node.stabilize_every * 8 + patience * 2;
        let mut conformance = Conformance {
            every,
            everyone: Everyone::new(every > 1),
            slow_disks: scenario.faults.iter().map(slows_disks).collect(),
            wrong_clocks: scenario.faults.iter().map(sets_clocks_wrong).collect(),
            settings: Settings {
                room: node.successors.into(),
                attempts: node.attempts,
                probe_periods_max: u64::try_from(periods).unwrap_or(u64::MAX),
                found_after: node.found_after,
                hand_over_within: nanoseconds(node.hand_over_within),
                tombstones_for_ms: milliseconds(node.tombstones_for),
                repair_every_ms: milliseconds(node.repair_every()),
                patience: nanoseconds(patience),
                stabilized_within: nanoseconds(stabilized_within),
                timeout_max: nanoseconds(node.request_timeout_max),
                acks: node.acks(),
                replicas: node.replicas.into(),
                remembered: node.remembered.into(),
            },
            nodes: Vec::new(),
            act: Act::default(),
            breaches: Vec::new(),
        };
        let others = conformance.settings.replicas - 1;
        for node in members.filter(|node| node.number % every == 0) {
            let seen = conformance.seen(node.number);
            seen.neighbours = Some(node.view.clone());
            seen.is_member = true;
            seen.serving.begins_with_its_own();
            let holders = next_processes(node.view, others);
            seen.repair.begins_with_its_own(holders);
        }
        conformance
    }

    fn breaches(&mut self) -> Vec<Breach> {
        std::mem::take(&mut self.breaches)
    }
}

impl Watcher<Node> for Conformance {
    #[inline]
    fn follows_steps(&self, number: u32) -> bool {
        number.is_multiple_of(self.every)
    }

    fn handles(&mut self, _: Moment, number: u32, input: &Input<Node>) {
        self.act.begin(number, input);
        if matches!(input, Input::Found | Input::Join(_)) {
            self.seen(number).starts();
        }
    }

    fn sent(&mut self, _: Moment, _: u32, to: Peer, message: &Message) {
        self.act.say(to, message);
    }

    fn handled(&mut self, at: Moment, node: NodeView<'_, Neighbours>) {
        if self.is_acting(node.number) {
            self.judge(at.now, node);
        }
    }

    fn joined(&mut self, _: Moment, node: NodeView<'_, Neighbours>) {
        if self.is_acting(node.number) {
            self.act.joined = true;
        } else if self.follows(node.number) {
            self.seen(node.number).is_member = true;
        }
    }

    fn changed(&mut self, _: Moment, node: NodeView<'_, Neighbours>) {
        self.act.changed |= self.is_acting(node.number);
    }

    fn gone(&mut self, _: Moment, number: u32, how: Gone) {
        match how {
            Gone::Left if self.is_acting(number) => self.act.left = true,
            Gone::Stranded if self.is_acting(number) => self.act.stranded = true,
            _ if !self.follows(number) => {}
            _ => {
                let seen = self.seen(number);
                seen.is_member = false;
                seen.steps = Steps::default();
                seen.chains = Chains::default();
                seen.serving.stopped();
                seen.copies.stopped();
            }
        }
    }

    fn lookup_ended(&mut self, _: Moment, end: &LookupEnd) {
        if self.is_acting(end.asker)
            && let Ok((_, found)) = end.result
        {
            self.act.told.push(Told::Owner(end.key, found.owner.id));
        }
    }

    fn write_ended(&mut self, _: Moment, end: &WriteEnd) {
        if let Ok(written) = &end.result {
            let (stamp, past) = (written.stamp, end.issue.past);
            if self.is_acting(end.issue.asker) {
                self.act.told.push(Told::Wrote {
                    conditional: end.issue.condition != Condition::None,
                    stamp,
                    majority: written.majority,
                    holders: written.holders.clone(),
                });
            }
            if self.is_acting(end.issue.asker) && stamp <= past {
                self.breaches
                    .push(records::below_past(end.issue.asker, stamp, past));
            }
            if written.wanted < self.settings.acks {
                let (asker, wanted) = (end.issue.asker, written.wanted);
                let breach = records::too_few(asker, wanted, self.settings.acks);
                self.breaches.push(breach);
            }
        }
    }

    fn read_ended(&mut self, _: Moment, end: &ReadEnd) {
        let alone = matches!(&end.result, Ok(reading) if reading.authoritative);
        if self.is_acting(end.asker) && alone {
            self.act.told.push(Told::ReadFor(end.key));
        }
    }

    fn committed(&mut self, _: Moment, number: u32, id: Id, batch: &Batch) {
        if self.follows(number) {
            self.seen(number).copies.committed(batch);
            self.everyone.committed(number, id, batch);
        }
    }

    fn spoilt(&mut self, _: Moment, number: u32, key: Id) {
        if self.follows(number) {
            self.seen(number).copies.spoilt(key);
        }
    }

    fn disks_replaced(&mut self, _: Moment, disks: &[(u32, Id, Batch)]) {
        for (number, _, batch) in disks {
            if self.follows(*number) {
                self.seen(*number).copies.replaced(batch);
            }
        }
    }

    fn disks_gone(&mut self, _: Moment, numbers: &[u32], how: DiskGone) {
        self.act.ended |= how == DiskGone::Left && numbers.iter().any(|it| self.is_acting(*it));
        if how == DiskGone::Lost {
            let every = self.every;
            for &number in numbers.iter().filter(|number| **number % every == 0) {
                let seen = self.seen(number);
                seen.serving.disk_lost();
                seen.copies.disk_lost();
            }
        }
    }

    fn fault_began(&mut self, at: Moment, effect: &Effect) {
        let every = self.every;
        let far = self.wrong_clocks.get(effect.index).copied().flatten();
        let hit = effect.groups.iter().flatten();
        for &number in hit.filter(|number| **number % every == 0) {
            match effect.kind {
                "skew" | "clock" => {
                    let seen = self.seen(number);
                    seen.serving.clock_is_off();
                    seen.copies.clock_is_off();
                    if let Some(by) = far {
                        seen.clocks.is_wrong(at.now, by, effect.until);
                    }
                }
                "disk" => {
                    // Where bits flip, nothing is kept back.
                    if self.slow_disks.get(effect.index) == Some(&true) {
                        self.seen(number).serving.disk_is_slow();
                    }
                    self.everyone.touched(number);
                }
                // It does nothing in time.
                "pause" => {
                    let seen = self.seen(number);
                    seen.repair.stopped();
                    seen.steps.paused();
                }
                _ => {}
            }
        }
    }

    fn on_event(
        &mut self,
        _: Moment,
        number: u32,
        event: &Event<std::convert::Infallible>,
        _: Option<Subject>,
    ) {
        if self.is_acting(number) {
            match event {
                Event::PresumedDead(peer) => self.act.told.push(Told::Dead(peer.id)),
                Event::SetAside => self.act.told.push(Told::SetAside),
                Event::LeftBehind { .. } => self.act.told.push(Told::LeftBehind),
                Event::Damaged(key) => self.act.told.push(Told::Damaged(*key)),
                Event::Ignored(..) => self.act.ignored = true,
                _ => {}
            }
        }
    }
}
